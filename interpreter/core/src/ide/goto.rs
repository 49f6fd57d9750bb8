//! Where a word leads: definitions, uses, the step that adds a column.

use llmp_grammar::ast::{BinaryOp, Body, Expr, ExprKind, ItemKind};
use llmp_grammar::{FileId, Span};
use llmp_stdlib::{ItemRef, Record, Registry, Signature, Value};

use super::index::{Sort, What};
use super::types::parameter;
use super::{Analysis, nodes};

/// Where a word leads.
#[derive(Clone)]
pub enum Target {
    /// A place: the name and all of it.
    Place(Span, Span),
    /// A built-in, and the parameter of it.
    BuiltIn(&'static Signature, Option<&'static str>),
    /// A file.
    File(FileId),
}

impl Analysis {
    /// Where the word at an offset is defined.
    pub fn definition(&self, registry: &Registry, file: FileId, offset: u32) -> Vec<Target> {
        let index = self.word_index(registry);
        let Some(mark) = index.at(file, offset) else { return Vec::new() };
        match &mark.what {
            What::Symbol { id, .. } => {
                let behind = index.behind(*id);
                let symbol = &index.symbols[behind];
                match (symbol.sort, symbol.target) {
                    (Sort::Space, Some(unit)) => vec![Target::File(self.loaded.units[unit].file)],
                    _ => vec![Target::Place(symbol.at, symbol.span)],
                }
            }
            What::Kind(kind) => vec![Target::BuiltIn(kind.signature, None)],
            What::Member { owner, param, .. } => vec![Target::BuiltIn(owner, Some(param.name))],
            What::Argument(Some(owner), param) => vec![Target::BuiltIn(owner, Some(param.name))],
            What::BuiltIn(signature) => vec![Target::BuiltIn(signature, None)],
            What::Column(name) => self.column_source(registry, file, offset, name).into_iter().collect(),
            What::Read { name, of: Some(of) } => {
                let symbol = &index.symbols[index.behind(*of)];
                let path = [name.clone()];
                let place = self.items(symbol).find_map(|item| item.places.get(&path[..]));
                let at = place.map_or(symbol.at, |place| place.value);
                vec![Target::Place(at, at)]
            }
            What::Import(Some(unit)) => {
                let unit = &self.loaded.units[*unit];
                let files = unit.offers.iter().map(|u| Target::File(self.loaded.units[*u].file));
                if unit.offers.is_empty() { vec![Target::File(unit.file)] } else { files.collect() }
            }
            What::Argument(None, _)
            | What::Function(_)
            | What::Choice(..)
            | What::Read { of: None, .. }
            | What::Import(None) => Vec::new(),
        }
    }

    /// What declares the kind of the definition at an offset.
    pub fn type_definition(&self, registry: &Registry, file: FileId, offset: u32) -> Option<Target> {
        let index = self.word_index(registry);
        let What::Symbol { id, .. } = &index.at(file, offset)?.what else { return None };
        let kind = index.symbols[index.behind(*id)].kind?;
        Some(Target::BuiltIn(kind.signature, None))
    }

    /// The definition at an offset: its number. Aliases are definitions of their own.
    pub fn symbol_at(&self, registry: &Registry, file: FileId, offset: u32) -> Option<usize> {
        match self.word_index(registry).at(file, offset)?.what {
            What::Symbol { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The step or source that gives a column to the row at an offset.
    pub(super) fn column_source(
        &self,
        registry: &Registry,
        file: FileId,
        offset: u32,
        name: &str,
    ) -> Option<Target> {
        let unit = self.unit(file)?;
        let around = nodes::around(&self.loaded.units[unit].ast, offset);
        let is_pipe = |e: &&&Expr| match &e.kind {
            ExprKind::Binary { op: BinaryOp::Pipe, left, .. } => !left.span.touches(offset),
            _ => false,
        };
        let pipe = around.iter().rev().find(is_pipe)?;
        let ExprKind::Binary { left, .. } = &pipe.kind else { return None };
        self.gives(registry, left, name, 0)
    }

    /// What gives a column to the data of a value.
    fn gives(&self, registry: &Registry, data: &Expr, column: &str, depth: usize) -> Option<Target> {
        let (head, steps) = crate::check::flatten(data);
        for step in steps.into_iter().rev() {
            let Some(parts) = crate::check::parts(step) else { continue };
            let Some(signature) = parts.callee.as_name().and_then(|name| registry.step(name)) else {
                continue;
            };
            let Some(flow) = signature.flow else { continue };
            let mut args = Record::new();
            for (position, given) in parts.given.iter().enumerate() {
                let name = given.name.map(|n| n.text.as_str());
                if let Some(param) = parameter(signature, name, position) {
                    args.insert(param.name.to_owned(), simple(given.value));
                }
            }
            if flow.added(&args).iter().any(|(added, _)| added == column) {
                return Some(Target::Place(parts.callee.span, step.span));
            }
        }
        if let ExprKind::Name(_) | ExprKind::Field { .. } | ExprKind::Index { .. } = &head.kind {
            return self.head_gives(registry, head, column, depth);
        }
        let parts = crate::check::parts(head)?;
        let declared = parts.given.iter().find(|g| g.name.is_some_and(|n| n.text == "columns"));
        if let Some(ExprKind::Record(block)) = declared.map(|given| &given.value.kind) {
            let member = block.members.iter().find(|m| m.name().is_some_and(|n| n.text == column));
            if let Some(member) = member {
                return Some(Target::Place(member.target_span, member.span));
            }
        }
        Some(Target::Place(parts.callee.span, head.span))
    }

    fn head_gives(&self, registry: &Registry, head: &Expr, column: &str, depth: usize) -> Option<Target> {
        let index = self.word_index(registry);
        let base = |e: &Expr| e.span.start;
        let What::Symbol { id, .. } = &index.at(head.span.file, base(head))?.what else { return None };
        let symbol = &index.symbols[index.behind(*id)];
        let unit = &self.loaded.units[symbol.unit];
        let item =
            nodes::items(&unit.ast).into_iter().find(|i| i.name().is_some_and(|n| n.span == symbol.at))?;
        match &item.kind {
            ItemKind::Decl(decl) => match &decl.body {
                Body::Value(value) if depth < 32 => self.gives(registry, value, column, depth + 1),
                _ => Some(Target::Place(symbol.at, symbol.span)),
            },
            _ => Some(Target::Place(symbol.at, symbol.span)),
        }
    }
}

/// What an argument says by itself.
fn simple(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Name(name) => Value::Item(ItemRef { item: name.clone(), part: None }),
        ExprKind::Text(text) => Value::Text(text.as_plain().unwrap_or("").to_owned()),
        ExprKind::List(items) => Value::List(items.iter().map(simple).collect()),
        ExprKind::Bool(value) => Value::Bool(*value),
        _ => Value::None,
    }
}
