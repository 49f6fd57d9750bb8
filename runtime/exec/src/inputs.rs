//! Measures the external inputs of a plan for `llmp.lock`, and compares them with it.

use llmp_data::readers::{self, Roots, SourceFile};
use llmp_interpreter::{External, externals};
use llmp_stdlib::hub::Named;
use llmp_stdlib::lock::{Input, LockedFile};
use llmp_stdlib::{Lock, Locked, Plan, Registry, Step};

use crate::failure::Failure;
use crate::found::{self, Found};
use crate::store::files::Index;

/// Where inputs lie on this machine.
pub struct Places<'a> {
    /// Where paths of the program lie.
    pub roots: &'a Roots,
    /// The lock that was there before, and the folder of the program below the project.
    pub locked: &'a Locked,
    /// Path of the program, relative to the project.
    pub program: &'a str,
}

/// What became of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was read and measured.
    Measured,
    /// Its files are as they were.
    Unchanged,
    /// People provide it later (`awaits = true`).
    Awaited,
}

/// One input with its key in the lock and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Key in the lock.
    pub key: String,
    /// Its facts; those of a file that is awaited are empty.
    pub input: Input,
    /// What became of it.
    pub outcome: Outcome,
}

/// Measures every external input of a plan, in order. Inputs whose files are as the old lock says are not read again.
pub fn measure(
    plan: &Plan,
    registry: &Registry,
    places: &Places<'_>,
    index: &mut Index,
) -> Result<Vec<Entry>, Failure> {
    let steps = externals(plan, registry);
    steps.iter().map(|external| entry(external, plan, places, index)).collect()
}

fn entry(external: &External, plan: &Plan, places: &Places<'_>, index: &mut Index) -> Result<Entry, Failure> {
    let key = Lock::key(&external.reader, &places.locked.path(&external.path));
    let programs = [places.program.to_owned()].into();
    let found = match find(external, plan, places) {
        Ok(found) => found,
        Err(_) if external.awaits => {
            let input = Input { programs, ..Input::default() };
            return Ok(Entry { key, input, outcome: Outcome::Awaited });
        }
        Err(failure) => return Err(failure),
    };
    let hashed = hashed(&found, external, places, index)?;
    let old = places.locked.lock.as_ref().and_then(|lock| lock.inputs.get(&key));
    let facts = Input {
        bytes: hashed.iter().map(|file| file.bytes).sum(),
        files: hashed,
        programs,
        text: external.text.clone(),
        revision: found.revision,
        ..Input::default()
    };
    let same = |old: &&Input| {
        (&old.files, &old.text, &old.revision) == (&facts.files, &facts.text, &facts.revision)
            && (old.rows.is_some() || !external.data)
    };
    if let Some(old) = old.filter(same) {
        let input = Input { programs: facts.programs, ..old.clone() };
        return Ok(Entry { key, input, outcome: Outcome::Unchanged });
    }
    let step = plan.step(&external.step).filter(|_| external.data);
    let input = match step.map(reader).transpose()?.flatten() {
        Some(reader) => with_columns(facts, reader.as_ref(), &found.files, external)?,
        None => facts,
    };
    Ok(Entry { key, input, outcome: Outcome::Measured })
}

fn reader(step: &Step) -> Result<Option<std::sync::Arc<dyn readers::Reader>>, Failure> {
    readers::reader(&step.op, &step.args).map_err(|e| Failure::new("LLMP1003", e.to_string()).at(&step.id))
}

fn with_columns(
    facts: Input,
    reader: &dyn readers::Reader,
    files: &[SourceFile],
    external: &External,
) -> Result<Input, Failure> {
    let fail = |e: llmp_data::DataError| Failure::new("LLMP1003", e.to_string()).at(&external.step);
    let measured = readers::measure(reader, files).map_err(fail)?;
    let mut columns = measured.columns;
    let known = measured.state.iter().chain(["id"].iter());
    columns.extend(known.map(|name| ((*name).to_owned(), "Text".to_owned())));
    Ok(Input {
        rows: Some(measured.rows),
        documents: Some(measured.documents),
        text_bytes: Some(measured.text_bytes),
        columns: Some(columns),
        ..facts
    })
}

/// The files that an input names.
fn find(external: &External, plan: &Plan, places: &Places<'_>) -> Result<Found, Failure> {
    let step = plan.step(&external.step);
    let found = match (step.and_then(|step| Named::of(&step.op, &step.args)), step) {
        (Some(named), _) => found::repository(&named, places.roots),
        (None, Some(step)) => found::of_step(step, &external.path, places.roots),
        (None, None) => found::written(&external.path, places.roots),
    };
    found.map_err(|failure| failure.at(&external.step))
}

fn hashed(
    found: &Found,
    external: &External,
    places: &Places<'_>,
    index: &mut Index,
) -> Result<Vec<LockedFile>, Failure> {
    let one = |file: &SourceFile| {
        let hash = index.hash(&file.path).map_err(|f| f.at(&external.step))?;
        let path =
            if found.revision.is_some() { file.label.clone() } else { places.locked.path(&file.label) };
        Ok(LockedFile { path, bytes: file.bytes, hash })
    };
    let mut files = found.files.iter().map(one).collect::<Result<Vec<_>, Failure>>()?;
    files.sort();
    Ok(files)
}

/// Compares every input of a plan with the lock, file by file. Inputs that the lock does not know are left to
/// [`llmp_interpreter::frozen`].
///
/// Errors: the first difference, as LLMP0112 at its step.
pub fn verify(
    plan: &Plan,
    registry: &Registry,
    places: &Places<'_>,
    index: &mut Index,
) -> Result<(), Failure> {
    for external in externals(plan, registry) {
        let Some(old) = places.locked.input(&external.reader, &external.path) else { continue };
        let found = find(&external, plan, places)?;
        if found.revision != old.revision {
            let show = |r: &Option<String>| r.clone().unwrap_or_else(|| "no revision".into());
            let words = format!("revision {}, the lock {}", show(&found.revision), show(&old.revision));
            return Err(differs(&external, &words));
        }
        let now = hashed(&found, &external, places, index)?;
        if let Some(words) = difference(&old.files, &now) {
            return Err(differs(&external, &words));
        }
    }
    Ok(())
}

fn differs(external: &External, words: &str) -> Failure {
    Failure::new("LLMP0112", format!("`{}` differs from llmp.lock: {words}", external.path))
        .help("if the change is meant, run `llmp lock` for this program")
        .at(&external.step)
}

/// The first difference between two sorted lists of files, in words.
fn difference(old: &[LockedFile], now: &[LockedFile]) -> Option<String> {
    let get = |list: &[LockedFile], path: &str| list.iter().find(|f| f.path == path).cloned();
    for was in old {
        match get(now, &was.path) {
            None => return Some(format!("{} is gone", was.path)),
            Some(is) if is.bytes != was.bytes => {
                return Some(format!("{} has {} bytes, the lock {}", is.path, is.bytes, was.bytes));
            }
            Some(is) if is.hash != was.hash => {
                return Some(format!("{} has other content of the same size", is.path));
            }
            Some(_) => {}
        }
    }
    now.iter().find(|file| get(old, &file.path).is_none()).map(|file| format!("{} is new", file.path))
}

/// Puts measured inputs into a lock, and takes out what only `program` read and `used` does not name.
pub fn merge(lock: &mut Lock, program: &str, entries: Vec<Entry>, used: &dyn Fn(&str) -> bool) {
    for (key, input) in &mut lock.inputs {
        if !used(key) {
            input.programs.remove(program);
        }
    }
    for entry in entries.into_iter().filter(|e| e.outcome != Outcome::Awaited) {
        let mut input = entry.input;
        if let Some(old) = lock.inputs.get(&entry.key) {
            input.programs.extend(old.programs.iter().cloned());
        }
        lock.inputs.insert(entry.key, input);
    }
    lock.inputs.retain(|_, input| !input.programs.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, hash: &str) -> LockedFile {
        LockedFile { path: path.into(), bytes: 3, hash: hash.into() }
    }

    #[test]
    fn differences_name_the_file() {
        let old = [file("a", "1"), file("b", "2")];
        assert_eq!(difference(&old, &old), None);
        assert_eq!(difference(&old, &old[..1]).unwrap(), "b is gone");
        assert!(difference(&old, &[file("a", "9"), file("b", "2")]).unwrap().contains("same size"));
        assert_eq!(difference(&old[..1], &old).unwrap(), "b is new");
        let longer = LockedFile { bytes: 4, ..file("a", "9") };
        assert_eq!(difference(&old[..1], &[longer]).unwrap(), "a has 4 bytes, the lock 3");
    }

    #[test]
    fn a_lock_keeps_what_other_programs_read() {
        let input = |programs: &[&str]| Input {
            programs: programs.iter().map(|p| (*p).to_owned()).collect(),
            ..Input::default()
        };
        let mut lock = Lock::default();
        lock.inputs.insert("text old/*".into(), input(&["a.llmp"]));
        lock.inputs.insert("text both/*".into(), input(&["a.llmp", "b.llmp"]));
        let entry = |key: &str, outcome| Entry { key: key.into(), input: input(&["a.llmp"]), outcome };
        let entries = vec![entry("text new/*", Outcome::Measured), entry("text later/*", Outcome::Awaited)];
        merge(&mut lock, "a.llmp", entries, &|key| key == "text new/*");
        let keys: Vec<_> = lock.inputs.iter().map(|(k, i)| format!("{k} {:?}", i.programs)).collect();
        assert_eq!(keys, ["text both/* {\"b.llmp\"}", "text new/* {\"a.llmp\"}"]);
    }
}
