//! What is known of the model of a stage before anything runs: members, sizes, tokenizer and state, read along the
//! chain of stages that it goes back to.

use llmp_nn::kinds::{self, Init, Position, Stage};
use llmp_nn::spec::Architecture;
use llmp_stdlib::kind::Field;
use llmp_stdlib::{Arg, ItemRef, ModelCost, Problem, Record, Value, View};

use super::prune::Keep;

/// No chain of stages is longer than a program; a cycle is reported elsewhere.
const LONGEST: usize = 1000;

/// What can be read off every stage that gives a model.
pub(crate) const FIELDS: &[Field] = &[
    Field {
        name: "parameters",
        doc: "All parameters; a tied head counts once.",
        read: |v| count(v, |c| c.parameters),
    },
    Field {
        name: "parameters_non_embedding",
        doc: "Parameters without the embedding and an untied head.",
        read: |v| count(v, |c| c.non_embedding),
    },
    Field {
        name: "parameters_active",
        doc: "Parameters that one token uses.",
        read: |v| count(v, |c| c.active),
    },
];

fn count(view: &View<'_>, pick: fn(&ModelCost) -> u64) -> Option<Value> {
    let sizes = Known::of(view)?.sizes?;
    let cost = ModelCost {
        parameters: sizes.parameters(),
        non_embedding: sizes.parameters_non_embedding(),
        active: sizes.parameters_active(),
    };
    Some(Value::number(i128::from(pick(&cost))))
}

/// The item that a stage takes its model from.
pub(crate) fn source<'a>(view: &View<'a>) -> Option<View<'a>> {
    if let Some(value) = view.value {
        let item = first_item(value)?;
        return view.program.view(&item.item);
    }
    view.follow("model").or_else(|| view.follow("from"))
}

/// The first item that a value names: of a merge the model whose sizes the result has.
pub(crate) fn first_item(value: &Value) -> Option<&ItemRef> {
    match value {
        Value::Item(item) => Some(item),
        Value::Call(call) if call.name == "hf" => match call.args.get("sizes") {
            Some(Value::Item(item)) => Some(item),
            _ => None,
        },
        Value::Call(call) => call.args.values().find_map(first_item),
        Value::List(items) => items.iter().find_map(first_item),
        _ => None,
    }
}

/// The stages from `view` back to the model that it began with, itself first.
pub(crate) fn ancestry<'a>(view: &View<'a>) -> Vec<View<'a>> {
    let mut all = vec![*view];
    while let Some(next) = all.last().and_then(source) {
        if all.len() >= LONGEST {
            break;
        }
        all.push(next);
    }
    all
}

/// A model as it is known before the run.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Members of its description, changed by the stages since.
    pub(crate) members: Record,
    /// Its sizes; the vocabulary is 64 where only the tokenizer will say it.
    pub(crate) sizes: Option<Architecture>,
    /// Whether its vocabulary is known.
    pub(crate) vocab: bool,
}

impl Known {
    /// The model that an item gives; of one that is not sized before the run, `None`.
    pub(crate) fn of(view: &View<'_>) -> Option<Known> {
        let root = super::described(view).filter(|root| root.value.is_none())?;
        let chain = ancestry(view);
        let stages = &chain[..chain.len() - 1];
        let mut members = root.members.clone();
        for stage in stages.iter().rev() {
            change(&mut members, stage);
        }
        let tokens = kinds::tokenizer_size(&root);
        let stated = members.get("vocab").is_some_and(|v| *v != Value::None);
        let sizes = kinds::architecture(&members, Some(tokens.unwrap_or(64))).ok();
        Some(Known { members, sizes, vocab: stated || tokens.is_some() })
    }

    /// Sizes with a known vocabulary.
    pub(crate) fn counted(&self) -> Option<&Architecture> {
        self.sizes.as_ref().filter(|_| self.vocab)
    }

    /// Tokens of a sequence.
    pub(crate) fn context(&self) -> Option<u64> {
        u64::read(self.members.get("context")?).ok()
    }
}

/// What a stage changes in the description of its model.
fn change(members: &mut Record, stage: &View<'_>) {
    if let Some(position) = stage.get("position")
        && Position::read(position).is_ok()
    {
        members.insert("position".into(), position.clone());
    }
    if let Some(context) = super::training::longest(stage) {
        let before = members.get("context").and_then(|v| u64::read(v).ok()).unwrap_or(0);
        members.insert("context".into(), Value::number(i128::from(before.max(context))));
    }
    if let Some(hidden) = stage.read::<Keep>("keep").and_then(|keep| keep.ffn_hidden) {
        narrow(members, hidden);
    }
}

/// Fewer hidden units in the feed-forward.
pub(crate) fn narrow(members: &mut Record, hidden: u64) {
    if let Some(Value::Call(ffn)) = members.get_mut("ffn") {
        ffn.args.insert("hidden".into(), Value::number(i128::from(hidden)));
    }
}

/// What the model of an item has been trained for; `None` for a description.
pub(crate) fn state(view: &View<'_>) -> Option<Stage> {
    let chain = ancestry(view);
    let of = |stage: &View<'_>| match stage.kind.signature.name {
        "sft" => Some(Stage::Sft),
        "prefer" | "rl" => Some(Stage::Aligned),
        "pretrain" | "distill" | "prune" => Some(Stage::Base),
        "model" => match stage.value {
            Some(Value::Call(call)) => call.args.get("stage").and_then(|v| Stage::read(v).ok()),
            _ => None,
        },
        _ => None,
    };
    let rank = |stage: &Stage| match stage {
        Stage::Base => 0,
        Stage::Sft => 1,
        Stage::Aligned => 2,
    };
    chain.iter().filter_map(of).max_by_key(rank)
}

/// The tokenizer of a model as it was written.
fn tokenizer<'a>(view: &View<'a>) -> Option<(View<'a>, &'a Value)> {
    let root = *ancestry(view).last()?;
    Some((root, root.get("tokenizer")?))
}

/// Whether two models share a tokenizer: one item, or equal constructors. `None` where one is not known before the
/// run.
pub(crate) fn same_tokenizer(a: &View<'_>, b: &View<'_>) -> Option<bool> {
    let ((left, a), (right, b)) = (tokenizer(a)?, tokenizer(b)?);
    let definition = |view: View<'_>, value: &Value| match value {
        Value::Item(item) => view.program.view(&item.item).and_then(|t| t.value.cloned()),
        other => Some(other.clone()),
    };
    Some(a == b || definition(left, a)? == definition(right, b)?)
}

/// The words of LLMP0504 and LLMP0505: whose tokenizers differ.
pub(crate) fn tokenizer_names(a: &View<'_>, b: &View<'_>) -> (String, String) {
    let show = |view: &View<'_>| tokenizer(view).map_or_else(String::new, |(_, value)| value.to_string());
    (show(a), show(b))
}

/// The first size in which two models differ: its name and both values.
pub(crate) fn difference(a: &Architecture, b: &Architecture) -> Option<(&'static str, String, String)> {
    let flag = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let experts = |s: &Architecture| {
        s.experts.map_or_else(|| "none".into(), |e| format!("{} of {}", e.routed, e.hidden))
    };
    let both = [
        ("layers", a.layers.to_string(), b.layers.to_string()),
        ("width", a.width.to_string(), b.width.to_string()),
        ("heads", a.heads.to_string(), b.heads.to_string()),
        ("kv_heads", a.kv_heads.to_string(), b.kv_heads.to_string()),
        ("head_dim", a.head_dim.to_string(), b.head_dim.to_string()),
        ("hidden units", a.ffn.hidden.to_string(), b.ffn.hidden.to_string()),
        ("vocabulary", a.vocab.to_string(), b.vocab.to_string()),
        ("experts", experts(a), experts(b)),
        ("tied embeddings", flag(a.tied), flag(b.tied)),
        ("biases", flag(a.qkv_bias || a.bias), flag(b.qkv_bias || b.bias)),
    ];
    both.into_iter().find(|(_, a, b)| a != b)
}

/// Experts are cut from a dense model of the same sizes.
pub(crate) fn check_upcycle(view: &View<'_>) -> Option<Problem> {
    let model = view.follow("model")?;
    let Some(Init::Upcycle(upcycle)) = model.read("init") else { return None };
    let dense = model.program.view(&first_item(&upcycle.from.0)?.item)?;
    let (wanted, found) = (Known::of(&model)?.sizes?, Known::of(&dense)?.sizes?);
    let plain = Architecture { experts: None, vocab: found.vocab, ..wanted };
    let (what, left, right) = difference(&plain, &Architecture { experts: None, ..found })?;
    let message = format!(
        "`{}` has {what} {left}, the dense `{}` that its experts are cut from has {right}",
        model.name, dense.name
    );
    Some(Problem::error("LLMP0508", "model", message))
}

/// Members of a model without what points elsewhere: its part of a plan step where the runtime cannot build it.
pub(crate) fn described(members: &Record) -> Record {
    let mut members = members.clone();
    members.shift_remove("tokenizer");
    if matches!(members.get("init").map(Init::read), Some(Ok(Init::Upcycle(_)))) {
        members.shift_remove("init");
    }
    members
}
