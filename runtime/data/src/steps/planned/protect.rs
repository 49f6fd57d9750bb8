//! Protection: personal data, profanity.

use llmp_stdlib::arg::FilePath;
use llmp_stdlib::{Arg, Problem, Ty, Value, number};

use super::share;

llmp_stdlib::choices! {
    /// A sort of personal data.
    Personal = "personal data" {
        /// E-mail addresses.
        Emails = "emails",
        /// Public IP addresses.
        Ips = "ips",
        /// Telephone numbers.
        Phones = "phones",
        /// Numbers of bank accounts and payment cards, with a valid checksum.
        Accounts = "accounts",
        /// Keys and passwords in code.
        Secrets = "secrets",
    }
}

llmp_stdlib::def! {
    /// Replaces personal data by a placeholder of its sort.
    ///
    /// FineWeb replaces e-mail and public IP addresses (section 3.7); AFM and Gemma 2 say that they remove personal data and not
    /// how. The text stays, so a document is never dropped; `.redacted` is how often something was replaced.
    ///
    /// ```llmp
    /// dataset clean = web |> redact_pii()
    /// ```
    @planned RedactPii = "redact_pii", rev 1, rows_of [Html, Docs, Chat, Prompt, Preference], adds [redacted: Num], check sorts {
        /// What is replaced.
        kinds: Vec<Personal> = "[emails, ips, phones]",
    }
}

fn sorts(it: &RedactPii) -> Vec<Problem> {
    let none = it.kinds.is_empty();
    none.then(|| Problem::error("LLMP0209", "kinds", "redact_pii replaces nothing: name at least one sort"))
        .into_iter()
        .collect()
}

llmp_stdlib::def! {
    /// Drops profane and unsafe documents by a list of words and a classifier.
    ///
    /// AFM runs such a filter before and after extraction (section 3.1.1: heuristics and model-based classifiers; thresholds are
    /// not published). Reasons: `profanity`, `unsafe`.
    ///
    /// ```llmp
    /// dataset clean = crawl |> drop_profanity() |> extract_text()
    /// ```
    @planned DropProfanity = "drop_profanity", rev 1, rows_of [Html, Docs, Chat], check profanity {
        /// The list of words: `ldnoobw`, or a file with one word a line.
        list: String = "\"ldnoobw\"",
        /// Largest share of the words that are on the list.
        max_share: f64 = "1%",
        /// A fastText model whose label `unsafe` drops at `threshold`; `none`: the list alone.
        model: Option<FilePath> = "none",
        /// Score from which a document is unsafe.
        threshold: f64 = "0.5",
    }
}

fn profanity(it: &DropProfanity) -> Vec<Problem> {
    [share("max_share", it.max_share), share("threshold", it.threshold)].into_iter().flatten().collect()
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
