//! The call around a cursor: its parameters, and the one that is being written.

use llmp_grammar::FileId;
use llmp_grammar::ast::ItemKind;
use llmp_stdlib::docs::undent;
use llmp_stdlib::{Param, Registry};

use super::cursor::cursor;
use super::place::Slot;
use super::{Analysis, hover, nodes};

/// A call with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `word_count(min: a whole number, max: a whole number = 100_000)`.
    pub label: String,
    /// Markdown.
    pub doc: String,
    /// Parameters: the part of the label in bytes, and Markdown.
    pub params: Vec<(std::ops::Range<usize>, String)>,
    /// The one at the cursor.
    pub active: Option<usize>,
}

impl Analysis {
    /// The call around an offset.
    pub fn signature(&self, registry: &Registry, file: FileId, offset: u32) -> Option<Call> {
        let unit = self.unit(file)?;
        let mut cursor = cursor(self.text(file), offset as usize);
        // Inside of a list or record of an argument the call around it counts.
        while cursor.frames.len() > 1 {
            let frame = cursor.frames.last()?.clone();
            match self.place(registry, unit, &cursor).slot {
                Slot::Args(signature) => {
                    let params: Vec<&'static Param> = signature.params.iter().collect();
                    let position = |name: &str| params.iter().position(|p| p.name == name);
                    let positional = frame.commas.saturating_sub(frame.given.len().min(frame.commas));
                    let last = params.len().saturating_sub(1);
                    let many = params.last().is_some_and(|p| p.many);
                    let active = match frame.name.as_deref() {
                        Some(name) => position(name),
                        None if many => Some(positional.min(last)),
                        None => Some(positional).filter(|p| *p < params.len()),
                    };
                    let shown = params.iter().map(|p| (p.name.to_owned(), shown(p), hover::parameter(p, "")));
                    let doc = undent(signature.doc);
                    return Some(label(signature.name, shown.collect(), doc, active));
                }
                Slot::Chain(id) => {
                    let symbol = &self.word_index(registry).symbols[id];
                    let ast = &self.loaded.units[symbol.unit].ast;
                    let item = nodes::items(ast)
                        .into_iter()
                        .find(|i| i.name().is_some_and(|n| n.span == symbol.at))?;
                    let ItemKind::Decl(decl) = &item.kind else { return None };
                    let names: Vec<&str> = decl.params.iter().map(|p| p.name.text.as_str()).collect();
                    let active = match frame.name.as_deref() {
                        Some(name) => names.iter().position(|n| *n == name),
                        None => Some(frame.commas).filter(|p| *p < names.len()),
                    };
                    let shown = decl.params.iter().map(|p| {
                        let written = self.loaded.sources.slice(p.span).to_owned();
                        (p.name.text.clone(), written, String::new())
                    });
                    return Some(label(&symbol.name, shown.collect(), symbol.doc.clone(), active));
                }
                _ => drop(cursor.frames.pop()),
            }
        }
        None
    }
}

fn shown(param: &Param) -> String {
    let default = param.default.map_or_else(String::new, |d| format!(" = {d}"));
    format!("{}: {}{default}", param.name, param.ty.show())
}

fn label(name: &str, params: Vec<(String, String, String)>, doc: String, active: Option<usize>) -> Call {
    let mut text = format!("{name}(");
    let mut ranges = Vec::new();
    for (n, (_, shown, doc)) in params.into_iter().enumerate() {
        if n > 0 {
            text.push_str(", ");
        }
        let start = text.len();
        text.push_str(&shown);
        ranges.push((start..text.len(), doc));
    }
    text.push(')');
    Call { label: text, doc, params: ranges, active }
}
