//! Why a document leaves a pipe: a name that is counted, and the score or the words that decided.

use std::{borrow::Cow, fmt, ops::Deref};

use serde::{Deserialize, Serialize};

/// Why a step drops a document.
///
/// `"gopher_short_doc".into()` is a reason without more. Where a score decided, say so:
/// `Reason::below("gopher_short_doc", "words", 12.0, 50.0)`. Names are counted, so there are few of them; what decided
/// is kept with the document's id, for `llmp trace` and `llmp report`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The name, out of a small set.
    pub name: Cow<'static, str>,
    /// What decided.
    pub by: Option<Box<Decided>>,
}

/// What decided that a document is dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Decided {
    /// A score on the wrong side of its limit.
    Score(Score),
    /// Anything else, in a few words: the word that was found, the entry of a list, the id of the copy that stays.
    Words(String),
}

/// A score on the wrong side of its limit: `mean word length 2.1 < 3`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// What was measured.
    pub of: Cow<'static, str>,
    /// Its value for this document.
    pub value: f64,
    /// On which side of the limit that is.
    pub is: Side,
    /// The limit.
    pub limit: f64,
}

/// Where a value lies beside its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Side {
    /// Less than the limit.
    #[serde(rename = "<")]
    Below,
    /// The limit or less.
    #[serde(rename = "<=")]
    AtMost,
    /// More than the limit.
    #[serde(rename = ">")]
    Above,
    /// The limit or more.
    #[serde(rename = ">=")]
    AtLeast,
}

impl Reason {
    /// A reason for which a score decided.
    pub fn score(
        name: impl Into<Cow<'static, str>>,
        of: impl Into<Cow<'static, str>>,
        value: f64,
        is: Side,
        limit: f64,
    ) -> Reason {
        let score = Score { of: of.into(), value, is, limit };
        Reason { name: name.into(), by: Some(Box::new(Decided::Score(score))) }
    }

    /// `value` lies below `limit`.
    pub fn below(
        name: impl Into<Cow<'static, str>>,
        of: impl Into<Cow<'static, str>>,
        value: f64,
        limit: f64,
    ) -> Reason {
        Reason::score(name, of, value, Side::Below, limit)
    }

    /// `value` lies above `limit`.
    pub fn above(
        name: impl Into<Cow<'static, str>>,
        of: impl Into<Cow<'static, str>>,
        value: f64,
        limit: f64,
    ) -> Reason {
        Reason::score(name, of, value, Side::Above, limit)
    }

    /// The name, owned.
    pub fn into_owned(self) -> String {
        self.name.into_owned()
    }

    /// A reason with a few words on what decided.
    pub fn words(name: impl Into<Cow<'static, str>>, words: impl Into<String>) -> Reason {
        Reason { name: name.into(), by: Some(Box::new(Decided::Words(words.into()))) }
    }
}

impl From<Cow<'static, str>> for Reason {
    fn from(name: Cow<'static, str>) -> Reason {
        Reason { name, by: None }
    }
}

impl From<&'static str> for Reason {
    fn from(name: &'static str) -> Reason {
        Reason { name: name.into(), by: None }
    }
}

impl From<String> for Reason {
    fn from(name: String) -> Reason {
        Reason { name: name.into(), by: None }
    }
}

/// A reason reads as its name.
impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl PartialEq<str> for Reason {
    fn eq(&self, name: &str) -> bool {
        self.name == name
    }
}

impl PartialEq<&str> for Reason {
    fn eq(&self, name: &&str) -> bool {
        self.name == *name
    }
}

/// The name alone; [`Decided`] shows what decided.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decided::Score(score) => score.fmt(f),
            Decided::Words(words) => f.write_str(words),
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = short(self.value, self.limit);
        write!(f, "{} {number} {} {}", self.of, self.is.sign(), self.limit)
    }
}

impl Side {
    /// `<`, `<=`, `>`, `>=`.
    pub fn sign(self) -> &'static str {
        match self {
            Side::Below => "<",
            Side::AtMost => "<=",
            Side::Above => ">",
            Side::AtLeast => ">=",
        }
    }
}

/// `value` with the fewest digits (three or more) that still tell it from the limit.
fn short(value: f64, limit: f64) -> String {
    let rounded = (0..17).map(|digits| format!("{value:.digits$}")).find(|text| {
        let back: f64 = text.parse().unwrap_or(value);
        (back - value).abs() <= value.abs() * 5e-4 && (back == limit) == (value == limit)
    });
    rounded.unwrap_or_else(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_says_what_was_measured_and_which_side_of_the_limit() {
        let reason = Reason::below("gopher_below_avg_threshold", "mean word length", 2.123_456, 3.0);
        assert_eq!(reason, "gopher_below_avg_threshold");
        assert_eq!(reason.by.unwrap().to_string(), "mean word length 2.123 < 3");
        let close = Reason::above("x", "share", 0.300_000_01, 0.3).by.unwrap();
        assert_eq!(close.to_string(), "share 0.30000001 > 0.3");
        assert_eq!(Reason::below("x", "words", 12.0, 50.0).by.unwrap().to_string(), "words 12 < 50");
    }

    #[test]
    fn what_decided_reads_back() {
        for by in [
            Decided::Words("de".into()),
            Decided::Score(Score { of: "words".into(), value: 0.1, is: Side::AtMost, limit: 5.0 }),
        ] {
            let text = serde_json::to_string(&by).unwrap();
            assert_eq!(serde_json::from_str::<Decided>(&text).unwrap(), by);
        }
    }
}
