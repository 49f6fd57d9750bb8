//! `judge` and `tag`: a model says something about a record, which becomes a column.

use llmp_data::Document;
use llmp_data::row::Message;
use llmp_data::steps::Reason;
use llmp_stdlib::arg::ModelRef;

use super::{Manner, Passed, Writer, only, question, readable};
use crate::folder::Vocabulary;
use crate::steps::{Judge, Tag, numbers};

impl Writer for Judge {
    fn name(&self) -> &'static str {
        "judge"
    }

    fn models(&self) -> Vec<&ModelRef> {
        vec![&self.model]
    }

    fn manner(&self) -> Manner {
        Manner::one(0.3, 512, self.seed)
    }

    fn asks(&self, doc: &Document, _: &[Passed], _: &Vocabulary) -> Result<Vec<Vec<Message>>, Reason> {
        Ok(vec![question(format!(
            "Grade the following by this rubric.\n\nRubric: {}\n\nGive a grade from 0 (worst) to {} (best). Say in one sentence why, \
             then end with a line of this form:\nGrade: <number>\n\n---\n{}",
            self.rubric,
            self.points,
            readable(doc)
        ))])
    }

    fn made(&self, doc: &Document, said: &[Passed], _: &[String]) -> Vec<Result<Document, Reason>> {
        let Some(grade) = grade(only(said), self.points) else {
            return vec![Err(Reason::words("no grade", only(said).chars().take(200).collect::<String>()))];
        };
        let mut made = doc.clone();
        made.columns.insert("grade".into(), grade.into());
        vec![Ok(made)]
    }
}

/// The grade in an answer: the number behind its last `Grade:`, or its only number; none outside 0 to `points`.
fn grade(text: &str, points: u64) -> Option<f64> {
    // `4/5` is a grade out of five, not a fraction.
    let low = text.to_lowercase().replace(&format!("/{points}"), " ");
    let found = match low.rfind("grade:") {
        Some(at) => numbers(&low[at..]).first().copied(),
        None => match numbers(&low)[..] {
            [only] => Some(only),
            _ => None,
        },
    };
    found.filter(|grade| (0.0..=points as f64).contains(grade))
}

impl Writer for Tag {
    fn name(&self) -> &'static str {
        "tag"
    }

    fn models(&self) -> Vec<&ModelRef> {
        vec![&self.model]
    }

    fn manner(&self) -> Manner {
        Manner::one(0.0, 128, 0)
    }

    fn asks(&self, doc: &Document, _: &[Passed], _: &Vocabulary) -> Result<Vec<Vec<Message>>, Reason> {
        Ok(vec![question(format!(
            "Name the topics and intentions of the user in the following, as short tags of one to three words, separated by commas. \
             Write only the tags.\n\n---\n{}",
            readable(doc)
        ))])
    }

    fn made(&self, doc: &Document, said: &[Passed], _: &[String]) -> Vec<Result<Document, Reason>> {
        let tags = tags(only(said));
        if tags.is_empty() {
            return vec![Err(Reason::words("no tags", only(said).chars().take(200).collect::<String>()))];
        }
        let mut made = doc.clone();
        made.columns.insert("tag_count".into(), (tags.len() as f64).into());
        made.columns.insert("tags".into(), tags.join(", ").into());
        vec![Ok(made)]
    }
}

/// The tags in an answer: pieces of one to five words between commas and line ends, each once.
fn tags(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in text.split([',', '\n', ';']) {
        let edge = |c: char| !c.is_alphanumeric();
        let tag = piece.trim_matches(edge).to_lowercase();
        let words = tag.split_whitespace().count();
        if (1..=5).contains(&words) && tag.len() <= 60 && !found.contains(&tag) {
            found.push(tag);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grade_is_read_where_it_is_clear() {
        assert_eq!(grade("It has 3 errors.\nGrade: 4", 5), Some(4.0));
        assert_eq!(grade("Grade: 2. No, better:\ngrade: **3.5**/5", 5), Some(3.5));
        assert_eq!(grade(" 4 ", 5), Some(4.0));
        assert_eq!(grade("Grade: 4/5", 5), Some(4.0));
        for unclear in ["", "fine", "3 of 5", "Grade: 7", "Grade: none"] {
            assert_eq!(grade(unclear, 5), None, "{unclear}");
        }
    }

    #[test]
    fn tags_are_short_and_each_is_there_once() {
        assert_eq!(
            tags("- Cooking, baking bread;cooking\n* \"Recipes\"."),
            ["cooking", "baking bread", "recipes"]
        );
        assert!(tags("I think that the user wants to know a great many things here").is_empty());
    }
}
