//! Puts results where people look for them: release folders, and links to the results of items.

use std::path::{Path, PathBuf};

use llmp_data::kinds::Exporting;
use llmp_stdlib::{Event, Plan, Value};

use crate::failure::Failure;
use crate::resolve::Results;
use crate::run::Options;
use crate::store::durable;
use crate::store::files::Index;

/// Copies every release and export from the store to the folder that its item names, unless the same files lie there.
pub fn releases(
    plan: &Plan,
    results: &Results,
    options: &Options<'_>,
    index: &mut Index,
    emit: &(dyn Fn(Event) + Sync),
) -> Result<(), Failure> {
    for step in plan.steps.iter().filter(|s| s.op == "release" || s.op == Exporting::OP) {
        let (Some(finished), Some(Value::Text(to))) = (results.get(&step.id), step.args.get("to")) else {
            continue;
        };
        let Some(from) = finished.part("") else { continue };
        let to = options.roots.path(to);
        if same(&from, &to, index)? {
            continue;
        }
        copy(&from, &to, options).map_err(|failure| failure.at(&step.id))?;
        emit(Event::Saved { step: plan.name(&step.id), what: to.display().to_string() });
    }
    index.save(options.hook)
}

/// Do two folders hold the same files? Hashes come from the index where size, time and inode are as they were.
fn same(from: &Path, to: &Path, index: &mut Index) -> Result<bool, Failure> {
    for name in names(from)? {
        let there = to.join(&name);
        if !there.is_file() || index.hash(&from.join(&name))? != index.hash(&there)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let fail = |e| Failure::io("list", folder, &e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn copy(from: &Path, to: &Path, options: &Options<'_>) -> Result<(), Failure> {
    let name = to.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = to.with_file_name(format!(".{name}.tmp"));
    if temporary.exists() {
        std::fs::remove_dir_all(&temporary).map_err(|e| Failure::io("remove", &temporary, &e))?;
    }
    std::fs::create_dir_all(&temporary).map_err(|e| Failure::io("create", &temporary, &e))?;
    for name in names(from)? {
        durable::copy(&from.join(&name), &temporary.join(&name), options.hook)?;
    }
    durable::rename_folder(&temporary, to, options.hook)
}

/// `runs/<program>/<item>`: links to the results of the items.
#[cfg(unix)]
pub fn links(plan: &Plan, results: &Results, options: &Options<'_>) -> Result<(), Failure> {
    let folder = options.project.join("runs").join(&options.program);
    std::fs::create_dir_all(&folder).map_err(|e| Failure::io("create", &folder, &e))?;
    for (item, port) in &plan.items {
        let Some(finished) = results.get(&port.step) else { continue };
        let Some(target) = finished.part(port.part.as_deref().unwrap_or("")) else { continue };
        let link = folder.join(llmp_stdlib::value::file_name(item));
        let target = relative(&target, &options.project).unwrap_or(target);
        if std::fs::read_link(&link).is_ok_and(|old| old == target) {
            continue;
        }
        // An old link, or nothing: both are fine.
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&target, &link).map_err(|e| Failure::io("link", &link, &e))?;
    }
    Ok(())
}

/// Links need a file system that has them.
#[cfg(not(unix))]
pub fn links(_: &Plan, _: &Results, _: &Options<'_>) -> Result<(), Failure> {
    Ok(())
}

/// From `runs/<program>/` to a path below the project.
#[cfg(unix)]
fn relative(target: &Path, project: &Path) -> Option<PathBuf> {
    Some(Path::new("..").join("..").join(target.strip_prefix(project).ok()?))
}
