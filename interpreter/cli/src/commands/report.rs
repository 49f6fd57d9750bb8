//! `llmp report [FILE] [ITEM]`: one HTML page about the data, or its facts as JSON.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use crate::Exit;
use crate::args::{Color, Format, Report};
use crate::load::{self, fail};
use crate::output;

pub(crate) fn report(args: &Report, color: Color) -> Exit {
    let located = load::located(args.file.as_ref(), "report", &args.reading, &args.roots, color);
    let (planned, place) = match located {
        Ok(located) => located,
        Err(exit) => return exit,
    };
    let stop = AtomicBool::new(false);
    let options = place.options(&stop, &llmp_exec::durable::no_hook);
    let (plan, checked) = (&planned.plan, &planned.checked);
    let item = args.item.as_deref();
    let report = match llmp_exec::report::report(plan, &checked.program, &checked.registry, &options, item) {
        Ok(report) => report,
        Err(failure) => return fail(&failure, &planned, color),
    };
    if args.format == Format::Json {
        output::print(&format!("{:#}\n", json!(report)));
        return Exit::Clean;
    }
    let page = match llmp_exec::report::html(&report) {
        Ok(page) => page,
        Err(failure) => return fail(&failure, &planned, color),
    };
    let out = args.out.clone().unwrap_or_else(|| {
        let name = item.map_or_else(String::new, |item| format!("-{}", llmp_stdlib::value::file_name(item)));
        shorter(place.project.join("runs").join(&place.program).join(format!("report{name}.html")))
    });
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let written = folder.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&out, &page));
    if let Err(error) = written {
        output::note(&format!(
            "error: cannot write {}: {error}; name another file with --out",
            out.display()
        ));
        return Exit::Failed;
    }
    for step in &report.stale {
        output::note(&format!("note: `{step}` changed since it ran; the page shows the run before"));
    }
    output::print(&format!("{}\n", out.display()));
    Exit::Clean
}

/// A path below the current folder, relative to it.
fn shorter(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).map(PathBuf::from).unwrap_or(path)
}
