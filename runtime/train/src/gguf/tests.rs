//! Tokenizers go into metadata and come back with the same ids for the same text.

use llmp_nn::gguf::Value;
use serde_json::{Value as Json, json};

use super::from_json::Around;
use super::*;

const TEXTS: &[&str] =
    &["Once upon a time, the cat sat.", "", " two  spaces\n\nlines", "naïve — 12345 ’s don't", "<s> ok </s>"];

fn ids(tokenizer: &Json, text: &str) -> Vec<u32> {
    let read = tokenizers::Tokenizer::from_bytes(tokenizer.to_string()).expect("a tokenizer");
    read.encode(text, true).expect("encodes").get_ids().to_vec()
}

fn texts(tokenizer: &Json, ids: &[u32]) -> String {
    let read = tokenizers::Tokenizer::from_bytes(tokenizer.to_string()).expect("a tokenizer");
    read.decode(ids, true).expect("decodes")
}

/// Bytes as `ByteLevel` writes them, a few merges, one end token.
fn bytes(cut: Json) -> Json {
    let mut vocabulary = serde_json::Map::new();
    vocabulary.insert("<|endoftext|>".into(), 0.into());
    let alphabet: std::collections::BTreeSet<char> =
        tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
    for letter in alphabet {
        vocabulary.insert(letter.to_string(), vocabulary.len().into());
    }
    let merges = [["t", "h"], ["th", "e"], ["Ġ", "the"], ["a", "t"], ["1", "2"]];
    for [left, right] in merges {
        vocabulary.insert(format!("{left}{right}"), vocabulary.len().into());
    }
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [{
            "id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "pre_tokenizer": cut,
        "post_processor": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false },
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges,
        },
    })
}

fn level(regex: bool) -> Json {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex })
}

#[test]
fn byte_level_tokenizers_come_back() {
    let split = |pattern: &str| {
        let split = json!({
            "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false,
        });
        json!({ "type": "Sequence", "pretokenizers": [split, level(false)] })
    };
    let digits = json!({ "type": "Digits", "individual_digits": true });
    let cuts = [
        ("gpt-2", level(true)),
        ("llama-bpe", split(CUTS[0].1)),
        ("qwen2", split(CUTS[1].1)),
        ("smollm", json!({ "type": "Sequence", "pretokenizers": [digits, level(true)] })),
    ];
    for (name, cut) in cuts {
        let own = bytes(cut);
        let around = Around { begin: Some(0), end: Some(0), template: Some("{{ messages }}".into()) };
        let metadata = metadata(&own, 270, &around).expect("has a name");
        let find = |key: &str| metadata.iter().find(|(k, _)| k == key).map(|(_, v)| v);
        assert_eq!(find("tokenizer.ggml.pre").and_then(Value::as_text), Some(name));
        assert_eq!(find("tokenizer.ggml.tokens").and_then(Value::as_list).map(<[Value]>::len), Some(270));
        assert_eq!(find("tokenizer.ggml.add_bos_token"), Some(&Value::Bool(false)));
        assert_eq!(find("tokenizer.chat_template").and_then(Value::as_text), Some("{{ messages }}"));
        let back = tokenizer(&metadata).expect("comes back");
        for text in TEXTS {
            assert_eq!(ids(&back, text), ids(&own, text), "{name}: {text}");
            let ids = ids(&own, text);
            assert_eq!(texts(&back, &ids), texts(&own, &ids), "{name}: {text}");
        }
    }
}

#[test]
fn a_tokenizer_of_pieces_comes_back() {
    let names = ["<unk>", "<s>", "</s>"];
    let mut vocabulary: serde_json::Map<String, Json> =
        names.iter().enumerate().map(|(id, name)| ((*name).to_owned(), id.into())).collect();
    for byte in 0..256 {
        vocabulary.insert(format!("<0x{byte:02X}>"), vocabulary.len().into());
    }
    let merges = [["▁", "t"], ["h", "e"], ["▁t", "he"], ["▁", "a"], ["a", "t"]];
    for [left, right] in merges {
        vocabulary.insert(format!("{left}{right}"), vocabulary.len().into());
    }
    for letter in ["▁", "t", "h", "e", "a", "c", "s", "n", "u", "i", "m", "d"] {
        vocabulary.insert(letter.into(), vocabulary.len().into());
    }
    let added: Vec<Json> = names
        .iter()
        .enumerate()
        .map(|(id, name)| {
            json!({
                "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        })
        .collect();
    let own = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        ] },
        "pre_tokenizer": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } },
        },
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 },
        ] },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges,
        },
    });
    let around = Around { begin: Some(1), end: Some(2), template: None };
    let metadata = metadata(&own, vocabulary.len(), &around).expect("has a form");
    let find = |key: &str| metadata.iter().find(|(k, _)| k == key).map(|(_, v)| v);
    assert_eq!(find("tokenizer.ggml.add_bos_token"), Some(&Value::Bool(true)));
    assert_eq!(find("tokenizer.ggml.add_space_prefix"), Some(&Value::Bool(true)));
    let back = tokenizer(&metadata).expect("comes back");
    for text in TEXTS {
        assert_eq!(ids(&back, text), ids(&own, text), "{text}");
    }
}

#[test]
fn what_llama_cpp_has_no_name_for_is_refused() {
    let cut = json!({ "type": "Whitespace" });
    let words = metadata(&bytes(cut), 300, &Around::default()).expect_err("no name");
    assert!(words.contains("cuts text"), "{words}");
    let words = metadata(&bytes(level(true)), 100, &Around::default()).expect_err("too small");
    assert!(words.contains("beyond the vocabulary of 100"), "{words}");
    let words =
        metadata(&json!({ "model": { "type": "Unigram" } }), 9, &Around::default()).expect_err("no BPE");
    assert!(words.contains("Unigram"), "{words}");
}
