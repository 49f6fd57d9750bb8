//! Suites that measure what a model prefers, knows, solves and writes. Their files are read where `eval:` lies, their
//! other data and models are inputs of the step.

mod accuracy;
mod choices;
mod contest;
mod sets;
mod solved;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llmp_data::readers::Roots;
use llmp_stdlib::Value;

use crate::error::{Result, TrainError};
use crate::folder::ModelFolder;
use crate::host::Host;
use crate::needle::{self, Hiding};
use crate::stage::input_of;
use crate::suites::Suite;
use crate::writing::Speaker;

/// What is measured, and where everything lies.
pub struct Place<'a> {
    /// The folder of the model.
    pub model: &'a Path,
    /// Its tokenizer.
    pub tokenizer: &'a Path,
    /// Folders and files of the inputs of the step.
    pub inputs: &'a [PathBuf],
    /// Where paths of the program lie on this machine.
    pub roots: &'a Roots,
}

impl Place<'_> {
    fn input(&self, name: &str, value: &Value) -> Result<&Path> {
        let index = input_of(name, value).map_err(TrainError::Settings)?;
        self.at(name, index)
    }

    fn at(&self, name: &str, index: usize) -> Result<&Path> {
        let found = self.inputs.get(index).map(PathBuf::as_path);
        found.ok_or_else(|| TrainError::Settings(format!("`{name}` is no input")))
    }
}

/// Metrics by name.
pub type Metrics = Vec<(&'static str, f64)>;

/// Measures a model by a suite. `tokenizers` are the inputs that are the tokenizers of its other models, by parameter.
///
/// Errors: data that are not there or not of the right form, a suite that this version does not run, the stop flag.
pub fn measure(
    suite: &Suite,
    tokenizers: &BTreeMap<String, usize>,
    place: &Place<'_>,
    host: &Host<'_>,
) -> Result<Metrics> {
    let opened = || ModelFolder::with_tokenizer(place.model, place.tokenizer);
    match suite {
        Suite::Needle(it) => {
            let folder = opened()?;
            let hiding = Hiding { needles: it.needles, depths: it.depths, seed: 0 };
            let lengths = (it.length.low, it.length.high);
            let found = needle::suite(&folder.model, &folder.vocabulary, lengths, hiding, host)?;
            Ok(vec![("needle", found.share())])
        }
        Suite::Accuracy(it) => {
            let pairs = place.input("data", &it.data.0)?;
            let reference = it.reference.as_ref().map(|it| place.input("reference", &it.0)).transpose()?;
            let judged = accuracy::accuracy((place.model, reference), place.tokenizer, pairs, host)?;
            Ok(vec![("accuracy", judged.accuracy), ("accuracy_stderr", judged.stderr)])
        }
        Suite::WinRate(it) => {
            let speaker = |name: &str, value: &Value| {
                let none = || TrainError::Settings(format!("`{name}` of `win_rate` has no tokenizer"));
                let tokenizer = tokenizers.get(name).copied().ok_or_else(none)?;
                Speaker::open(place.input(name, value)?, place.at(name, tokenizer)?)
            };
            let own = Speaker::open(place.model, place.tokenizer)?;
            let other = speaker("against", &it.against.0)?;
            let judge = speaker("judge", &it.judge.0)?;
            let prompts = place.input("prompts", &it.prompts.0)?;
            let wins = contest::contest((&own, &other, &judge), prompts, it, host)?;
            Ok(shares(["win_rate", "win_rate_stderr"], &wins))
        }
        Suite::Arc(it) => choices::measure(choices::Set::Arc, it.shots, &opened()?, place.roots, host),
        Suite::Hellaswag(it) => {
            choices::measure(choices::Set::Hellaswag, it.shots, &opened()?, place.roots, host)
        }
        Suite::Mmlu(it) => choices::measure(choices::Set::Mmlu, it.shots, &opened()?, place.roots, host),
        Suite::Winogrande(it) => {
            choices::measure(choices::Set::Winogrande, it.shots, &opened()?, place.roots, host)
        }
        Suite::Truthfulqa(it) => {
            choices::measure(choices::Set::Truthfulqa, it.shots, &opened()?, place.roots, host)
        }
        Suite::Gsm8k(it) => solved::gsm8k(it, &opened()?, place.roots, host),
        Suite::Humaneval(it) => solved::humaneval(it, &opened()?, place.roots, host),
        Suite::Mbpp(it) => solved::mbpp(it, &opened()?, place.roots, host),
        Suite::BitsPerByte(_)
        | Suite::Perplexity(_)
        | Suite::Bbh(_)
        | Suite::Gpqa(_)
        | Suite::Ifeval(_)
        | Suite::Math(_)
        | Suite::MmluPro(_) => Err(TrainError::Settings("this version does not run the suite".to_owned())),
    }
}

/// The mean of numbers from 0 to 1, and its standard error.
fn shares(names: [&'static str; 2], all: &[f64]) -> Metrics {
    let n = all.len().max(1) as f64;
    let mean = all.iter().sum::<f64>() / n;
    let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    vec![(names[0], mean), (names[1], (variance / n).sqrt())]
}
