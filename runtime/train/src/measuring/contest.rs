//! Two models answer the same prompts, a third says whose answer is better, each pair in both orders.

use std::path::Path;

use llmp_data::row::Message;
use llmp_nn::Decoder;
use llmp_stdlib::Event;

use crate::error::{Result, TrainError};
use crate::generate::Sampling;
use crate::host::Host;
use crate::rl::turns;
use crate::sample::{Answer, Stops, answers};
use crate::suites::WinRate;
use crate::writing::Speaker;

/// Prompts that are answered at a time.
const TOGETHER: usize = 32;

/// For every prompt what the first model wins against the second: 1, a half where the judge takes back in the other order what it
/// said in one, or 0. Pairs that do not fit into the judge's context are left out.
///
/// Errors: nothing is left, a judge whose tokenizer cannot tell the letters A and B apart, the stop flag.
pub(super) fn contest(
    (own, other, judge): (&Speaker, &Speaker, &Speaker),
    prompts: &Path,
    settings: &WinRate,
    host: &Host<'_>,
) -> Result<Vec<f64>> {
    let letters = letters(judge)?;
    let mut asked = Vec::new();
    for document in llmp_data::engine::documents(prompts)? {
        let document = document?;
        let none = || TrainError::Settings(format!("{}: this is no prompt", document.id));
        asked.push(turns(&document).ok_or_else(none)?);
    }
    let (mut wins, mut done) = (Vec::new(), 0);
    for asked in asked.chunks(TOGETHER) {
        let most = settings.max_tokens as usize;
        let (ours, theirs) = (said(own, asked, most)?, said(other, asked, most)?);
        for (turns, (ours, theirs)) in asked.iter().zip(ours.iter().zip(&theirs)) {
            if host.stopped() {
                return Err(TrainError::Stopped);
            }
            let (ours, theirs) =
                if settings.length_control { cut(ours, theirs) } else { (ours.as_str(), theirs.as_str()) };
            let first = better(judge, &letters, turns, ours, theirs)?;
            let second = better(judge, &letters, turns, theirs, ours)?;
            wins.extend(first.zip(second).map(|(first, second)| (first + 1.0 - second) / 2.0));
            done += 1;
            host.tell(Event::Progress { step: host.step.to_owned(), done });
        }
    }
    if wins.is_empty() {
        let message = "no prompt with both answers fits into the context of the judge";
        return Err(TrainError::Settings(message.to_owned()));
    }
    Ok(wins)
}

/// The likeliest answers of a model.
fn said(speaker: &Speaker, asked: &[Vec<Message>], max_tokens: usize) -> Result<Vec<String>> {
    let prompts = asked.iter().map(|turns| speaker.prompt(turns)).collect::<Result<Vec<_>>>()?;
    let texts: Vec<String> = speaker.stop_texts().iter().map(|text| (*text).to_owned()).collect();
    let vocabulary = &speaker.folder.vocabulary;
    let stops = Stops { ids: speaker.stops(), texts: Some((vocabulary, &texts)) };
    let sampling = Sampling { max_tokens, temperature: 0.0, top_k: None, top_p: None, seed: 0 };
    let seeds = vec![0; prompts.len()];
    let all = answers(&speaker.folder.model, &prompts, 1, &sampling, stops, &seeds)?;
    let text = |answer: &Answer| -> Result<String> { Ok(stops.text(vocabulary, answer)?.trim().to_owned()) };
    all.iter().map(|one| one.first().map_or(Ok(String::new()), text)).collect()
}

/// Both texts with as many letters as the shorter one has.
fn cut<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    let letters = a.chars().count().min(b.chars().count());
    let to = |text: &'a str| text.char_indices().nth(letters).map_or(text, |(at, _)| &text[..at]);
    (to(a), to(b))
}

/// The tokens that begin each letter, in the forms in which they differ.
type Letters = Vec<[u32; 2]>;

fn letters(judge: &Speaker) -> Result<Letters> {
    let first = |text: &str| -> Result<Option<u32>> {
        Ok(judge.folder.vocabulary.encode_plain(text)?.first().copied())
    };
    let mut forms = Letters::new();
    for [a, b] in [["A", "B"], [" A", " B"]] {
        if let (Some(a), Some(b)) = (first(a)?, first(b)?)
            && a != b
        {
            forms.push([a, b]);
        }
    }
    if forms.is_empty() {
        let message = "the judge's tokenizer begins the letters A and B with one token";
        return Err(TrainError::Settings(message.to_owned()));
    }
    forms.dedup();
    Ok(forms)
}

/// 1 where the judge finds the answer `a` better than `b`, 0 where it is the other way round; nothing where they do not fit into its
/// context. It is asked for one letter: the likelier one counts.
fn better(judge: &Speaker, letters: &Letters, turns: &[Message], a: &str, b: &str) -> Result<Option<f64>> {
    let request: Vec<String> = turns.iter().map(|turn| format!("{}: {}", turn.role, turn.text())).collect();
    let text = format!(
        "Here is a conversation and two answers to its last turn.\n\n{}\n\n---\nAnswer A:\n{a}\n\n---\nAnswer B:\n{b}\n\n---\nWhich \
         answer is better? Reply with one letter, A or B.",
        request.join("\n\n")
    );
    let ids = judge.prompt(&[Message::new("user", text)])?;
    let model = &judge.folder.model;
    if ids.len() > model.spec().context {
        return Ok(None);
    }
    let logits = Decoder::new(model).prefill(&ids)?;
    let weight = |which: usize| {
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        letters.iter().map(|form| f64::from(logits[form[which] as usize] - top).exp()).sum::<f64>()
    };
    let (a, b) = (weight(0), weight(1));
    Ok(Some(if a == b { 0.5 } else { f64::from(u8::from(a > b)) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_text_is_cut_to_the_letters_of_the_shorter() {
        assert_eq!(cut("äöü", "abcdef"), ("äöü", "abc"));
        assert_eq!(cut("abcdef", ""), ("", ""));
    }
}
