//! What answers are worth: reward models, verifiers and terms, made ready for a stage.

use std::path::Path;

use super::anchor::Anchors;
use super::prompts::Asked;
use super::{Part, To};
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::kinds::rl::Ends;
use crate::reward::Judge;
use crate::steps::Checker;

/// A part of a reward that reads texts or lengths, with what it needs.
#[derive(Debug)]
pub enum Opened {
    /// A reward model, times a number.
    Judge(Box<Judge>, f64),
    /// A verifier.
    Checker(Checker),
    /// For answers that end.
    Ends(Ends),
    /// The log-ratio to another model, times a number.
    Kl(f64, To),
}

/// Makes a part ready; `folder` gives the folder or file of an input. Errors: what the part needs is not there.
pub fn open<'a>(part: &Part, folder: &dyn Fn(usize) -> &'a Path) -> Result<Opened> {
    Ok(match part {
        Part::Judge { model, tokenizer, by } => {
            let vocabulary = Vocabulary::load(folder(*tokenizer))?;
            Opened::Judge(Box::new(Judge::open(folder(*model), &vocabulary)?), *by)
        }
        Part::Verifier(verifier) => Opened::Checker(Checker::new(verifier).map_err(TrainError::Settings)?),
        Part::Ends(ends) => Opened::Ends(ends.clone()),
        Part::Kl { weight, to } => Opened::Kl(*weight, *to),
    })
}

/// An answer as rewards see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// Its text, without what ended it.
    pub(super) text: &'a str,
    /// Its tokens.
    pub(super) tokens: usize,
    /// The model ended it by itself.
    pub(super) ended: bool,
}

impl Opened {
    /// The column that it reads.
    pub fn column(&self) -> Option<&str> {
        if let Opened::Checker(checker) = self { checker.column() } else { None }
    }

    /// Its part of the rewards of the answers to one prompt; log-ratios are not read from texts and have none.
    pub(super) fn rewards(&self, asked: &Asked, said: &[Said<'_>], most: usize) -> Result<Vec<f64>> {
        match self {
            Opened::Judge(judge, by) => {
                let all: Vec<_> = said.iter().map(|said| (asked.turns.as_slice(), said.text)).collect();
                Ok(judge.score(&all)?.into_iter().map(|score| by * f64::from(score)).collect())
            }
            Opened::Checker(checker) => {
                let truth = checker.column().and_then(|column| asked.truths.get(column));
                let truth = truth.map_or("", String::as_str);
                let check = |said: &Said<'_>| checker.check(said.text, truth).map(|verdict| verdict.score);
                said.iter().map(|said| check(said).map_err(TrainError::Settings)).collect()
            }
            Opened::Ends(ends) => Ok(said.iter().map(|said| ended(ends, *said, most)).collect()),
            Opened::Kl(..) => Ok(vec![0.0; said.len()]),
        }
    }
}

/// The penalty of an answer that does not end, and of one that nearly did not (DAPO).
fn ended(ends: &Ends, said: Said<'_>, most: usize) -> f64 {
    let over = (said.tokens as f64) - (most as f64 - ends.soft as f64);
    match said.ended {
        false => ends.missing,
        true if ends.soft > 0 && over > 0.0 => ends.missing * over / ends.soft as f64,
        true => 0.0,
    }
}

/// The models that log-ratios need beside the policy. Errors: one that cannot be read.
pub(super) fn anchors<'a>(
    held: impl Iterator<Item = To>,
    from: &Path,
    folder: &dyn Fn(usize) -> &'a Path,
) -> Result<Anchors> {
    let mut anchors = Anchors::default();
    for to in held {
        if anchors.fixed.iter().any(|(own, _)| *own == to) {
            continue;
        }
        match to {
            To::Ema => anchors.average = Some(Vec::new()),
            To::From => anchors.fixed.push((to, llmp_nn::Model::load(from)?)),
            To::Model(input) => anchors.fixed.push((to, llmp_nn::Model::load(folder(input))?)),
        }
    }
    Ok(anchors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_nearly_did_not_end_is_punished_in_part() {
        let said = |tokens, ended| Said { text: "", tokens, ended };
        let soft = Ends { missing: -1.0, soft: 4 };
        assert_eq!(ended(&soft, said(10, true), 20), 0.0);
        assert_eq!(ended(&soft, said(18, true), 20), -0.5);
        assert_eq!(ended(&soft, said(20, false), 20), -1.0);
        assert_eq!(ended(&Ends { missing: -2.0, soft: 0 }, said(20, true), 20), 0.0);
    }
}
