//! Sets of tasks that a model solves in writing: the last number counts, or the tests of its code.

use llmp_data::readers::Roots;
use llmp_stdlib::Event;
use serde_json::Value as Json;

use super::sets::{needed, records};
use super::{Metrics, shares};
use crate::error::{Result, TrainError};
use crate::folder::ModelFolder;
use crate::generate::Sampling;
use crate::host::Host;
use crate::sample::{Answer, Stops, answers, seed};
use crate::steps::{Checker, Number, UnitTests, Verifier};
use crate::suites::{Gsm8k, Humaneval, Mbpp};

/// Tasks that are solved at a time.
const TOGETHER: usize = 16;

/// One task: what is continued, and how the continuation is checked.
struct Task {
    /// Examples, the first of which go where not all fit.
    shown: Vec<String>,
    prompt: String,
    /// Stands before the continuation when it is checked.
    head: String,
    truth: String,
}

/// How tasks are solved.
struct How<'a> {
    stops: &'a [&'a str],
    most: usize,
    samples: usize,
    temperature: f64,
}

/// Word problems: the last number counts.
pub(super) fn gsm8k(it: &Gsm8k, folder: &ModelFolder, roots: &Roots, host: &Host<'_>) -> Result<Metrics> {
    let all = records("gsm8k", roots)?;
    let asked = |record: &Json| -> Result<String> {
        Ok(format!("Question: {}\nAnswer:", needed(record, "question")?.trim()))
    };
    // Marks of a calculator are no words of the solution.
    let solution = |record: &Json| -> Result<String> { Ok(without_marks(needed(record, "answer")?)) };
    let (shown, rest) =
        examples(&all, it.shots, |record| Ok(format!("{} {}\n\n", asked(record)?, solution(record)?)))?;
    let task = |record: &Json| -> Result<Task> {
        let truth = needed(record, "answer")?.to_owned();
        Ok(Task { shown: shown.clone(), prompt: asked(record)?, head: String::new(), truth })
    };
    let tasks = rest.iter().map(task).collect::<Result<Vec<_>>>()?;
    let checker = Verifier::Number(Number { truth: "truth".to_owned(), tolerance: 1e-6 });
    let how = How { stops: &["Question:", "\n\n"], most: 320, samples: 1, temperature: 0.0 };
    let right = solve(&tasks, &how, &checker, folder, host)?;
    Ok(shares(["gsm8k", "gsm8k_stderr"], &passed(&right, 1)))
}

/// Functions from their description: pass@k.
pub(super) fn humaneval(
    it: &Humaneval,
    folder: &ModelFolder,
    roots: &Roots,
    host: &Host<'_>,
) -> Result<Metrics> {
    let tasks = records("humaneval", roots)?.iter().map(function).collect::<Result<Vec<_>>>()?;
    let stops = &["\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(", "\n@"];
    let how = How { stops, most: 512, samples: it.samples as usize, temperature: it.temperature };
    let right = solve(&tasks, &how, &code(), folder, host)?;
    Ok(shares(["humaneval", "humaneval_stderr"], &passed(&right, it.k as usize)))
}

/// A function that is to be written under its description.
fn function(record: &Json) -> Result<Task> {
    let test = format!("{}\ncheck({})", needed(record, "test")?, needed(record, "entry_point")?);
    let truth = serde_json::to_string(&[test]).map_err(|e| TrainError::Settings(e.to_string()))?;
    let prompt = needed(record, "prompt")?.to_owned();
    Ok(Task { shown: Vec::new(), head: prompt.clone(), prompt, truth })
}

/// Small tasks in Python: pass@1.
pub(super) fn mbpp(it: &Mbpp, folder: &ModelFolder, roots: &Roots, host: &Host<'_>) -> Result<Metrics> {
    let all = records("mbpp", roots)?;
    let tests = |record: &Json| -> Vec<String> {
        let list = record.get("test_list").and_then(Json::as_array).into_iter().flatten();
        list.filter_map(|test| test.as_str().map(str::to_owned)).collect()
    };
    let asked = |record: &Json| -> Result<String> {
        let (text, tests) = (needed(record, "text")?.trim(), tests(record).join("\n"));
        Ok(format!("# Task: {text}\n# It passes these tests:\n{tests}\n[BEGIN]\n"))
    };
    let shown = |record: &Json| -> Result<String> {
        let code = needed(record, "code")?.replace('\r', "");
        Ok(format!("{}{}\n[DONE]\n\n", asked(record)?, code.trim()))
    };
    let (shown, rest) = examples(&all, it.shots, shown)?;
    let task = |record: &Json| -> Result<Task> {
        let truth = serde_json::to_string(&tests(record)).map_err(|e| TrainError::Settings(e.to_string()))?;
        let setup = record.get("test_setup_code").and_then(Json::as_str).unwrap_or_default();
        Ok(Task { shown: shown.clone(), prompt: asked(record)?, head: format!("{setup}\n"), truth })
    };
    let tasks = rest.iter().map(task).collect::<Result<Vec<_>>>()?;
    let how = How { stops: &["[DONE]"], most: 512, samples: 1, temperature: 0.0 };
    let right = solve(&tasks, &how, &code(), folder, host)?;
    Ok(shares(["mbpp", "mbpp_stderr"], &passed(&right, 1)))
}

fn code() -> Verifier {
    let (tests, language) = ("tests".to_owned(), "python".to_owned());
    Verifier::UnitTests(UnitTests { tests, language, timeout: 10, pass: 1.0 })
}

/// The first `shots` records as examples, and the others.
fn examples(
    all: &[Json],
    shots: u64,
    show: impl Fn(&Json) -> Result<String>,
) -> Result<(Vec<String>, &[Json])> {
    let (shown, rest) = all.split_at((shots as usize).min(all.len()));
    if rest.is_empty() {
        return Err(TrainError::Settings("every task of the set is an example".to_owned()));
    }
    Ok((shown.iter().map(show).collect::<Result<_>>()?, rest))
}

fn without_marks(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        kept.push_str(before);
        rest = after.split_once(">>").map_or("", |(_, behind)| behind);
    }
    kept + rest
}

/// For every task which of its samples are right.
fn solve(
    tasks: &[Task],
    how: &How<'_>,
    verifier: &Verifier,
    folder: &ModelFolder,
    host: &Host<'_>,
) -> Result<Vec<Vec<bool>>> {
    let checker = Checker::new(verifier).map_err(TrainError::Settings)?;
    let texts: Vec<String> = how.stops.iter().map(|stop| (*stop).to_owned()).collect();
    let stops = Stops { ids: &folder.ends, texts: Some((&folder.vocabulary, &texts)) };
    let sampling =
        Sampling { max_tokens: how.most, temperature: how.temperature, top_k: None, top_p: None, seed: 0 };
    let (mut right, mut done) = (Vec::with_capacity(tasks.len()), 0u64);
    for group in tasks.chunks(TOGETHER) {
        let prompts = group.iter().map(|task| prompt(task, folder, how.most)).collect::<Result<Vec<_>>>()?;
        let seeds: Vec<u64> = (0..group.len() as u64).map(|at| seed([done + at])).collect();
        let said = answers(&folder.model, &prompts, how.samples, &sampling, stops, &seeds)?;
        for (task, said) in group.iter().zip(said) {
            if host.stopped() {
                return Err(TrainError::Stopped);
            }
            let check = |answer: &Answer| -> Result<bool> {
                let text = format!("{}{}", task.head, stops.text(&folder.vocabulary, answer)?);
                let verdict = checker.check(&text, &task.truth).map_err(TrainError::Settings)?;
                Ok(verdict.right)
            };
            right.push(said.iter().map(check).collect::<Result<Vec<bool>>>()?);
            done += 1;
            host.tell(Event::Progress { step: host.step.to_owned(), done });
        }
    }
    Ok(right)
}

/// The tokens of a task with as many examples as leave room for half of the longest solution; one that is too long without is cut
/// at its beginning.
fn prompt(task: &Task, folder: &ModelFolder, most: usize) -> Result<Vec<u32>> {
    let context = folder.model.spec().context;
    let room = context.saturating_sub(most / 2).max(context / 2).max(1);
    let start = folder.vocabulary.start().map(|(_, id)| id);
    for from in 0..=task.shown.len() {
        let text = format!("{}{}", task.shown[from..].concat(), task.prompt);
        let ids: Vec<u32> = start.into_iter().chain(folder.vocabulary.encode_plain(&text)?).collect();
        if ids.len() <= room {
            return Ok(ids);
        }
        if from == task.shown.len() {
            return Ok(ids[ids.len() - room..].to_vec());
        }
    }
    Ok(Vec::new())
}

/// For every task the chance that one of `k` of its samples is right, without bias (Chen et al. 2021).
fn passed(right: &[Vec<bool>], k: usize) -> Vec<f64> {
    let one = |right: &Vec<bool>| {
        let (n, wrong) = (right.len(), right.iter().filter(|right| !**right).count());
        let k = k.clamp(1, n.max(1));
        if wrong < k {
            return 1.0;
        }
        1.0 - (0..k).map(|i| (wrong - i) as f64 / (n - i) as f64).product::<f64>()
    };
    right.iter().map(one).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn pass_at_k_is_the_chance_of_a_draw_without_replacement() {
        let half = vec![true, false, true, false];
        assert_eq!(passed(std::slice::from_ref(&half), 1), [0.5]);
        // Two of four: one of the six pairs holds no right one.
        assert!((passed(std::slice::from_ref(&half), 2)[0] - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(passed(&[half, vec![false; 4]], 3), [1.0, 0.0]);
    }

    #[test]
    fn published_solutions_pass_and_empty_ones_do_not() {
        let Ok(checker) = Checker::new(&code()) else { return };
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/humaneval.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        for line in text.lines().take(6) {
            let record: Json = serde_json::from_str(line).unwrap();
            let task = function(&record).unwrap();
            let right =
                |body: &str| checker.check(&format!("{}{body}", task.head), &task.truth).unwrap().right;
            assert!(right(needed(&record, "canonical_solution").unwrap()), "{}", task.prompt);
            assert!(!right("    return None\n"), "{}", task.prompt);
        }
    }

    #[test]
    fn marks_of_a_calculator_are_left_out() {
        assert_eq!(without_marks("16 - 3 = <<16-3=13>>13 eggs.\n#### 13"), "16 - 3 = 13 eggs.\n#### 13");
    }
}
