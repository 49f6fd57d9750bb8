//! Mixtures of experts: numbers of transformers' Qwen2MoeForCausalLM, both versions of the operation, its slopes.
#![cfg(feature = "kernels")]

mod common;

use common::{difference, on_threads};
use llmp_nn::spec::ExpertForm;
use llmp_nn::{Architecture, Balance, Cpu, Decoder, Extras, Grads, MicroBatch, Model, Path};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Made by `golden/make_moe.py`.
#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    loss: f64,
    balance: f64,
    logits: Vec<Vec<f32>>,
    plain: BTreeMap<String, Vec<f32>>,
    balanced: BTreeMap<String, Vec<f32>>,
}

fn golden(name: &str) -> (Model, Golden) {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = std::fs::read_to_string(dir.join("golden.json")).expect("the golden file");
    (Model::load(&dir).expect("the golden model"), serde_json::from_str(&text).expect("valid"))
}

/// Our gradients of what transformers keeps in one tensor, by hand: the loader's own table is on trial here.
fn ours(model: &Model, grads: &Grads, theirs: &str) -> Vec<f32> {
    let infos = model.spec().params();
    let find = |name: &str| {
        let at = infos.iter().position(|p| p.name == name);
        grads.get(at.unwrap_or_else(|| panic!("{theirs} is {name} here"))).to_vec()
    };
    let name = theirs.trim_end_matches(".weight").replace("model.layers", "blocks");
    if let Some((block, stacked)) = name.split_once(".mlp.experts.") {
        let matrices: &[&str] = if stacked == "down_proj" { &["down"] } else { &["gate", "up"] };
        let experts = model.spec().experts.expect("experts").routed;
        let one = |e: usize| matrices.iter().flat_map(move |m| [format!("{block}.ffn.experts.{e}.{m}")]);
        return (0..experts).flat_map(one).flat_map(|name| find(&name)).collect();
    }
    let pairs = [
        ("model.embed_tokens", "embedding"),
        ("lm_head", "head"),
        ("self_attn.q_proj", "attention.q"),
        ("self_attn.k_proj", "attention.k"),
        ("self_attn.v_proj", "attention.v"),
        ("self_attn.o_proj", "attention.o"),
        ("input_layernorm", "attention.norm"),
        ("post_attention_layernorm", "ffn.norm"),
        ("mlp.shared_expert_gate", "ffn.shared_gate"),
        ("mlp.shared_expert.gate_proj", "ffn.shared.gate"),
        ("mlp.shared_expert.up_proj", "ffn.shared.up"),
        ("mlp.shared_expert.down_proj", "ffn.shared.down"),
        ("mlp.gate", "ffn.router"),
        ("model.norm", "norm"),
    ];
    find(&pairs.iter().fold(name, |name, (theirs, ours)| name.replace(theirs, ours)))
}

fn grads(model: &Model, batches: &[MicroBatch], balance: Option<&Balance>) -> (f64, f64, Grads) {
    let n = batches.iter().map(MicroBatch::counted).sum::<u64>() as f64;
    let mut grads = Grads::zeros(model.spec());
    let (mut nll, mut balanced) = (0.0, 0.0);
    for batch in batches {
        let (sums, part) = model
            .loss_and_grads_with(batch, n, Extras { balance, ..Extras::default() }, &mut grads)
            .expect("valid");
        nll += sums.nll_sum;
        balanced += part;
    }
    (nll / n, balanced, grads)
}

fn balance(model: &Model, batches: &[MicroBatch]) -> Balance {
    let mut hits = vec![0; model.spec().experts.expect("experts").routed];
    for batch in batches {
        for (sum, hit) in hits.iter_mut().zip(model.hits(batch).expect("valid")) {
            *sum += hit;
        }
    }
    let positions = batches.iter().map(MicroBatch::positions).sum::<usize>() as u64;
    Balance::new(model.spec(), &hits, positions).expect("a model with a balance loss")
}

fn check(name: &str) {
    let (model, golden) = golden(name);
    let logits = model.logits(&golden.ids[..19]).expect("valid ids");
    let wanted: Vec<f32> = golden.logits.concat();
    assert!(difference(&logits, &wanted) < 1e-5, "{name}: logits by {:e}", difference(&logits, &wanted));
    let batch = [MicroBatch::document(&golden.ids)];
    for path in [Path::Fused, Path::Composed] {
        let model = model.clone().with_path(path);
        let (loss, _, plain) = grads(&model, &batch, None);
        assert!((loss / golden.loss - 1.0).abs() < 1e-5, "{name}: loss {loss}");
        let weight = balance(&model, &batch);
        let (_, balanced, pulled) = grads(&model, &batch, Some(&weight));
        let coefficient = model.spec().experts.expect("experts").balance;
        assert!((balanced / coefficient / golden.balance - 1.0).abs() < 1e-5, "{name}: balance {balanced}");
        for (kind, ours_all, theirs_all) in
            [("plain", &plain, &golden.plain), ("balanced", &pulled, &golden.balanced)]
        {
            for (key, want) in theirs_all {
                let d = difference(&ours(&model, ours_all, key), want);
                assert!(d < 1e-4, "{name}, {path:?}, {kind}: gradient of {key} differs by {d:e}");
            }
        }
        let router = "model.layers.0.mlp.gate.weight";
        let pull = difference(&ours(&model, &plain, router), &golden.balanced[router]);
        assert!(pull > 1e-3, "{name}: the balance loss does not show ({pull:e})");
    }
}

#[test]
fn probabilities_as_they_are() {
    check("moe");
}

#[test]
fn renormalised_probabilities() {
    check("moe_renormalised");
}

#[test]
fn a_changed_setting_turns_the_golden_red() {
    for name in ["moe", "moe_renormalised"] {
        let (model, golden) = golden(name);
        let form = model.spec().experts.expect("experts");
        let changed = [
            ExpertForm { active: form.active + 1, ..form },
            ExpertForm { renormalise: !form.renormalise, ..form },
        ];
        for form in changed {
            let spec = Architecture { experts: Some(form), ..model.spec().clone() };
            let other = Model::from_flat(Cpu::default(), spec, &model.to_flat()).expect("valid");
            let logits = other.logits(&golden.ids[..19]).expect("valid ids");
            assert!(difference(&logits, &golden.logits.concat()) > 1e-3, "{name}: {form:?}");
        }
    }
}

#[test]
fn the_balance_is_that_of_the_whole_batch() {
    let (model, golden) = golden("moe");
    let parts: Vec<MicroBatch> = golden.ids.chunks(7).map(MicroBatch::document).collect();
    let length = parts[0].length;
    let rows: Vec<&MicroBatch> = parts.iter().filter(|p| p.length == length).collect();
    let whole = MicroBatch {
        rows: rows.len(),
        length,
        inputs: rows.iter().flat_map(|p| p.inputs.clone()).collect(),
        targets: rows.iter().flat_map(|p| p.targets.clone()).collect(),
        doc_start: rows.iter().flat_map(|p| p.doc_start.clone()).collect(),
    };
    let cut: Vec<MicroBatch> = rows.into_iter().cloned().collect();
    let (one, many) = (balance(&model, std::slice::from_ref(&whole)), balance(&model, &cut));
    assert_eq!(one, many);
    let (loss_one, balance_one, grads_one) = grads(&model, &[whole], Some(&one));
    let (loss_many, balance_many, grads_many) = grads(&model, &cut, Some(&many));
    assert!((loss_one / loss_many - 1.0).abs() < 1e-6 && (balance_one / balance_many - 1.0).abs() < 1e-6);
    assert!(difference(grads_one.flat(), grads_many.flat()) < 1e-5);
}

/// A model like the golden one with other sizes: no shared part, without a gate, another bend.
fn variants() -> Vec<Model> {
    let (golden, _) = golden("moe");
    let spec = golden.spec().clone();
    let form = spec.experts.expect("experts");
    let shared = |shared, shared_gate| Some(ExpertForm { shared, shared_gate, ..form });
    let one = Some(ExpertForm { routed: 3, active: 1, shared: 0, ..form });
    let relu =
        llmp_nn::spec::FeedForward { activation: llmp_nn::spec::Activation::Relu2, gated: false, ..spec.ffn };
    let specs = [
        Architecture { experts: shared(0, false), ..spec.clone() },
        Architecture { experts: shared(12, false), ..spec.clone() },
        Architecture { experts: one, ffn: relu, ..spec },
    ];
    specs.iter().map(|spec| common::model(spec, 40)).collect()
}

#[test]
fn both_versions_agree_and_no_thread_changes_a_bit() {
    let (_, golden) = golden("moe");
    for model in variants() {
        let batch = [MicroBatch::document(&golden.ids)];
        let weight = balance(&model, &batch);
        let run = |model: &Model| grads(model, &batch, Some(&weight));
        let (loss, balanced, fused) = run(&model);
        let (other, other_balanced, composed) = run(&model.clone().with_path(Path::Composed));
        assert!((loss / other - 1.0).abs() < 1e-5 && (balanced / other_balanced - 1.0).abs() < 1e-5);
        let d = difference(fused.flat(), composed.flat());
        assert!(d < 2e-5, "{d:e}");
        let (rounded, _, bf16) = run(&model.clone().with_path(Path::Bf16));
        let d = difference(bf16.flat(), fused.flat());
        assert!((rounded / loss - 1.0).abs() < 0.02 && d > 1e-5 && d < 0.05, "bf16: {rounded}, {d:e}");
        let threads: Vec<Vec<f32>> = [1, 3].map(|n| on_threads(n, || run(&model).2.flat().to_vec())).into();
        assert!(threads[0] == threads[1]);
    }
}

#[test]
fn a_gradient_is_the_slope_of_the_loss() {
    let (_, golden) = golden("moe");
    let model = &variants()[1];
    let batch = [MicroBatch::document(&golden.ids)];
    let weight = balance(model, &batch);
    let (_, _, grads_all) = grads(model, &batch, Some(&weight));
    let total = |model: &Model| {
        let (loss, balanced, _) = grads(model, &batch, Some(&weight));
        loss + balanced
    };
    let infos = model.spec().params();
    for (at, info) in infos.iter().enumerate() {
        if !info.name.contains("ffn") {
            continue;
        }
        // Along the gradient itself, so that rounding does not drown the slope.
        let direction = grads_all.get(at);
        let size = direction.iter().map(|g| g * g).sum::<f32>().sqrt();
        if size < 1e-5 {
            continue;
        }
        let moved = |step: f32| {
            let mut model = model.clone();
            for (p, g) in model.params_mut()[at].iter_mut().zip(direction) {
                *p += step * g / size;
            }
            model
        };
        // Where a token changes its experts the loss jumps: the step is so small that none does.
        let hits = |model: &Model| model.hits(&batch[0]).expect("valid");
        let same = |step: &f32| [*step, -step].iter().all(|step| hits(&moved(*step)) == hits(model));
        let step = [2e-3, 5e-4, 1e-4].into_iter().find(same).expect("a step that keeps the routing");
        let slope = (total(&moved(step)) - total(&moved(-step))) / f64::from(2.0 * step);
        let want = f64::from(size);
        assert!((slope / want - 1.0).abs() < 0.03, "{}: {slope} for {want}", info.name);
    }
}

#[test]
fn decoding_does_not_depend_on_what_else_is_decoded() {
    let (model, golden) = golden("moe_renormalised");
    let whole = model.logits(&golden.ids).expect("valid");
    let mut decoder = Decoder::new(&model);
    let vocab = model.spec().vocab;
    for (at, &id) in golden.ids.iter().enumerate() {
        let logits = decoder.step(id).expect("valid");
        assert_eq!(logits, whole[at * vocab..][..vocab], "token {at}");
    }
}
