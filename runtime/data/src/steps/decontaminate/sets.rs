//! Evaluation sets: by name, out of files, or data of the program.

use std::io::BufRead;

use llmp_stdlib::arg::{AnyData, FilePath};
use llmp_stdlib::{Arg, Problem, State, Ty, Value};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::{
    engine,
    error::{DataError, Result},
    readers::{Decoded, Roots, SourceFile, Tap},
};

llmp_stdlib::def! {
    /// Evaluation sets by name, or out of files of one example a line.
    ///
    /// A set called `mmlu` is read from files `mmlu.jsonl`, `mmlu-….jsonl` (also with `.`; `.gz` or `.zst` behind) in the folder `eval` of
    /// the project, or where `--root eval=FOLDER` says. An example is its field `text`; where there is none, all texts of the record.
    /// They can stand where something is compared with them (`decontaminate`) and have no path into training.
    ///
    /// ```llmp
    /// let suites = benchmarks(["mmlu", "gsm8k", "humaneval"])
    /// ```
    Benchmarks = "benchmarks", rev 1, check some_set {
        /// Names of the sets, as their files are called.
        names: Vec<String> = "[]",
        /// Files of further sets, JSON Lines with a field `text`.
        files: Option<FilePath> = "none",
    }
}

fn some_set(it: &Benchmarks) -> Vec<Problem> {
    let none = it.names.is_empty() && it.files.is_none();
    let message = "benchmarks: neither names nor files are given";
    none.then(|| Problem::error("LLMP0209", "names", message)).into_iter().collect()
}

llmp_stdlib::family! {
    /// Evaluation sets: for comparison, never for training.
    EvaluationSet = "evaluation set" { Benchmarks }
}

/// What training data is compared with: evaluation sets by name, or data of the program.
#[derive(Debug, Clone, PartialEq)]
pub enum Against {
    /// By name or file.
    Sets(EvaluationSet),
    /// Data.
    Data(AnyData),
    /// Several of them.
    All(Vec<AnyData>),
}

impl Arg for Against {
    const TY: Ty = Ty::OneOf(&[EvaluationSet::TY, Ty::Data(State::ALL), Ty::List(&Ty::Data(State::ALL))]);
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::List(_) => Vec::read(value).map(Against::All),
            _ => EvaluationSet::read(value)
                .map(Against::Sets)
                .or_else(|_| AnyData::read(value).map(Against::Data)),
        }
    }
}

impl Against {
    /// The files that the sets lie in.
    pub(in crate::steps) fn globs(&self) -> Vec<String> {
        let Against::Sets(EvaluationSet::Benchmarks(sets)) = self else { return Vec::new() };
        let named = sets.names.iter().map(|name| format!("eval:{name}{{.,-*.}}jsonl*"));
        named.chain(sets.files.iter().map(|files| files.0.clone())).collect()
    }

    /// All examples, in a fixed order.
    pub(super) fn examples(&self, roots: &Roots) -> Result<Vec<Example>> {
        let mut examples = Vec::new();
        for glob in self.globs() {
            let files = roots.files(&glob).map_err(|e| DataError::Step {
                step: "decontaminate",
                what: format!("{e}: evaluation sets lie in the folder `eval` of the project, or where --root eval=FOLDER says"),
            })?;
            files.iter().try_for_each(|file| read(file, &mut examples))?;
        }
        let data: &[AnyData] = match self {
            Against::Sets(_) => &[],
            Against::Data(data) => std::slice::from_ref(data),
            Against::All(all) => all,
        };
        for data in data {
            let folder = match &data.0 {
                Value::Input(number) => roots.inputs.get(*number),
                _ => None,
            };
            let missing =
                || DataError::Step { step: "decontaminate", what: format!("{} is no stored result", data.0) };
            for doc in engine::documents(folder.ok_or_else(missing)?)? {
                let doc = doc?;
                let set = doc.id.split('#').next().unwrap_or_default().to_string();
                examples.push(Example { set, words: words(&doc.text), id: doc.id });
            }
        }
        Ok(examples)
    }
}

/// One example of an evaluation set.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) set: String,
    pub(super) id: String,
    pub(super) words: Vec<String>,
}

/// The examples of a file; a line that is not a JSON object is an error, since a set must be whole.
fn read(file: &SourceFile, examples: &mut Vec<Example>) -> Result<()> {
    let fail = |e| DataError::io("read", &file.path, e);
    let lines = Decoded::new(Tap::open(file)?).map_err(fail)?;
    let name = file.label.rsplit(['/', ':']).next().unwrap_or_default();
    let set = name.split('.').next().unwrap_or_default();
    for (number, line) in lines.split(b'\n').enumerate() {
        let line = line.map_err(fail)?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let fields: serde_json::Value = serde_json::from_slice(&line)
            .map_err(|e| DataError::artifact(&file.path, format!("line {}: {e}", number + 1)))?;
        let mut text = String::new();
        match fields.get("text") {
            Some(serde_json::Value::String(own)) => text.push_str(own),
            _ => texts(&fields, &mut text),
        }
        let id = format!("{}#{number}", file.label);
        examples.push(Example { set: set.to_string(), id, words: words(&text) });
    }
    Ok(())
}

/// All texts inside a value, one a line.
fn texts(value: &serde_json::Value, text: &mut String) {
    match value {
        serde_json::Value::String(own) => {
            text.push_str(own);
            text.push('\n');
        }
        serde_json::Value::Array(all) => all.iter().for_each(|value| texts(value, text)),
        serde_json::Value::Object(all) => all.values().for_each(|value| texts(value, text)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// Words of a text: runs of letters and digits in lower case, without accents.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut add = |c: char| {
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    };
    if text.is_ascii() {
        text.chars().for_each(&mut add);
    } else {
        text.nfd().filter(|c| !is_combining_mark(*c)).for_each(&mut add);
    }
    add(' ');
    words
}
