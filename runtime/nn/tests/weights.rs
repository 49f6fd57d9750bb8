//! Model folders: what is written is read, and what is wrong is an error that names the place.
#![cfg(feature = "kernels")]

mod common;

use common::{model, specs};
use llmp_nn::{Model, NnError, SaveOptions, StorageType};
use serde_json::{Value, json};
use std::path::Path;

fn saved(dir: &Path) -> Model {
    let m = model(&specs()[1], 31);
    m.save(dir, &SaveOptions::default()).expect("writes");
    m
}

fn edit_config(dir: &Path, edit: impl FnOnce(&mut Value)) {
    let path = dir.join("config.json");
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("there")).expect("JSON");
    edit(&mut config);
    std::fs::write(path, config.to_string()).expect("writes");
}

fn load_error(dir: &Path) -> NnError {
    Model::load(dir).expect_err("the folder is spoiled")
}

#[test]
fn what_is_saved_is_loaded() {
    for spec in specs() {
        let dir = tempfile::tempdir().expect("a folder");
        let m = model(&spec, 30);
        m.save(dir.path(), &SaveOptions::default()).expect("writes");
        let back = Model::load(dir.path()).expect("reads");
        assert_eq!(back.spec(), m.spec());
        assert_eq!(back.to_flat(), m.to_flat());
    }
}

#[test]
fn bf16_rounds_and_extra_members_are_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let m = model(&specs()[0], 30);
    let extra = json!({ "eos_token_id": 2 }).as_object().cloned().expect("an object");
    m.save(dir.path(), &SaveOptions { dtype: StorageType::Bf16, extra, shard: None }).expect("writes");
    let back = Model::load(dir.path()).expect("reads");
    for (a, b) in m.to_flat().iter().zip(back.to_flat()) {
        assert_eq!(half::bf16::from_f32(*a).to_f32(), b);
    }
    edit_config(dir.path(), |c| {
        assert_eq!((&c["eos_token_id"], &c["torch_dtype"]), (&json!(2), &json!("bfloat16")))
    });
}

#[test]
fn f16_and_shards_are_read() {
    use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
    let dir = tempfile::tempdir().expect("a folder");
    let m = saved(dir.path());
    let bytes = std::fs::read(dir.path().join("model.safetensors")).expect("there");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("valid");
    let mut map = serde_json::Map::new();
    let mut shards = [Vec::new(), Vec::new()];
    for (i, (name, t)) in file.iter().enumerate() {
        let floats = t.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let halves: Vec<u8> = floats.flat_map(|x| half::f16::from_f32(x).to_le_bytes()).collect();
        map.insert(name.into(), json!(format!("part-{}.safetensors", i % 2)));
        shards[i % 2].push((name.to_owned(), t.shape().to_vec(), halves));
    }
    for (i, shard) in shards.iter().enumerate() {
        let views =
            shard.iter().map(|(n, s, d)| (n, TensorView::new(Dtype::F16, s.clone(), d).expect("fits")));
        serialize_to_file(views, None, &dir.path().join(format!("part-{i}.safetensors"))).expect("writes");
    }
    std::fs::remove_file(dir.path().join("model.safetensors")).expect("there");
    let index = json!({ "weight_map": map });
    std::fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).expect("writes");
    let back = Model::load(dir.path()).expect("reads");
    for (a, b) in m.to_flat().iter().zip(back.to_flat()) {
        assert_eq!(half::f16::from_f32(*a).to_f32(), b);
    }
    let outside = json!({ "weight_map": { "norm": "../part-0.safetensors" } });
    std::fs::write(dir.path().join("model.safetensors.index.json"), outside.to_string()).expect("writes");
    assert!(load_error(dir.path()).to_string().contains("is not a file name"));
}

#[test]
fn a_cut_file_is_an_error_at_every_length() {
    let dir = tempfile::tempdir().expect("a folder");
    saved(dir.path());
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).expect("there");
    for keep in [0, 4, 8, 100, 1000, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..keep]).expect("writes");
        let text = load_error(dir.path()).to_string();
        assert!(text.contains("model.safetensors"), "{keep} bytes: {text}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    std::fs::write(&path, &longer).expect("writes");
    assert!(matches!(load_error(dir.path()), NnError::File { .. }));
}

#[test]
fn a_spoiled_header_is_never_a_panic() {
    let dir = tempfile::tempdir().expect("a folder");
    let m = saved(dir.path());
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).expect("there");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let mut refused = 0;
    for at in (0..8 + header).step_by(3) {
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 0x15;
        std::fs::write(&path, &spoiled).expect("writes");
        match Model::load(dir.path()) {
            Err(_) => refused += 1,
            Ok(back) => assert_eq!(back.spec(), m.spec()),
        }
    }
    assert!(refused > header / 4, "{refused} of {}", header / 3);
}

#[test]
fn a_missing_or_unknown_tensor_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    saved(dir.path());
    edit_config(dir.path(), |c| c["num_hidden_layers"] = json!(3));
    let text = load_error(dir.path()).to_string();
    assert!(text.ends_with("no tensor is called `model.layers.2.input_layernorm.weight`"), "{text}");
    edit_config(dir.path(), |c| c["num_hidden_layers"] = json!(1));
    let text = load_error(dir.path()).to_string();
    assert!(text.contains("`model.layers.1.") && text.contains("decoder of 1 layers"), "{text}");
}

#[test]
fn a_wrong_shape_names_both_sides() {
    let dir = tempfile::tempdir().expect("a folder");
    saved(dir.path());
    edit_config(dir.path(), |c| c["intermediate_size"] = json!(28));
    let text = load_error(dir.path()).to_string();
    let want =
        "tensor `model.layers.0.mlp.gate_proj.weight` has shape [27, 20], config.json asks for [28, 20]";
    assert!(text.ends_with(want), "{text}");
}

#[test]
fn settings_that_cannot_be_honoured_are_refused() {
    let spoil: [(&str, Value, &str); 9] = [
        ("hidden_act", json!("mish"), "`hidden_act` is \"mish\""),
        ("model_type", json!("gemma"), "`model_type`"),
        ("attention_bias", json!(true), "`attention_bias` is true"),
        ("rope_parameters", json!({ "rope_type": "llama3", "rope_theta": 1e4 }), "`factor` is missing"),
        ("num_attention_heads", json!(5), "kv_heads (4) does not divide heads (5)"),
        ("head_dim", json!(5), "head_dim (5) is odd"),
        ("hidden_size", json!("wide"), "`hidden_size` is \"wide\", not a size"),
        ("vocab_size", json!(null), "`vocab_size` is missing"),
        ("num_hidden_layers", json!(4_000_000_000u64), "`layers` is 4000000000"),
    ];
    for (key, value, want) in spoil {
        let dir = tempfile::tempdir().expect("a folder");
        saved(dir.path());
        edit_config(dir.path(), |c| c[key] = value);
        let text = load_error(dir.path()).to_string();
        assert!(text.contains("config.json: ") && text.contains(want), "{key}: {text}");
    }
}

#[test]
fn a_folder_without_files_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(matches!(load_error(dir.path()), NnError::Io { .. }));
    saved(dir.path());
    std::fs::write(dir.path().join("config.json"), "{ not json").expect("writes");
    assert!(matches!(load_error(dir.path()), NnError::File { .. }));
}
