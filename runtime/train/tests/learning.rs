//! A small model learns a text by heart, is measured, continues it, is released and loads again.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{END, Stand, content, hidden, spec, stage};
use llmp_nn::{Architecture, Model, SaveOptions};
use llmp_stdlib::arg::BatchSize;
use llmp_train::Host;
use llmp_train::budget::Goal;
use llmp_train::course::{Batch, Context};
use llmp_train::evaluate::bits_per_byte;
use llmp_train::folder::ModelFolder;
use llmp_train::generate::{Sampling, generate};
use llmp_train::kinds::Written;
use llmp_train::kinds::decoder::Decoder;
use llmp_train::release::{Card, release};
use llmp_train::score::{score, score_tokens};
use llmp_train::settings::{Dtype, Formats};
use llmp_train::stage::Source;
use llmp_train::training::{Inputs, train};

/// 2 KB of words in no order: which one comes next can only be known by heart.
fn text() -> String {
    let mut state = 1u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let words = "the old man went down to a green river and saw two red boats under tall trees";
    let words: Vec<&str> = words.split(' ').collect();
    let mut text = String::new();
    while text.len() < 2048 {
        text.push_str(words[next(words.len())]);
        text.push(' ');
    }
    text.truncate(2048);
    text
}

#[test]
fn a_small_model_learns_two_kilobytes_by_heart() {
    let stand = Stand::new();
    let text = text();
    let mut stage = stage();
    stage.model = Decoder { spec: Architecture { width: 64, ffn: hidden(128), context: 128, ..spec() } };
    stage.sources =
        vec![Source { input: 1, share: 1.0, max_epochs: None, name: String::new(), then: Vec::new() }];
    (stage.context, stage.batch, stage.goal) =
        (Context::Fixed(128), Some(Batch::Fixed(BatchSize::Sequences(4))), Goal::Steps(360));
    if let llmp_train::schedules::Schedule::Cosine(cosine) = &mut stage.schedule {
        cosine.peak = 1e-2;
    }
    let documents: Vec<&str> = (0..32).map(|i| &text[64 * i..64 * (i + 1)]).collect();
    let shard = || stand.shard("text", &documents);
    let summary = stand.run_on(&stage, vec![shard()], "model", &Host::quiet()).unwrap();
    assert!(summary.loss < 0.3, "{summary:?}");
    let folder = ModelFolder::with_tokenizer(&stand.path("model"), &stand.path("tokenizer.json")).unwrap();
    let measure = bits_per_byte(&folder.model, &shard(), text.len() as u64, &Host::quiet()).unwrap();
    assert!(measure.bits_per_byte < 1.0 && measure.tokens == 2048 + 32, "{measure:?}");

    let greedy = Sampling { max_tokens: 60, temperature: 0.0, ..Sampling::default() };
    let mut heard = Vec::new();
    let prompt = &documents[7][..24];
    let out = generate(&folder, prompt, &greedy, &mut |id| {
        heard.push(id);
        true
    })
    .unwrap();
    assert_eq!(out.tokens, heard);
    let same = out.text.bytes().zip(documents[7].bytes()).take_while(|(a, b)| a == b).count();
    assert!(same >= 24 + 12, "{:?} for {:?}", out.text, documents[7]);

    release_and_load(&stand, &folder, prompt);
}

fn release_and_load(stand: &Stand, folder: &ModelFolder, prompt: &str) {
    let (model, tokenizer, to) =
        (stand.path("model"), stand.path("tokenizer.json"), stand.path("release/squares"));
    let card = Card { name: "squares".into(), lineage: vec!["text: 1 document".into()], ..Card::default() };
    let written =
        |dtype| Written { formats: Formats { safetensors: true, files: Vec::new() }, dtype, shard: None };
    for _ in 0..2 {
        release(&model, &tokenizer, &card, &written(Dtype::F32), &to, &Host::quiet()).unwrap();
    }
    let files: Vec<String> = content(&stand.path("release")).into_keys().collect();
    let names = [
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(files, names.map(|name| format!("/squares/{name}")));
    let again = ModelFolder::open(&to).unwrap();
    assert_eq!(again.ends, [END]);
    assert_eq!(score(&again, prompt).unwrap(), score(folder, prompt).unwrap());
    let readme = std::fs::read_to_string(to.join("README.md")).unwrap();
    assert!(readme.contains("* text: 1 document") && readme.starts_with("---\n"), "{readme}");
    // The old folder or the new one is whole at every moment.
    let calls = AtomicUsize::new(0);
    let count = |_: &str| {
        calls.fetch_add(1, Ordering::Relaxed);
    };
    release(
        &model,
        &tokenizer,
        &card,
        &written(Dtype::Bf16),
        &to,
        &Host { failpoint: &count, ..Host::quiet() },
    )
    .unwrap();
    assert!(calls.into_inner() >= 5);
}

#[test]
fn the_measure_is_the_sum_over_the_text_of_each_document() {
    let stand = Stand::new();
    let model = Model::init(spec(), 3).unwrap();
    let documents = ["short", "a document of fifty characters, more than a context", "x"];
    let shard = stand.shard("docs", &documents);
    let bytes: usize = documents.iter().map(|d| d.len()).sum();
    let measure = bits_per_byte(&model, &shard, bytes as u64, &Host::quiet()).unwrap();
    let mut nll = 0.0;
    for text in documents {
        let ids: Vec<u32> = [END].into_iter().chain(text.bytes().map(u32::from)).chain([END]).collect();
        for target in 1..ids.len() {
            // Windows of 32 inputs advance by 16: the first holds targets 1 to 32, the next up to 48, …
            let start = if target <= 32 { 0 } else { (target - 33) / 16 * 16 + 16 };
            nll -= f64::from(*model.token_logprobs(&ids[start..=target]).unwrap().last().unwrap());
        }
    }
    assert!((measure.nll - nll).abs() < 1e-3, "{} {nll}", measure.nll);
    assert_eq!(measure.tokens as usize, bytes + documents.len());
    assert!((measure.bits_per_byte - nll / bytes as f64 / std::f64::consts::LN_2).abs() < 1e-5);
    let empty = stand.shard("empty", &[]);
    assert!(bits_per_byte(&model, &empty, 0, &Host::quiet()).is_err());
}

#[test]
fn long_texts_are_scored_in_windows() {
    let stand = Stand::new();
    let model = Model::init(spec(), 3).unwrap();
    let folder = ModelFolder { model, vocabulary: stand.vocabulary(), ends: vec![END] };
    let tokens: Vec<u32> = text().bytes().take(70).map(u32::from).collect();
    let long = score_tokens(&folder, tokens.clone()).unwrap();
    assert_eq!(long.logprobs.len(), 69);
    assert_eq!(long.logprobs[..31], folder.model.token_logprobs(&tokens[..32]).unwrap()[..]);
    assert_eq!(long.logprobs[31..47], folder.model.token_logprobs(&tokens[16..48]).unwrap()[15..]);
    let mean = -long.logprobs.iter().map(|&x| f64::from(x)).sum::<f64>() / 69.0;
    assert_eq!((long.nll, long.perplexity), (mean, mean.exp()));
    assert!(score(&folder, "x").unwrap_err().to_string().contains("the first is never scored"));
}

#[test]
fn texts_go_on_beyond_the_context_and_seeds_decide_them() {
    let stand = Stand::new();
    let model = Model::init(spec(), 3).unwrap();
    let folder = ModelFolder { model, vocabulary: stand.vocabulary(), ends: Vec::new() };
    let sampling = Sampling { max_tokens: 80, temperature: 1.0, ..Sampling::default() };
    let write = |sampling: Sampling| generate(&folder, "", &sampling, &mut |_| true).unwrap();
    let (a, b, c) = (write(sampling), write(sampling), write(Sampling { seed: 1, ..sampling }));
    assert_eq!((a.tokens.len(), a.prompt.as_slice(), a.ended), (80, &[END][..], false));
    assert!(a == b && a.tokens != c.tokens);
}

#[test]
fn weights_that_are_not_numbers_are_named() {
    let stand = Stand::new();
    let mut model = Model::init(spec(), 3).unwrap();
    let at = model.spec().params().iter().position(|p| p.name == "blocks.1.ffn.up").unwrap();
    model.params_mut()[at][5] = f32::NAN;
    model.save(&stand.path("broken"), &SaveOptions::default()).unwrap();
    let mut stage = stage();
    stage.sources.truncate(1);
    let (tokenizer, from) = (stand.path("tokenizer.json"), stand.path("broken"));
    let shards = vec![stand.shard("left", &common::documents(1))];
    let inputs =
        Inputs { shards, examples: None, tokenizer: &tokenizer, from: Some(&from), held_out: Vec::new() };
    let error =
        train(&stage, inputs, &stand.path("run"), &Host { step: "core", ..Host::quiet() }).unwrap_err();
    assert_eq!(error.code(), "LLMP1201");
    assert_eq!(
        error.to_string(),
        "`core`: the loss is NaN at step 1, first in the weights `blocks.1.ffn.up`"
    );
}

#[test]
fn data_that_end_are_an_error_with_the_numbers() {
    let stand = Stand::new();
    let mut stage = stage();
    for source in &mut stage.sources {
        source.max_epochs = Some(1);
    }
    stage.goal = Goal::Steps(100);
    let error = stand.run(&stage, "run", &Host::quiet()).unwrap_err();
    let words = error.to_string();
    assert!(words.contains("19,200 tokens are wanted") && words.contains("18,656 are missing"), "{words}");
}

#[test]
fn a_stage_goes_on_from_another_with_a_longer_context() {
    let stand = Stand::new();
    let first = stand.run(&stage(), "first", &Host::quiet()).unwrap();
    let mut next = stage();
    (next.context, next.from) = (Context::Fixed(48), Some(3));
    let (tokenizer, from) = (stand.path("tokenizer.json"), stand.path("first"));
    let shards =
        || vec![stand.shard("left", &common::documents(1)), stand.shard("right", &common::documents(2))];
    let inputs = Inputs {
        shards: shards(),
        examples: None,
        tokenizer: &tokenizer,
        from: Some(&from),
        held_out: Vec::new(),
    };
    let second = train(&next, inputs, &stand.path("second"), &Host::quiet()).unwrap();
    assert!(second.loss < first.loss, "{} {}", second.loss, first.loss);
    assert_eq!(Model::load(&stand.path("second")).unwrap().spec().context, 48);
    next.model.spec.layers = 3;
    let inputs = Inputs {
        shards: shards(),
        examples: None,
        tokenizer: &tokenizer,
        from: Some(&from),
        held_out: Vec::new(),
    };
    let error = train(&next, inputs, &stand.path("third"), &Host::quiet()).unwrap_err();
    assert!(error.to_string().contains("other sizes"), "{error}");
}
