//! `llmp lock`: facts of every input into `llmp.lock` at the root of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use llmp_exec::durable;
use llmp_exec::inputs::{self, Entry, Outcome, Places};
use llmp_exec::store::{Store, files::Index};
use llmp_grammar::render;
use llmp_stdlib::number::human;
use llmp_stdlib::{Event, Lock, Locked};
use serde_json::json;

use crate::Exit;
use crate::args::{self, Color, Format, Reading};
use crate::load::{self, Planned};
use crate::output;
use crate::progress::Terminal;

/// The locks that are being made, by the root of their project, and the text that was there.
type Locks = BTreeMap<PathBuf, (Lock, Option<String>)>;

pub(crate) fn lock(args: &args::Lock, color: Color) -> Exit {
    let mut locks = Locks::new();
    let mut objects = Vec::new();
    for file in &args.files {
        match one(file, args, &mut locks, color) {
            Ok(Some(entries)) => {
                for entry in &entries {
                    match args.format {
                        Format::Human => output::print(&line(entry)),
                        Format::Json => objects.push(object(file, entry)),
                    }
                }
            }
            Ok(None) => return Exit::Failed,
            Err(words) => {
                output::note(&format!("error: {words}"));
                return Exit::Usage;
            }
        }
    }
    let mut exit = Exit::Clean;
    for (project, (lock, old)) in &locks {
        let path = project.join(Lock::FILE);
        let text = lock.print();
        let state = match (old.as_deref() == Some(&text), args.check) {
            (true, _) => "is up to date",
            (false, true) => {
                exit = Exit::Failed;
                "is stale: run `llmp lock` and commit it"
            }
            (false, false) => {
                if let Err(failure) = durable::write(&path, text.as_bytes(), &durable::no_hook) {
                    output::note(&format!("error: {failure}"));
                    return Exit::Failed;
                }
                "written"
            }
        };
        let files: usize = lock.inputs.values().map(|input| input.files.len()).sum();
        let bytes: u64 = lock.inputs.values().map(|input| input.bytes).sum();
        let count = lock.inputs.len();
        output::note(&format!(
            "{} {state}: {count} inputs, {files} files, {}B",
            path.display(),
            human(bytes as f64)
        ));
    }
    if args.format == Format::Json {
        output::print(&format!("{:#}\n", serde_json::Value::Array(objects)));
    }
    exit
}

/// Measures one program's inputs into the lock of its project; `None` after printing why that cannot be.
fn one(
    file: &Path,
    args: &args::Lock,
    locks: &mut Locks,
    color: Color,
) -> Result<Option<Vec<Entry>>, String> {
    let (project, inside) = load::project(file)?;
    let program = inside.to_string_lossy().replace('\\', "/");
    let folder = inside.parent().map(|f| f.to_string_lossy().replace('\\', "/")).unwrap_or_default();
    let (lock, _) = locks.entry(project.clone()).or_insert_with(|| {
        let text = std::fs::read_to_string(project.join(Lock::FILE)).ok();
        // A lock that cannot be read is made anew.
        let lock = text.as_deref().and_then(|text| Lock::parse(text).ok()).unwrap_or_default();
        (lock, text)
    });
    let locked = Locked { lock: Some(lock.clone()), broken: None, folder };
    // Columns of an old lock would refuse what the new data have: the program is read as if nothing were locked.
    let unlocked = Locked { lock: None, ..locked.clone() };
    let checked = load::check_in(&load::Disk, file, &args.reading, Some(unlocked.clone()));
    let Some(planned) = load::plan_checked(checked, color) else { return Ok(None) };
    let place = load::place(file, &args.roots)?;
    let places = Places { roots: &place.roots, locked: &locked, program: &program };
    let mut index = Index::open(&Store::at(&project));
    let (stop, registry) = (AtomicBool::new(false), &planned.checked.registry);
    let terminal = Mutex::new(Terminal::new());
    let emit = |event: Event| {
        if let Ok(mut terminal) = terminal.lock() {
            terminal.show(&event);
        }
    };
    let fetched = llmp_exec::fetch(&planned.plan, registry, &place.options(&stop, &durable::no_hook), &emit);
    match fetched.and_then(|()| inputs::measure(&planned.plan, registry, &places, &mut index)) {
        Ok(entries) => {
            let used = keys(file, &planned, &locked, &unlocked);
            inputs::merge(lock, &program, entries.clone(), &|key| used.contains(key));
            // The index is only the fast path of a later look; a project without a store gets none.
            if project.join(".llmp").is_dir() {
                index.save(&durable::no_hook).map_err(|failure| failure.to_string())?;
            }
            Ok(Some(entries))
        }
        Err(failure) => {
            let diag = load::diagnose(&failure, &planned);
            output::note(&render::terminal(&[diag], planned.checked.sources(), output::colored(color)));
            Ok(None)
        }
    }
}

/// Keys of everything that the program reads: as it is read now, without variants, and with each variant alone.
fn keys(file: &Path, planned: &Planned, locked: &Locked, unlocked: &Locked) -> BTreeSet<String> {
    let registry = &planned.checked.registry;
    let mut keys = BTreeSet::new();
    let mut add = |plan: &llmp_stdlib::Plan| {
        for external in llmp_interpreter::externals(plan, registry) {
            keys.insert(Lock::key(&external.reader, &locked.path(&external.path)));
        }
    };
    add(&planned.plan);
    let names = load::variants(&planned.checked.loaded);
    for variant in std::iter::once(Vec::new()).chain(names.into_iter().map(|name| vec![name])) {
        let reading = Reading { variant, set: Vec::new() };
        let checked = load::check_in(&load::Disk, file, &reading, Some(unlocked.clone()));
        add(&llmp_interpreter::plan(&checked.program, registry).0);
    }
    keys
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Measured => "measured",
        Outcome::Unchanged => "unchanged",
        Outcome::Awaited => "awaited",
    }
}

fn line(entry: &Entry) -> String {
    let input = &entry.input;
    let mut facts = vec![format!("{} files", input.files.len()), format!("{}B", human(input.bytes as f64))];
    facts.extend(input.documents.map(|n| format!("{} documents", human(n as f64))));
    facts.extend(input.text_bytes.map(|n| format!("{}B of text", human(n as f64))));
    if let (Some(rows), Some(documents)) = (input.rows, input.documents)
        && rows > documents
    {
        facts.push(format!("{} records cannot be read", rows - documents));
    }
    if let Some(columns) = &input.columns {
        let columns: Vec<String> = columns.iter().map(|(name, ty)| format!(".{name}: {ty}")).collect();
        facts.push(columns.join(" "));
    }
    let facts =
        if entry.outcome == Outcome::Awaited { String::new() } else { format!(": {}", facts.join(", ")) };
    format!("{} ({}){facts}\n", entry.key, word(&entry.outcome))
}

fn object(file: &Path, entry: &Entry) -> serde_json::Value {
    json!({
        "program": file.to_string_lossy(),
        "key": entry.key,
        "outcome": word(&entry.outcome),
        "input": entry.input,
    })
}
