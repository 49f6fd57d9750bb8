//! `llmp check --watch`: checks again whenever a file that was read changes.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::check::once;
use crate::Exit;
use crate::args::{Check, Color};
use crate::load::{self, Checked};
use crate::output;

static STOP: AtomicBool = AtomicBool::new(false);

/// How often files are looked at.
const PAUSE: Duration = Duration::from_millis(150);

/// What a file looked like: time of change and size; `None` where it is not there.
type Look = Option<(SystemTime, u64)>;

pub(super) fn watch(args: &Check, color: Color) -> Exit {
    if let Err(error) = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)) {
        output::note(&format!("note: Ctrl-C ends at once ({error})"));
    }
    let clear = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    loop {
        if clear {
            output::print("\u{1b}[2J\u{1b}[3J\u{1b}[H");
        }
        let before = looks(&paths(&[], args));
        let (_, checked) = once(args, color);
        let paths = paths(&checked, args);
        // A change while the check ran is seen at once: what was looked at before it counts.
        let mut seen = looks(&paths);
        seen.extend(before);
        output::note(&format!("watching {} files; Ctrl-C ends", paths.len()));
        while looks(&paths) == seen {
            if STOP.load(Ordering::Relaxed) {
                return Exit::Clean;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The programs, everything that they import, and the locks of their projects.
fn paths(checked: &[Checked], args: &Check) -> Vec<PathBuf> {
    let units = checked.iter().flat_map(|c| &c.loaded.units).filter(|unit| !unit.path.starts_with("std/"));
    let mut paths: Vec<PathBuf> = units.map(|unit| PathBuf::from(&unit.path)).collect();
    paths.extend(args.files.iter().cloned());
    let projects = args.files.iter().filter_map(|file| load::project(file).ok());
    paths.extend(projects.map(|(project, _)| project.join(llmp_stdlib::Lock::FILE)));
    paths.sort();
    paths.dedup();
    paths
}

fn looks(paths: &[PathBuf]) -> BTreeMap<PathBuf, Look> {
    let look = |path: &PathBuf| -> Look {
        let facts = std::fs::metadata(path).ok()?;
        Some((facts.modified().ok()?, facts.len()))
    };
    paths.iter().map(|path| (path.clone(), look(path))).collect()
}
