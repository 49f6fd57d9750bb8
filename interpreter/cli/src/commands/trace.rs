//! `llmp trace ID|URL|FILE`: what became of a document, or of every document of a file.

use std::sync::atomic::AtomicBool;

use llmp_exec::trace::{Query, Trace, Traced};
use serde_json::json;

use crate::Exit;
use crate::args::{self, Color, Format};
use crate::load::{self, fail};
use crate::output;
use crate::table::{bytes, count};

pub(crate) fn trace(args: &args::Trace, color: Color) -> Exit {
    let located = load::located(args.file.as_ref(), "trace DOCUMENT", &args.reading, &args.roots, color);
    let (planned, place) = match located {
        Ok(located) => located,
        Err(exit) => return exit,
    };
    let stop = AtomicBool::new(false);
    let options = place.options(&stop, &llmp_exec::durable::no_hook);
    let registry = &planned.checked.registry;
    match llmp_exec::trace::trace(&planned.plan, registry, &options, &args.document) {
        Ok(trace) if args.format == Format::Json => output::print(&format!("{:#}\n", json!(trace))),
        Ok(trace) => output::print(&people(&trace)),
        Err(failure) => return fail(&failure, &planned, color),
    }
    Exit::Clean
}

fn people(trace: &Trace) -> String {
    let mut text = String::new();
    if trace.stale {
        text.push_str("the program or its inputs changed since it ran: this is what the last run did\n\n");
    }
    if trace.documents > 1 || matches!(trace.query, Query::File(_)) {
        let name = match &trace.query {
            Query::Id(name) | Query::Url(name) | Query::File(name) => name,
        };
        text.push_str(&format!("{name}: {} documents\n", count(trace.documents)));
        let mut ends: Vec<_> = trace.ends.iter().collect();
        ends.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (end, documents) in ends {
            text.push_str(&format!("  {:>9}  {end}\n", count(*documents)));
        }
        text.push('\n');
    }
    let shown: Vec<String> = trace.shown.iter().map(one).collect();
    text.push_str(&shown.join("\n"));
    let rest = trace.documents.saturating_sub(trace.shown.len() as u64);
    if rest > 0 {
        text.push_str(&format!("\nand {} more\n", count(rest)));
    }
    text
}

fn one(traced: &Traced) -> String {
    let mut text = format!("{}\n", traced.id);
    if let Some(url) = &traced.url {
        text.push_str(&format!("  address   {url}\n"));
    }
    if let Some(source) = &traced.source {
        text.push_str(&format!("  source    {source}\n"));
    }
    if !traced.passed.is_empty() {
        text.push_str(&format!("  passed    {}\n", traced.passed.join(", ")));
    }
    for dropped in &traced.dropped {
        let by = dropped.by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
        text.push_str(&format!("  dropped   by {}: {}{by}\n", dropped.step, dropped.reason));
    }
    for kept in &traced.kept {
        text.push_str(&format!(
            "  kept      in {}, {}, {}:{}\n",
            kept.name,
            bytes(kept.bytes),
            kept.file,
            kept.line
        ));
        let cells: Vec<String> = kept
            .columns
            .iter()
            .filter(|(name, _)| *name != "url")
            .map(|(name, cell)| format!("{name} = {}", json!(cell)))
            .collect();
        if !cells.is_empty() {
            text.push_str(&format!("            {}\n", cells.join(", ")));
        }
    }
    for trained in &traced.trained {
        let (least, most) = (trained.passes.floor(), trained.passes.ceil());
        let times = if least == most { format!("{least} times") } else { format!("{least} or {most} times") };
        text.push_str(&format!(
            "  trained   by {}, in the part {} ({:.1}% of the tokens): {} tokens, drawn {times}\n",
            trained.stage,
            trained.part,
            trained.share * 100.0,
            count(trained.tokens)
        ));
    }
    text
}
