//! What a word is, with everything that is computed of it, as Markdown.

use std::fmt::Write;

use llmp_grammar::ast::{Expr, ExprKind, ItemKind};
use llmp_grammar::{FileId, Span};
use llmp_stdlib::docs::{markdown, one_line, undent};
use llmp_stdlib::{Param, Registry, Value};

use super::index::{Index, Sort, Symbol, What};
use super::{Analysis, facts, nodes};
use crate::program::{Item, Meaning, Origin, Row};

/// What is shown of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    /// Markdown.
    pub text: String,
    /// The word.
    pub at: Span,
}

impl Analysis {
    /// What stands at an offset.
    pub fn hover(&self, registry: &Registry, file: FileId, offset: u32) -> Option<Hover> {
        if let Some(hover) = self.pipe_hover(file, offset) {
            return Some(hover);
        }
        let index = self.word_index(registry);
        if let Some(mark) = index.at(file, offset) {
            let text = self.words(registry, &mark.what, mark.span)?;
            return Some(Hover { text, at: mark.span });
        }
        let unit = self.unit(file)?;
        let around = nodes::around(&self.loaded.units[unit].ast, offset);
        let expr = around.last()?;
        let text = self.literal(expr)?;
        Some(Hover { text, at: expr.span })
    }

    fn words(&self, registry: &Registry, what: &What, at: Span) -> Option<String> {
        let index = self.word_index(registry);
        Some(match what {
            What::Symbol { id, .. } => self.symbol(registry, &index.symbols[index.behind(*id)], at),
            What::Kind(kind) => markdown(kind.signature, 3),
            What::Member { owner, param, item, path } => {
                let mut text = parameter(param, owner.name);
                if let Some(item) = item {
                    self.member(registry, *item, path, &mut text);
                }
                text
            }
            What::BuiltIn(signature) => markdown(signature, 3),
            What::Argument(owner, param) => {
                let mut text = parameter(param, owner.map_or("", |o| o.name));
                if let Some(value) = self.argument(at) {
                    let _ = write!(text, "\n\nhere: `{}`", facts::value(value));
                }
                text
            }
            What::Function(function) => {
                let params: Vec<String> = function.params.iter().map(|ty| ty.show()).collect();
                let result = facts::column_type(function.result);
                let head = format!("{}({}) : {result}", function.name, params.join(", "));
                format!("```llmp\n{head}\n```\n\n{}", undent(function.doc))
            }
            What::Choice(set, doc) => {
                format!("`{}`, a value of {}\n\n{}", self.slice(at), set.name, undent(doc))
            }
            What::Column(name) => self.column(registry, name, at)?,
            What::Read { name, of } => self.read(registry, name, *of, at)?,
            What::Import(unit) => {
                let unit = &self.loaded.units[(*unit)?];
                let text = self.text(unit.file);
                let docs = text.lines().skip_while(|line| !line.starts_with("##"));
                let docs: Vec<&str> = docs.take_while(|line| line.starts_with("##")).collect();
                let docs = docs.iter().map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>();
                format!("`{}`\n\n{}", unit.path, docs.join("\n"))
            }
        })
    }

    fn slice(&self, at: Span) -> &str {
        self.loaded.sources.slice(at)
    }

    fn symbol(&self, registry: &Registry, symbol: &Symbol, _at: Span) -> String {
        let mut text = format!("```llmp\n{}\n```\n", self.head(symbol));
        if !symbol.doc.trim().is_empty() {
            let _ = write!(text, "\n{}\n", symbol.doc.trim());
        }
        let items: Vec<&Item> = self.items(symbol).collect();
        match items.as_slice() {
            [] => {
                if let Some(value) = self.plain_value(symbol) {
                    let _ = write!(text, "\nvalue: `{}`\n", facts::value(&value));
                }
            }
            [item] => self.computed(registry, item, &mut text),
            [first, .., last] => {
                let _ = write!(text, "\n{} of them: `{}` to `{}`\n", items.len(), first.name, last.name);
                self.computed(registry, last, &mut text);
            }
        }
        let unit = &self.loaded.units[symbol.unit];
        if symbol.sort == Sort::Param && symbol.unit == 0 {
            let _ = write!(text, "\nchanged by: `--set {}=…`\n", symbol.name);
        }
        if symbol.unit != 0 || unit.library {
            let _ = write!(text, "\nfrom `{}`\n", unit.path);
        }
        text
    }

    fn computed(&self, registry: &Registry, item: &Item, text: &mut String) {
        let facts = facts::facts(&self.program, registry, item);
        if !facts.is_empty() {
            text.push_str("\n| | |\n|---|---|\n");
            for (name, value) in facts {
                let _ = writeln!(text, "| {name} | {value} |");
            }
        }
        if let Some(value) = item.value.as_ref().filter(|_| item.row.is_none()) {
            let _ = write!(text, "\nvalue: `{}`\n", facts::value(value));
        }
    }

    /// The first line of a definition as written.
    fn head(&self, symbol: &Symbol) -> String {
        let whole = self.slice(symbol.span);
        let from = symbol.at.start.saturating_sub(symbol.span.start) as usize;
        let start = whole.get(..from).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
        let line = whole.get(start..).and_then(|t| t.lines().next()).unwrap_or("").trim();
        let line = line.trim_end_matches('{').trim_end();
        match symbol.sort {
            Sort::Local | Sort::Index | Sort::Parameter => format!("{line} # {}", sort_words(symbol.sort)),
            _ => line.to_owned(),
        }
    }

    /// The value of a `let` or `param`.
    fn plain_value(&self, symbol: &Symbol) -> Option<Value> {
        if symbol.sort == Sort::Param {
            let file =
                self.loaded.units[symbol.unit].path.rsplit('/').next()?.trim_end_matches(".llmp").to_owned();
            let params = &self.program.params;
            let own = if symbol.unit == 0 { None } else { params.get(&format!("{file}.{}", symbol.name)) };
            return own.or_else(|| params.get(&symbol.name)).cloned();
        }
        let unit = &self.loaded.units[symbol.unit];
        let item =
            nodes::items(&unit.ast).into_iter().find(|i| i.name().is_some_and(|n| n.span == symbol.at))?;
        let ItemKind::Let(binding) = &item.kind else { return None };
        self.value_at(binding.value.span).cloned()
    }

    /// The value that the checker computed at a place.
    pub(crate) fn value_at(&self, at: Span) -> Option<&Value> {
        self.meanings(at).find_map(|m| if let Meaning::Value(value) = m { Some(value) } else { None })
    }

    /// The value of the argument whose name stands at a place.
    fn argument(&self, name: Span) -> Option<&Value> {
        let unit = self.unit(name.file)?;
        let around = nodes::around(&self.loaded.units[unit].ast, name.start);
        let value = around.iter().rev().find_map(|expr| match &expr.kind {
            ExprKind::Call { args, .. } => {
                args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.span == name)).map(|a| &a.value)
            }
            ExprKind::Record(block) | ExprKind::With { block, .. } => {
                block.members.iter().find(|m| m.target_span == name).map(|m| &m.value)
            }
            _ => None,
        })?;
        self.value_at(value.span)
    }

    /// A member: its value, where it comes from, what variants make of it.
    fn member(&self, registry: &Registry, item: usize, path: &[String], text: &mut String) {
        let index = self.word_index(registry);
        let symbol = &index.symbols[item];
        let Some(found) = self.items(symbol).last() else { return };
        let value = path.split_first().and_then(|(first, rest)| {
            let start = found.members.get(first)?;
            rest.iter().try_fold(start, |value, name| match value {
                Value::Call(call) => call.args.get(name),
                Value::Record(record) => record.get(name),
                _ => None,
            })
        });
        if let Some(value) = value {
            let _ = write!(text, "\n\nvalue: `{}`", facts::value(value));
        }
        match found.layers.get(path) {
            None => text.push_str("\n\nfrom: its default"),
            Some(layers) => {
                for layer in layers {
                    let written = short(self.slice(layer.at));
                    let _ = match &layer.origin {
                        Origin::Like(base) => write!(text, "\n\nfrom: `like {base}` (`{written}`)"),
                        Origin::Written => write!(text, "\n\nfrom: written here"),
                        Origin::Variant(name) => write!(text, "\n\nfrom: variant `{name}`"),
                    };
                }
                if let Some(layer) = layers.last() {
                    self.settable(index, layer.at, text);
                }
            }
        }
        for (variant, written) in self.variants_of(registry, item, path) {
            let _ = write!(text, "\n\nvariant `{variant}`: `{}`", short(written));
        }
    }

    /// Params that a value is made from: what `--set` of a command changes.
    fn settable(&self, index: &Index, value: Span, text: &mut String) {
        for mark in index.of_file(value.file).iter().filter(|mark| value.contains(mark.span)) {
            if let What::Symbol { id, .. } = mark.what
                && index.symbols[index.behind(id)].sort == Sort::Param
            {
                let _ = write!(text, "\n\nchanged by: `--set {}=…`", self.slice(mark.span));
            }
        }
    }

    /// What variants set a member to.
    fn variants_of(&self, registry: &Registry, item: usize, path: &[String]) -> Vec<(String, &str)> {
        let index = self.word_index(registry);
        let mut found = Vec::new();
        for mark in &index.marks {
            let What::Member { item: Some(of), path: other, .. } = &mark.what else { continue };
            if *of != item || other != path {
                continue;
            }
            let items = self.loaded.units.iter().flat_map(|unit| &unit.ast.items);
            for one in items.filter(|i| i.span.contains(mark.span)) {
                let ItemKind::Variant(variant) = &one.kind else { continue };
                let member = variant.block.members.iter().find(|m| m.target_span.contains(mark.span));
                if let Some(member) = member.filter(|m| m.target_span.end == mark.span.end) {
                    found.push((variant.name.text.clone(), self.slice(member.value.span)));
                }
            }
        }
        found
    }

    fn column(&self, registry: &Registry, name: &str, at: Span) -> Option<String> {
        let row = self.row_before(at)?;
        let ty = row.columns.get(name).or_else(|| row.off.get(name)).map(|c| facts::column_type(*c));
        let mut text = format!("```llmp\n.{name}: {}\n```\n", ty.unwrap_or("not known"));
        let added = registry.all_steps().find(|s| s.flow.is_some_and(|f| f.adds.iter().any(|a| a.0 == name)));
        if let Some(step) = added {
            let _ = write!(text, "\nadded by `{}`: {}\n", step.name, step.summary());
        }
        let _ = write!(text, "\nthe row: {}\n", facts::columns(row));
        Some(text)
    }

    /// The row that the step around a place is given.
    pub(crate) fn row_before(&self, at: Span) -> Option<&Row> {
        let rows = self.program.meanings.iter().filter_map(|(span, meaning)| match meaning {
            Meaning::Data(row) if span.file == at.file && span.start <= at.start => Some((span.start, row)),
            _ => None,
        });
        rows.max_by_key(|(start, _)| *start).map(|(_, row)| row)
    }

    /// `|>`: the rows before and behind it.
    fn pipe_hover(&self, file: FileId, offset: u32) -> Option<Hover> {
        let text = self.text(file);
        let from = (offset as usize).saturating_sub(1);
        let at = text
            .get(from..)
            .and_then(|t| t.find("|>"))
            .map(|n| from + n)
            .filter(|at| *at <= offset as usize)?;
        let span = Span::new(file, at, at + 2);
        let mut rows: Vec<(u32, &Row)> = Vec::new();
        for (place, meaning) in &self.program.meanings {
            if let Meaning::Data(row) = meaning
                && place.file == file
            {
                rows.push((place.start, row));
            }
        }
        rows.sort_by_key(|(start, _)| *start);
        let next = rows.iter().position(|(start, _)| *start >= span.end)?;
        let before = rows[next].1;
        let item = self.program.items.values().find(|item| item.span.contains(span));
        let after = rows.get(next + 1).filter(|(start, _)| item.is_none_or(|i| *start < i.span.end));
        let after = after.map(|(_, row)| *row).or_else(|| item.and_then(|i| i.row.as_ref()));
        let mut words = format!("before: `{}`\n\n{}", facts::state(before), facts::columns(before));
        if let Some(after) = after {
            let _ = write!(words, "\n\nbehind: `{}`\n\n{}", facts::state(after), facts::columns(after));
        }
        Some(Hover { text: words, at: span })
    }

    fn read(&self, registry: &Registry, name: &str, of: Option<usize>, at: Span) -> Option<String> {
        let index = self.word_index(registry);
        let symbol = of.map(|of| &index.symbols[index.behind(of)]);
        let item = symbol.and_then(|s| self.items(s).last());
        let mut text = format!("```llmp\n.{name}\n```\n");
        if let Some(item) = item {
            let field = item.kind.fields.iter().find(|f| f.name == name);
            if let Some(field) = field {
                let _ = write!(text, "\n{}\n", undent(field.doc));
                if let Some(value) = (field.read)(&item.view(&self.program)) {
                    let _ = write!(text, "\nvalue: `{}`\n", facts::value(&value));
                }
                return Some(text);
            }
            if let Some(param) = item.kind.signature.param(name) {
                text = parameter(param, item.kind.signature.name);
            }
            if let Some(value) = item.members.get(name) {
                let _ = write!(text, "\n\nvalue: `{}`\n", facts::value(value));
            }
            if item.row.as_ref().is_some_and(|row| row.parts.contains(&name)) {
                let _ = write!(text, "\nthe part `{name}` of `{}`\n", item.name);
            }
            return Some(text);
        }
        let unit = self.unit(at.file)?;
        let around = nodes::around(&self.loaded.units[unit].ast, at.start);
        let value = around.iter().rev().find_map(|e| self.value_at(e.span))?;
        let _ = write!(text, "\nvalue: `{}`\n", facts::value(value));
        Some(text)
    }

    /// Numbers and other values without a name.
    fn literal(&self, expr: &Expr) -> Option<String> {
        if !matches!(expr.kind, ExprKind::Number(_) | ExprKind::Binary { .. } | ExprKind::Unary { .. }) {
            return None;
        }
        let value = self.value_at(expr.span)?;
        Some(format!("`{}`", facts::value(value)))
    }
}

fn sort_words(sort: Sort) -> &'static str {
    match sort {
        Sort::Local => "the name of a comprehension",
        Sort::Index => "an index",
        Sort::Parameter => "a parameter of a chain",
        _ => "",
    }
}

fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    if line.len() < text.len() { format!("{line} …") } else { line.to_owned() }
}

/// A parameter of a built-in: type, default, documentation.
pub(crate) fn parameter(param: &Param, owner: &str) -> String {
    let default = param.default.map_or_else(|| "required".to_owned(), |d| format!("default `{d}`"));
    let of = if owner.is_empty() { String::new() } else { format!(" of `{owner}`") };
    format!("**{}**{of}: {}, {default}\n\n{}", param.name, param.ty.show(), undent(param.doc).trim())
}

/// A built-in in one line, with its summary.
pub(crate) fn summary(signature: &llmp_stdlib::Signature) -> String {
    format!("```llmp\n{}\n```\n\n{}", one_line(signature), undent(signature.doc))
}
