//! Verifiers: answers against a truth, without a model.

mod checker;
mod numbers;
mod sandbox;

use std::sync::{Arc, Mutex, PoisonError};

use llmp_data::steps::{Built, Map, Outcome, Step};
use llmp_data::{Cell, DataError, Document, readers::Roots};
use llmp_stdlib::{Problem, Record, Value};

use super::answers;

pub use checker::{Checker, Verdict};
pub(crate) use numbers::{numbers, same_number};

llmp_stdlib::def! {
    /// The answer is the text of a column, blanks at both ends left out.
    Exact = "exact", rev 1 {
        /// The column that holds the truth.
        truth: String = "\"truth\"",
        /// Letters in upper and lower case are equal.
        ignore_case: bool = "true",
    }
}

llmp_stdlib::def! {
    /// The last number of the answer is the last number of a column (mathematics problems; GSM8K, whose solutions end in
    /// `#### 72`).
    ///
    /// `1,234.50`, `-3`, `2.5e3`, `3/4` and `\frac{3}{4}` are numbers; signs of currencies and percents are passed over.
    Number = "number", rev 1, check tolerance {
        /// The column that holds the truth.
        truth: String = "\"truth\"",
        /// Largest distance.
        tolerance: f64 = "1e-6",
    }
}

fn tolerance(it: &Number) -> Vec<Problem> {
    let message = "number: `tolerance` must not be below 0";
    (it.tolerance < 0.0).then(|| Problem::error("LLMP0209", "tolerance", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// A pattern occurs in the answer.
    Matching = "regex", rev 1, check pattern {
        /// The pattern (syntax of the `regex` crate).
        pattern: String,
    }
}

fn pattern(it: &Matching) -> Vec<Problem> {
    let message = match regex::Regex::new(&it.pattern) {
        Err(error) => format!("regex: {}", answers::reason(&error)),
        Ok(_) if it.pattern.is_empty() => "regex: an empty pattern occurs in every answer".to_owned(),
        Ok(_) => return Vec::new(),
    };
    vec![Problem::error("LLMP0209", "pattern", message)]
}

llmp_stdlib::def! {
    /// The answer is JSON, alone or in a fenced block, and has these fields; `a.b` is the field `b` of `a`.
    Json = "json", rev 1 {
        /// Fields that it must have.
        fields: Vec<String> = "[]",
    }
}

llmp_stdlib::def! {
    /// The code of the answer passes tests, in a sandbox without network (execution feedback: Llama 3.1, Qwen 2, AFM).
    ///
    /// The code is the first fenced block of the answer, else all of it. The tests are a JSON list of texts, or a text in which every
    /// `assert` at the beginning of a line is a test and all else prepares them; a text without such lines is one test. Every test runs
    /// in a Python process of its own, with the standard library only: it cannot write outside a scratch folder (Landlock), open a
    /// connection or start a process (seccomp), and has `timeout` seconds and 1 GiB of memory (rlimits) and an empty environment. It can read
    /// files. A machine that cannot do this says so before anything is verified: it needs Linux 5.13 and `python3`.
    UnitTests = "unit_tests", rev 1, check passes, lacks language {
        /// The column that holds the tests.
        tests: String = "\"tests\"",
        /// The language.
        language: String = "\"python\"",
        /// Seconds that one test may take.
        timeout: u64 = "10",
        /// Least share of the tests that must pass (AFM keeps the solution with most, above a threshold).
        pass: f64 = "100%",
    }
}

fn passes(it: &UnitTests) -> Vec<Problem> {
    let wrong = !(0.0..=1.0).contains(&it.pass);
    let message = "unit_tests: `pass` lies between 0% and 100%";
    wrong.then(|| Problem::error("LLMP0209", "pass", message)).into_iter().collect()
}

fn language(it: &UnitTests) -> Vec<Problem> {
    let message = format!("unit_tests: this version runs `python`, not `{}`", it.language);
    let other = it.language != "python";
    other.then(|| Problem::error("LLMP0703", "language", message)).into_iter().collect()
}

llmp_stdlib::family! {
    /// How an answer is verified.
    Verifier = "verifier" { Exact, Json, Matching, Number, UnitTests }
}

llmp_stdlib::def! {
    /// Adds whether an answer is right, `.verified`, and what share of the test it passed, `.score`. A record without the column of
    /// the truth is dropped with the reason `no .column`.
    ///
    /// ```llmp
    /// dataset right = problems |> generate(tuned, n = 16) |> verify(number(truth = "answer_key")) |> keep_if(.verified)
    /// ```
    Verify = "verify", rev 1, rows Answers -> Answers, reads truths, adds [verified: Bool, score: Num] {
        /// How it is verified.
        by: Verifier,
    }
}

/// The column with the truth or the tests.
fn truths(args: &Record) -> Vec<String> {
    let Some(Value::Call(call)) = args.get("by") else { return Vec::new() };
    let named = call.args.get("truth").or_else(|| call.args.get("tests"));
    if let Some(Value::Text(column)) = named { vec![column.clone()] } else { Vec::new() }
}

/// The verifier as a step over records.
#[derive(Debug)]
struct Verifying {
    checker: Checker,
    /// The first failure that is not the answer's.
    failed: Mutex<Option<String>>,
}

impl Step for Verify {
    fn build(self, _: &Roots) -> llmp_data::Result<Built> {
        let checker = Checker::new(&self.by).map_err(|what| DataError::Step { step: "verify", what })?;
        Ok(Built::Map(Arc::new(Verifying { checker, failed: Mutex::default() })))
    }
}

impl Map for Verifying {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn needs(&self) -> Vec<String> {
        self.checker.column().map(str::to_owned).into_iter().collect()
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let truth = match self.checker.column() {
            None => String::new(),
            Some(column) => match text(doc, column) {
                Some(truth) => truth,
                None => return Outcome::Drop(format!("no .{column}").into()),
            },
        };
        let answer = doc.part("answer").unwrap_or_default().into_owned();
        match self.checker.check(&answer, &truth) {
            Ok(Verdict { right, score }) => {
                doc.columns.insert("verified".into(), right.into());
                doc.columns.insert("score".into(), score.into());
            }
            Err(words) => {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(words);
            }
        }
        Outcome::Keep
    }

    fn settle(&self, _last: bool) -> llmp_data::Result<()> {
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(what) => Err(DataError::Step { step: "verify", what }),
            None => Ok(()),
        }
    }
}

/// A column as text.
fn text(doc: &Document, column: &str) -> Option<String> {
    match doc.columns.get(column) {
        Some(Cell::Text(text)) => Some(text.clone()),
        Some(Cell::Num(number)) => Some(number.to_string()),
        Some(Cell::Bool(truth)) => Some(truth.to_string()),
        None => doc.part(column).map(std::borrow::Cow::into_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_stdlib::{Call, Settings};

    #[test]
    fn a_verifier_reads_the_column_that_it_names() {
        let call = |name: &str, column: &str| {
            let args = [(name.to_owned(), Value::text(column))].into();
            let record: Record =
                [("by".to_owned(), Value::Call(Call { name: "number".into(), args }))].into();
            (Verify::SIGNATURE.flow.unwrap().reads)(&record)
        };
        assert_eq!(call("truth", "answer_key"), ["answer_key"]);
        assert_eq!(call("tests", "checks"), ["checks"]);
        assert!(call("pattern", "x").is_empty());
    }
}
