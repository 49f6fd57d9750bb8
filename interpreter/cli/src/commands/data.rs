//! `llmp data diff A B`: gained and lost documents between two results.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use llmp_exec::difference::{self, Change, Difference, Side};
use serde_json::json;

use crate::Exit;
use crate::args::{Color, Data, DataDiff, Format};
use crate::load;
use crate::output;
use crate::table::count;

pub(crate) fn data(args: &Data, color: Color) -> Exit {
    match args {
        Data::Diff(args) => diff(args, color),
    }
}

fn diff(args: &DataDiff, color: Color) -> Exit {
    match compare(args, color) {
        Ok((differences, alone)) => {
            match args.format {
                Format::Human => output::print(&people(&differences, &alone)),
                Format::Json => {
                    output::print(&format!("{:#}\n", json!({ "results": differences, "alone": alone })))
                }
            }
            let same = alone.is_empty() && differences.iter().all(Difference::is_empty);
            if same { Exit::Clean } else { Exit::Failed }
        }
        Err(words) => load::usage(&words),
    }
}

fn compare(args: &DataDiff, color: Color) -> Result<(Vec<Difference>, Vec<String>), String> {
    let say = |failure: llmp_exec::Failure| {
        failure.help.as_ref().map_or_else(|| failure.to_string(), |help| format!("{failure}\nhelp: {help}"))
    };
    let (pairs, alone) = match (project(&args.before), project(&args.after)) {
        (Some(before), Some(after)) => difference::stores(&before, &after).map_err(say)?,
        _ => (vec![[side(&args.before, args, color)?, side(&args.after, args, color)?]], Vec::new()),
    };
    let each = |[before, after]: &[Side; 2]| difference::difference(before, after).map_err(say);
    Ok((pairs.iter().map(each).collect::<Result<_, _>>()?, alone))
}

/// A folder with a store in it.
fn project(text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    let path = if path.file_name().is_some_and(|name| name == ".llmp") { path.parent()? } else { path };
    path.join(".llmp").is_dir().then(|| path.to_owned())
}

/// `ITEM`, `FILE:ITEM`, each with `@before`, or a folder.
fn side(text: &str, args: &DataDiff, color: Color) -> Result<Side, String> {
    if Path::new(text).is_dir() {
        return difference::at_path(Path::new(text)).map_err(|failure| failure.to_string());
    }
    let (rest, before) = text.strip_suffix("@before").map_or((text, false), |rest| (rest, true));
    let (file, item) = match rest.rsplit_once(':').filter(|(file, _)| file.ends_with(".llmp")) {
        Some((file, item)) => (PathBuf::from(file), item),
        None => (load::only_program("data diff")?, rest),
    };
    let planned = load::plan(&file, &args.reading, color)
        .ok_or_else(|| format!("{} cannot be planned", file.display()))?;
    let place = load::place(&file, &args.roots)?;
    let stop = AtomicBool::new(false);
    let options = place.options(&stop, &llmp_exec::durable::no_hook);
    let found = difference::of_item(&planned.plan, &planned.checked.registry, &options, item, before);
    let side = found.map_err(|failure| {
        failure.help.as_ref().map_or_else(|| failure.to_string(), |help| format!("{failure}\nhelp: {help}"))
    })?;
    Ok(Side { name: text.to_owned(), ..side })
}

fn people(differences: &[Difference], alone: &[String]) -> String {
    let mut text = String::new();
    for one in differences {
        if differences.len() > 1 && one.is_empty() {
            text.push_str(&format!("= {}: the same {} documents\n", one.sides[1], count(one.same)));
            continue;
        }
        text.push_str(&format!(
            "--- {}  {} documents\n+++ {}  {} documents\n",
            one.sides[0],
            count(one.documents[0]),
            one.sides[1],
            count(one.documents[1])
        ));
        if one.is_empty() {
            text.push_str("the same documents\n");
            continue;
        }
        text.push_str(&format!(
            "{} the same, {} lost, {} gained, {} changed\n",
            count(one.same),
            count(one.lost.documents),
            count(one.gained.documents),
            count(one.changed.documents)
        ));
        change(&mut text, '-', "lost", &one.lost);
        change(&mut text, '+', "gained: the first side had dropped them", &one.gained);
        change(&mut text, '~', "changed: other text or columns", &one.changed);
    }
    alone.iter().for_each(|words| text.push_str(&format!("{words}\n")));
    text
}

fn change(text: &mut String, sign: char, title: &str, change: &Change) {
    if change.documents == 0 {
        return;
    }
    text.push_str(&format!("\n{title}\n"));
    for because in &change.reasons {
        text.push_str(&format!(
            "{sign} {:>9}  {}: {}\n",
            count(because.documents),
            because.step,
            because.reason
        ));
        for example in &because.examples {
            let by = example.by.as_ref().map(|by| format!("  ({by})")).unwrap_or_default();
            text.push_str(&format!("{sign}              {}{by}\n", example.id));
        }
    }
    let known: u64 = change.reasons.iter().map(|because| because.documents).sum();
    let unknown = change.documents - known;
    if unknown > 0 && sign != '~' {
        text.push_str(&format!(
            "{sign} {:>9}  not in the sources of the other side, or before its ledger\n",
            count(unknown)
        ));
    }
    for id in &change.examples {
        text.push_str(&format!("{sign}              {id}\n"));
    }
}
