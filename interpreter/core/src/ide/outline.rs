//! The items of a file as a tree, links in it, and the lineage of an item.

use llmp_grammar::ast::{Item as AstItem, ItemKind, RoundMember};
use llmp_grammar::{FileId, Span};
use llmp_stdlib::Registry;

use super::index::{Sort, Symbol, What};
use super::{Analysis, facts, nodes};

/// An item in the outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its kind and what is computed of it.
    pub detail: String,
    /// What it is.
    pub sort: Sort,
    /// Its kind.
    pub kind: String,
    /// Its name in the text.
    pub at: Span,
    /// All of it.
    pub span: Span,
    /// What stands inside.
    pub children: Vec<Entry>,
}

/// A part of the text that leads to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Between the quotes.
    pub at: Span,
    /// The path of a file of the program or of the library.
    pub path: String,
}

/// One step of a lineage: an item, and where it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The item's name in the text.
    pub at: Span,
    /// All of it.
    pub span: Span,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub detail: String,
    /// Where one names the other.
    pub places: Vec<Span>,
}

impl Analysis {
    /// Items of a file.
    pub fn outline(&self, file: FileId) -> Vec<Entry> {
        let Some(unit) = self.unit(file) else { return Vec::new() };
        self.loaded.units[unit].ast.items.iter().filter_map(|item| self.entry(item)).collect()
    }

    fn entry(&self, item: &AstItem) -> Option<Entry> {
        let name = item.name()?;
        let (sort, kind) = match &item.kind {
            ItemKind::Param(_) => (Sort::Param, "param"),
            ItemKind::Let(_) => (Sort::Let, "let"),
            ItemKind::Variant(_) => (Sort::Variant, "variant"),
            ItemKind::Rounds(_) => (Sort::Rounds, "rounds"),
            ItemKind::Decl(decl) => {
                (if decl.index.is_some() { Sort::Family } else { Sort::Item }, decl.kind.text.as_str())
            }
            ItemKind::Use(_) | ItemKind::Check(_) => return None,
        };
        let mut made = self.program.items.values().filter(|known| known.at == name.span);
        let first = made.next();
        let more = made.count();
        let short = first.and_then(|known| facts::short(&self.program, known));
        let detail = match (short, more) {
            (Some(short), 0) => format!("{kind} · {short}"),
            (_, more) if more > 0 => format!("{kind} · {} of them", more + 1),
            _ => kind.to_owned(),
        };
        let children = match &item.kind {
            ItemKind::Rounds(rounds) => {
                let inner = |m: &RoundMember| match m {
                    RoundMember::Item(item) => self.entry(item),
                    RoundMember::Carry(b) => Some(Entry {
                        name: b.name.text.clone(),
                        detail: "carry".into(),
                        sort: Sort::Carry,
                        kind: "carry".into(),
                        at: b.name.span,
                        span: b.span,
                        children: Vec::new(),
                    }),
                    RoundMember::Next(_) => None,
                };
                rounds.members.iter().filter_map(inner).collect()
            }
            _ => Vec::new(),
        };
        let (kind, name, at, span) = (kind.to_owned(), name.text.clone(), name.span, item.span);
        Some(Entry { name, detail, sort, kind, at, span, children })
    }

    /// Texts that name files of the project: imports and `file("…")`.
    pub fn links(&self, registry: &Registry, file: FileId) -> Vec<Link> {
        let mut found = Vec::new();
        for mark in self.word_index(registry).of_file(file) {
            if let What::Import(Some(unit)) = mark.what {
                let unit = &self.loaded.units[unit];
                let shown = unit.offers.first().map_or(unit, |first| &self.loaded.units[*first]);
                found.push(Link { at: mark.span, path: shown.path.clone() });
            }
        }
        let Some(unit) = self.unit(file) else { return found };
        let unit = &self.loaded.units[unit];
        for expr in unit.ast.items.iter().flat_map(nodes::all) {
            if let Some(parts) = crate::check::parts(expr)
                && parts.callee.as_name() == Some("file")
                && let [one] = parts.given.as_slice()
                && let Some(path) = one.value.as_text()
            {
                let path = crate::load::join(crate::load::folder(&unit.path), path);
                if self.loaded.texts.contains_key(&path) {
                    let at = one.value.span;
                    let inside = Span { start: at.start + 1, end: at.end.saturating_sub(1), ..at };
                    found.push(Link { at: inside, path });
                }
            }
        }
        found
    }

    /// The item at an offset, for its lineage.
    pub fn lineage_of(&self, registry: &Registry, file: FileId, offset: u32) -> Option<Related> {
        let index = self.word_index(registry);
        let id = index.behind(self.symbol_at(registry, file, offset)?);
        let symbol = &index.symbols[id];
        symbol.kind.is_some().then(|| related(symbol, Vec::new()))
    }

    /// What the item whose name stands at a place is made of (`true`), or what is made of it (`false`).
    pub fn lineage(&self, registry: &Registry, at: Span, sources: bool) -> Vec<Related> {
        let index = self.word_index(registry);
        let mut found: Vec<(usize, Vec<Span>)> = Vec::new();
        let owner = |span: Span| {
            let inner = |s: &&(usize, &Symbol)| s.1.span.contains(span) && s.1.kind.is_some();
            let symbols: Vec<(usize, &Symbol)> = index.symbols.iter().enumerate().collect();
            symbols.iter().filter(inner).min_by_key(|s| s.1.span.len()).map(|s| s.0)
        };
        let Some(own) = index.declared(at) else { return Vec::new() };
        for mark in &index.marks {
            let What::Symbol { id, declares: false } = mark.what else { continue };
            let id = index.behind(id);
            let other = if sources {
                let mine = index.symbols[own].span.contains(mark.span);
                Some(id).filter(|id| mine && *id != own && index.symbols[*id].kind.is_some())
            } else if id == own {
                owner(mark.span).filter(|o| *o != own)
            } else {
                None
            };
            let Some(other) = other else { continue };
            match found.iter_mut().find(|(known, _)| *known == other) {
                Some((_, places)) => places.push(mark.span),
                None => found.push((other, vec![mark.span])),
            }
        }
        found.into_iter().map(|(id, places)| related(&index.symbols[id], places)).collect()
    }
}

fn related(symbol: &Symbol, places: Vec<Span>) -> Related {
    let detail = symbol.kind.map_or("", |k| k.signature.name).to_owned();
    Related { at: symbol.at, span: symbol.span, name: symbol.name.clone(), detail, places }
}
