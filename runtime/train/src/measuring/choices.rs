//! Sets of questions with choices: the one that is likeliest counts.

use llmp_data::readers::Roots;
use llmp_stdlib::Event;
use serde_json::Value as Json;

use super::accuracy::log_probs;
use super::sets::{needed, records, text};
use super::{Metrics, shares};
use crate::error::{Result, TrainError};
use crate::folder::ModelFolder;
use crate::host::Host;
use crate::training::Sequence;

/// A set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    Arc,
    Hellaswag,
    Mmlu,
    Truthfulqa,
    Winogrande,
}

impl Set {
    fn metrics(self) -> [&'static str; 2] {
        match self {
            Set::Arc => ["arc", "arc_stderr"],
            Set::Hellaswag => ["hellaswag", "hellaswag_stderr"],
            Set::Mmlu => ["mmlu", "mmlu_stderr"],
            Set::Truthfulqa => ["truthfulqa", "truthfulqa_stderr"],
            Set::Winogrande => ["winogrande", "winogrande_stderr"],
        }
    }

    /// Whether log-probabilities count for each byte of the choice.
    fn by_bytes(self) -> bool {
        matches!(self, Set::Arc | Set::Hellaswag)
    }
}

/// A question.
#[derive(Debug, Clone, Default, PartialEq)]
struct Question {
    /// Questions of one subject share their examples.
    subject: String,
    /// It is an example, not asked.
    example: bool,
    /// What stands before each choice.
    before: Vec<String>,
    choices: Vec<String>,
    /// Which of them are right.
    right: Vec<usize>,
}

impl Question {
    /// The question with its answer, as an example.
    fn shown(&self) -> String {
        let right = self.right.first().copied().unwrap_or(0);
        format!(
            "{}{}\n\n",
            self.before.get(right).map_or("", String::as_str),
            self.choices.get(right).map_or("", String::as_str)
        )
    }
}

/// The share of questions that a model answers rightly, and its standard error.
pub(super) fn measure(
    set: Set,
    shots: u64,
    folder: &ModelFolder,
    roots: &Roots,
    host: &Host<'_>,
) -> Result<Metrics> {
    let all = records(set.metrics()[0], roots)?;
    let mut questions = all.iter().map(|record| question(set, record)).collect::<Result<Vec<_>>>()?;
    // A set without examples of its own lends its first questions.
    if !questions.iter().any(|question| question.example) {
        questions.iter_mut().take(shots as usize).for_each(|question| question.example = true);
    }
    let (examples, asked): (Vec<Question>, Vec<Question>) =
        questions.into_iter().partition(|question| question.example);
    let mut right = Vec::with_capacity(asked.len());
    for (done, question) in (1u64..).zip(&asked) {
        if host.stopped() {
            return Err(TrainError::Stopped);
        }
        let own = examples.iter().filter(|example| example.subject == question.subject);
        let shown: Vec<String> = own.take(shots as usize).map(Question::shown).collect();
        right.push(answered(set, folder, question, &shown)?);
        host.tell(Event::Progress { step: host.step.to_owned(), done });
    }
    if right.is_empty() {
        return Err(TrainError::Settings("every question of the set is an example".to_owned()));
    }
    Ok(shares(set.metrics(), &right))
}

/// 1 where the likeliest choice is right; of several right ones their part of the probability of all.
fn answered(set: Set, folder: &ModelFolder, question: &Question, shown: &[String]) -> Result<f64> {
    let context = folder.model.spec().context;
    let sequence = |at: usize, shown: &[String]| -> Result<Sequence> {
        let start = folder.vocabulary.start().map(|(_, id)| id);
        let before = format!("{}{}", shown.concat(), question.before[at]);
        let mut ids: Vec<u32> = start.into_iter().collect();
        ids.extend(folder.vocabulary.encode_plain(&before)?);
        let from = ids.len();
        ids.extend(folder.vocabulary.encode_plain(&question.choices[at])?);
        Ok(Sequence::behind(ids, from))
    };
    // As many examples as fit, the last ones.
    let mut shown = shown;
    let sequences = loop {
        let all = (0..question.choices.len()).map(|at| sequence(at, shown)).collect::<Result<Vec<_>>>()?;
        match shown.split_first() {
            Some((_, fewer)) if all.iter().any(|s| s.positions() > context) => shown = fewer,
            _ => break all,
        }
    };
    if let Some(long) = sequences.iter().find(|s| s.positions() > context) {
        let message = format!("a question has {} tokens, the context of the model {context}", long.ids.len());
        return Err(TrainError::Settings(message));
    }
    let said = log_probs(&folder.model, &sequences)?;
    if set == Set::Truthfulqa {
        let top = said.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = |at: usize| (said[at] - top).exp();
        let all: f64 = (0..said.len()).map(weight).sum();
        return Ok(question.right.iter().map(|at| weight(*at)).sum::<f64>() / all);
    }
    let score = |at: usize| {
        if set.by_bytes() { said[at] / question.choices[at].trim().len().max(1) as f64 } else { said[at] }
    };
    let best = (0..said.len()).reduce(|a, b| if score(b) > score(a) { b } else { a });
    Ok(f64::from(u8::from(best.is_some_and(|best| question.right.contains(&best)))))
}

fn texts(value: Option<&Json>) -> Vec<String> {
    let all = value.and_then(Json::as_array).into_iter().flatten();
    all.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// A record as a question, in the forms in which the sets are published.
fn question(set: Set, record: &Json) -> Result<Question> {
    let words = || TrainError::Settings(format!("this is no question of the set: {record}"));
    let mut question = match set {
        Set::Winogrande => winogrande(record),
        Set::Truthfulqa => truthfulqa(record)?,
        Set::Mmlu => mmlu(record)?,
        Set::Arc | Set::Hellaswag => with_choices(set, record),
    }
    .ok_or_else(words)?;
    question.example |= matches!(text(record, "split"), Some("dev" | "train" | "validation"));
    let fits = |at: &usize| *at < question.choices.len();
    let whole = question.before.len() == question.choices.len() && !question.right.is_empty();
    if whole && question.right.iter().all(fits) { Ok(question) } else { Err(words()) }
}

/// The number of the right choice: as a number, or as the letter or the label of it.
fn right(record: &Json, labels: &[String]) -> Option<usize> {
    let value = ["gold", "label", "answer", "answerKey"].iter().find_map(|name| record.get(*name))?;
    if let Some(number) = value.as_u64() {
        return usize::try_from(number).ok();
    }
    let word = value.as_str()?.trim();
    let letter = || ["A", "B", "C", "D", "E"].iter().position(|letter| *letter == word);
    labels.iter().position(|label| label == word).or_else(letter).or_else(|| word.parse().ok())
}

/// `{question, choices: {text, label}, answerKey}`, `{query, choices, gold}`, `{ctx, endings, label}`.
fn with_choices(set: Set, record: &Json) -> Option<Question> {
    let nested = record.get("choices").and_then(|choices| choices.get("text"));
    let given = nested.or(record.get("choices")).or(record.get("endings"));
    let labels = texts(record.get("choices").and_then(|choices| choices.get("label")));
    let choices: Vec<String> = texts(given).iter().map(|choice| format!(" {}", choice.trim())).collect();
    let right = right(record, &labels)?;
    let asked = ["question", "query", "ctx"].iter().find_map(|name| text(record, name))?.trim();
    let before = match set {
        Set::Hellaswag => asked.to_owned(),
        _ => format!("Question: {}\nAnswer:", asked.trim_start_matches("Question: ")),
    };
    let before = vec![before; choices.len()];
    Some(Question { before, choices, right: vec![right], ..Question::default() })
}

fn mmlu(record: &Json) -> Result<Option<Question>> {
    let subject = needed(record, "subject")?.to_owned();
    let choices = texts(record.get("choices"));
    let letters = ["A", "B", "C", "D", "E"];
    let lines: Vec<String> =
        letters.iter().zip(&choices).map(|(letter, choice)| format!("{letter}. {choice}")).collect();
    let asked = format!("{}\n{}\nAnswer:", needed(record, "question")?.trim(), lines.join("\n"));
    let before = vec![asked; choices.len()];
    let choices = letters.iter().take(choices.len()).map(|letter| format!(" {letter}")).collect();
    Ok(right(record, &[]).map(|right| Question {
        subject,
        before,
        choices,
        right: vec![right],
        example: false,
    }))
}

/// `{sentence, option1, option2, answer}` with a `_` in the sentence, `{context_options, continuation, gold}`: what stands behind
/// counts, after either noun.
fn winogrande(record: &Json) -> Option<Question> {
    if let Some(behind) = text(record, "continuation") {
        let before = texts(record.get("context_options"));
        let choices = vec![format!(" {}", behind.trim()); before.len()];
        return Some(Question { before, choices, right: vec![right(record, &[])?], ..Question::default() });
    }
    let (head, tail) = text(record, "sentence")?.split_once('_')?;
    let options = [text(record, "option1")?, text(record, "option2")?];
    let before: Vec<String> = options.iter().map(|option| format!("{}{option}", head)).collect();
    let right = text(record, "answer")?.trim().parse::<usize>().ok()?.checked_sub(1)?;
    let choices = vec![format!(" {}", tail.trim()); 2];
    Some(Question { before, choices, right: vec![right], ..Question::default() })
}

/// `{Question, Correct Answers, Incorrect Answers}`, answers between semicolons.
fn truthfulqa(record: &Json) -> Result<Option<Question>> {
    let answers = |name: &str| -> Result<Vec<String>> {
        let all = needed(record, name)?.split(';').map(str::trim).filter(|answer| !answer.is_empty());
        Ok(all.map(|answer| format!(" {answer}")).collect())
    };
    let (mut choices, wrong) = (answers("Correct Answers")?, answers("Incorrect Answers")?);
    let right = (0..choices.len()).collect();
    choices.extend(wrong);
    let before = vec![format!("Q: {}\nA:", needed(record, "Question")?.trim()); choices.len()];
    Ok(Some(Question { before, choices, right, ..Question::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn published_forms_become_questions() {
        let arc = json!({ "question": "Why?", "choices": { "text": ["a", "b"], "label": ["1", "2"] }, "answerKey": "2" });
        let found = question(Set::Arc, &arc).unwrap();
        assert_eq!((found.before[0].as_str(), &found.right), ("Question: Why?\nAnswer:", &vec![1]));
        assert_eq!(found.shown(), "Question: Why?\nAnswer: b\n\n");
        let olmes = json!({ "query": "Question: Why?", "choices": ["a", "b"], "gold": 1 });
        assert_eq!(question(Set::Arc, &olmes).unwrap(), found);
        let mmlu = json!({ "subject": "law", "split": "dev", "question": "Who?", "choices": ["x", "y", "z"], "answer": "C" });
        let found = question(Set::Mmlu, &mmlu).unwrap();
        assert!(found.example && found.right == [2]);
        assert_eq!(found.shown(), "Who?\nA. x\nB. y\nC. z\nAnswer: C\n\n");
        let nouns = json!({ "sentence": "The cup hit the _ and broke.", "option1": "wall", "option2": "bed", "answer": "1" });
        let found = question(Set::Winogrande, &nouns).unwrap();
        assert_eq!(found.before, ["The cup hit the wall", "The cup hit the bed"]);
        assert_eq!((found.choices[1].as_str(), &found.right), (" and broke.", &vec![0]));
        let truth = json!({ "Question": "Q?", "Correct Answers": "a; b", "Incorrect Answers": "c" });
        assert_eq!(question(Set::Truthfulqa, &truth).unwrap().right, [0, 1]);
        assert!(question(Set::Arc, &json!({ "question": "Why?", "choices": ["a"], "gold": 4 })).is_err());
    }
}
