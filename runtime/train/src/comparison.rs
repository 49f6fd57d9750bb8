//! What the runs of a comparison show: means of the arms, paired differences with standard errors, and a verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use llmp_stdlib::compare::{Expectation, Hold, words};
use llmp_stdlib::number::to_f64;
use llmp_stdlib::{Record, Value};
use serde::Serialize;

use crate::plot;
use crate::scaling::{self, Fitted, Law, Point};
use crate::suites::less_is_better;

/// One run: an arm with one seed, and what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Values of the varied params.
    pub arm: Record,
    /// Which of the paired seeds.
    pub seed: u64,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// Tokens of the compared stage.
    pub tokens: u64,
    /// FLOPs of the compared stage.
    pub flops: f64,
    /// Passes of the compared stage over all of its data.
    pub epochs: f64,
}

/// A mean with its standard error; one value has none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Sample standard deviation over the square root of the number of values.
    pub stderr: Option<f64>,
}

impl Mean {
    /// Of some values; `None` where there are none.
    pub fn of(values: &[f64]) -> Option<Mean> {
        let n = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let stderr = (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
        Some(Mean { mean, stderr })
    }

    fn text(&self) -> String {
        match self.stderr {
            Some(stderr) => format!("{:.4} ± {stderr:.4}", self.mean),
            None => format!("{:.4}", self.mean),
        }
    }
}

/// One metric of one arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The arm in words.
    pub arm: String,
    /// Its values, in the order of the seeds.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: Mean,
    /// The arm less the first arm, seed by seed; the first arm has none.
    pub difference: Option<Mean>,
    /// Tokens of the stage, those of the first seed.
    pub tokens: u64,
    /// FLOPs of the stage, those of the first seed.
    pub flops: f64,
}

/// Whether what was expected came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// `None`: it could not be judged.
    pub holds: Option<bool>,
    /// Why, with the numbers.
    pub words: String,
}

/// A finished comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Metrics, each with all arms; the first arm is the one that the others are compared with.
    pub metrics: BTreeMap<String, Vec<Measured>>,
    /// One verdict for each metric, where something is expected.
    pub verdicts: BTreeMap<String, Verdict>,
    /// For each metric of which less is better: the law that is fitted to the means of the arms.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub laws: BTreeMap<String, Fitted>,
}

/// Whether all runs used as much of what is held. Batches are whole sequences: a hundredth is no difference.
///
/// Errors: they did not; in words that name the runs with the least and the most.
pub fn held(trials: &[Trial], hold: Option<Hold>) -> Result<(), String> {
    let used = |trial: &Trial| match hold {
        None => 0.0,
        Some(Hold::Flops) => trial.flops,
        Some(Hold::Tokens) => trial.tokens as f64,
        Some(Hold::Epochs) => trial.epochs,
    };
    let mut sorted: Vec<&Trial> = trials.iter().collect();
    sorted.sort_by(|a, b| used(a).total_cmp(&used(b)));
    let (Some(hold), Some(least), Some(most)) = (hold, sorted.first(), sorted.last()) else { return Ok(()) };
    if used(most) <= used(least) * 1.01 {
        return Ok(());
    }
    let run =
        |trial: &Trial| format!("`{}`, seed {}, used {:.4e}", words(&trial.arm), trial.seed, used(trial));
    Err(format!("`hold = {}`, but {} and {}", hold.name(), run(least), run(most)))
}

/// Compares runs, and fits a law to their arms. Errors: an arm lacks a seed or a metric that another has.
pub fn compare(
    trials: &[Trial],
    expect: Option<&Expectation>,
    law: Option<&Law>,
) -> Result<Comparison, String> {
    let mut arms: Vec<&Record> = Vec::new();
    for trial in trials {
        if !arms.contains(&&trial.arm) {
            arms.push(&trial.arm);
        }
    }
    let first = trials.first().ok_or("a comparison without runs")?;
    let (mut metrics, mut verdicts, mut laws) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for name in first.metrics.keys() {
        let mut measured: Vec<Measured> = Vec::new();
        for arm in &arms {
            let mut runs: Vec<&Trial> = trials.iter().filter(|t| &&t.arm == arm).collect();
            runs.sort_by_key(|t| t.seed);
            let values: Option<Vec<f64>> = runs.iter().map(|t| t.metrics.get(name).copied()).collect();
            let values = values.ok_or_else(|| format!("an arm was not measured by `{name}`"))?;
            let difference = match measured.first() {
                Some(base) => Mean::of(&less(&values, &base.values)?),
                None => None,
            };
            let mean = Mean::of(&values).ok_or("an arm without runs")?;
            let (tokens, flops) = runs.first().map_or((0, 0.0), |t| (t.tokens, t.flops));
            measured.push(Measured { arm: words(arm), values, mean, difference, tokens, flops });
        }
        if let Some(expect) = expect {
            verdicts.insert(name.clone(), judge(name, &arms, &measured, expect)?);
        }
        if let Some(law) = law.filter(|_| less_is_better(name)) {
            let point = |m: &Measured| Point { flops: m.flops, tokens: m.tokens as f64, loss: m.mean.mean };
            laws.insert(name.clone(), scaling::fit(&measured.iter().map(point).collect::<Vec<_>>(), law));
        }
        metrics.insert(name.clone(), measured);
    }
    Ok(Comparison { metrics, verdicts, laws })
}

/// Differences seed by seed.
fn less(values: &[f64], base: &[f64]) -> Result<Vec<f64>, String> {
    if values.len() != base.len() {
        return Err("arms have different numbers of seeds".to_owned());
    }
    Ok(values.iter().zip(base).map(|(a, b)| a - b).collect())
}

fn judge(
    name: &str,
    arms: &[&Record],
    measured: &[Measured],
    expect: &Expectation,
) -> Result<Verdict, String> {
    match expect {
        Expectation::Better(better) => {
            let Value::Record(wanted) = &better.arm.0 else { return Err("`better` names no arm".to_owned()) };
            let chosen = |arm: &Record| wanted.iter().all(|(param, value)| arm.get(param) == Some(value));
            let side = |inside: bool| -> Result<Vec<f64>, String> {
                let of = arms.iter().zip(measured).filter(|(arm, _)| chosen(arm) == inside);
                let of: Vec<&[f64]> = of.map(|(_, m)| m.values.as_slice()).collect();
                let seeds = of.first().ok_or("`better` names all arms, or none")?.len();
                Ok((0..seeds).map(|s| of.iter().map(|v| v[s]).sum::<f64>() / of.len() as f64).collect())
            };
            let gain = less(&side(true)?, &side(false)?)?;
            let sign = if less_is_better(name) { -1.0 } else { 1.0 };
            let gain = Mean::of(&gain.iter().map(|x| sign * x).collect::<Vec<_>>()).ok_or("no seeds")?;
            let by = to_f64(better.by);
            Ok(verdict(
                gain,
                |stderr| gain.mean > 0.0 && gain.mean >= by * stderr,
                &format!("better by {by} stderr: the gain is"),
            ))
        }
        Expectation::Alike(alike) => {
            let within = to_f64(alike.within);
            let mut widest: Option<Mean> = None;
            let ratio = |m: &Mean| m.mean.abs() / m.stderr.unwrap_or(0.0).max(f64::MIN_POSITIVE);
            for difference in measured.iter().filter_map(|m| m.difference) {
                if widest.is_none_or(|w| ratio(&difference) > ratio(&w)) {
                    widest = Some(difference);
                }
            }
            let widest = widest.ok_or("a comparison of one arm")?;
            let alike = |stderr| widest.mean.abs() <= within * stderr;
            Ok(verdict(widest, alike, &format!("alike within {within} stderr: the widest difference is")))
        }
    }
}

fn verdict(found: Mean, holds: impl Fn(f64) -> bool, expected: &str) -> Verdict {
    let holds = found.stderr.map(holds);
    let end = match holds {
        Some(true) => "as expected",
        Some(false) => "not as expected",
        None => "not judged, one seed has no standard error",
    };
    Verdict { holds, words: format!("{expected} {}; {end}", found.text()) }
}

impl Comparison {
    /// The comparison as a table for a terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (name, arms) in &self.metrics {
            let width = arms.iter().map(|m| m.arm.chars().count()).max().unwrap_or(0).max(name.len());
            let base = arms.first().map_or("", |m| m.arm.as_str());
            let seeds = arms.first().map_or(0, |m| m.values.len());
            let _ = writeln!(
                text,
                "{name:<width$}  {:>17}  {:>19}  {:>10}  {:>9}",
                format!("mean of {seeds}"),
                "paired difference",
                "tokens",
                "FLOPs"
            );
            for arm in arms {
                let difference = arm.difference.map_or_else(
                    || "-".to_owned(),
                    |d| {
                        format!(
                            "{:+.4}{}",
                            d.mean,
                            d.stderr.map(|s| format!(" ± {s:.4}")).unwrap_or_default()
                        )
                    },
                );
                let _ = writeln!(
                    text,
                    "{:<width$}  {:>17}  {difference:>19}  {:>10}  {:>9.2e}",
                    arm.arm,
                    arm.mean.text(),
                    arm.tokens,
                    arm.flops
                );
            }
            let _ = writeln!(text, "differences are to `{base}`, seed by seed, with standard errors");
            if let Some(verdict) = self.verdicts.get(name) {
                let _ = writeln!(text, "expected {}", verdict.words);
            }
            if let Some(law) = self.laws.get(name) {
                let _ = write!(text, "\n{}", law.table(name));
            }
        }
        text
    }

    /// The comparison as one self-contained page: for each metric a plot of all runs with means and standard errors, then
    /// `more` figures, then the table.
    pub fn page(&self, title: &str, more: &str) -> String {
        let figure = |(name, arms): (&String, &Vec<Measured>)| {
            let row = |m: &Measured| plot::Row {
                name: m.arm.clone(),
                values: m.values.clone(),
                mean: m.mean.mean,
                stderr: m.mean.stderr.unwrap_or(0.0),
            };
            let rows: Vec<plot::Row> = arms.iter().map(row).collect();
            let law = self.laws.get(name).map(|law| law.figure(name)).unwrap_or_default();
            plot::figure("comparison", name, &[], &[plot::rows(name, &rows)]) + &law
        };
        let figures: String = self.metrics.iter().map(figure).collect();
        plot::page(title, &format!("{figures}{more}<pre>{}</pre>\n", plot::escape(&self.table())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_stdlib::Rational;
    use llmp_stdlib::compare::{Alike, Better, Chosen};

    fn trials(arms: &[(bool, &[f64])]) -> Vec<Trial> {
        let trial = |arm: bool, seed: usize, value: f64| Trial {
            arm: [("edu".to_owned(), Value::Bool(arm))].into(),
            seed: seed as u64,
            metrics: [("bits_per_byte".to_owned(), value)].into(),
            tokens: 1000,
            flops: 1e9,
            epochs: 1.0,
        };
        let runs =
            arms.iter().map(|(arm, values)| values.iter().enumerate().map(|(s, v)| trial(*arm, s, *v)));
        runs.flatten().collect()
    }

    fn better(by: i128) -> Expectation {
        let arm = Chosen(Value::Record([("edu".to_owned(), Value::Bool(true))].into()));
        Expectation::Better(Better { arm, by: Rational::from(by) })
    }

    #[test]
    fn differences_are_paired_so_the_spread_of_seeds_cancels() {
        // Seeds spread by 1, arms by 0.1 with a spread of 0.01.
        let runs = trials(&[(true, &[1.0, 2.0, 3.0]), (false, &[1.10, 2.11, 3.12])]);
        let found = compare(&runs, Some(&better(2)), None).unwrap();
        let arms = &found.metrics["bits_per_byte"];
        let difference = arms[1].difference.unwrap();
        assert!((difference.mean - 0.11).abs() < 1e-12);
        assert!((difference.stderr.unwrap() - 0.01 / 3f64.sqrt()).abs() < 1e-12);
        assert!((arms[0].mean.stderr.unwrap() - 1.0 / 3f64.sqrt()).abs() < 1e-12);
        assert_eq!(found.verdicts["bits_per_byte"].holds, Some(true));
        assert!(found.table().contains("+0.1100 ± 0.0058"), "{}", found.table());
        assert!(
            found.page("a<b", "").contains("<h1>a&lt;b</h1>")
                && found.page("x", "").matches("<circle").count() == 6
        );
    }

    #[test]
    fn an_expectation_can_fail_and_one_seed_is_not_judged() {
        let wrong =
            compare(&trials(&[(true, &[1.2, 2.3]), (false, &[1.0, 2.0])]), Some(&better(2)), None).unwrap();
        assert_eq!(wrong.verdicts["bits_per_byte"].holds, Some(false));
        let one = compare(&trials(&[(true, &[1.0]), (false, &[2.0])]), Some(&better(2)), None).unwrap();
        assert_eq!(one.verdicts["bits_per_byte"].holds, None);
        let alike = Expectation::Alike(Alike { within: Rational::from(2) });
        let close =
            compare(&trials(&[(true, &[1.0, 1.0]), (false, &[1.1, 0.9])]), Some(&alike), None).unwrap();
        assert_eq!(close.verdicts["bits_per_byte"].holds, Some(true));
        let apart =
            compare(&trials(&[(true, &[1.0, 1.0]), (false, &[1.1, 1.2])]), Some(&alike), None).unwrap();
        assert_eq!(apart.verdicts["bits_per_byte"].holds, Some(false));
    }

    #[test]
    fn arms_without_all_seeds_are_an_error() {
        assert!(compare(&trials(&[(true, &[1.0, 2.0]), (false, &[1.0])]), None, None).is_err());
        assert!(compare(&[], None, None).is_err());
    }
    #[test]
    fn what_is_held_is_what_the_runs_used() {
        let mut runs = trials(&[(true, &[1.0, 2.0]), (false, &[1.0, 2.0])]);
        let all = [None, Some(Hold::Flops), Some(Hold::Tokens), Some(Hold::Epochs)];
        assert!(all.iter().all(|hold| held(&runs, *hold).is_ok()));
        runs[3].tokens = 1009;
        assert!(held(&runs, Some(Hold::Tokens)).is_ok());
        (runs[3].tokens, runs[3].epochs) = (2000, 0.5);
        assert_eq!(
            held(&runs, Some(Hold::Tokens)).unwrap_err(),
            "`hold = tokens`, but `edu = true`, seed 0, used 1.0000e3 and `edu = false`, seed 1, used 2.0000e3"
        );
        let fails: Vec<bool> = all.iter().map(|hold| held(&runs, *hold).is_err()).collect();
        assert_eq!(fails, [false, false, true, true]);
        assert!(held(&[], Some(Hold::Flops)).is_ok());
    }
}
