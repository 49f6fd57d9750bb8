//! Published models, counted and named as transformers has them (`tests/golden/shapes`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::kinds::NormPlace;

/// Families with a golden file; a Mistral is a Llama with a window.
const COUNTED: [Family; 5] = [Family::Llama, Family::Qwen2, Family::Qwen2Moe, Family::Gemma2, Family::Gpt2];

fn rms(offset: bool) -> NormForm {
    NormForm { rms: true, bias: false, offset, eps: 1e-5 }
}

/// A Llama-shaped decoder with the sizes of a golden file.
fn base(config: &Value) -> Architecture {
    let size = |name: &str| config[name].as_u64().map(|n| n as usize);
    let of = |name: &str| size(name).unwrap_or_else(|| panic!("{name} is missing"));
    let (width, heads) = (of("hidden_size"), of("num_attention_heads"));
    Architecture {
        vocab: of("vocab_size"),
        layers: of("num_hidden_layers"),
        width,
        heads,
        kv_heads: of("num_key_value_heads"),
        head_dim: size("head_dim").unwrap_or(width / heads),
        ffn: FeedForward { activation: Activation::Silu, gated: true, hidden: of("intermediate_size") },
        tied: config["tie_word_embeddings"] == true,
        context: 4096,
        ..Architecture::default()
    }
}

fn built(family: Family, config: &Value) -> Architecture {
    let of = |name: &str| config[name].as_u64().expect("a size") as usize;
    match family {
        Family::Llama | Family::Mistral => base(config),
        Family::Qwen2 => Architecture { qkv_bias: true, ..base(config) },
        Family::Qwen2Moe => {
            let experts = ExpertForm {
                routed: of("num_experts"),
                active: of("num_experts_per_tok"),
                hidden: of("moe_intermediate_size"),
                shared: of("shared_expert_intermediate_size"),
                shared_gate: true,
                renormalise: false,
                balance: 0.001,
            };
            Architecture { qkv_bias: true, experts: Some(experts), ..base(config) }
        }
        Family::Gemma2 => {
            let plain = base(config);
            let ffn = FeedForward { activation: Activation::GeluTanh, ..plain.ffn };
            let pattern = vec![Reach::Window(4096), Reach::Global];
            Architecture {
                ffn,
                norm: rms(true),
                norm_place: NormPlace::Sandwich,
                pattern,
                attention_cap: Some(50.0),
                logit_cap: Some(30.0),
                embedding_scale: Some((plain.width as f64).sqrt()),
                ..plain
            }
        }
        Family::Gpt2 => {
            let (width, heads) = (of("n_embd"), of("n_head"));
            let sizes = [
                ("vocab_size", of("vocab_size")),
                ("num_hidden_layers", of("n_layer")),
                ("hidden_size", width),
                ("num_attention_heads", heads),
                ("num_key_value_heads", heads),
                ("intermediate_size", 4 * width),
            ];
            let mut named: serde_json::Map<String, Value> =
                sizes.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
            named.insert("tie_word_embeddings".into(), true.into());
            let plain = base(&Value::Object(named));
            Architecture {
                ffn: FeedForward { activation: Activation::GeluTanh, gated: false, hidden: 4 * width },
                norm: NormForm { rms: false, bias: true, offset: false, eps: 1e-5 },
                order: Order::Table,
                bias: true,
                context: of("n_positions"),
                ..plain
            }
        }
    }
}

/// Every size of a family with its golden record.
fn golden(family: Family) -> Vec<(String, Architecture, Value)> {
    let name = format!("../../tests/golden/shapes/{}.json", family.model_type());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = std::fs::read_to_string(path).expect("a golden file");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let sizes = all["sizes"].as_object().expect("sizes");
    sizes.iter().map(|(name, g)| (name.clone(), built(family, &g["config"]), g.clone())).collect()
}

fn shape(value: &Value) -> Vec<usize> {
    value.as_array().expect("a shape").iter().map(|n| n.as_u64().expect("a size") as usize).collect()
}

#[test]
fn names_and_shapes_are_those_of_transformers_for_every_size() {
    let mut seen = 0;
    for family in COUNTED {
        for (size, sizes, golden) in golden(family) {
            let mut wanted: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for (name, value) in golden["once"].as_object().expect("tensors") {
                wanted.insert(name.clone(), shape(value));
            }
            for layer in 0..golden["layers"].as_u64().expect("layers") {
                for (name, value) in golden["layer"].as_object().expect("tensors") {
                    wanted.insert(name.replace("{}", &layer.to_string()), shape(value));
                }
            }
            assert_eq!(Family::of(&sizes), Some(family), "{size}");
            assert!(sizes.validate().is_empty(), "{:?}", sizes.validate());
            let state = family.state(&sizes);
            let differ: Vec<_> = state.iter().filter(|(n, s)| wanted.get(*n) != Some(s)).take(3).collect();
            assert_eq!((differ, state.len()), (vec![], wanted.len()), "{family:?} {size}");
            assert_eq!(Some(sizes.parameters()), golden["parameters"].as_u64(), "{family:?} {size}");
            let params = sizes.params();
            let listed: u64 = params.iter().map(|p| p.count() as u64).sum();
            assert_eq!(listed, sizes.parameters(), "the list and the sum are one");
            let names: BTreeSet<String> = params.iter().map(|p| family.name(&p.name)).collect();
            let joined = if family == Family::Gpt2 { 4 * sizes.layers } else { 0 };
            assert_eq!(names.len() + joined, params.len(), "each parameter has a place of its own in a file");
            seen += 1;
        }
    }
    assert_eq!(seen, 12);
}

#[test]
fn active_parameters_of_the_mixture_of_experts() {
    let [(_, moe, _)] = &golden(Family::Qwen2Moe)[..] else { panic!("one size") };
    let (all, active) = (moe.parameters() as f64 / 1e9, moe.parameters_active() as f64 / 1e9);
    assert_eq!((format!("{all:.2}"), format!("{active:.2}")), ("57.41".into(), "14.25".into()));
    let dense = Architecture { experts: None, ..moe.clone() };
    assert_eq!(dense.parameters(), dense.parameters_active());
}

#[test]
fn flops_follow_the_one_formula() {
    let llama = golden(Family::Llama).into_iter().find(|(name, ..)| name == "8B").expect("the 8B").1;
    let products = llama.parameters() - 128_256 * 4096 - (2 * 32 + 1) * 4096;
    assert_eq!(llama.parameters_multiplied(), products, "table and gains are not multiplied");
    let expected = 6.0 * products as f64 + 6.0 * 32.0 * 4096.0 * 8192.0;
    assert!((llama.flops_per_token(8192.0) / expected - 1.0).abs() < 1e-12);
    let windowed = Architecture { pattern: vec![Reach::Window(2048), Reach::Global], ..llama.clone() };
    // Half of the layers: twice the mean of min(i, 2048) over 8,192 positions.
    let mean = (2048.0 * 2048.0 / 2.0 + 6144.0 * 2048.0) / 8192.0;
    let saved = 6.0 * 16.0 * 4096.0 * (8192.0 - 2.0 * mean);
    assert!((windowed.flops_per_token(8192.0) + saved - expected).abs() < 1e-6 * expected);
    let short = windowed.flops_per_token(1024.0);
    assert_eq!(short, llama.flops_per_token(1024.0), "a window longer than the row changes nothing");
    let (_, moe, _) = golden(Family::Qwen2Moe).remove(0);
    let expert = 3 * 3584 * 2560;
    let all = moe.sum(|t| matches!(t.role, Role::Matrix | Role::Head));
    assert_eq!(moe.parameters_multiplied(), all - 28 * 56 * expert, "idle experts do no work");
}

#[test]
fn every_published_model_is_run() {
    for family in COUNTED {
        for (size, sizes, _) in golden(family) {
            let lacks = sizes.lacks();
            assert!(lacks.is_empty(), "{family:?} {size}: {lacks:?}");
        }
    }
}
