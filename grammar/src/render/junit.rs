//! JUnit XML: a suite for each program, a failed case for each error, a passed one with its text for each warning.

use super::report::{Report, lines, once};
use crate::{Diag, Severity};
use std::fmt::Write;

/// The reports as one JUnit file. A program without errors has a passed case called `check`.
pub fn junit(reports: &[Report<'_>]) -> String {
    let all = once(reports);
    let mut suites = String::new();
    let (mut tests, mut failures) = (0, 0);
    for report in reports {
        let mine = |(owner, diag): &&(&Report<'_>, &Diag)| {
            std::ptr::eq(*owner, report) && diag.severity != Severity::Info
        };
        let said: Vec<&Diag> = all.iter().filter(mine).map(|(_, diag)| *diag).collect();
        let failed = said.iter().filter(|diag| diag.is_error()).count();
        let count = said.len() + usize::from(failed == 0);
        let _ = writeln!(
            suites,
            "  <testsuite name=\"{}\" tests=\"{count}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">",
            escape(report.file)
        );
        if failed == 0 {
            let _ = writeln!(suites, "    <testcase classname=\"{}\" name=\"check\"/>", escape(report.file));
        }
        said.iter().for_each(|diag| case(&mut suites, report, diag));
        suites.push_str("  </testsuite>\n");
        tests += count;
        failures += failed;
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"llmp check\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n{suites}</testsuites>\n"
    )
}

fn case(out: &mut String, report: &Report<'_>, diag: &Diag) {
    let (path, place) = match diag.span().map(|span| report.at(span)) {
        Some(at) => (at.path, format!("{}:{}:{}", at.path, at.start.line, at.start.column)),
        None => (report.file, report.file.to_owned()),
    };
    let name = escape(&format!("{} at {place}", diag.code));
    let _ = writeln!(out, "    <testcase classname=\"{}\" name=\"{name}\">", escape(path));
    let text = escape(&format!("{place}: {}", lines(diag)));
    let _ = if diag.is_error() {
        let (code, message) = (escape(diag.code), escape(&diag.message));
        writeln!(out, "      <failure type=\"{code}\" message=\"{message}\">{text}</failure>")
    } else {
        writeln!(out, "      <system-out>{}: {text}</system-out>", diag.severity.word())
    };
    out.push_str("    </testcase>\n");
}

/// Text of XML; characters that XML cannot hold become the replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
