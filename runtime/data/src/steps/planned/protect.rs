//! Protection of evaluation sets.

use llmp_stdlib::arg::{AnyData, FilePath};
use llmp_stdlib::{Arg, Problem, State, Ty, Value, number};

use super::share;

llmp_stdlib::def! {
    /// Evaluation sets by name, or out of files of one example a line.
    ///
    /// They can stand where something is compared with them (`decontaminate`) and have no path into training.
    ///
    /// ```llmp
    /// let suites = benchmarks(["mmlu", "gsm8k", "humaneval"])
    /// ```
    @planned Benchmarks = "benchmarks", rev 1, check some_set {
        /// Names of suites that llmp knows.
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

/// Lengths of n-grams: one (`13`) or a range (`4..13`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// The shortest.
    pub low: u64,
    /// The longest.
    pub high: u64,
}

impl Arg for Lengths {
    const TY: Ty = Ty::OneOf(&[Ty::Range(&Ty::Int), Ty::Int]);
    fn read(value: &Value) -> Result<Self, String> {
        let whole = |v: &Value| match v {
            Value::Number(q) => number::to_u64(q.amount),
            _ => None,
        };
        let (low, high) = match value {
            Value::Range(low, high) => (whole(low), whole(high)),
            one => (whole(one), whole(one)),
        };
        match (low, high) {
            (Some(low), Some(high)) => Ok(Lengths { low, high }),
            _ => Err(format!("expected a length or a range of lengths, found {value}")),
        }
    }
}

llmp_stdlib::choices! {
    /// How an overlap is found.
    Overlap = "method" {
        /// Equal n-grams of words.
        Ngram = "ngram",
        /// A long common subsequence of tokens.
        Lcs = "lcs",
    }
}

llmp_stdlib::def! {
    /// Drops training records that overlap with evaluation sets (F44). Reason: `contaminated`.
    ///
    /// `ngram`: any n-gram of a length in `ngrams` that occurs in an evaluation set, except those that the corpus holds at least
    /// `common_above` times. AFM: 4 to 13 words, 811 sets, exempt from 1,000 (section 3.1.1). `lcs`: the longest common subsequence
    /// with an evaluation example has at least `lcs_min` tokens and at least `lcs_share` of the shorter of the two. Qwen 2: 13
    /// and 60%, for pre- and post-training data (section 3.1).
    ///
    /// ```llmp
    /// dataset clean = web |> decontaminate(against = benchmarks(["mmlu"]), ngrams = 4..13, common_above = 1000)
    /// ```
    @planned Decontaminate = "decontaminate", rev 1, whole_of [Docs, Chat, Prompt, Preference], check overlap {
        /// The evaluation sets.
        against: Against,
        /// Lengths of the n-grams, in words.
        ngrams: Lengths = "13",
        /// Occurrences in the corpus from which an n-gram is common and does not count; `none`: each counts.
        common_above: Option<u64> = "none",
        /// How an overlap is found.
        method: Overlap = "ngram",
        /// Fewest tokens of a common subsequence.
        lcs_min: u64 = "13",
        /// Least share of the shorter text that it covers.
        lcs_share: f64 = "60%",
    }
}

fn overlap(it: &Decontaminate) -> Vec<Problem> {
    let mut problems: Vec<Problem> = share("lcs_share", it.lcs_share).into_iter().collect();
    let Lengths { low, high } = it.ngrams;
    if low == 0 || low > high {
        let message = format!("decontaminate: n-grams of {low} to {high} words are none");
        problems.push(Problem::error("LLMP0209", "ngrams", message));
    }
    if it.method == Overlap::Lcs && it.common_above.is_some() {
        let message = "decontaminate: `common_above` speaks of n-grams, the method is `lcs`";
        problems.push(Problem::error("LLMP0209", "common_above", message).fix(
            "leave it out",
            "common_above",
            "none",
        ));
    }
    problems
}
