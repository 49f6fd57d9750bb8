//! A `tokenizer.json` out of the metadata of a GGUF file.

use std::collections::BTreeMap;

use llmp_nn::gguf::{Metadata, Value};
use serde_json::{Map, Value as Json, json};

use super::{CUTS, SPACE, kind};

/// The tokenizer of a file in the form of `tokenizer.json`. Errors: words that say what is missing or not known.
pub fn tokenizer(metadata: &Metadata) -> Result<Json, String> {
    let get = |key: &str| {
        let key = format!("tokenizer.ggml.{key}");
        metadata.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let list = |key: &str| get(key).and_then(Value::as_list);
    let flag = |key: &str| get(key).and_then(Value::as_bool);
    let tokens = list("tokens").ok_or("the file holds no tokenizer")?;
    let tokens: Vec<&str> =
        tokens.iter().map(|t| t.as_text().ok_or("a token is not a text")).collect::<Result<_, _>>()?;
    let kinds: Vec<i32> = match list("token_type") {
        Some(kinds) => kinds.iter().map(|k| if let Value::I32(k) = k { *k } else { kind::NORMAL }).collect(),
        None => vec![kind::NORMAL; tokens.len()],
    };
    if kinds.len() != tokens.len() {
        return Err(format!("{} tokens but {} types of tokens", tokens.len(), kinds.len()));
    }
    let (mut vocabulary, mut added) = (Map::new(), Vec::new());
    for (id, (token, kind)) in tokens.iter().zip(&kinds).enumerate() {
        // Added tokens stand in the vocabulary too: it is where their ids come from.
        if *kind != kind::UNUSED {
            vocabulary.insert((*token).to_owned(), id.into());
        }
        if matches!(*kind, kind::UNKNOWN | kind::CONTROL | kind::WRITTEN) {
            added.push(added_token(id, token, *kind != kind::WRITTEN));
        }
    }
    let model = get("model").and_then(Value::as_text).unwrap_or("");
    let pieces = match model {
        "gpt2" => false,
        "llama" => true,
        other => return Err(format!("a tokenizer of type \"{other}\" is not known; gpt2 and llama are")),
    };
    let merges = if pieces {
        let scores = list("scores").ok_or("the tokenizer has no scores")?;
        by_score(&tokens, &kinds, scores)
    } else {
        let merges = list("merges").ok_or("the tokenizer has no merges")?;
        merges.iter().filter_map(Value::as_text).map(Json::from).collect()
    };
    let unknown = kinds.iter().position(|k| *k == kind::UNKNOWN).map(|at| tokens[at]);
    let begin = get("bos_token_id").and_then(Value::as_u64).and_then(|id| tokens.get(id as usize).copied());
    // llama.cpp's own defaults: pieces begin with the token that starts a text, bytes do not.
    let begin = begin.filter(|_| flag("add_bos_token").unwrap_or(pieces));
    let text = if pieces {
        cut_pieces(flag("add_space_prefix").unwrap_or(true))
    } else {
        cut_bytes(get("pre").and_then(Value::as_text).unwrap_or("default"))?
    };
    let [normalizer, pre_tokenizer, decoder] = text;
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": begin.map(|token| before(token, &tokens)),
        "decoder": decoder,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": unknown,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": pieces,
            "byte_fallback": pieces,
            "ignore_merges": false,
            "vocab": vocabulary,
            "merges": merges,
        },
    }))
}

fn added_token(id: usize, token: &str, special: bool) -> Json {
    json!({
        "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": special,
    })
}

/// Puts a token before every text.
fn before(token: &str, tokens: &[&str]) -> Json {
    let id = tokens.iter().position(|t| *t == token).unwrap_or(0);
    let (special, first) = (json!({ "SpecialToken": { "id": token, "type_id": 0 } }), "A");
    let text = |id: &str, kind: u8| json!({ "Sequence": { "id": id, "type_id": kind } });
    json!({
        "type": "TemplateProcessing",
        "single": [special, text(first, 0)],
        "pair": [special, text(first, 0), text("B", 1)],
        "special_tokens": { token: { "id": token, "ids": [id], "tokens": [token] } },
    })
}

/// Every way to put a token together out of two others, in the order of the scores of what they make.
fn by_score(tokens: &[&str], kinds: &[i32], scores: &[Value]) -> Vec<Json> {
    let normal = tokens.iter().zip(kinds).enumerate().filter(|(_, (_, kind))| **kind == kind::NORMAL);
    let ids: BTreeMap<&str, usize> = normal.map(|(id, (token, _))| (*token, id)).collect();
    let mut all = Vec::new();
    for (&token, &id) in &ids {
        let Some(score) = scores.get(id).and_then(Value::as_f64) else { continue };
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(l), Some(r)) = (ids.get(left), ids.get(right)) {
                all.push((score, *l, *r, left, right));
            }
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    all.into_iter().map(|(.., left, right)| json!([left, right])).collect()
}

/// Normalizer, pre-tokenizer and decoder of a tokenizer of pieces.
fn cut_pieces(prefix: bool) -> [Json; 3] {
    let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE });
    let mut normalizers = vec![replace];
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if prefix {
        normalizers.insert(0, json!({ "type": "Prepend", "prepend": SPACE }));
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    let normalizer = json!({ "type": "Sequence", "normalizers": normalizers });
    [normalizer, Json::Null, json!({ "type": "Sequence", "decoders": decoders })]
}

/// The same of a byte-level tokenizer.
fn cut_bytes(name: &str) -> Result<[Json; 3], String> {
    let bytes = |regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex });
    let sequence = |steps: [Json; 2]| json!({ "type": "Sequence", "pretokenizers": steps });
    let alias = match name {
        "llama3" | "llama-v3" | "smaug-bpe" => "llama-bpe",
        "deepseek-r1-qwen" => "qwen2",
        other => other,
    };
    let cut = match (alias, CUTS.iter().find(|(known, _)| *known == alias)) {
        (_, Some((_, pattern))) => {
            let pattern = json!({ "Regex": pattern });
            let split =
                json!({ "type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false });
            sequence([split, bytes(false)])
        }
        ("gpt-2", None) => bytes(true),
        ("smollm", None) => sequence([json!({ "type": "Digits", "individual_digits": true }), bytes(true)]),
        _ => {
            return Err(format!(
                "the way \"{name}\" of cutting text is not known (llama-bpe, qwen2, gpt-2, smollm)"
            ));
        }
    };
    let normalizer = if alias == "qwen2" { json!({ "type": "NFC" }) } else { Json::Null };
    Ok([normalizer, cut, bytes(true)])
}
