//! The metadata of a tokenizer out of its `tokenizer.json`.

use std::collections::BTreeMap;

use llmp_nn::gguf::{Metadata, Value};
use serde_json::Value as Json;

use super::{CUTS, SPACE, kind};

/// What the metadata say beyond the file: the tokens that begin and end a text, the chat template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Around {
    /// The token that starts a text.
    pub begin: Option<u32>,
    /// The token that ends it.
    pub end: Option<u32>,
    /// The chat template, in Jinja.
    pub template: Option<String>,
}

/// The metadata of a tokenizer for a vocabulary of `size` entries. Errors: words that say what llama.cpp has no name
/// for.
pub fn metadata(tokenizer: &Json, size: usize, around: &Around) -> Result<Metadata, String> {
    let model = &tokenizer["model"];
    if model["type"] != "BPE" {
        return Err(format!("a tokenizer of type {} has no form in GGUF here; BPE has", model["type"]));
    }
    let pieces = model["byte_fallback"] == true;
    let mut tokens: Vec<(String, i32)> = (0..size).map(|id| (format!("[PAD{id}]"), kind::UNUSED)).collect();
    let mut put = |token: &str, id: Option<u64>, kind: i32| {
        let slot = id.and_then(|id| tokens.get_mut(usize::try_from(id).ok()?));
        let slot = slot.ok_or_else(|| format!("token \"{token}\" lies beyond the vocabulary of {size}"))?;
        *slot = (token.to_owned(), kind);
        Ok::<(), String>(())
    };
    let vocabulary = model["vocab"].as_object().ok_or("the tokenizer has no vocabulary")?;
    for (token, id) in vocabulary {
        let byte = pieces && token.len() == 6 && token.starts_with("<0x") && token.ends_with('>');
        put(token, id.as_u64(), if byte { kind::BYTE } else { kind::NORMAL })?;
    }
    let unknown = model["unk_token"].as_str().unwrap_or("");
    for added in tokenizer["added_tokens"].as_array().into_iter().flatten() {
        let token = added["content"].as_str().ok_or("an added token has no content")?;
        let kind = match added["special"] == true {
            true if pieces && token == unknown => kind::UNKNOWN,
            true => kind::CONTROL,
            false => kind::WRITTEN,
        };
        put(token, added["id"].as_u64(), kind)?;
    }
    let merges = merges(model)?;
    let mut all: Vec<(&str, Value)> = Vec::new();
    if pieces {
        all.push(("model", "llama".into()));
        all.push(("pre", "default".into()));
        all.push(("scores", scores(&tokens, &merges)));
        all.push(("add_space_prefix", Value::Bool(prefix(tokenizer)?)));
    } else {
        all.push(("model", "gpt2".into()));
        all.push(("pre", cut(tokenizer)?.into()));
        let pair = |(left, right): &(String, String)| Value::Text(format!("{left} {right}"));
        all.push(("merges", Value::List(merges.iter().map(pair).collect())));
    }
    all.push(("tokens", Value::List(tokens.iter().map(|(token, _)| token.as_str().into()).collect())));
    all.push(("token_type", Value::List(tokens.iter().map(|(_, kind)| Value::I32(*kind)).collect())));
    let ids = [("bos_token_id", around.begin), ("eos_token_id", around.end)];
    all.extend(ids.into_iter().filter_map(|(key, id)| Some((key, id?.into()))));
    if let Some(at) = tokens.iter().position(|(_, k)| *k == kind::UNKNOWN) {
        all.push(("unknown_token_id", (at as u32).into()));
    }
    let (begins, ends) = added(&tokenizer["post_processor"]);
    all.push(("add_bos_token", Value::Bool(begins)));
    all.push(("add_eos_token", Value::Bool(ends)));
    let mut all: Metadata =
        all.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).collect();
    all.extend(around.template.iter().map(|t| ("tokenizer.chat_template".to_owned(), t.as_str().into())));
    Ok(all)
}

/// Pairs that are merged, the first first.
fn merges(model: &Json) -> Result<Vec<(String, String)>, String> {
    let one = |merge: &Json| match merge {
        Json::String(text) => text.split_once(' ').map(|(l, r)| (l.to_owned(), r.to_owned())),
        Json::Array(pair) => match pair.as_slice() {
            [Json::String(left), Json::String(right)] => Some((left.clone(), right.clone())),
            _ => None,
        },
        _ => None,
    };
    let all = model["merges"].as_array().ok_or("the tokenizer has no merges")?;
    all.iter().map(|m| one(m).ok_or_else(|| format!("{m} is not a merge"))).collect()
}

/// llama.cpp merges the pair whose result has the highest score: the sooner merged, the higher.
fn scores(tokens: &[(String, i32)], merges: &[(String, String)]) -> Value {
    let mut ranks: BTreeMap<String, usize> = BTreeMap::new();
    for (rank, (left, right)) in merges.iter().enumerate() {
        ranks.entry(format!("{left}{right}")).or_insert(rank);
    }
    let one = |(token, kind): &(String, i32)| match (ranks.get(token), *kind) {
        (Some(rank), _) => -(*rank as f32),
        (None, kind::NORMAL) => -(merges.len() as f32),
        (None, kind::UNUSED) => -10_000.0 - merges.len() as f32,
        (None, _) => 0.0,
    };
    Value::List(tokens.iter().map(|token| Value::F32(one(token))).collect())
}

/// Parts of a normalizer or pre-tokenizer, whether it is a sequence or one.
fn parts<'a>(json: &'a Json, list: &str) -> Vec<&'a Json> {
    match &json[list] {
        Json::Array(items) => items.iter().collect(),
        _ if json.is_null() => Vec::new(),
        _ => vec![json],
    }
}

/// llama.cpp's name for the way in which text is cut before merges.
fn cut(tokenizer: &Json) -> Result<&'static str, String> {
    let normalizers = parts(&tokenizer["normalizer"], "normalizers");
    if let Some(other) = normalizers.iter().find(|n| n["type"] != "NFC") {
        return Err(format!("llama.cpp has no normalizer {}", other["type"]));
    }
    let steps = parts(&tokenizer["pre_tokenizer"], "pretokenizers");
    let bytes = |step: &Json, regex: bool| {
        step["type"] == "ByteLevel"
            && step["add_prefix_space"] != true
            && step["use_regex"].as_bool().unwrap_or(true) == regex
    };
    let found = match steps.as_slice() {
        [only] if bytes(only, true) => Some("gpt-2"),
        [digits, last] if digits["individual_digits"] == true && bytes(last, true) => Some("smollm"),
        [split, last] if split["behavior"] == "Isolated" && split["invert"] != true && bytes(last, false) => {
            let pattern = split["pattern"]["Regex"].as_str().unwrap_or("");
            CUTS.iter().find(|(_, known)| *known == pattern).map(|(name, _)| *name)
        }
        _ => None,
    };
    found.ok_or_else(|| "llama.cpp has no name for the way in which this tokenizer cuts text".to_owned())
}

/// Whether a space is put before a text.
fn prefix(tokenizer: &Json) -> Result<bool, String> {
    let mut prefix = false;
    for step in parts(&tokenizer["normalizer"], "normalizers") {
        match step["type"].as_str().unwrap_or("") {
            "Prepend" if step["prepend"] == SPACE => prefix = true,
            "Replace" if step["pattern"]["String"] == " " && step["content"] == SPACE => {}
            other => return Err(format!("llama.cpp has no normalizer like this {other}")),
        }
    }
    for step in parts(&tokenizer["pre_tokenizer"], "pretokenizers") {
        match step["type"].as_str().unwrap_or("") {
            "Metaspace" => prefix = prefix || step["prepend_scheme"] != "never",
            "Split" if step["pattern"]["String"] == " " && step["behavior"] == "MergedWithPrevious" => {}
            other => return Err(format!("llama.cpp does not cut text for such a tokenizer by this {other}")),
        }
    }
    Ok(prefix)
}

/// Whether a text is given a token before and after it.
fn added(post: &Json) -> (bool, bool) {
    let templates = parts(post, "processors");
    let single = templates.iter().find_map(|p| p["single"].as_array());
    let special = |step: Option<&Json>| step.is_some_and(|s| s.get("SpecialToken").is_some());
    single.map_or((false, false), |steps| (special(steps.first()), special(steps.last())))
}
