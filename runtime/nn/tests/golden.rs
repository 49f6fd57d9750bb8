//! Numbers of transformers' LlamaForCausalLM: loss, logits, log-probabilities and every gradient.
#![cfg(feature = "kernels")]

mod common;

use common::{difference, rotary, step};
use llmp_nn::spec::NormForm;
use llmp_nn::{Architecture, MicroBatch, Model, Path};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Made by `golden/make_llama.py`.
#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    loss: f64,
    logprobs: Vec<f32>,
    logits: Vec<Vec<f32>>,
    grads: BTreeMap<String, Vec<f32>>,
}

fn golden(name: &str) -> (Model, Golden) {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = std::fs::read_to_string(dir.join("golden.json")).expect("the golden file");
    (Model::load(&dir).expect("the golden model"), serde_json::from_str(&text).expect("valid"))
}

fn close(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    assert!((ours - theirs).abs() <= tolerance, "{what}: {ours}, transformers has {theirs}");
}

/// Our name for a tensor of `LlamaForCausalLM`, by hand: the loader's own table is on trial here.
fn ours(name: &str) -> String {
    let name = name.strip_suffix(".weight").expect("weights only");
    let pairs = [
        ("model.embed_tokens", "embedding"),
        ("lm_head", "head"),
        ("model.layers", "blocks"),
        ("self_attn.q_proj", "attention.q"),
        ("self_attn.k_proj", "attention.k"),
        ("self_attn.v_proj", "attention.v"),
        ("self_attn.o_proj", "attention.o"),
        ("input_layernorm", "attention.norm"),
        ("post_attention_layernorm", "ffn.norm"),
        ("mlp.gate_proj", "ffn.gate"),
        ("mlp.up_proj", "ffn.up"),
        ("mlp.down_proj", "ffn.down"),
        ("model.norm", "norm"),
    ];
    pairs.iter().fold(name.to_owned(), |name, (theirs, ours)| name.replace(theirs, ours))
}

fn check(name: &str) {
    let (m, golden) = golden(name);
    let logits = m.logits(&golden.ids).expect("valid ids");
    for (i, (a, b)) in logits.chunks(m.spec().vocab).zip(&golden.logits).enumerate() {
        for (a, b) in a.iter().zip(b) {
            close(&format!("logit at {i}"), f64::from(*a), f64::from(*b), 1e-4);
        }
    }
    let logprobs = m.token_logprobs(&golden.ids).expect("valid ids");
    assert_eq!(logprobs.len(), golden.logprobs.len());
    for (a, b) in logprobs.iter().zip(&golden.logprobs) {
        close("log-probability", f64::from(*a), f64::from(*b), 1e-4);
    }
    let batch = MicroBatch::document(&golden.ids);
    let n = batch.counted() as f64;
    for path in [Path::Fused, Path::Composed] {
        let (sums, grads) = step(&m.clone().with_path(path), &batch, n);
        close("loss", sums.nll_sum / n, golden.loss, 1e-4);
        let infos = m.spec().params();
        assert_eq!(golden.grads.len(), infos.len());
        for (theirs, want) in &golden.grads {
            let i = infos.iter().position(|p| p.name == ours(theirs)).expect("every tensor is ours");
            let d = difference(grads.get(i), want);
            assert!(d < 5e-5, "{path:?}: gradient of {theirs} differs by {d:e}");
        }
    }
}

#[test]
fn tied_head_and_grouped_queries() {
    check("tied_gqa");
}

#[test]
fn untied_head_another_base_and_eps() {
    check("untied_mha");
}

#[test]
fn the_golden_is_far_from_a_fresh_model() {
    for name in ["tied_gqa", "untied_mha"] {
        let (m, golden) = golden(name);
        let largest = golden.logits.iter().flatten().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!(largest > 20.0, "{name}: logits reach {largest}");
        let infos = m.spec().params();
        for (info, p) in infos.iter().zip(m.params()).filter(|(i, _)| i.shape.len() == 1) {
            assert!(p.iter().any(|x| (x - 1.0).abs() > 0.3), "{name}: {} is not perturbed", info.name);
        }
    }
}

#[test]
fn a_changed_setting_turns_the_golden_red() {
    for name in ["tied_gqa", "untied_mha"] {
        let (m, golden) = golden(name);
        let spec = m.spec().clone();
        let changed = [
            Architecture { order: rotary(15_000.0), ..spec.clone() },
            Architecture { norm: NormForm { eps: spec.norm.eps + 1e-2, ..spec.norm }, ..spec.clone() },
        ];
        for spec in changed {
            let other = Model::from_flat(llmp_nn::Cpu::default(), spec, &m.to_flat()).expect("valid");
            let logprobs = other.token_logprobs(&golden.ids).expect("valid ids");
            assert!(difference(&logprobs, &golden.logprobs) > 1e-3, "{name}");
        }
    }
}
