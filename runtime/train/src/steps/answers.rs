//! Choices among the answers to a prompt: declared here, carried out over all answers to a prompt wherever they stand.

use std::sync::Arc;

use llmp_data::engine::{Desk, Packed, Sorter, ordered};
use llmp_data::row::Message;
use llmp_data::steps::{Barrier, Built, Mark, Outcome, Step};
use llmp_data::{Cell, Document, Row, readers::Roots};
use llmp_stdlib::arg::RewardRef;
use llmp_stdlib::{Problem, Record, Value};
use regex::Regex;

use super::verify::numbers;

llmp_stdlib::def! {
    /// Adds the reward of each answer, `.score`; one that is longer than the reward model's context is dropped with the reason
    /// `too long`.
    ///
    /// ```llmp
    /// dataset scored = asks |> generate(tuned, n = 8) |> score(judge)
    /// ```
    Score = "score", rev 1, rows Answers -> Answers, adds [score: Num] {
        /// The reward model.
        model: RewardRef,
    }
}

llmp_stdlib::choices! {
    /// Among which answers the best are sought.
    Per = "per" {
        /// Those to one prompt.
        Prompt = "prompt",
        /// Those of one model to one prompt.
        Member = "member",
    }
}

llmp_stdlib::def! {
    /// Keeps the best answers to each prompt as conversations (F27a: rejection sampling).
    ///
    /// The best is sought for each prompt over all models of a committee, not one model for all prompts (AFM, section 4.2). Of equal ones
    /// the first stay; answers without the column are the worst. Reason: `not the best`.
    ///
    /// ```llmp
    /// dataset best = asks |> generate(tuned, n = 8) |> score(judge) |> keep_best(1, per = prompt)
    /// ```
    KeepBest = "keep_best", rev 1, whole Answers -> Chat, reads ranked, check some {
        /// How many stay.
        n: u64 = "1",
        /// Among which answers.
        per: Per = "prompt",
        /// The column that ranks them, the highest first.
        by: String = "\"score\"",
    }
}

fn some(it: &KeepBest) -> Vec<Problem> {
    let problem = Problem::error("LLMP0209", "n", "keep_best keeps at least one answer");
    (it.n == 0).then(|| problem.fix("keep one", "n", "1")).into_iter().collect()
}

fn ranked(args: &Record) -> Vec<String> {
    if let Some(Value::Text(column)) = args.get("by") { vec![column.clone()] } else { Vec::new() }
}

llmp_stdlib::def! {
    /// Makes a pair of the best and the worst answer to each prompt (F25); the pair has the id and the columns of the better one.
    ///
    /// Prompts with one answer, or with equal ones, are dropped with the reason `no pair`; the other answers to a prompt
    /// with the reason `not in the pair`, those without the column with `no .column`.
    ///
    /// ```llmp
    /// dataset pairs = asks |> generate(tuned, n = 8) |> score(judge) |> best_worst_pair()
    /// ```
    BestWorstPair = "best_worst_pair", rev 1, whole Answers -> Preference, reads ranked, check margin {
        /// The column that ranks them.
        by: String = "\"score\"",
        /// Least distance between the two.
        margin: f64 = "0",
    }
}

fn margin(it: &BestWorstPair) -> Vec<Problem> {
    let message = "best_worst_pair: `margin` must not be below 0";
    (it.margin < 0.0).then(|| Problem::error("LLMP0209", "margin", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// Adds the share of a prompt's answers that end in the same result, `.votes`, and keeps those of the most frequent one
    /// (self-consistency). Of results that are equally frequent the first stays. Reasons: `outvoted`, `no result`.
    ///
    /// ```llmp
    /// dataset agreed = problems |> generate(tuned, n = 16) |> majority_vote() |> keep_if(.votes > 50%)
    /// ```
    MajorityVote = "majority_vote", rev 1, whole Answers -> Answers, adds [votes: Num], check result {
        /// A pattern whose last match in an answer (its first group, if it has one) is its result; without it the last number.
        result: Option<String> = "none",
    }
}

fn result(it: &MajorityVote) -> Vec<Problem> {
    let wrong = it.result.as_ref().and_then(|pattern| Regex::new(pattern).err());
    wrong
        .map(|e| Problem::error("LLMP0209", "result", format!("majority_vote: {}", reason(&e))))
        .into_iter()
        .collect()
}

/// What is wrong with a pattern, in one line.
pub(super) fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or(&text).trim_start_matches("error: ").to_owned()
}

/// The prompt of an answer as a number; answers with equal ones belong together.
fn group(doc: &Document, more: &str) -> u128 {
    let prompt = doc.row.as_ref().and_then(|row| row.part("prompt"));
    let prompt = serde_json::to_vec(&prompt).unwrap_or_default();
    let hash = blake3::Hasher::new().update(&prompt).update(more.as_bytes()).finalize();
    hash.as_bytes().first_chunk().copied().map_or(0, u128::from_le_bytes)
}

/// The place of a record by a column, the highest first; last without it.
fn falling(doc: &Document, by: &str) -> u64 {
    match doc.columns.get(by) {
        Some(Cell::Num(score)) if !score.is_nan() => !ordered(*score),
        Some(Cell::Bool(truth)) => !ordered(f64::from(u8::from(*truth))),
        _ => u64::MAX,
    }
}

/// The score behind a place of [`falling`].
fn score(falling: u64) -> f64 {
    let bits = !falling;
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

/// An answer as a sketch: its group, its place there.
type Placed = (u128, u64);

/// Every group with its answers, the best first.
fn each_group(
    desk: &mut Desk<'_>,
    mut work: impl FnMut(&mut Desk<'_>, &[(u64, u64)]) -> llmp_data::Result<()>,
) -> llmp_data::Result<()> {
    let mut sorter: Sorter<'_, (u128, u64, u64)> = desk.sorter();
    desk.each(|number, mut sketch| {
        let (group, place): Placed = desk.unpack(&mut sketch)?;
        sorter.push((group, place, number))
    })?;
    let (mut open, mut members) = (None, Vec::new());
    for row in sorter.sorted()? {
        let (group, place, number) = row?;
        if open != Some(group) {
            work(desk, &members)?;
            members.clear();
            open = Some(group);
        }
        members.push((place, number));
    }
    work(desk, &members)
}

impl Step for KeepBest {
    fn build(self, _: &Roots) -> llmp_data::Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

impl Barrier for KeepBest {
    fn name(&self) -> &'static str {
        "keep_best"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        let by = match (self.per, doc.columns.get("by")) {
            (Per::Member, Some(Cell::Text(by))) => by.as_str(),
            _ => "",
        };
        (group(doc, by), falling(doc, &self.by)).pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> llmp_data::Result<()> {
        each_group(desk, |desk, members| {
            let rest = members.iter().skip(self.n as usize);
            rest.into_iter().try_for_each(|(_, number)| desk.mark(*number, &Mark::drop("not the best")))
        })
    }

    fn apply(&self, doc: &mut Document, mark: Option<&Mark>) -> Outcome {
        if let Some(Row::Answer { prompt, answer }) = doc.row.as_deref() {
            let messages = [&prompt[..], &answer[..]].concat();
            doc.set_row(Row::Chat { messages });
        }
        mark.map_or(Outcome::Keep, |mark| mark.apply(doc))
    }
}

/// The cell of a mark that holds the worse answer.
const REJECTED: &str = "~rejected";

impl Step for BestWorstPair {
    fn build(self, _: &Roots) -> llmp_data::Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

impl Barrier for BestWorstPair {
    fn name(&self) -> &'static str {
        "best_worst_pair"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        (group(doc, ""), falling(doc, &self.by)).pack(out);
        let answer = doc.row.as_ref().and_then(|row| row.part("answer"));
        serde_json::to_string(&answer).unwrap_or_default().pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> llmp_data::Result<()> {
        // The worse answer of each pair with the better one.
        let mut pairs: Sorter<'_, (u64, u64)> = desk.sorter();
        each_group(desk, |desk, members| {
            let ranked = members.iter().take_while(|(place, _)| *place != u64::MAX).count();
            for (_, number) in &members[ranked..] {
                desk.mark(*number, &Mark::drop(format!("no .{}", self.by)))?;
            }
            let (Some(best), Some(worst)) = (members[..ranked].first(), members[..ranked].last()) else {
                return Ok(());
            };
            let apart = score(best.0) - score(worst.0);
            let pair = apart > 0.0 && apart >= self.margin;
            if pair {
                pairs.push((worst.1, best.1))?;
            }
            let others = members[..ranked].iter().skip(usize::from(pair));
            let reason = if pair { "not in the pair" } else { "no pair" };
            others.into_iter().try_for_each(|(_, number)| desk.mark(*number, &Mark::drop(reason)))
        })?;
        let mut pairs = pairs.sorted()?;
        let mut next = pairs.next().transpose()?;
        desk.each_marking(|desk, number, mut sketch| {
            let Some((_, best)) = next.filter(|(worst, _)| *worst == number) else { return Ok(()) };
            let _: Placed = desk.unpack(&mut sketch)?;
            let answer: String = desk.unpack(&mut sketch)?;
            next = pairs.next().transpose()?;
            desk.mark(best, &Mark::cell(REJECTED, answer))
        })
    }

    fn apply(&self, doc: &mut Document, mark: Option<&Mark>) -> Outcome {
        let mut mark = mark.cloned().unwrap_or_default();
        let rejected =
            mark.cells.iter().position(|(name, _)| name == REJECTED).map(|at| mark.cells.remove(at).1);
        if let (Some(Cell::Text(rejected)), Some(Row::Answer { prompt, answer })) =
            (rejected, doc.row.as_deref())
        {
            let rejected: Vec<Message> = serde_json::from_str(&rejected).unwrap_or_default();
            if rejected == *answer {
                return Outcome::Drop("no pair".into());
            }
            let (prompt, chosen) = (prompt.clone(), answer.clone());
            doc.set_row(Row::Preference { prompt, chosen, rejected, edited: None });
        }
        mark.apply(doc)
    }
}

impl Step for MajorityVote {
    fn build(self, _: &Roots) -> llmp_data::Result<Built> {
        let wrong = |e: regex::Error| llmp_data::DataError::Step { step: "majority_vote", what: reason(&e) };
        let pattern = self.result.as_deref().map(Regex::new).transpose().map_err(wrong)?;
        Ok(Built::Barrier(Arc::new(Voting { pattern })))
    }
}

/// The vote with its pattern made ready.
#[derive(Debug)]
struct Voting {
    pattern: Option<Regex>,
}

impl Voting {
    /// What an answer comes to.
    fn result(&self, answer: &str) -> Option<String> {
        let Some(pattern) = &self.pattern else {
            return numbers(answer).last().map(|number| (number + 0.0).to_string());
        };
        let last = pattern.captures_iter(answer).last()?;
        let found = last.get(1).or_else(|| last.get(0))?;
        Some(found.as_str().trim().to_owned())
    }
}

impl Barrier for Voting {
    fn name(&self) -> &'static str {
        "majority_vote"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        group(doc, "").pack(out);
        self.result(&doc.part("answer").unwrap_or_default()).pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> llmp_data::Result<()> {
        let mut sorter: Sorter<'_, (u128, Option<String>, u64)> = desk.sorter();
        desk.each(|number, mut sketch| {
            let (group, result): (u128, Option<String>) = desk.unpack(&mut sketch)?;
            sorter.push((group, result, number))
        })?;
        let (mut open, mut members) = (None, Vec::new());
        for row in sorter.sorted()? {
            let (group, result, number) = row?;
            if open != Some(group) {
                count(desk, &members)?;
                members.clear();
                open = Some(group);
            }
            members.push((result, number));
        }
        count(desk, &members)
    }
}

/// Marks the answers to a prompt, which are sorted by their results.
fn count(desk: &mut Desk<'_>, members: &[(Option<String>, u64)]) -> llmp_data::Result<()> {
    let results = members.chunk_by(|a, b| a.0 == b.0).filter(|same| same[0].0.is_some());
    // Of equally many the one that came first; members of a result are in document order.
    let winner = results.max_by_key(|same| (same.len(), std::cmp::Reverse(same[0].1)));
    let won = winner.map_or(&None, |same| &same[0].0);
    let share = winner.map_or(0, <[_]>::len) as f64 / members.len().max(1) as f64;
    for (result, number) in members {
        let mark = match result {
            None => Mark::drop("no result"),
            Some(_) if result == won => Mark::cell("votes", share),
            Some(_) => Mark::drop("outvoted"),
        };
        desk.mark(*number, &mark)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_give_their_scores_back() {
        for value in [-2.5, -0.0, 0.0, 0.1, 1e300] {
            let mut doc = Document::new("a", "");
            doc.columns.insert("score".into(), value.into());
            assert_eq!(score(falling(&doc, "score")).to_bits(), value.to_bits());
        }
    }

    #[test]
    fn a_result_is_the_last_number_or_match() {
        let vote = |pattern: Option<&str>| Voting { pattern: pattern.map(|p| Regex::new(p).unwrap()) };
        assert_eq!(vote(None).result("3 and 4, so 1,000.0"), vote(None).result("it is 1000"));
        assert_eq!(vote(None).result("no idea"), None);
        let boxed = vote(Some(r"\\boxed\{(.*?)\}"));
        assert_eq!(boxed.result(r"\boxed{a} then \boxed{ b }").as_deref(), Some("b"));
    }
}
