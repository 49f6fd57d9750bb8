//! SARIF 2.1.0, the form in which code scanners report: results with their rules, places and fixes.

use super::report::{Report, once};
use crate::{Diag, Edit, Info, Severity, Span};
use serde_json::{Value, json};

/// One SARIF log with one run. Rules are those of `codes` that occur, with their documentation as help;
/// columns count Unicode scalars, which SARIF calls `unicodeCodePoints`.
pub fn sarif(reports: &[Report<'_>], codes: &[&Info], version: &str) -> String {
    let all = once(reports);
    let mut used: Vec<&str> = all.iter().map(|(_, diag)| diag.code).collect();
    used.sort_unstable();
    used.dedup();
    let rules: Vec<Value> = used.iter().map(|code| rule(code, codes)).collect();
    let index = |code: &str| used.iter().position(|known| *known == code);
    let results: Vec<Value> =
        all.iter().map(|(report, diag)| result(report, diag, index(diag.code))).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "llmp", "semanticVersion": version, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn rule(code: &str, codes: &[&Info]) -> Value {
    let Some(info) = codes.iter().find(|info| info.code == code) else { return json!({ "id": code }) };
    let lines: Vec<&str> = info.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let markdown = lines.join("\n").trim().to_owned();
    let paragraph = markdown.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let sentence = paragraph.split_once(". ").map_or(paragraph.as_str(), |(first, _)| first);
    json!({
        "id": info.code,
        "name": info.name,
        "shortDescription": { "text": format!("{}.", sentence.trim_end_matches('.')) },
        "fullDescription": { "text": paragraph },
        "help": { "text": markdown, "markdown": markdown },
        "defaultConfiguration": { "level": level(info.severity) },
    })
}

fn result(report: &Report<'_>, diag: &Diag, rule: Option<usize>) -> Value {
    let mut text = diag.message.clone();
    for more in diag.help.iter().chain(&diag.notes) {
        text.push_str(if text.ends_with(['.', '?', '!']) { " " } else { "; " });
        text.push_str(more);
    }
    let place = match diag.primary() {
        Some(label) => location(report, label.span, &label.text),
        None => json!({ "physicalLocation": { "artifactLocation": artifact(report.file) } }),
    };
    let mut value = json!({
        "ruleId": diag.code,
        "level": level(diag.severity),
        "message": { "text": text },
        "locations": [place],
    });
    if let Some(rule) = rule {
        value["ruleIndex"] = json!(rule);
    }
    let main = diag.primary();
    let related: Vec<Value> = diag
        .labels
        .iter()
        .filter(|label| !main.is_some_and(|main| std::ptr::eq(main, *label)))
        .enumerate()
        .map(|(id, label)| {
            let mut place = location(report, label.span, &label.text);
            place["id"] = json!(id + 1);
            place
        })
        .collect();
    if !related.is_empty() {
        value["relatedLocations"] = json!(related);
    }
    let fixes: Vec<Value> =
        diag.fixes.iter().filter(|fix| !fix.edits.is_empty()).map(|f| fix(report, f)).collect();
    if !fixes.is_empty() {
        value["fixes"] = json!(fixes);
    }
    value
}

fn fix(report: &Report<'_>, fix: &crate::Fix) -> Value {
    let mut files: Vec<&str> = fix.edits.iter().map(|edit| report.sources.path(edit.span.file)).collect();
    files.sort_unstable();
    files.dedup();
    let change = |file: &&str| {
        let here = fix.edits.iter().filter(|edit| report.sources.path(edit.span.file) == *file);
        let replace = |edit: &Edit| {
            json!({
                "deletedRegion": region(report, edit.span),
                "insertedContent": { "text": edit.replacement },
            })
        };
        json!({
            "artifactLocation": artifact(file),
            "replacements": here.map(replace).collect::<Vec<_>>(),
        })
    };
    json!({
        "description": { "text": fix.title },
        "artifactChanges": files.iter().map(change).collect::<Vec<_>>(),
    })
}

fn location(report: &Report<'_>, span: Span, text: &str) -> Value {
    let path = report.sources.path(span.file);
    let mut place = json!({
        "physicalLocation": { "artifactLocation": artifact(path), "region": region(report, span) },
    });
    if !text.is_empty() {
        place["message"] = json!({ "text": text });
    }
    place
}

fn region(report: &Report<'_>, span: Span) -> Value {
    let at = report.at(span);
    json!({
        "startLine": at.start.line,
        "startColumn": at.start.column,
        "endLine": at.end.line,
        "endColumn": at.end.column,
    })
}

/// A path as a URI reference: relative ones stay relative to the root of the sources.
fn artifact(path: &str) -> Value {
    let mut uri = String::new();
    let path = path.replace('\\', "/");
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    json!({ "uri": uri })
}
