//! Reward models on disk: the folder of a decoder without its output head, with `score.weight` as transformers'
//! `ForSequenceClassification` has it. Heads for grades are tensors of ours beside it, which transformers leaves unread.

use std::path::Path;

use serde_json::{Value, json};

use super::read::{Weights, read_with};
use super::slots::{self, Slot};
use super::write::write_tensors;
use super::{SaveOptions, write_config};
use crate::reward::RewardHead;
use crate::spec::Family;
use crate::{Architecture, NnError};

/// The architecture without an output head, and its numbers.
fn headless(sizes: &Architecture, flat: &[f32]) -> (Architecture, Vec<f32>) {
    let (mut kept, mut from) = (Vec::with_capacity(flat.len()), 0);
    for info in sizes.params() {
        let these = &flat[from..from + info.count()];
        from += info.count();
        if info.name != "head" {
            kept.extend_from_slice(these);
        }
    }
    (Architecture { tied: true, ..sizes.clone() }, kept)
}

/// The tensors of the heads, whose numbers begin behind those of the model.
fn tensors(head: &RewardHead, mut from: usize) -> Vec<Slot> {
    let one = |info: crate::ParamInfo| {
        let place = from..from + info.count();
        from = place.end;
        Slot::plain(format!("{}.weight", info.name), info.shape, place)
    };
    head.params().into_iter().map(one).collect()
}

/// Writes a reward model to a folder (made when absent): `flat` are all numbers of the model in canonical order, `numbers` those
/// of its heads. Not atomic, as [`super::save`].
pub fn save_reward(
    dir: &Path,
    (sizes, flat): (&Architecture, &[f32]),
    (head, numbers): (&RewardHead, &[f32]),
    options: &SaveOptions,
) -> Result<(), NnError> {
    let (sizes, mut flat) = headless(sizes, flat);
    std::fs::create_dir_all(dir).map_err(super::io_error(dir))?;
    let mut extra = options.extra.clone();
    let family = Family::of(&sizes).map_or("Llmp", Family::class);
    let class = family.replace("ForCausalLM", "").replace("LMHeadModel", "");
    extra.insert("architectures".into(), json!([format!("{class}ForSequenceClassification")]));
    extra.insert("num_labels".into(), 1.into());
    extra.insert("id2label".into(), json!({ "0": "reward" }));
    extra.insert("label2id".into(), json!({ "reward": 0 }));
    write_config(dir, &sizes, options.dtype.name(), &extra)?;
    let mut slots = slots::folder(Family::of(&sizes), &sizes);
    slots.extend(tensors(head, flat.len()));
    flat.extend_from_slice(numbers);
    write_tensors(dir, &slots, options, &mut |slot| Ok(slot.pack(&flat)))
}

/// Sizes and numbers of a reward model without an output head, its heads and their numbers.
///
/// Errors: a folder that holds no reward model.
pub fn load_reward(dir: &Path) -> Result<(Architecture, Vec<f32>, RewardHead, Vec<f32>), NnError> {
    let mut head = RewardHead { width: 0, grades: 0 };
    let beside = |sizes: &Architecture, weights: &Weights| {
        let grades = (0..).take_while(|g| weights.holds(&format!("grades.{g}.score.weight"))).count();
        head = RewardHead { width: sizes.width, grades };
        tensors(&head, 0)
    };
    let (sizes, flat, numbers) = read_with(dir, true, beside)?;
    Ok((sizes, flat, head, numbers))
}

/// Whether the settings of a folder say that it is a reward model.
pub fn is_reward(dir: &Path) -> bool {
    let text = std::fs::read(dir.join("config.json")).ok();
    let config: Option<Value> = text.and_then(|text| serde_json::from_slice(&text).ok());
    let classes = config.as_ref().and_then(|config| config.get("architectures")?.as_array());
    let scores =
        |class: &Value| class.as_str().is_some_and(|class| class.ends_with("ForSequenceClassification"));
    classes.is_some_and(|all| all.iter().any(scores))
}
