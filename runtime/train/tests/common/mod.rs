//! What the tests share: a byte tokenizer, token shards, a small stage, a comparison of folders.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llmp_data::Context;
use llmp_data::tokens::{ShardWriter, TokenShard};
use llmp_nn::Architecture;
use llmp_stdlib::arg::{BatchSize, Length};
use llmp_stdlib::{Arg, Call, Record, Value, literal};
use llmp_train::budget::Goal;
use llmp_train::course::{self, Batch};
use llmp_train::folder::Vocabulary;
use llmp_train::kinds::decoder::Decoder;
use llmp_train::optimizers::{AdamW, Coupling, Optimizer};
use llmp_train::schedules::{Cosine, Over, Schedule};
use llmp_train::settings::{Accumulate, Attention, Clip, Every, Interval, Precision, Publish, Times};
use llmp_train::stage::{Source, Stage};
use llmp_train::training::{Inputs, Summary, train};
use llmp_train::{Host, TrainError};

/// Id of the end-of-text token: ids below it are bytes.
pub const END: u32 = 256;

/// A stand of files for one test.
pub struct Stand {
    pub root: tempfile::TempDir,
}

impl Stand {
    pub fn new() -> Stand {
        let root = tempfile::tempdir().expect("temporary folder");
        std::fs::write(root.path().join("tokenizer.json"), byte_tokenizer()).expect("writes");
        Stand { root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn vocabulary(&self) -> Vocabulary {
        Vocabulary::load(&self.path("tokenizer.json")).expect("loads")
    }

    pub fn shard(&self, name: &str, documents: &[&str]) -> TokenShard {
        let folder = self.path(name);
        let vocabulary = self.vocabulary();
        let mut writer = ShardWriter::create(&folder, vocabulary.ids()).expect("creates");
        for (i, text) in documents.iter().enumerate() {
            let mut ids = vocabulary.encode(text).expect("encodes");
            ids.push(END);
            writer.push(&format!("{name}#{i}"), &ids).expect("writes");
        }
        writer.finish(&Context::default()).expect("finishes");
        TokenShard::open(&folder).expect("opens")
    }

    /// Runs a stage on two shards of made-up text in the folder `name`.
    pub fn run(&self, stage: &Stage, name: &str, host: &Host<'_>) -> Result<Summary, TrainError> {
        let shards = vec![self.shard("left", &documents(1)), self.shard("right", &documents(2))];
        self.run_on(stage, shards, name, host)
    }

    pub fn run_on(
        &self,
        stage: &Stage,
        shards: Vec<TokenShard>,
        name: &str,
        host: &Host<'_>,
    ) -> Result<Summary, TrainError> {
        let tokenizer = self.path("tokenizer.json");
        train(
            stage,
            Inputs { shards, examples: None, tokenizer: &tokenizer, from: None, held_out: Vec::new() },
            &self.path(name),
            host,
        )
    }
}

/// Bytes as tokens, and one end-of-text token.
pub fn byte_tokenizer() -> String {
    // GPT-2's letters for bytes: printable ones stand for themselves, the others follow from 256 on.
    let printable = |b: u32| (33..=126).contains(&b) || (161..=172).contains(&b) || (174..=255).contains(&b);
    let mut next = 256;
    let mut vocab = serde_json::Map::new();
    for byte in 0..256u32 {
        let letter = if printable(byte) { byte } else { next };
        next += u32::from(!printable(byte));
        vocab.insert(char::from_u32(letter).expect("a letter").to_string(), byte.into());
    }
    let level = serde_json::json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [{ "id": END, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
                           "rstrip": false, "normalized": false, "special": true }],
        "pre_tokenizer": level, "decoder": level,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                   "vocab": vocab, "merges": [] },
    })
    .to_string()
}

/// Short sentences of a small grammar.
pub fn documents(seed: usize) -> Vec<&'static str> {
    let all = [
        "the cat sat on the mat.",
        "a dog ran to the red house and back again.",
        "rain falls.",
        "the sun is warm today, he said.",
        "she sells sea shells by the sea shore.",
        "two and two are four.",
        "one fish, two fish, red fish, blue fish.",
        "no.",
        "the quick brown fox jumps over the lazy dog while the small bird sings in the tall old tree near the river.",
    ];
    all.iter().skip(seed % 2).step_by(seed).copied().collect()
}

/// A gated feed-forward of so many hidden units.
pub fn hidden(hidden: usize) -> llmp_nn::spec::FeedForward {
    llmp_nn::spec::FeedForward { hidden, ..Architecture::default().ffn }
}

/// A decoder of about 20,000 parameters.
pub fn spec() -> Architecture {
    Architecture {
        vocab: 320,
        layers: 2,
        width: 32,
        heads: 4,
        kv_heads: 2,
        head_dim: 8,
        ffn: hidden(64),
        tied: true,
        context: 32,
        init_std: 0.05,
        ..Architecture::default()
    }
}

/// Twelve short steps, the last batch being cut.
pub fn stage() -> Stage {
    let cosine = Cosine { peak: 3e-3, warmup: Length::Steps(2), floor: 0.1, over: Over::Stage };
    let adamw = AdamW {
        betas: vec![0.9, 0.95],
        eps: 1e-8,
        weight_decay: 0.1,
        on: Vec::new(),
        coupling: Coupling::Rate,
        mup: None,
    };
    Stage {
        model: Decoder { spec: spec() },
        from: None,
        tokenizer: 0,
        sources: vec![
            Source { input: 1, share: 0.7, max_epochs: None, name: String::new(), then: Vec::new() },
            Source { input: 2, share: 0.3, max_epochs: None, name: String::new(), then: Vec::new() },
        ],
        goal: Goal::Tokens(32 * (11 * 6 + 2)),
        context: course::Context::Fixed(32),
        batch: Some(Batch::Fixed(BatchSize::Sequences(6))),
        optimizer: Optimizer::AdamW(adamw),
        schedule: Schedule::Cosine(cosine),
        schedule_done: 0,
        clip: Some(Clip::Norm(1.0)),
        z_loss: 0.0,
        attention: Attention::PerDocument,
        packing: llmp_data::pack::Packing::Concat,
        precision: Precision::F32,
        recompute: None,
        accumulate: Accumulate::Parts(2),
        publish: Publish::Last,
        checkpoints: Times::Every(Every { distance: Interval::Steps(3) }),
        keep: 2,
        seed: 7,
        evaluate: None,
        measure: Vec::new(),
        sample: None,
        on_spike: None,
        replicate: 0,
    }
}

/// An optimizer as a program writes it.
pub fn optimizer(name: &str, changes: &[(&str, &str)]) -> Optimizer {
    let signature = Optimizer::FAMILY.get(name).expect("an optimizer");
    let default =
        |p: &llmp_stdlib::Param| Some((p.name.to_owned(), literal::parse(p.default?).expect("a literal")));
    let mut args: Record = signature.params.iter().filter_map(default).collect();
    for (name, text) in changes {
        assert!(
            args.insert((*name).into(), literal::parse(text).expect("a literal")).is_some(),
            "no setting {name}"
        );
    }
    assert_eq!((signature.check)(&args), Vec::new());
    Optimizer::read(&Value::Call(Call { name: name.into(), args })).expect("a literal")
}

/// Every file below a folder with its bytes, hidden ones included.
pub fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, prefix: &str, all: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).expect("lists") {
            let path = entry.expect("entry").path();
            let name = format!("{prefix}/{}", path.file_name().expect("named").to_string_lossy());
            if path.is_dir() {
                walk(&path, &name, all)
            } else {
                drop(all.insert(name, std::fs::read(&path).expect("reads")))
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(folder, "", &mut all);
    all
}
