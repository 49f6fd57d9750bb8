//! Changes that an editor offers: fixes of diagnostics, all of them at once, values taken out under a name.

use llmp_grammar::ast::{Body, Expr, ExprKind, ItemKind};
use llmp_grammar::{Diag, Edit, FileId, Span};
use llmp_stdlib::{Dim, Registry, Value};

use super::index::{Sort, What};
use super::lines::difference;
use super::place::Changed;
use super::{Analysis, Engine, nodes};

/// Rounds of fixing: a fix can make the next problem visible.
const ROUNDS: usize = 16;

/// A change under a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What it does.
    pub title: String,
    /// Its edits; places are those of the analysis.
    pub edits: Vec<Edit>,
    /// The diagnostic that it is for, by number among those of the analysis.
    pub diag: Option<usize>,
    /// Whether it is the first fix of its diagnostic.
    pub preferred: bool,
}

impl Analysis {
    /// Fixes of the diagnostics that touch a range of a file. Fixes that would change a file of the library are left out.
    pub fn fixes(&self, file: FileId, range: std::ops::Range<u32>) -> Vec<Action> {
        let mut found = Vec::new();
        for (number, diag) in self.diags.iter().enumerate() {
            let touches = |s: Span| s.file == file && s.start <= range.end && range.start <= s.end;
            if !diag.span().is_some_and(touches) {
                continue;
            }
            for (n, fix) in diag.fixes.iter().enumerate().filter(|(_, fix)| self.ours(&fix.edits)) {
                let (title, edits) = (sentence(&fix.title), fix.edits.clone());
                found.push(Action { title, edits, diag: Some(number), preferred: n == 0 });
            }
        }
        found
    }

    /// Whether edits stay in files of the project.
    fn ours(&self, edits: &[Edit]) -> bool {
        let ours = |edit: &Edit| self.loaded.units.iter().any(|u| u.file == edit.span.file && !u.library);
        !edits.is_empty() && edits.iter().all(ours)
    }

    /// Every fix of a file that makes its problem go away; `None` if there is none.
    pub fn fix_all(&self, engine: &mut Engine<'_>, file: FileId) -> Option<Vec<Edit>> {
        let old = self.text(file).to_owned();
        let path = self.loaded.units[self.unit(file)?].path.clone();
        let mut text = old.clone();
        let mut now: Option<Analysis> = None;
        for _ in 0..ROUNDS {
            let known = now.as_ref().unwrap_or(self);
            let chosen = known.chosen(known.file(&path)?);
            let mut tries = vec![chosen.as_slice()];
            tries.extend(chosen.chunks(1).filter(|_| chosen.len() > 1));
            let better = tries.into_iter().filter(|fixes| !fixes.is_empty()).find_map(|fixes| {
                let changed = apply(&text, fixes.iter().flat_map(|(_, edits)| edits));
                let vfs = Changed { vfs: engine.vfs, path: &path, text: &changed };
                let after = Analysis::new(&vfs, &self.program.main, engine.registry, engine.trees);
                let count = |a: &Analysis, d: &Diag| {
                    a.diags.iter().filter(|o| o.code == d.code && o.message == d.message).count()
                };
                let helps = fixes.iter().all(|(diag, _)| count(&after, diag) < count(known, diag));
                helps.then_some((changed, after))
            });
            let Some((changed, after)) = better else { break };
            (text, now) = (changed, Some(after));
        }
        (text != old).then(|| difference(&old, &text, file))
    }

    /// First fixes inside of a file that do not touch each other.
    fn chosen(&self, file: FileId) -> Vec<(Diag, Vec<Edit>)> {
        let mut chosen: Vec<(Diag, Vec<Edit>)> = Vec::new();
        for diag in self.diags.iter().filter(|d| d.severity != llmp_grammar::Severity::Info) {
            let Some(fix) = diag.fixes.first() else { continue };
            let here = !fix.edits.is_empty() && fix.edits.iter().all(|edit| edit.span.file == file);
            let apart = |a: &Edit, b: &Edit| a.span.end < b.span.start || b.span.end < a.span.start;
            let free = |e: &Edit| chosen.iter().flat_map(|(_, edits)| edits).all(|o| apart(e, o));
            if here && fix.edits.iter().all(free) {
                chosen.push((diag.clone(), fix.edits.clone()));
            }
        }
        chosen
    }

    /// Takes the value of a selection out of its item, as a `let` or a `param`.
    pub fn extract(&self, engine: &mut Engine<'_>, file: FileId, range: std::ops::Range<u32>) -> Vec<Action> {
        let mut found = Vec::new();
        let Some(unit) = self.unit(file) else { return found };
        let ast = &self.loaded.units[unit].ast;
        let Some(item) = ast.items.iter().find(|i| i.span.start <= range.start && range.end <= i.span.end)
        else {
            return found;
        };
        let selected = self.loaded.sources.slice(Span { file, start: range.start, end: range.end });
        let trimmed = selected.trim();
        let start = range.start as usize + (selected.len() - selected.trim_start().len());
        let span = Span::new(file, start, start + trimmed.len());
        let exprs = nodes::all(item);
        let Some(expr) = exprs.into_iter().find(|e| e.span == span && !e.is_error()) else { return found };
        let plain = matches!(item.kind, ItemKind::Decl(_) | ItemKind::Rounds(_) | ItemKind::Check(_));
        if !plain || self.speaks_of_locals(engine.registry, expr) || is_body(item, expr) {
            return found;
        }
        let index = self.word_index(engine.registry);
        let taken = |name: &str| index.scopes[unit].contains_key(name);
        let name = |base: &str| {
            let numbered = (2..).map(|n| format!("{base}_{n}"));
            std::iter::once(base.to_owned()).chain(numbered).find(|n| !taken(n)).unwrap_or_default()
        };
        let at = self.before_item(item.span);
        let mut offer = |title: &str, name: String, line: String| {
            let edits = vec![
                Edit { span: Span::at(file, at), replacement: format!("{line}\n\n") },
                Edit { span: expr.span, replacement: name },
            ];
            if self.no_worse(engine, file, &edits) {
                found.push(Action { title: title.to_owned(), edits, diag: None, preferred: false });
            }
        };
        let value = name("value");
        offer("Extract into a `let`", value.clone(), format!("let {value} = {trimmed}"));
        if let Some(ty) = self.value_at(expr.span).and_then(|v| param_type(v, expr)) {
            let param = name("setting");
            offer("Extract into a `param`", param.clone(), format!("param {param}: {ty} = {trimmed}"));
        }
        found
    }

    /// Whether a value needs names that only its own place knows.
    fn speaks_of_locals(&self, registry: &Registry, expr: &Expr) -> bool {
        let index = self.word_index(registry);
        let marks = index.of_file(expr.span.file).iter().filter(|m| expr.span.contains(m.span));
        marks.into_iter().any(|mark| match mark.what {
            What::Symbol { id, .. } => {
                let symbol = &index.symbols[id];
                let local = matches!(symbol.sort, Sort::Local | Sort::Index | Sort::Parameter | Sort::Carry);
                (local && !expr.span.contains(symbol.at))
                    || symbol.parent.is_some_and(|p| index.symbols[p].sort == Sort::Rounds)
            }
            _ => false,
        })
    }

    /// The start of an item with the comments right before it.
    fn before_item(&self, item: Span) -> usize {
        let text = self.text(item.file);
        let mut at = text.get(..item.range().start).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
        while let Some(line) = text.get(..at.saturating_sub(1)).map(|t| t.rfind('\n').map_or(0, |n| n + 1)) {
            if at == 0 || !text.get(line..).is_some_and(|t| t.starts_with("##")) {
                break;
            }
            at = line;
        }
        at
    }

    /// Whether edits make no new mistake.
    fn no_worse(&self, engine: &mut Engine<'_>, file: FileId, edits: &[Edit]) -> bool {
        let Some(unit) = self.unit(file) else { return false };
        let text = apply(self.text(file), edits);
        let vfs = Changed { vfs: engine.vfs, path: &self.loaded.units[unit].path, text: &text };
        let after = Analysis::new(&vfs, &self.program.main, engine.registry, engine.trees);
        let count = |a: &Analysis| a.diags.iter().filter(|d| d.is_error()).count();
        count(&after) <= count(self)
    }
}

fn is_body(item: &llmp_grammar::ast::Item, expr: &Expr) -> bool {
    match &item.kind {
        ItemKind::Decl(decl) => matches!(&decl.body, Body::Value(value) if value.span == expr.span),
        _ => false,
    }
}

/// The type of a param that holds a value.
fn param_type(value: &Value, expr: &Expr) -> Option<&'static str> {
    if !matches!(expr.kind, ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Text(_)) {
        return None;
    }
    Some(match value {
        Value::Bool(_) => "Bool",
        Value::Text(_) => "Str",
        Value::Number(q) => match q.dim {
            Dim::TOKENS => "Tokens",
            Dim::STEPS => "Steps",
            Dim::EPOCHS => "Epochs",
            Dim::SEQUENCES => "Sequences",
            Dim::DOCS => "Docs",
            Dim::BYTES => "Bytes",
            Dim::SECONDS => "Seconds",
            Dim::NONE if q.amount.is_integer() => "Int",
            Dim::NONE => "Num",
            _ => return None,
        },
        _ => return None,
    })
}

/// A text after edits that do not overlap.
pub(crate) fn apply<'e>(text: &str, edits: impl IntoIterator<Item = &'e Edit>) -> String {
    let mut edits: Vec<&Edit> = edits.into_iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse((edit.span.start, edit.span.end)));
    let mut text = text.to_owned();
    for edit in edits {
        if text.get(edit.span.range()).is_some() {
            text.replace_range(edit.span.range(), &edit.replacement);
        }
    }
    text
}

fn sentence(title: &str) -> String {
    let mut chars = title.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}
