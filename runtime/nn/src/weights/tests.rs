//! Folders of every family and GGUF files: what is written is read, and what cannot be held is refused.

use serde_json::{Value, json};
use std::path::Path;

use super::*;
use crate::Architecture;
use crate::gguf::Storage;
use crate::kinds::NormPlace;
use crate::spec::tests::tiny;
use crate::spec::{
    Activation, ChunkForm, ExpertForm, Family, FeedForward, NormForm, Order, Reach, Rotary, Stretch,
};

fn stretched(stretch: Stretch) -> Order {
    Order::Rotary(Rotary { base: 500_000.0, stretch, chunks: None })
}

fn gemma2() -> Architecture {
    let plain = tiny();
    Architecture {
        ffn: FeedForward { activation: Activation::GeluTanh, ..plain.ffn },
        norm: NormForm { offset: true, ..plain.norm },
        norm_place: NormPlace::Sandwich,
        pattern: vec![Reach::Window(7), Reach::Global],
        layers: 4,
        attention_cap: Some(50.0),
        logit_cap: Some(30.0),
        embedding_scale: Some((plain.width as f64).sqrt()),
        ..plain
    }
}

fn gpt2() -> Architecture {
    let plain = tiny();
    Architecture {
        heads: 4,
        kv_heads: 4,
        head_dim: 5,
        ffn: FeedForward { activation: Activation::GeluTanh, gated: false, ..plain.ffn },
        norm: NormForm { rms: false, bias: true, ..plain.norm },
        order: Order::Table,
        bias: true,
        dropout: 0.1,
        ..plain
    }
}

/// Models of each family, between them every setting that a `config.json` states.
fn all() -> Vec<(Option<Family>, Architecture)> {
    let plain = tiny();
    let llama3 = Stretch::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192 };
    let yarn = Stretch::Yarn { factor: 4.0, original: 32, fast: 32.0, slow: 1.0, attention: 1.25 };
    let experts = ExpertForm {
        routed: 3,
        active: 2,
        hidden: 8,
        shared: 16,
        shared_gate: true,
        renormalise: true,
        balance: 0.01,
    };
    let windows = vec![Reach::Window(5), Reach::Global];
    let chunks = Some(ChunkForm { trained: 32, chunk: 24 });
    let chunked = Order::Rotary(Rotary { base: 500_000.0, stretch: Stretch::None, chunks });
    vec![
        (Some(Family::Llama), plain.clone()),
        (Some(Family::Llama), Architecture { tied: false, order: stretched(llama3), ..plain.clone() }),
        (
            Some(Family::Llama),
            Architecture { bias: true, order: stretched(Stretch::Linear { factor: 2.0 }), ..plain.clone() },
        ),
        (
            Some(Family::Mistral),
            Architecture { pattern: vec![Reach::Window(9)], tied: false, ..plain.clone() },
        ),
        (Some(Family::Qwen2), Architecture { qkv_bias: true, order: stretched(yarn), ..plain.clone() }),
        (Some(Family::Qwen2), Architecture { qkv_bias: true, order: chunked, ..plain.clone() }),
        (Some(Family::Qwen2), Architecture { qkv_bias: true, pattern: windows, layers: 4, ..plain.clone() }),
        (Some(Family::Qwen2Moe), Architecture { qkv_bias: true, experts: Some(experts), ..plain.clone() }),
        (Some(Family::Gemma2), gemma2()),
        (
            Some(Family::Gemma2),
            Architecture { score_scale: Some(0.25), attention_cap: None, tied: false, ..gemma2() },
        ),
        (Some(Family::Gpt2), gpt2()),
        (
            Some(Family::Gpt2),
            Architecture {
                ffn: FeedForward { activation: Activation::Relu2, ..gpt2().ffn },
                tied: false,
                ..gpt2()
            },
        ),
        (None, Architecture { qk_norm: Some(plain.norm), ..plain.clone() }),
        (None, Architecture { pattern: vec![Reach::Global, Reach::GlobalWithoutOrder], ..plain }),
    ]
}

/// Numbers that are all different.
fn numbers(sizes: &Architecture) -> Vec<f32> {
    (0..sizes.parameters()).map(|i| ((i * 7919) % 100_003) as f32 / 1e5 - 0.5).collect()
}

#[test]
fn a_folder_of_every_family_comes_back() {
    for (family, sizes) in all() {
        assert!(sizes.validate().is_empty(), "{:?}", sizes.validate());
        assert_eq!(Family::of(&sizes), family, "{:?}", Family::nearest(&sizes));
        let dir = tempfile::tempdir().expect("a folder");
        let flat = numbers(&sizes);
        for shard in [None, Some(5_000)] {
            let options = SaveOptions { shard, ..SaveOptions::default() };
            save(dir.path(), &sizes, &flat, &options).expect("writes");
            let (back, values) = load(dir.path()).expect("reads");
            assert_eq!(back, sizes, "{family:?}");
            assert!(values == flat, "{family:?}: numbers differ");
            std::fs::remove_file(dir.path().join("model.safetensors")).ok();
        }
    }
}

#[test]
fn shards_have_an_index_and_keep_to_their_size() {
    let (sizes, dir) = (tiny(), tempfile::tempdir().expect("a folder"));
    let options = SaveOptions { shard: Some(4_000), dtype: StorageType::F16, ..SaveOptions::default() };
    save(dir.path(), &sizes, &numbers(&sizes), &options).expect("writes");
    let index = std::fs::read(dir.path().join("model.safetensors.index.json")).expect("an index");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    assert_eq!(index["metadata"]["total_size"], json!(sizes.parameters() * 2));
    let files: std::collections::BTreeSet<&str> =
        index["weight_map"].as_object().expect("a map").values().filter_map(Value::as_str).collect();
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        let length = std::fs::metadata(dir.path().join(file)).expect("there").len();
        assert!(length < 4_000 + 2_000, "{file}: {length}");
    }
    let (_, values) = load(dir.path()).expect("reads");
    for (a, b) in numbers(&sizes).iter().zip(values) {
        assert_eq!(half::f16::from_f32(*a).to_f32(), b);
    }
}

#[test]
fn names_of_gpt2_without_its_body_and_stacked_experts_are_read() {
    let moe = all().into_iter().find(|(f, _)| *f == Some(Family::Qwen2Moe)).expect("one").1;
    let short: fn(&str) -> String = |name| name.trim_start_matches("transformer.").to_owned();
    let cases = [
        (gpt2(), slots::folder(Some(Family::Gpt2), &gpt2()), short),
        (moe.clone(), slots::stacked(Family::Qwen2Moe, &moe), str::to_owned as fn(&str) -> String),
    ];
    for (sizes, slots, rename) in cases {
        let (dir, flat) = (tempfile::tempdir().expect("a folder"), numbers(&sizes));
        write_config(dir.path(), &sizes, "float32", &Default::default()).expect("writes");
        let bytes: Vec<Vec<u8>> =
            slots.iter().map(|s| s.pack(&flat).iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let view = |(slot, bytes): (&slots::Slot, &'_ Vec<u8>)| {
            let view =
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, slot.shape.clone(), bytes);
            (rename(&slot.name), view.expect("fits").data().to_vec(), slot.shape.clone())
        };
        let owned: Vec<_> = slots.iter().zip(&bytes).map(view).collect();
        let tensors = owned.iter().map(|(name, data, shape)| {
            (
                name,
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), data)
                    .expect("fits"),
            )
        });
        safetensors::serialize_to_file(tensors, None, &dir.path().join("model.safetensors")).expect("writes");
        let (back, values) = load(dir.path()).expect("reads");
        assert_eq!(back, sizes);
        assert!(values == flat);
        combined(&[dir.path(), dir.path()], &sizes, &flat);
    }
}

/// Folders of one model, combined number by number, are that model.
fn combined(from: &[&Path], sizes: &Architecture, flat: &[f32]) {
    let out = tempfile::tempdir().expect("a folder");
    let options = SaveOptions { shard: Some(5_000), ..SaveOptions::default() };
    let mut names = Vec::new();
    let mut second = |name: &str, values: &[Vec<f32>]| -> Result<Vec<f32>, crate::NnError> {
        assert_eq!(values[0], values[1], "{name}");
        names.push(name.to_owned());
        Ok(values[1].clone())
    };
    combine(from, out.path(), &options, &mut second).expect("writes");
    let (back, values) = load(out.path()).expect("reads");
    assert_eq!(&back, sizes);
    assert!(values == flat, "numbers differ");
    let tensors = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), tensors, "each tensor is made once");
}

#[test]
fn folders_of_every_family_are_combined_whatever_files_they_have() {
    for (_, sizes) in all() {
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let flat = numbers(&sizes);
        save(one.path(), &sizes, &flat, &SaveOptions::default()).expect("writes");
        save(two.path(), &sizes, &flat, &SaveOptions { shard: Some(5_000), ..SaveOptions::default() })
            .expect("writes");
        combined(&[one.path(), two.path()], &sizes, &flat);
    }
    let (dir, sizes) = (tempfile::tempdir().expect("a folder"), tiny());
    save(dir.path(), &sizes, &numbers(&sizes), &SaveOptions::default()).expect("writes");
    let out = tempfile::tempdir().expect("a folder");
    let short = &mut |_: &str, _: &[Vec<f32>]| Ok::<_, crate::NnError>(vec![0.0]);
    let said = combine(&[dir.path()], out.path(), &SaveOptions::default(), short).expect_err("too short");
    assert!(said.to_string().contains("what is made of"), "{said}");
}

fn edited(sizes: &Architecture, edit: impl FnOnce(&mut Value)) -> Result<Architecture, String> {
    let dir = tempfile::tempdir().expect("a folder");
    write_config(dir.path(), sizes, "float32", &Default::default()).expect("writes");
    let path = dir.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).expect("there")).expect("JSON");
    edit(&mut config);
    std::fs::write(&path, config.to_string()).expect("writes");
    read_config(dir.path()).map(|(sizes, _)| sizes).map_err(|e| e.to_string())
}

#[test]
fn what_would_change_the_arithmetic_is_refused_by_name() {
    let find = |family| all().into_iter().find(|(f, _)| *f == Some(family)).expect("one").1;
    let spoil: [(Family, &str, Value, &str); 14] = [
        (Family::Llama, "sliding_window", json!(5), "`sliding_window` (5) is not known"),
        (Family::Llama, "clip_qkv", json!(8.0), "`clip_qkv` (8.0) is not known"),
        (Family::Llama, "attention_bias", json!(true), "only both or none"),
        (Family::Llama, "hidden_act", json!("mish"), "`hidden_act` is \"mish\""),
        (Family::Llama, "model_type", json!("olmo"), "`model_type` is \"olmo\"; llama, mistral, qwen2"),
        (Family::Llama, "rope_parameters", json!({ "rope_type": "dynamic" }), "\"dynamic\" are not known"),
        (Family::Llama, "rope_parameters", json!({ "rope_type": "llama3" }), "`factor` is missing"),
        (Family::Llama, "rope_parameters", json!({ "mscale": 2 }), "`rope_parameters`: `mscale`"),
        (Family::Qwen2, "layer_types", json!(["full_attention"]), "2 names of layers"),
        (Family::Qwen2Moe, "mlp_only_layers", json!([1]), "`mlp_only_layers` is [1]"),
        (Family::Qwen2Moe, "decoder_sparse_step", json!(2), "`decoder_sparse_step` is 2"),
        (Family::Gemma2, "use_bidirectional_attention", json!(true), "`use_bidirectional_attention`"),
        (Family::Gpt2, "scale_attn_by_inverse_layer_idx", json!(true), "`scale_attn_by_inverse_layer_idx`"),
        (Family::Gpt2, "embd_pdrop", json!(0.3), "one share of dropout"),
    ];
    for (family, key, value, want) in spoil {
        let words = edited(&find(family), |c| c[key] = value).expect_err(key);
        assert!(words.contains(want) && words.contains("config.json: "), "{key}: {words}");
    }
    let harmless = |c: &mut Value| c["bos_token_id"] = json!(1);
    assert_eq!(edited(&tiny(), harmless), Ok(tiny()));
}

#[test]
fn a_missing_member_has_the_default_of_transformers() {
    let gone =
        |sizes: &Architecture, key: &str| edited(sizes, |c| _ = c.as_object_mut().expect("map").remove(key));
    let mistral = Architecture { pattern: vec![Reach::Window(9)], ..tiny() };
    let found = gone(&mistral, "sliding_window").expect("reads");
    assert_eq!(found.pattern, [Reach::Window(4096)]);
    let found = edited(&mistral, |c| c["sliding_window"] = Value::Null).expect("reads");
    assert_eq!(found.pattern, [Reach::Global]);
    let four = Architecture { layers: 4, ..gemma2() };
    assert_eq!(gone(&four, "layer_types").expect("reads").pattern, four.pattern);
    assert!(gone(&four, "tie_word_embeddings").expect("reads").tied);
    assert_eq!(gone(&tiny(), "rms_norm_eps").expect("reads").norm.eps, 1e-6);
}

#[test]
fn a_model_of_no_family_says_what_the_nearest_lacks() {
    let odd = Architecture { qk_norm: Some(tiny().norm), logit_cap: Some(30.0), ..tiny() };
    let words = Family::nearest(&odd).expect_err("none has both");
    assert_eq!(
        words,
        "no family of transformers holds this model; the nearest, llama, has no norm of queries and keys, no caps"
    );
}

fn options(storage: Storage) -> GgufOptions {
    GgufOptions {
        storage,
        name: "tiny".into(),
        metadata: vec![("tokenizer.ggml.model".into(), "gpt2".into())],
    }
}

fn through(path: &Path, sizes: &Architecture, storage: Storage) -> (Architecture, Vec<f32>) {
    save_gguf(path, sizes, &numbers(sizes), &options(storage)).expect("writes");
    load(path).expect("reads")
}

#[test]
fn gguf_files_of_three_families_come_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("m.gguf");
    let llama3 = Stretch::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192 };
    let short = Stretch::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 64 };
    let yarn =
        Stretch::Yarn { factor: 4.0, original: 32, fast: 32.0, slow: 1.0, attention: 0.1 * 4f64.ln() + 1.0 };
    let round = Architecture { width: 64, heads: 4, kv_heads: 2, head_dim: 16, ..tiny() };
    let wide = FeedForward { hidden: 96, ..round.ffn };
    let cases = [
        tiny(),
        Architecture { tied: false, order: stretched(llama3), ..tiny() },
        Architecture { head_dim: 32, order: stretched(short), ..tiny() },
        Architecture { bias: true, ..tiny() },
        Architecture { qkv_bias: true, order: stretched(yarn), ..tiny() },
        gemma2(),
        Architecture { ffn: wide, ..round },
    ];
    for sizes in cases {
        let (back, values) = through(&path, &sizes, Storage::F32);
        assert_eq!(back, sizes);
        // One is added to the gains of Gemma and taken off again.
        let exact = if sizes.norm.offset { 1e-7 } else { 0.0 };
        assert!(values.iter().zip(numbers(&sizes)).all(|(a, b)| (a - b).abs() <= exact));
        for (storage, error) in [(Storage::F16, 3e-4), (Storage::Q8, 2.3e-3), (Storage::Q4, 0.065)] {
            let (_, values) = through(&path, &sizes, storage);
            let worst = values.iter().zip(numbers(&sizes)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= error && (worst > 0.0 || storage == Storage::F32), "{storage:?}: {worst}");
        }
    }
}

#[test]
fn gguf_refuses_what_llama_cpp_does_not_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("m.gguf");
    let qwen = Architecture { qkv_bias: true, pattern: vec![Reach::Window(5), Reach::Global], ..tiny() };
    let cases = [
        (gpt2(), "this model is a gpt2"),
        (Architecture { pattern: vec![Reach::Window(5)], ..tiny() }, "this model is a mistral"),
        (qwen, "no qwen2 with windows"),
        (Architecture { attention_cap: None, ..gemma2() }, "no gemma2 with no caps"),
        (Architecture { score_scale: Some(0.25), ..gemma2() }, "a scale of scores"),
        (Architecture { qk_norm: Some(tiny().norm), ..tiny() }, "has no norm of queries and keys"),
        (
            Architecture { ffn: FeedForward { activation: Activation::Gelu, ..tiny().ffn }, ..tiny() },
            "than silu",
        ),
    ];
    for (sizes, want) in cases {
        let error = save_gguf(&path, &sizes, &numbers(&sizes), &options(Storage::F32)).expect_err(want);
        assert!(error.to_string().contains(want), "{error}");
    }
    // A window beyond the context hides nothing.
    let wide = Architecture { pattern: vec![Reach::Window(48)], ..tiny() };
    assert_eq!(through(&path, &wide, Storage::F32).0, tiny());
}

#[test]
fn a_gguf_file_with_more_or_less_than_it_should_have_is_refused() {
    use crate::gguf::{Metadata, Pending, write};
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("m.gguf");
    let mut metadata: Metadata =
        vec![("general.architecture".into(), "llama".into()), ("llama.expert_count".into(), 8.into())];
    let put = |metadata: &Metadata| {
        let mut bytes = Vec::new();
        let zeros = || vec![0.0; 40];
        let table = Pending {
            name: "token_embd.weight".into(),
            shape: vec![2, 20],
            storage: Storage::F32,
            values: Box::new(zeros),
        };
        write(&mut bytes, metadata, &[table]).expect("memory");
        std::fs::write(&path, bytes).expect("writes");
        load(&path).expect_err("spoiled").to_string()
    };
    let words = put(&metadata);
    assert!(words.contains("`llama.expert_count` is not known"), "{words}");
    metadata.truncate(1);
    let words = put(&metadata);
    assert!(words.contains("`llama.embedding_length` is missing"), "{words}");
    metadata[0].1 = "olmo".into();
    let words = put(&metadata);
    assert!(words.contains("the architecture is \"olmo\""), "{words}");
}
