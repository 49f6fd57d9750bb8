//! `external`: a step in another language.

mod program;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use llmp_stdlib::arg::Seconds;
use llmp_stdlib::{Problem, Record, choices};
use serde_json::{Map as Json, Value};

use self::program::Program;
use super::arguments::typed;
use super::{Built, Map, Outcome, Step};
use crate::{
    document::{Cell, Document},
    error::{DataError, Result},
    readers::{
        Roots,
        shape::{ColumnType, DeclaredColumns},
    },
};

choices! {
    /// How many copies of a program run.
    Processes = "processes" {
        /// As many as documents are looked at at once.
        PerCore = "per_core",
        /// One.
        One = "one",
    }
}

llmp_stdlib::def! {
    /// A step that another program does: it reads records as JSON Lines and writes one line for each, in their order.
    ///
    /// A line is `{"id": …, "text": …, "metadata": {columns}}`, as results are stored; of conversations it has `messages` (or `prompt`, `chosen` and so on) in
    /// the place of `text`. The answer is an object: its `text` or its messages, where it
    /// has some, replace those of the record; the columns of `adds`, at the top or in `metadata`, are taken with the types that are declared; all else is
    /// ignored. A record that comes back as `null` is dropped, with the reason `external`. The program answers each line before it gets the next,
    /// so it must not keep its output back (Python is told so by `PYTHONUNBUFFERED`), and must judge each record by itself: which copy sees which record is not fixed.
    ///
    /// An answer that is not JSON, lacks a column or has another type, an end of the program, an exit status other than 0 and an answer that takes longer
    /// than `timeout` end the run, with the record and the last lines of the program's standard error.
    ///
    /// It runs in the folder of the program. The files that `command` names are part of the step's key, so
    /// a changed script runs again; `rev` covers what the files do not show. Only `llmp run --allow-external` starts it, `check` and `plan` never.
    ///
    /// ```llmp
    /// dataset rated = web |> external(["python3", "rate.py"], adds = { toxicity = Num }) |> drop_if(.toxicity > 0.5)
    /// ```
    External = "external", rev 1, rows_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], gains added, check command {
        /// The program and its arguments.
        command: Vec<String>,
        /// Columns that it adds, with their types.
        adds: Option<DeclaredColumns> = "none",
        /// Raised by hand when its output changes and its files do not.
        rev: u64 = "1",
        /// How many copies run.
        processes: Processes = "per_core",
        /// Longest wait for one answer.
        timeout: Seconds = "10 min",
    }
}

fn added(args: &Record) -> Vec<(String, llmp_stdlib::Column)> {
    typed(args, "adds")
}

fn command(it: &External) -> Vec<Problem> {
    let empty = it.command.first().is_none_or(|program| program.trim().is_empty());
    let message = "external: `command` names no program";
    let mut problems: Vec<_> =
        empty.then(|| Problem::error("LLMP0209", "command", message)).into_iter().collect();
    if it.timeout.0 <= 0.0 {
        problems.push(Problem::error("LLMP0209", "timeout", "external: `timeout` must be above 0"));
    }
    problems
}

impl Step for External {
    fn build(self, roots: &Roots) -> Result<Built> {
        let step = Running {
            command: self.command,
            folder: roots.path("."),
            adds: self.adds.map(|columns| columns.0).unwrap_or_default(),
            one: self.processes == Processes::One,
            timeout: Duration::try_from_secs_f64(self.timeout.0).unwrap_or(Duration::MAX),
            state: Mutex::new(State::default()),
        };
        Ok(Built::Map(Arc::new(step)))
    }
}

#[derive(Debug)]
struct Running {
    command: Vec<String>,
    folder: PathBuf,
    adds: Vec<(String, ColumnType)>,
    one: bool,
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Copies that wait for a record.
    idle: Vec<Program>,
    /// The first failure: record and words.
    failed: Option<(String, String)>,
}

impl Running {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the program makes of a document.
    fn ask(&self, doc: &mut Document, program: &mut Program) -> Result<Outcome, String> {
        let answer = program.ask(&doc.to_line(), self.timeout)?;
        let parsed: Value = serde_json::from_slice(&answer)
            .map_err(|e| format!("answered {}, which is not JSON: {e}", shown(&answer)))?;
        match parsed {
            Value::Null => Ok(Outcome::Drop("external".into())),
            Value::Object(fields) => self.take(doc, fields).map(|()| Outcome::Keep),
            _ => Err(format!("answered {}, expected an object or null", shown(&answer))),
        }
    }

    /// Writes the fields of an answer into the document.
    fn take(&self, doc: &mut Document, mut fields: Json<String, Value>) -> Result<(), String> {
        let mut metadata = match fields.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Json::new(),
        };
        for (name, ty) in &self.adds {
            let value = fields.remove(name).or_else(|| metadata.remove(name));
            let cell = match (ty, value) {
                (ColumnType::Num, Some(Value::Number(number))) => number.as_f64().map(Cell::Num),
                (ColumnType::Bool, Some(Value::Bool(truth))) => Some(Cell::Bool(truth)),
                (ColumnType::Text, Some(Value::String(text))) => Some(Cell::Text(text)),
                (_, None) => {
                    return Err(format!("answered without the column `{name}` that `adds` declares"));
                }
                (_, Some(_)) => None,
            };
            let wanted = || format!("answered with a `{name}` that is not the {ty:?} that `adds` declares");
            doc.columns.insert(name.clone(), cell.ok_or_else(wanted)?);
        }
        if doc.row.is_some() {
            return messages(doc, fields);
        }
        match fields.remove("text") {
            Some(Value::String(text)) => doc.text = text,
            Some(_) => return Err("answered with a `text` that is no text".to_owned()),
            None => {}
        }
        Ok(())
    }

    fn error(&self, words: String) -> DataError {
        DataError::Step { step: "external", what: words }
    }
}

impl Map for Running {
    fn name(&self) -> &'static str {
        "external"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        // With one copy the lock is held while it works; else only while a copy is taken out and put back.
        let mut held = self.state();
        if held.failed.is_some() {
            return Outcome::Keep;
        }
        let waiting = held.idle.pop();
        let held = self.one.then_some(held);
        let started = waiting.map_or_else(|| Program::start(&self.command, &self.folder), Ok);
        let mut program = match started {
            Ok(program) => program,
            Err(words) => return self.failed(held, doc, words),
        };
        match self.ask(doc, &mut program) {
            Ok(outcome) => {
                held.unwrap_or_else(|| self.state()).idle.push(program);
                outcome
            }
            Err(words) => {
                let said = program.end(true).err().unwrap_or_default();
                self.failed(held, doc, format!("{words}{said}"))
            }
        }
    }

    fn settle(&self, last: bool) -> Result<()> {
        let mut state = self.state();
        if let Some((record, words)) = state.failed.take() {
            let command = self.command.join(" ");
            return Err(self.error(format!("`{command}` failed at the record {record}: {words}")));
        }
        if last {
            for program in std::mem::take(&mut state.idle) {
                let ended = program.end(false);
                ended.map_err(|words| {
                    self.error(format!("`{}` failed at its end{words}", self.command.join(" ")))
                })?;
            }
        }
        Ok(())
    }
}

impl Running {
    /// Keeps the first failure; the engine ends the run with it after the chunk.
    fn failed(&self, held: Option<MutexGuard<'_, State>>, doc: &Document, words: String) -> Outcome {
        let mut state = held.unwrap_or_else(|| self.state());
        state.failed.get_or_insert_with(|| (doc.id.clone(), words));
        Outcome::Keep
    }
}

/// Puts the messages of an answer in the place of those that a record has.
fn messages(doc: &mut Document, fields: Json<String, Value>) -> Result<(), String> {
    const PARTS: [&str; 6] = ["messages", "prompt", "answer", "chosen", "rejected", "edited"];
    if fields.contains_key("text") {
        return Err("answered with a `text`, but what the record says are its messages".to_owned());
    }
    let given: Vec<_> = fields.into_iter().filter(|(name, _)| PARTS.contains(&name.as_str())).collect();
    if given.is_empty() {
        return Ok(());
    }
    let mut line: Json<String, Value> = serde_json::from_slice(&doc.to_line()).map_err(|e| e.to_string())?;
    line.extend(given);
    let read: Result<Document, _> = serde_json::from_value(Value::Object(line));
    match read.map_err(|e| format!("answered with messages that are none: {e}"))?.row {
        Some(row) => doc.set_row(*row),
        None => return Err("answered with messages that are none".to_owned()),
    }
    Ok(())
}

/// The beginning of an answer, for a message.
fn shown(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let start: String = text.chars().take(80).collect();
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{start:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(script: &str, adds: &[(&str, ColumnType)], one: bool, timeout: f64) -> Running {
        Running {
            command: ["sh", "-c", script].map(str::to_owned).into(),
            folder: std::env::temp_dir(),
            adds: adds.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect(),
            one,
            timeout: Duration::from_secs_f64(timeout),
            state: Mutex::new(State::default()),
        }
    }

    fn applied(step: &Running, text: &str) -> (Outcome, Document) {
        let mut doc = Document::new("f#0", text);
        (step.apply(&mut doc), doc)
    }

    #[test]
    fn answers_add_columns_change_texts_and_drop() {
        let script = r#"while read -r line; do case "$line" in *bad*) echo null;; *) echo '{"metadata":{"n":2},"ok":true,"text":"new"}';; esac; done"#;
        for one in [true, false] {
            let adds = [("n", ColumnType::Num), ("ok", ColumnType::Bool)];
            let step = step(script, &adds, one, 60.0);
            let (outcome, doc) = applied(&step, "good");
            assert_eq!((outcome, doc.text.as_str()), (Outcome::Keep, "new"));
            assert_eq!((&doc.columns["n"], &doc.columns["ok"]), (&Cell::Num(2.0), &Cell::Bool(true)));
            assert_eq!(applied(&step, "bad").0, Outcome::Drop("external".into()));
            assert_eq!(step.state().idle.len(), 1, "the copy is used again");
            step.settle(true).unwrap();
        }
    }

    /// What a run ends with.
    fn fault(script: &str, adds: &[(&str, ColumnType)], timeout: f64) -> String {
        let step = step(script, adds, false, timeout);
        applied(&step, "one\ntwo");
        step.settle(true).unwrap_err().to_string()
    }

    #[test]
    fn failures_name_the_record_and_what_the_program_said() {
        let num = [("n", ColumnType::Num)];
        let said = fault("read -r line; echo 'no model' >&2; exit 3", &[], 60.0);
        assert!(
            said.contains("record f#0") && said.contains("status: 3") && said.contains("no model"),
            "{said}"
        );
        assert!(fault("while read -r l; do echo hello; done", &[], 60.0).contains("not JSON"));
        assert!(fault("while read -r l; do echo '{}'; done", &num, 60.0).contains("without the column `n`"));
        assert!(fault("while read -r l; do echo '{\"n\":\"1\"}'; done", &num, 60.0).contains("not the Num"));
        assert!(fault("while read -r l; do echo 7; done", &[], 60.0).contains("expected an object or null"));
        assert!(fault("exec sleep 600", &[], 0.2).contains("no answer within 0.2 s"));
        let said = fault("while read -r l; do echo '{}'; done; exit 4", &[], 60.0);
        assert!(said.contains("at its end") && said.contains("status: 4"), "{said}");
    }

    #[test]
    fn messages_of_a_conversation_are_replaced() {
        let script = r#"read -r l; echo '{"messages":[{"role":"user","content":"Oh"}]}'; read -r l; echo '{"text":"x"}'"#;
        let step = step(script, &[], false, 60.0);
        let line = r#"{"id":"c#0","messages":[{"role":"user","content":"Hi"}]}"#;
        let mut doc: Document = serde_json::from_str(line).unwrap();
        assert_eq!((step.apply(&mut doc), doc.text.as_str()), (Outcome::Keep, "Oh"));
        step.apply(&mut doc);
        assert!(step.settle(false).unwrap_err().to_string().contains("are its messages"));
    }

    #[test]
    fn a_program_that_is_not_there_is_said() {
        let mut step = step("", &[], false, 1.0);
        step.command = vec!["no-such-program-here".to_owned()];
        applied(&step, "x");
        assert!(step.settle(false).unwrap_err().to_string().contains("cannot be started"));
    }

    #[test]
    fn what_is_wrong_with_a_command_is_said_before_it_runs() {
        let args = |command: &[&str]| -> Record {
            let words = command.iter().map(|word| llmp_stdlib::Value::text(*word)).collect();
            let mut args: Record = [("command".to_owned(), llmp_stdlib::Value::List(words))].into();
            for param in <External as llmp_stdlib::Settings>::SIGNATURE.params.iter().skip(1) {
                let value = llmp_stdlib::literal::parse(param.default.unwrap()).unwrap();
                args.insert(param.name.to_owned(), value);
            }
            args
        };
        let check = <External as llmp_stdlib::Settings>::SIGNATURE.check;
        assert_eq!((check(&args(&[])).len(), check(&args(&["sh"])).len()), (1, 0));
    }
}
