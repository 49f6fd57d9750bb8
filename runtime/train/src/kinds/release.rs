//! `release name { … }`: writes a trained model as a folder that other tools load.

use llmp_stdlib::arg::{FilePath, ModelRef};
use llmp_stdlib::source::License;
use llmp_stdlib::{Form, Kind, Output, Planner, Problem, Record, Settings, Value, View, Yields};

use super::decoder::field;
use super::{check_trained, trained};
use crate::settings::{Dtype, Formats};
use crate::stage::input;

llmp_stdlib::def! {
    /// Writes a trained model as a Hugging Face folder: weights, configuration, tokenizer, generation settings and a model card.
    ///
    /// The folder is one of the family of transformers that holds the model: llama, mistral, qwen2, qwen2_moe, gemma2 or
    /// gpt2. Where none does, the card says what the nearest lacks, and only llmp reads the folder.
    ///
    /// ```llmp
    /// release stories { model = run }
    /// ```
    Release = "release", rev 1 {
        /// The stage whose model is released.
        model: ModelRef,
        /// The forms in which it is written.
        format: Formats = "safetensors",
        /// How the weights are stored.
        dtype: Dtype = "f32",
        /// Most bytes of weights in a file; without it they are one file.
        @binary shard: Option<u64> = "none",
        /// The folder; without it `release/` and the item's name.
        to: Option<FilePath> = "none",
        /// Licenses that the sources of every stage behind the model may have: SPDX names, or `permissive`. An empty list
        /// allows all.
        allow_licenses: Vec<License> = "[]",
    }
}

/// The kind.
pub(super) static KIND: Kind =
    Kind { check, ..Kind::new(Release::SIGNATURE, Form::Block, Yields::Release, elaborate) };

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = check_trained(view).into_iter().collect();
    let leaves =
        |path: &str| path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..");
    if view.read::<FilePath>("to").is_some_and(|path| leaves(&path.0)) {
        problems.push(Problem::error("LLMP0115", "to", "a release stays inside the project"));
    }
    problems
}

/// The forms in which a model is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// A folder, files, or both.
    pub formats: Formats,
    /// How the weights of the folder are stored.
    pub dtype: Dtype,
    /// Most bytes of weights in a file of the folder.
    pub shard: Option<u64>,
}

/// Arguments of the step `release`, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Releasing {
    /// Index of the input that is the model folder.
    pub model: usize,
    /// Index of the input that is the tokenizer.
    pub tokenizer: usize,
    /// The forms in which it is written.
    pub written: Written,
    /// The folder, relative to the project.
    pub to: String,
}

impl Releasing {
    /// The operation's name in a plan.
    pub const OP: &'static str = "release";
    /// Revision of the operation.
    pub const REV: u32 = 2;

    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Releasing, String> {
        Ok(Releasing {
            model: input(args, "model")?,
            tokenizer: input(args, "tokenizer")?,
            written: Written {
                formats: field(args, "format")?,
                dtype: field(args, "dtype")?,
                shard: field(args, "shard")?,
            },
            to: field(args, "to")?,
        })
    }
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let (weights, tokenizer) = trained(view, planner)?;
    let tokenizer =
        tokenizer.ok_or_else(|| Problem::error("LLMP0703", "model", "the model has no tokenizer"))?;
    let to = view
        .read::<FilePath>("to")
        .map_or_else(|| format!("release/{}", llmp_stdlib::value::file_name(view.name)), |path| path.0);
    let args =
        [("model", Value::Port(weights)), ("tokenizer", Value::Port(tokenizer)), ("to", Value::text(to))];
    let mut args: Record = args.map(|(name, value)| (name.to_owned(), value)).into();
    for name in ["format", "dtype", "shard"] {
        args.insert(name.into(), view.members.get(name).cloned().unwrap_or(Value::None));
    }
    Ok(Output::Port(planner.step(Releasing::OP, Releasing::REV, args)))
}
