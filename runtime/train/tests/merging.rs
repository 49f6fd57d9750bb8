//! Merged models: mergekit's tensors, what DARE draws, and models that do not belong together.
#![cfg(feature = "kernels")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use common::byte_tokenizer;
use llmp_nn::{SaveOptions, weights};
use llmp_stdlib::Value;
use llmp_stdlib::arg::ModelRef;
use llmp_train::kinds::merge::{Dare, Mean, MergeMethod, Slerp, TaskArithmetic, Ties, Warp};
use llmp_train::merging::{Merging, merge};
use llmp_train::{Host, TrainError};
use safetensors::SafeTensors;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/merging").join(name)
}

const NAMES: &[&str] = &["a", "b", "c", "d", "base"];

/// The golden model of this name as an input of the step.
fn model(name: &str) -> ModelRef {
    let at = NAMES.iter().position(|own| *own == name).expect("a golden model");
    ModelRef(Value::Input(at))
}

fn models(names: &str) -> Vec<ModelRef> {
    names.chars().map(|name| model(&name.to_string())).collect()
}

/// What a method makes of the golden models.
fn made(method: MergeMethod) -> BTreeMap<String, Vec<f32>> {
    let out = tempfile::tempdir().expect("a folder");
    let merging = Merging { method, tokenizers: Vec::new() };
    let folders: Vec<PathBuf> =
        merging.models().expect("inputs").into_iter().map(|at| golden(NAMES[at])).collect();
    merge(&merging.method, &folders, &[], out.path(), &Host::quiet()).expect("merges");
    let (sizes, _) = weights::load(out.path()).expect("loads as a model");
    assert_eq!(sizes.width, 8);
    tensors(&out.path().join("model.safetensors"))
}

fn tensors(path: &Path) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(path).expect("there");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let floats =
        |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    file.tensors().into_iter().map(|(name, tensor)| (name, floats(tensor.data()))).collect()
}

fn furthest(a: &BTreeMap<String, Vec<f32>>, b: &BTreeMap<String, Vec<f32>>) -> f32 {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    let all = a.values().flatten().zip(b.values().flatten());
    all.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn is_mergekits(name: &str, method: MergeMethod) {
    let theirs = tensors(&golden("merged").join(format!("{name}.safetensors")));
    let apart = furthest(&made(method), &theirs);
    assert!(apart < 1e-6, "{name}: {apart}");
}

fn mean(names: &str, weights: &[f64]) -> MergeMethod {
    MergeMethod::Mean(Mean { models: models(names), weights: weights.to_vec() })
}

fn task(names: &str, weights: &[f64]) -> MergeMethod {
    MergeMethod::TaskArithmetic(TaskArithmetic {
        models: models(names),
        base: model("base"),
        weights: weights.to_vec(),
    })
}

fn slerp(b: &str, t: f64, base: Option<ModelRef>) -> MergeMethod {
    MergeMethod::Slerp(Slerp { a: model("a"), b: model(b), t, base })
}

fn ties(density: f64, weights: &[f64]) -> MergeMethod {
    MergeMethod::Ties(Ties { models: models("abd"), base: model("base"), density, weights: weights.to_vec() })
}

fn warp(names: &str, toward: f64) -> MergeMethod {
    MergeMethod::Warp(Warp { models: models(names), base: model("base"), slerp: 0.5, toward })
}

fn dare(names: &str, drop: f64, seed: u64) -> MergeMethod {
    MergeMethod::Dare(Dare { models: models(names), base: model("base"), drop, weights: Vec::new(), seed })
}

#[test]
fn every_method_makes_the_tensors_of_mergekit() {
    is_mergekits("linear", mean("abd", &[1.0, 2.0, 0.5]));
    is_mergekits("slerp", slerp("b", 0.3, None));
    is_mergekits("slerp_near", slerp("c", 0.25, None));
    is_mergekits("slerp_base", slerp("b", 0.3, Some(model("base"))));
    is_mergekits("task_arithmetic", task("abd", &[0.4, -0.3, 1.0]));
    is_mergekits("ties", ties(0.2, &[]));
    is_mergekits("ties_weighted", ties(0.55, &[1.0, 0.5, 2.0]));
    is_mergekits("warp", warp("ab", 0.3));
    is_mergekits("warp_three", warp("abd", 1.0));
}

#[test]
fn the_golden_merges_are_far_from_one_another() {
    let names =
        ["linear", "slerp", "slerp_base", "task_arithmetic", "ties", "ties_weighted", "warp", "warp_three"];
    let all: Vec<_> =
        names.iter().map(|n| tensors(&golden("merged").join(format!("{n}.safetensors")))).collect();
    for (i, a) in all.iter().enumerate() {
        for b in &all[..i] {
            assert!(furthest(a, b) > 1e-3);
        }
    }
}

#[test]
fn dare_drops_at_random_and_keeps_the_mean() {
    let base = tensors(&golden("base").join("model.safetensors"));
    let change = tensors(&golden("a").join("model.safetensors"));
    let (mut dropped, mut all) = (0, 0);
    for (name, values) in made(dare("a", 0.75, 3)) {
        for ((x, base), a) in values.iter().zip(&base[&name]).zip(&change[&name]) {
            let (wanted, found) = (4.0 * (a - base), x - base);
            assert!(found == 0.0 || (found - wanted).abs() < 1e-5, "{name}: {found}, not {wanted}");
            dropped += i32::from(found == 0.0);
            all += 1;
        }
    }
    let share = f64::from(dropped) / f64::from(all);
    // Four standard deviations of a share of 632.
    assert!((share - 0.75).abs() < 4.0 * (0.75f64 * 0.25 / f64::from(all)).sqrt(), "{share}");

    assert_eq!(made(dare("ab", 0.5, 1)), made(dare("ab", 0.5, 1)));
    assert!(furthest(&made(dare("ab", 0.5, 1)), &made(dare("ab", 0.5, 2))) > 0.1);

    // The mean over masks is that of the changes: mergekit's task arithmetic with the same weights.
    let wanted = tensors(&golden("merged").join("dare_mean.safetensors"));
    let draws = 200;
    let (mut sum, mut square) = (0.0, 0.0);
    for seed in 0..draws {
        let made = made(dare("ab", 0.5, seed));
        let far = made
            .values()
            .flatten()
            .zip(wanted.values().flatten())
            .map(|(a, b)| f64::from(a - b))
            .sum::<f64>();
        (sum, square) = (sum + far, square + far * far);
    }
    let (mean, n) = (sum / draws as f64, draws as f64);
    let error = ((square / n - mean * mean) / n).sqrt();
    assert!(mean.abs() < 4.0 * error, "{mean} ± {error}");
}

fn refused(folders: &[PathBuf], tokenizers: &[PathBuf]) -> TrainError {
    let out = tempfile::tempdir().expect("a folder");
    let method = mean("ab", &[]);
    merge(&method, folders, tokenizers, out.path(), &Host::quiet()).expect_err("refused")
}

#[test]
fn models_that_do_not_belong_together_are_refused_with_words() {
    let other = tempfile::tempdir().expect("a folder");
    let (mut sizes, _) = weights::load(&golden("a")).expect("loads");
    sizes.ffn.hidden = 16;
    let flat = vec![0.0; sizes.parameters() as usize];
    weights::save(other.path(), &sizes, &flat, &SaveOptions::default()).expect("writes");
    let words = refused(&[golden("a"), other.path().to_owned()], &[]).to_string();
    assert!(words.contains("has shape") && words.contains("cannot be merged"), "{words}");

    let (one, two) = (other.path().join("one.json"), other.path().join("two.json"));
    std::fs::write(&one, byte_tokenizer()).expect("writes");
    std::fs::write(&two, byte_tokenizer().replace("<|endoftext|>", "</s>")).expect("writes");
    let words = refused(&[golden("a"), golden("b")], &[one, two]).to_string();
    assert!(words.contains("different tokenizers"), "{words}");
}

#[test]
fn a_merge_stops_when_it_is_asked_to() {
    let (out, stop) = (tempfile::tempdir().expect("a folder"), AtomicBool::new(true));
    let folders = [golden("a"), golden("b")];
    let host = Host { stop: &stop, ..Host::quiet() };
    let said = merge(&mean("ab", &[]), &folders, &[], out.path(), &host);
    assert!(matches!(said, Err(TrainError::Stopped)), "{said:?}");
}
