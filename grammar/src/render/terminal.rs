//! For terminals: the lines of the program with marks under them, drawn by ariadne.

use crate::{Diag, Severity, Sources, Span};
use ariadne::{Cache, Color, Config, IndexType, Label, Report, ReportKind, Source};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The texts that one report shows, under their paths.
struct Texts<'a> {
    texts: BTreeMap<String, Source<&'a str>>,
}

impl<'a> Cache<String> for Texts<'a> {
    type Storage = &'a str;

    fn fetch(&mut self, id: &String) -> Result<&Source<&'a str>, impl std::fmt::Debug> {
        self.texts.get(id).ok_or("no such file")
    }

    fn display<'b>(&self, id: &'b String) -> Option<impl std::fmt::Display + 'b> {
        Some(id.clone())
    }
}

/// All diagnostics, each with the lines it speaks of, its help, notes and fixes.
pub fn terminal(diags: &[Diag], sources: &Sources, color: bool) -> String {
    let mut out = String::new();
    for diag in diags {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&one(diag, sources, color));
    }
    out
}

fn one(diag: &Diag, sources: &Sources, color: bool) -> String {
    let drawn = diag.span().and_then(|span| draw(diag, span, sources, color));
    drawn.unwrap_or_else(|| {
        let mut out = format!("{}[{}]: {}\n", diag.severity.word(), diag.code, diag.message);
        let help = diag.help.iter().map(|help| ("help", help));
        for (word, text) in help.chain(diag.notes.iter().map(|note| ("note", note))) {
            let _ = writeln!(out, "  {word}: {text}");
        }
        out
    })
}

fn draw(diag: &Diag, at: Span, sources: &Sources, color: bool) -> Option<String> {
    let place = |span: Span| (sources.path(span.file).to_string(), span.range());
    let (word, tint) = match diag.severity {
        Severity::Error => ("error", Color::Red),
        Severity::Warning => ("warning", Color::Yellow),
        Severity::Info => ("info", Color::Blue),
    };
    let config = Config::default().with_color(color).with_index_type(IndexType::Byte).with_tab_width(2);
    let kind = ReportKind::Custom(word, tint);
    let mut report =
        Report::build(kind, place(at)).with_config(config).with_code(diag.code).with_message(&diag.message);
    let mut labels: Vec<&crate::Label> = diag.labels.iter().collect();
    labels.sort_by_key(|label| (label.span != at, label.span));
    for label in labels {
        let tint = if label.primary { tint } else { Color::Cyan };
        report = report.with_label(Label::new(place(label.span)).with_message(&label.text).with_color(tint));
    }
    if let Some(help) = &diag.help {
        report = report.with_help(help);
    }
    for note in &diag.notes {
        report = report.with_note(note);
    }
    // A fix that only repeats the help is not worth a line.
    for fix in diag.fixes.iter().filter(|fix| diag.help.as_ref() != Some(&fix.title)) {
        report = report.with_note(format!("fix: {}", fix.title));
    }
    let files = diag.labels.iter().map(|label| label.span.file);
    let texts =
        files.map(|file| (sources.path(file).to_string(), Source::from(sources.text(file)))).collect();
    let mut bytes = vec![];
    report.finish().write(Texts { texts }, &mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    // ariadne paints the word of the severity even where it is told not to.
    let text = if color { text } else { plain(&text) };
    Some(text.lines().map(|line| format!("{}\n", line.trim_end())).collect())
}

/// Text without the escape sequences of colours.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or("").to_string();
    for part in parts {
        out.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    out
}
