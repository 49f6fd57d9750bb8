//! From a path on the command line to a checked program, with its diagnostics rendered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use llmp_exec::Failure;
use llmp_grammar::diag::Severity;
use llmp_grammar::{Diag, Info, Sources, render};
use llmp_interpreter::{Loaded, Program, Vfs};
use llmp_stdlib::{Lock, Locked, Plan, Registry};

use crate::args::{Color, Frozen, Reading, Roots};
use crate::output;

/// Every code, in order.
pub(crate) fn codes() -> Vec<&'static Info> {
    llmp_exec::codes()
}

/// The disk, as programs see it.
pub(crate) struct Disk;

impl Vfs for Disk {
    fn read(&self, path: &str) -> Option<String> {
        let bytes = std::fs::read(path).ok()?;
        // Bytes that are not UTF-8 become the replacement character: the parser then points at it.
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn exists(&self, path: &str) -> bool {
        Path::new(path).exists()
    }
}

/// A program after checking, with everything that was said about it.
pub(crate) struct Checked {
    pub(crate) registry: Registry,
    pub(crate) loaded: Loaded,
    pub(crate) program: Program,
    pub(crate) diags: Vec<Diag>,
}

impl Checked {
    /// Is there an error?
    pub(crate) fn failed(&self) -> bool {
        self.diags.iter().any(Diag::is_error)
    }

    /// Texts, for rendering.
    pub(crate) fn sources(&self) -> &Sources {
        &self.program.sources
    }

    /// Prints the diagnostics for people; information only on request.
    pub(crate) fn print(&self, color: Color) {
        let shown: Vec<Diag> = self.diags.iter().filter(|d| d.severity != Severity::Info).cloned().collect();
        if !shown.is_empty() {
            output::note(render::terminal(&shown, self.sources(), output::colored(color)).trim_end());
        }
    }
}

/// Loads and checks a program.
pub(crate) fn check(file: &Path, reading: &Reading) -> Checked {
    check_in(&Disk, file, reading, locked(file))
}

/// Loads and checks a program out of other texts than those on the disk; `locked` as [`locked`] gives it.
pub(crate) fn check_in(vfs: &dyn Vfs, file: &Path, reading: &Reading, locked: Option<Locked>) -> Checked {
    let registry = llmp_exec::registry();
    let (mut loaded, mut sink) = llmp_interpreter::load(vfs, &file.to_string_lossy());
    if let Some(locked) = locked {
        loaded.locked = locked;
    }
    // `--set name` without a value is reported as a param without one.
    let split = |set: &String| {
        set.split_once('=').map_or((set.clone(), String::new()), |(n, v)| (n.into(), v.into()))
    };
    let sets = reading.set.iter().map(split).collect();
    let options = llmp_interpreter::Options { variants: reading.variant.clone(), sets };
    let (program, said) = llmp_interpreter::check(&loaded, &registry, &options);
    sink.extend(said.into_sorted());
    Checked { registry, loaded, program, diags: sink.into_sorted() }
}

/// The project of a file: the nearest folder with `llmp.lock` or `.llmp`, else the file's own; and the file's path in it.
pub(crate) fn project(file: &Path) -> Result<(PathBuf, PathBuf), String> {
    let absolute = std::path::absolute(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let folder = absolute.parent().unwrap_or(Path::new("/"));
    let marked = |folder: &&Path| folder.join(Lock::FILE).exists() || folder.join(".llmp").is_dir();
    let project = folder.ancestors().find(marked).unwrap_or(folder).to_owned();
    let inside = absolute.strip_prefix(&project).unwrap_or(&absolute).to_owned();
    Ok((project, inside))
}

/// The lock of a file's project; `None` where the place of the file cannot be told.
pub(crate) fn locked(file: &Path) -> Option<Locked> {
    let (project, inside) = project(file).ok()?;
    let folder = inside.parent().map(|f| f.to_string_lossy().replace('\\', "/")).unwrap_or_default();
    Some(match std::fs::read_to_string(project.join(Lock::FILE)) {
        Ok(text) => Locked::read(&text, folder),
        Err(_) => Locked { folder, ..Locked::default() },
    })
}

/// With `--frozen`: what the lock does not know. Programs with errors are not judged.
pub(crate) fn freeze(checked: &mut Checked) {
    if !checked.failed() {
        let (plan, _) = llmp_interpreter::plan(&checked.program, &checked.registry);
        let said = llmp_interpreter::frozen(&plan, &checked.registry, &checked.loaded.locked);
        checked.diags.extend(said);
    }
}

/// Names of the variants that a program can be read with.
pub(crate) fn variants(loaded: &Loaded) -> Vec<String> {
    let items = loaded.units.iter().flat_map(|unit| &unit.ast.items);
    let name = |item: &llmp_grammar::ast::Item| match &item.kind {
        llmp_grammar::ast::ItemKind::Variant(variant) => Some(variant.name.text.clone()),
        _ => None,
    };
    let mut names: Vec<String> = items.filter_map(name).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// A plan with the program that it was made from.
pub(crate) struct Planned {
    pub(crate) checked: Checked,
    pub(crate) plan: Plan,
}

/// Loads, checks and plans; `None` after printing the errors that stand in the way.
pub(crate) fn plan(file: &Path, reading: &Reading, color: Color) -> Option<Planned> {
    plan_checked(check(file, reading), color)
}

/// As [`plan`], of some items where any are named, and with `--frozen` only where the lock knows every input.
pub(crate) fn plan_frozen(
    file: &Path,
    items: &[String],
    reading: &Reading,
    frozen: Frozen,
    color: Color,
) -> Option<Planned> {
    let mut checked = check(file, reading);
    if frozen.frozen {
        freeze(&mut checked);
    }
    planned(checked, items, color)
}

/// Plans what was checked; `None` after printing the errors that stand in the way.
pub(crate) fn plan_checked(checked: Checked, color: Color) -> Option<Planned> {
    planned(checked, &[], color)
}

fn planned(mut checked: Checked, items: &[String], color: Color) -> Option<Planned> {
    if checked.failed() {
        checked.print(color);
        return None;
    }
    let (plan, sink) = if items.is_empty() {
        llmp_interpreter::plan(&checked.program, &checked.registry)
    } else {
        match llmp_interpreter::plan_items(&checked.program, &checked.registry, items) {
            Ok(made) => made,
            Err(unknown) => {
                let names = || unknown.items.iter().map(String::as_str);
                let near = llmp_grammar::nearest(&unknown.name, names());
                let help = near.map_or_else(
                    || format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                usage(&format!("no item is called `{}`\nhelp: {help}", unknown.name));
                return None;
            }
        }
    };
    checked.diags.extend(sink.into_sorted());
    checked.print(color);
    if checked.failed() { None } else { Some(Planned { checked, plan }) }
}

/// The program of this folder, if there is only one; else what to write, in words.
pub(crate) fn only_program(command: &str) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(".").map_err(|e| format!("cannot list this folder: {e}"))?;
    let is_program = |p: &PathBuf| p.extension().is_some_and(|e| e == "llmp");
    let mut found: Vec<PathBuf> =
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(is_program).collect();
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(format!("this folder holds no program: name one, `llmp {command} FILE`")),
        (Some(_), _) => Err(format!("this folder holds several programs: name one, `llmp {command} FILE`")),
    }
}

/// Where a program runs: its folder, the project around it, named roots.
pub(crate) struct Place {
    pub(crate) project: PathBuf,
    pub(crate) program: String,
    pub(crate) roots: llmp_exec::Roots,
}

/// Errors: a `--root` that is not `NAME=PATH`, in words.
pub(crate) fn place(file: &Path, roots: &Roots) -> Result<Place, String> {
    let absolute = std::path::absolute(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    let (project, _) = project(file)?;
    let mut named = BTreeMap::new();
    for root in &roots.root {
        let (name, path) = root.split_once('=').ok_or_else(|| format!("--root {root}: write NAME=PATH"))?;
        named.insert(name.to_owned(), PathBuf::from(path));
    }
    let program = absolute.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let hub = llmp_exec::hub::cache(&|name| std::env::var(name).ok());
    let objects = project.join(".llmp/objects");
    let roots = llmp_exec::Roots { project: folder, named, hub, objects, ..llmp_exec::Roots::default() };
    Ok(Place { project, program, roots })
}

/// The program that `command` is about, the only one of this folder when left out: planned, and where it runs. Says what
/// stands in the way.
pub(crate) fn located(
    file: Option<&PathBuf>,
    command: &str,
    reading: &Reading,
    roots: &Roots,
    color: Color,
) -> Result<(Planned, Place), crate::Exit> {
    let words = |words: String| usage(&words);
    let file = file.cloned().map_or_else(|| only_program(command), Ok).map_err(words)?;
    let planned = plan(&file, reading, color).ok_or(crate::Exit::Failed)?;
    Ok((planned, place(&file, roots).map_err(words)?))
}

impl Place {
    /// Options of a run.
    pub(crate) fn options<'a>(
        &self,
        stop: &'a AtomicBool,
        hook: &'a (dyn Fn(&str) + Sync),
    ) -> llmp_exec::Options<'a> {
        llmp_exec::Options {
            project: self.project.clone(),
            program: self.program.clone(),
            roots: self.roots.clone(),
            stop,
            hook,
            device: llmp_exec::Device::default(),
        }
    }
}

/// Says that the command line is wrong.
pub(crate) fn usage(words: &str) -> crate::Exit {
    output::note(&format!("error: {words}"));
    crate::Exit::Usage
}

/// Says why a command failed.
pub(crate) fn fail(failure: &Failure, planned: &Planned, color: Color) -> crate::Exit {
    let diag = diagnose(failure, planned);
    output::note(render::terminal(&[diag], planned.checked.sources(), output::colored(color)).trim_end());
    crate::Exit::Failed
}

/// What holds a stage up, at the place of the stage.
pub(crate) fn held_up(step: &str, message: &str, planned: &Planned) -> Diag {
    let diag = Diag::new("LLMP1205", Severity::Warning, message.to_owned());
    let id = planned.plan.steps.iter().map(|it| &it.id).find(|id| planned.plan.name(id) == step);
    let diag = match id.and_then(|id| planned.plan.spans.get(id)) {
        Some(span) => diag.primary_label(*span, "in this step"),
        None => diag,
    };
    diag.note(format!("step `{step}`"))
}

/// A failure of a run as a diagnostic at the place of its step.
pub(crate) fn diagnose(failure: &Failure, planned: &Planned) -> Diag {
    let severity = if failure.stopped { Severity::Info } else { Severity::Error };
    let mut diag = Diag::new(failure.code, severity, failure.message.clone());
    if let Some(span) = failure.span {
        diag = diag.primary_label(span, "decided by the run");
    }
    if let Some(step) = &failure.step {
        if let Some(span) = planned.plan.spans.get(step) {
            diag = if failure.span.is_some() {
                diag.label(*span, "by this step")
            } else {
                diag.primary_label(*span, "in this step")
            };
        }
        diag = diag.note(format!("step `{}`", planned.plan.name(step)));
    }
    match &failure.help {
        Some(help) => diag.help(help.clone()),
        None => diag,
    }
}
