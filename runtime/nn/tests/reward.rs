//! Reward models: folders of transformers' `ForSequenceClassification` read with equal scores, and written so.
#![cfg(feature = "kernels")]

mod common;

use llmp_nn::reward::RewardHead;
use llmp_nn::weights::{is_reward, load_reward, save_reward};
use llmp_nn::{Cpu, IGNORE, MicroBatch, Model, SaveOptions};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Made by `tests/python/reward_heads.py`.
#[derive(Deserialize)]
struct Golden {
    texts: Vec<Vec<u32>>,
    scores: Vec<f32>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reward").join(name)
}

fn golden(name: &str) -> Golden {
    let text = std::fs::read_to_string(folder(name).join("scores.json")).expect("the golden file");
    serde_json::from_str(&text).expect("valid")
}

/// Scores of texts, each alone.
fn scores(dir: &Path, texts: &[Vec<u32>]) -> Vec<f32> {
    let (sizes, flat, head, numbers) = load_reward(dir).expect("a reward model");
    let model = Model::from_flat(Cpu::default(), sizes, &flat).expect("a model");
    let score = |ids: &Vec<u32>| {
        let n = ids.len();
        let (targets, doc_start) = (vec![IGNORE; n], vec![0; n]);
        let batch = MicroBatch { rows: 1, length: n, inputs: ids.clone(), targets, doc_start };
        let states = model.states_at(&batch, &[n - 1]).expect("valid ids");
        head.forward(&numbers, &states).expect("its numbers")[0]
    };
    texts.iter().map(score).collect()
}

#[test]
fn scores_are_those_of_transformers() {
    for name in ["llama", "gpt2"] {
        let Golden { texts, scores: want } = golden(name);
        assert!(is_reward(&folder(name)) && want.iter().any(|x| x.abs() > 0.5), "{name}: {want:?}");
        for (ours, theirs) in scores(&folder(name), &texts).iter().zip(&want) {
            assert!((ours - theirs).abs() < 1e-5, "{name}: {ours}, transformers has {theirs}");
        }
    }
}

#[test]
fn what_is_saved_is_what_was_read() {
    for name in ["llama", "gpt2"] {
        // Stays for `tests/python/reward_heads.py --check`.
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reward").join(name);
        let (sizes, flat, head, numbers) = load_reward(&folder(name)).expect("a reward model");
        save_reward(&dir, (&sizes, &flat), (&head, &numbers), &SaveOptions::default()).expect("saved");
        let Golden { texts, .. } = golden(name);
        assert_eq!(scores(&dir, &texts), scores(&folder(name), &texts));
        let text = std::fs::read_to_string(dir.join("config.json")).expect("settings");
        let config: serde_json::Value = serde_json::from_str(&text).expect("valid");
        let class =
            if name == "llama" { "LlamaForSequenceClassification" } else { "GPT2ForSequenceClassification" };
        assert_eq!((&config["architectures"][0], &config["num_labels"]), (&class.into(), &1.into()));
        assert!(is_reward(&dir));
        let plain = Model::load(&dir).expect_err("no language model").to_string();
        assert!(plain.contains("`score.weight` belongs to no part"), "{plain}");
    }
}

#[test]
fn heads_for_grades_stand_beside_and_an_own_head_goes() {
    let spec = llmp_nn::Architecture { tied: false, ..common::spec() };
    let model = common::model(&spec, 4);
    let head = RewardHead { width: spec.width, grades: 2 };
    let numbers = head.init(5, 0.1);
    let dir = tempfile::tempdir().expect("a folder");
    save_reward(dir.path(), (&spec, &model.to_flat()), (&head, &numbers), &SaveOptions::default())
        .expect("saved");
    let (sizes, flat, found, same) = load_reward(dir.path()).expect("a reward model");
    assert_eq!((found, same), (head, numbers));
    assert!(sizes.tied && flat.len() + spec.vocab * spec.width == model.to_flat().len());
    let batch = common::batch(&spec, 2, 9, false, 1);
    let headless = Model::from_flat(Cpu::default(), sizes, &flat).expect("a model");
    assert_eq!(
        headless.states_at(&batch, &[8, 17]).expect("valid"),
        model.states_at(&batch, &[8, 17]).expect("valid")
    );
    assert!(load_reward(&folder("../tied_gqa")).expect_err("no head").to_string().contains("score.weight"));
}
