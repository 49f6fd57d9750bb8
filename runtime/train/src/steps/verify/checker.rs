//! A verifier made ready, and its verdict on an answer.

use regex::Regex;
use serde_json::Value;

use super::sandbox::Sandbox;
use super::{Verifier, same_number};

/// What a verifier says of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The answer is right.
    pub right: bool,
    /// The share of the test that it passed.
    pub score: f64,
}

/// A verifier with what it needs: a compiled pattern, a sandbox that works.
#[derive(Debug)]
pub struct Checker {
    by: Verifier,
    pattern: Option<Regex>,
    sandbox: Option<Sandbox>,
}

impl Checker {
    /// Makes a verifier ready. Errors: in words, a pattern that is none, a machine without a sandbox.
    pub fn new(by: &Verifier) -> Result<Checker, String> {
        let mut checker = Checker { by: by.clone(), pattern: None, sandbox: None };
        match by {
            Verifier::Matching(it) => {
                checker.pattern = Some(Regex::new(&it.pattern).map_err(|e| e.to_string())?);
            }
            Verifier::UnitTests(it) => checker.sandbox = Some(Sandbox::new(it.timeout)?),
            Verifier::Exact(_) | Verifier::Json(_) | Verifier::Number(_) => {}
        }
        Ok(checker)
    }

    /// The column of the truth or of the tests.
    pub fn column(&self) -> Option<&str> {
        match &self.by {
            Verifier::Exact(it) => Some(&it.truth),
            Verifier::Number(it) => Some(&it.truth),
            Verifier::UnitTests(it) => Some(&it.tests),
            Verifier::Json(_) | Verifier::Matching(_) => None,
        }
    }

    /// Looks at an answer; `truth` is the text of [`Checker::column`].
    ///
    /// Errors: the sandbox failed, which says nothing about the answer.
    pub fn check(&self, answer: &str, truth: &str) -> Result<Verdict, String> {
        let right = match &self.by {
            Verifier::Exact(it) if it.ignore_case => {
                answer.trim().to_lowercase() == truth.trim().to_lowercase()
            }
            Verifier::Exact(_) => answer.trim() == truth.trim(),
            Verifier::Number(it) => same_number(answer, truth, it.tolerance),
            Verifier::Matching(_) => self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(answer)),
            Verifier::Json(it) => {
                let parsed = serde_json::from_str::<Value>(block(answer, &["json"]).trim()).ok();
                parsed.is_some_and(|json| it.fields.iter().all(|field| has(&json, field)))
            }
            Verifier::UnitTests(it) => {
                let Some(sandbox) = &self.sandbox else { return Err("there is no sandbox".to_owned()) };
                let (setup, tests) = cases(truth);
                let code = block(answer, &["python", "py", "python3"]);
                let mut passed = 0;
                for test in &tests {
                    passed += u32::from(sandbox.passes(code, &format!("{setup}\n{test}\n"))?);
                }
                let score = f64::from(passed) / tests.len().max(1) as f64;
                return Ok(Verdict { right: score >= it.pass && !tests.is_empty(), score });
            }
        };
        Ok(Verdict { right, score: f64::from(u8::from(right)) })
    }
}

fn has(json: &Value, field: &str) -> bool {
    json.get(field).is_some() || field.split('.').try_fold(json, |json, name| json.get(name)).is_some()
}

/// The first fenced block of a text that names one of these languages or none, else the text.
fn block<'a>(text: &'a str, languages: &[&str]) -> &'a str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```") {
        let Some((language, body)) = after.split_once('\n') else { break };
        let (inside, behind) = body.split_once("```").unwrap_or((body, ""));
        let language = language.trim().to_lowercase();
        if language.is_empty() || languages.contains(&&*language) {
            return inside;
        }
        rest = behind;
    }
    text
}

/// What prepares tests, and the tests.
fn cases(text: &str) -> (String, Vec<String>) {
    if let Ok(list) = serde_json::from_str::<Vec<String>>(text) {
        return (String::new(), list);
    }
    let (mut setup, mut tests): (String, Vec<String>) = Default::default();
    let mut inside = false;
    for line in text.lines() {
        let goes_on = line.starts_with([' ', '\t', ')', ']', '}']);
        match tests.last_mut().filter(|_| inside && goes_on) {
            Some(test) => {
                test.push('\n');
                test.push_str(line);
            }
            None if line.starts_with("assert") => {
                inside = true;
                tests.push(line.to_owned());
            }
            None => {
                inside = false;
                setup.push_str(line);
                setup.push('\n');
            }
        }
    }
    if tests.is_empty() && !setup.trim().is_empty() { (String::new(), vec![setup]) } else { (setup, tests) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{Exact, Json, Matching, Number, UnitTests};

    fn right(by: Verifier, answer: &str, truth: &str) -> bool {
        Checker::new(&by).unwrap().check(answer, truth).unwrap().right
    }

    #[test]
    fn verifiers_without_a_sandbox() {
        let exact = |ignore_case| Verifier::Exact(Exact { truth: "t".into(), ignore_case });
        assert!(right(exact(true), " Paris\n", "paris") && !right(exact(false), "Paris", "paris"));
        assert!(!right(exact(true), "Paris.", "paris"));
        let number = || Verifier::Number(Number { truth: "t".into(), tolerance: 1e-6 });
        assert!(
            right(number(), "So she pays $1,050.", "#### 1050") && !right(number(), "1050 or 1051", "1050")
        );
        let matching = |pattern: &str| Verifier::Matching(Matching { pattern: pattern.into() });
        assert!(right(matching(r"^\d+$"), "42", "") && !right(matching(r"^\d+$"), "42!", ""));
        let json = || Verifier::Json(Json { fields: vec!["name".into(), "size.width".into()] });
        assert!(right(json(), "Here:\n```json\n{\"name\": \"a\", \"size\": {\"width\": 1}}\n```", ""));
        assert!(!right(json(), "{\"name\": \"a\"}", "") && !right(json(), "name", ""));
    }

    #[test]
    fn tests_are_told_apart() {
        let (setup, found) =
            cases("import math\nassert f(1) == 2\nassert f(\n    2\n) == 3\nx = 1\nassert x\n");
        assert_eq!(setup, "import math\nx = 1\n");
        assert_eq!(found, ["assert f(1) == 2", "assert f(\n    2\n) == 3", "assert x"]);
        assert_eq!(cases("def check(f):\n    assert f(1)\ncheck(g)").1.len(), 1);
        assert_eq!(cases(r#"["assert a", "assert b"]"#).1, ["assert a", "assert b"]);
        assert!(cases(" ").1.is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn code_runs_in_a_sandbox() {
        let by = |pass| {
            Verifier::UnitTests(UnitTests { tests: "t".into(), language: "python".into(), timeout: 3, pass })
        };
        let checker = match Checker::new(&by(0.5)) {
            Ok(checker) => checker,
            // A machine without Python or Landlock says so; it cannot show more.
            Err(words) => return assert!(words.contains("sandbox") || words.contains("python3"), "{words}"),
        };
        let score = |code: &str, tests: &str| checker.check(code, tests).unwrap().score;
        let code = "Sure:\n```python\ndef double(x):\n    return 2 * x if x < 10 else 0\n```\nDone.";
        assert_eq!(score(code, "assert double(2) == 4\nassert double(20) == 40"), 0.5);
        assert!(checker.check(code, "assert double(2) == 4\nassert double(20) == 40").unwrap().right);
        let outside = std::env::temp_dir().join(format!("llmp-outside-{}", std::process::id()));
        let write = format!("open({:?}, 'w').write('x')", outside.display().to_string());
        for bad in [
            "import sys\nsys.exit(0)",
            "import os\nos._exit(0)",
            "while True: pass",
            "import time\nimport signal\nsignal.alarm(0)\ntime.sleep(60)",
            "import socket\nsocket.socket()",
            "import os\nos.fork()",
            "import subprocess\nsubprocess.run(['true'])",
            "x = bytearray(1 << 31)",
            "import os\nos.environ['PATH']",
            "syntax error",
            &write,
        ] {
            assert_eq!(score(bad, "assert True"), 0.0, "{bad}");
        }
        assert!(!outside.exists());
        assert_eq!(score("open('inside', 'w').write('x')", "assert open('inside').read() == 'x'"), 1.0);
    }
}
