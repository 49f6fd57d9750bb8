//! `llmp test`: golden plan hashes beside the program, and every `check` for the base and each variant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llmp_grammar::Diag;
use llmp_grammar::ast::{Item, ItemKind};
use serde_json::json;

use crate::Exit;
use crate::args::{self, Color, Format, Reading};
use crate::load::{self, Checked};
use crate::output;

/// The program as it stands, without a variant.
const BASE: &str = "base";

/// One thing that was tested.
struct Tested {
    file: String,
    variant: String,
    name: String,
    /// Why it failed; `None` if it passed.
    failure: Option<String>,
}

pub(crate) fn test(args: &args::Test, color: Color) -> Exit {
    let mut tests = Vec::new();
    for file in &args.files {
        if let Err(words) = one(file, args, color, &mut tests) {
            output::note(&format!("error: {words}"));
            return Exit::Failed;
        }
    }
    let failed = tests.iter().filter(|t| t.failure.is_some()).count();
    let passed = tests.len() - failed;
    match args.format {
        Format::Human => {
            for test in &tests {
                let (word, why) = match &test.failure {
                    None => ("ok    ", String::new()),
                    Some(why) => ("FAILED", format!("\n         {}", why.replace('\n', "\n         "))),
                };
                output::print(&format!("{word} {} [{}] {}{why}\n", test.file, test.variant, test.name));
            }
            output::print(&format!("\n{passed} passed, {failed} failed\n"));
        }
        Format::Json => {
            let object = |t: &Tested| json!({ "file": t.file, "variant": t.variant, "name": t.name, "passed": t.failure.is_none(), "why": t.failure });
            let list: Vec<_> = tests.iter().map(object).collect();
            output::print(&format!("{:#}\n", json!({ "passed": passed, "failed": failed, "tests": list })));
        }
    }
    if failed == 0 { Exit::Clean } else { Exit::Failed }
}

fn one(file: &Path, args: &args::Test, color: Color, tests: &mut Vec<Tested>) -> Result<(), String> {
    let golden = Golden::read(file)?;
    let mut now = BTreeMap::new();
    let first = checked(file, BASE);
    let names = load::variants(&first.loaded);
    for variant in std::iter::once(BASE.to_owned()).chain(names) {
        let checked = if variant == BASE { None } else { Some(checked(file, &variant)) };
        let checked = checked.as_ref().unwrap_or(&first);
        let mut add = |name: String, failure: Option<String>| {
            let file = file.display().to_string();
            tests.push(Tested { file, variant: variant.clone(), name, failure });
        };
        let said = checks(checked, &variant, &mut add);
        let others: Vec<&Diag> = checked.diags.iter().filter(|d| d.is_error() && !said.contains(d)).collect();
        let failure = others.first().map(|first| {
            let more =
                if others.len() > 1 { format!(" and {} more", others.len() - 1) } else { String::new() };
            format!("{}[{}]: {}{more}", place(checked, first), first.code, first.message)
        });
        let readable = failure.is_none();
        add("is right".into(), failure);
        // A failed check does not change what the plan is.
        if readable {
            let hash = llmp_interpreter::plan(&checked.program, &checked.registry).0.hash();
            if let (Some(golden), false) = (&golden, args.update) {
                add("has its golden plan".into(), golden.compare(&variant, &hash, file));
            }
            now.insert(variant.clone(), hash);
        }
        if args.format == Format::Human && !readable {
            checked.print(color);
        }
    }
    if args.update {
        let path = Golden::path(file);
        Golden { hashes: now }.write(file)?;
        output::note(&format!("{} written", path.display()));
    } else if golden.is_none() {
        output::note(&format!("note: no {}; `llmp test --update` writes it", Golden::path(file).display()));
    }
    Ok(())
}

fn checked(file: &Path, variant: &str) -> Checked {
    let variant = if variant == BASE { Vec::new() } else { vec![variant.to_owned()] };
    let mut checked = load::check(file, &Reading { variant, set: Vec::new() });
    if !checked.failed() {
        let (_, sink) = llmp_interpreter::plan(&checked.program, &checked.registry);
        checked.diags.extend(sink.into_sorted());
    }
    checked
}

/// Tests every `check` that applies; gives the diagnostics that belong to one.
fn checks<'c>(
    checked: &'c Checked,
    variant: &str,
    add: &mut dyn FnMut(String, Option<String>),
) -> Vec<&'c Diag> {
    let mut said = Vec::new();
    let units = checked.loaded.units.iter().filter(|unit| !unit.path.starts_with("std/"));
    for item in units.flat_map(|unit| &unit.ast.items) {
        let ItemKind::Check(check) = &item.kind else { continue };
        if !applies(item, variant) {
            continue;
        }
        let inside = |d: &&Diag| d.is_error() && d.span().is_some_and(|at| check.span.contains(at));
        let mine: Vec<&Diag> = checked.diags.iter().filter(inside).collect();
        let words = |d: &&Diag| {
            std::iter::once(format!("{}: {}", place(checked, d), d.message))
                .chain(d.notes.iter().cloned())
                .collect::<Vec<_>>()
                .join("\n")
        };
        let failure = mine.first().map(words);
        add(format!("check {}", checked.sources().slice(check.condition.span)), failure);
        said.extend(mine);
    }
    said
}

fn place(checked: &Checked, diag: &Diag) -> String {
    let Some(at) = diag.span() else { return checked.program.main.clone() };
    let start = checked.sources().position(at.file, at.start);
    format!("{}:{}:{}", checked.sources().path(at.file), start.line, start.column)
}

/// `@only(base, laptop)` names the variants that a check is for.
fn applies(item: &Item, variant: &str) -> bool {
    let mut only = item.attrs.iter().filter(|attr| attr.name.text == "only").peekable();
    only.peek().is_none()
        || only.flat_map(|attr| &attr.args).filter_map(|arg| arg.value.as_name()).any(|name| name == variant)
}

/// Golden plan hashes by variant.
struct Golden {
    hashes: BTreeMap<String, String>,
}

impl Golden {
    /// `main.hash` beside `main.llmp`.
    fn path(file: &Path) -> PathBuf {
        file.with_extension("hash")
    }

    /// Lines `variant hash`; `#` begins a comment. `None` where there is no file.
    fn read(file: &Path) -> Result<Option<Golden>, String> {
        let path = Golden::path(file);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        let pair = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [variant, hash] => Ok(((*variant).to_owned(), (*hash).to_owned())),
                _ => Err(format!("{}: `{line}` is not a variant and its hash", path.display())),
            }
        };
        let hashes = lines.filter(|line| !line.is_empty()).map(pair).collect::<Result<_, _>>()?;
        Ok(Some(Golden { hashes }))
    }

    fn write(&self, file: &Path) -> Result<(), String> {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut text = format!("# Golden plan hashes of {name}; `llmp test --update {name}` writes them.\n");
        // The base first, then variants by name.
        let line = |(variant, hash): (&String, &String)| format!("{variant} {hash}\n");
        text.extend(self.hashes.iter().filter(|(v, _)| *v == BASE).map(line));
        text.extend(self.hashes.iter().filter(|(v, _)| *v != BASE).map(line));
        llmp_exec::durable::write(&Golden::path(file), text.as_bytes(), &llmp_exec::durable::no_hook)
            .map_err(|failure| failure.to_string())
    }

    fn compare(&self, variant: &str, hash: &str, file: &Path) -> Option<String> {
        let name = file.display();
        match self.hashes.get(variant) {
            Some(golden) if golden == hash => None,
            Some(golden) => Some(format!(
                "the plan is {hash}, golden is {golden}\n\
                 what changed: llmp diff --rev HEAD {name}; if it is meant: llmp test --update {name}"
            )),
            None => Some(format!("it has no golden plan hash: llmp test --update {name}")),
        }
    }
}
