//! The funnel at the end of a run: documents, bytes and tokens through every step, by source, and amounts of the plan
//! beside those of the run.

use std::collections::BTreeMap;

use llmp_exec::ledger::{Row, last, rows};
use llmp_exec::report::{Estimated, estimates};
use llmp_exec::{Failure, Options};
use llmp_stdlib::number::human;
use serde_json::json;

use crate::args::Format;
use crate::load::Planned;
use crate::output;
use crate::table::{about, bytes, count, share, table};

/// Reasons of a step that are named.
const REASONS: usize = 3;

/// Shows the funnel of a program that has run.
pub(crate) fn show(planned: &Planned, options: &Options<'_>, format: Format) -> Result<(), Failure> {
    let (plan, registry) = (&planned.plan, &planned.checked.registry);
    let done = last(plan, registry, options)?;
    let rows = rows(plan, registry, &done)?;
    let amounts = estimates(plan, &planned.checked.program, registry, &done)?;
    match format {
        Format::Human if rows.is_empty() => {}
        Format::Human => output::note(&people(&rows, &amounts)),
        Format::Json => {
            let line = json!({ "event": "ledger", "rows": rows, "estimates": amounts });
            output::print(&format!("{line}\n"));
        }
    }
    Ok(())
}

fn people(rows: &[Row], amounts: &[Estimated]) -> String {
    let mut text = String::from("\n");
    let tokens = rows.iter().any(|row| row.tokens_out.is_some());
    let edited = rows.iter().any(|row| row.flow.edited > 0);
    let mut head = vec!["documents", "in", "out", "kept", "bytes out"];
    if tokens {
        head.push("tokens out");
    }
    if edited {
        head.push("repaired");
    }
    head.push("dropped");
    let cells = |row: &Row| {
        let flow = &row.flow;
        let mut cells = vec![
            row.step.clone(),
            count(flow.input),
            count(flow.output),
            share(flow.output, flow.input),
            bytes(flow.bytes_out),
        ];
        if tokens {
            let exact = row.op == "tokenize";
            cells.push(
                row.tokens_out.map(|n| if exact { count(n as u64) } else { about(n) }).unwrap_or_default(),
            );
        }
        if edited {
            cells.push(if flow.edited > 0 { count(flow.edited) } else { String::new() });
        }
        cells.push(reasons(&flow.reasons));
        cells
    };
    text.push_str(&table(&head, &rows.iter().map(cells).collect::<Vec<_>>()));
    text.push_str(&sources(rows));
    text.push_str(&reconciled(amounts));
    text.trim_end().to_owned()
}

/// `gopher_short_doc 30, gopher_too_many_bullets 2, 3 more 4`.
fn reasons(reasons: &BTreeMap<String, u64>) -> String {
    let mut all: Vec<(&String, &u64)> = reasons.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let mut words: Vec<String> =
        all.iter().take(REASONS).map(|(why, n)| format!("{why} {}", count(**n))).collect();
    let rest: u64 = all.iter().skip(REASONS).map(|(_, n)| **n).sum();
    if rest > 0 {
        words.push(format!("{} other reasons {}", all.len() - REASONS, count(rest)));
    }
    words.join(", ")
}

/// What is left of each source, where there are several.
fn sources(rows: &[Row]) -> String {
    let mut sources: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for row in rows {
        for (source, flow) in &row.sources {
            let sums = sources.entry(source).or_default();
            sums[0] = sums[0].max(flow.input);
            sums[1] = flow.output;
            sums[2] = flow.bytes_out;
        }
    }
    if sources.len() < 2 {
        return String::new();
    }
    let rows: Vec<Vec<String>> = sources
        .into_iter()
        .map(|(source, [read, kept, size])| {
            vec![source.to_owned(), count(read), count(kept), share(kept, read), bytes(size)]
        })
        .collect();
    format!("\n{}", table(&["source", "records", "left", "kept", "bytes"], &rows))
}

/// Amounts of the plan beside those of the run.
fn reconciled(amounts: &[Estimated]) -> String {
    let rows: Vec<Vec<String>> = amounts
        .iter()
        .filter_map(|amount| {
            let (planned, measured) = (amount.planned?, amount.measured?);
            let [low, high] = planned.map(|n| human(n.round()));
            let planned_words = if low == high { low } else { format!("{low} to {high}") };
            let inside = planned[0] <= measured && measured <= planned[1];
            let verdict = match inside {
                true => "as planned".to_owned(),
                false if measured < planned[0] => {
                    format!("{:.0}% of the least", measured * 100.0 / planned[0])
                }
                false => format!("{:.0}% of the most", measured * 100.0 / planned[1].max(1.0)),
            };
            Some(vec![amount.item.clone(), planned_words, human(measured), verdict])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{}", table(&["tokens", "planned", "measured", ""], &rows))
}
