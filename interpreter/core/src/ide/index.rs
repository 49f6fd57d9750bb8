//! What every word of the text is: definitions and their uses, kinds, members, built-ins, columns. Found by walking the
//! trees, so that it is known in programs with mistakes too.

use std::collections::BTreeMap;

use llmp_grammar::Span;
use llmp_grammar::ast::{self, ItemKind, RoundMember, UseNames};
use llmp_stdlib::ty::Choices;
use llmp_stdlib::{Kind, Param, Registry, Signature};

use super::walk::Walker;
use crate::load::Loaded;

/// The sort of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// An item of a kind.
    Item,
    /// A family of items.
    Family,
    /// `rounds`.
    Rounds,
    /// `let`.
    Let,
    /// `param`.
    Param,
    /// `variant`.
    Variant,
    /// What `carry` carries.
    Carry,
    /// The index of a family or of rounds.
    Index,
    /// A parameter of a chain.
    Parameter,
    /// The name of a comprehension.
    Local,
    /// `use x from …`.
    Space,
    /// `use { a as x } from …`.
    Alias,
}

/// A definition.
#[derive(Clone)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// What it is.
    pub sort: Sort,
    /// Its kind, for items and families.
    pub kind: Option<&'static Kind>,
    /// Its name in the text.
    pub at: Span,
    /// All of it.
    pub span: Span,
    /// Its documentation.
    pub doc: String,
    /// The unit that defines it.
    pub unit: usize,
    /// For an alias, what it stands for.
    pub target: Option<usize>,
    /// The rounds around it.
    pub parent: Option<usize>,
}

/// What a word is.
#[derive(Clone)]
pub enum What {
    /// A definition or a use of it, by its number.
    Symbol {
        /// Its number among [`Index::symbols`].
        id: usize,
        /// Whether it is defined here.
        declares: bool,
    },
    /// A kind.
    Kind(&'static Kind),
    /// A member of an item: the item, where it is known, and the path.
    Member {
        /// The built-in that declares it.
        owner: &'static Signature,
        /// The member.
        param: &'static Param,
        /// The item.
        item: Option<usize>,
        /// The path from the item.
        path: Vec<String>,
    },
    /// A step, source or constructor.
    BuiltIn(&'static Signature),
    /// An argument of one, or a field of a record.
    Argument(Option<&'static Signature>, &'static Param),
    /// A function of columns.
    Function(&'static llmp_stdlib::registry::Function),
    /// A value of a closed set.
    Choice(&'static Choices, &'static str),
    /// A column.
    Column(String),
    /// Something that is read off a value: a member, a part, a field of a kind.
    Read {
        /// The name.
        name: String,
        /// What it is read off, if that is a definition.
        of: Option<usize>,
    },
    /// The path of an import: the unit, if it was found.
    Import(Option<usize>),
}

/// A word with its meaning.
#[derive(Clone)]
pub struct Mark {
    /// The word.
    pub span: Span,
    /// What it is.
    pub what: What,
}

/// All words of a program.
#[derive(Clone, Default)]
pub struct Index {
    /// Definitions.
    pub symbols: Vec<Symbol>,
    /// Words by place.
    pub marks: Vec<Mark>,
    /// Names of each unit.
    pub scopes: Vec<BTreeMap<String, usize>>,
    /// What rounds define.
    pub inner: BTreeMap<usize, BTreeMap<String, usize>>,
    /// Uses of parameters of chains that had not been walked: the word, the parameter's name.
    pub(crate) later: Vec<(Span, Span)>,
    /// Definitions by the place of their name.
    places: BTreeMap<Span, usize>,
}

impl Index {
    /// Walks all trees.
    pub fn new(loaded: &Loaded, registry: &Registry) -> Index {
        let mut index = Index::default();
        for (unit, file) in loaded.units.iter().enumerate() {
            index.scopes.push(BTreeMap::new());
            for item in &file.ast.items {
                if let Some(id) = index.declare(item, unit, None, registry) {
                    let name = index.symbols[id].name.clone();
                    index.scopes[unit].entry(name).or_insert(id);
                }
            }
        }
        for (unit, file) in loaded.units.iter().enumerate() {
            for other in &file.offers {
                let offered = index.scopes[*other].clone();
                index.scopes[unit].extend(offered);
            }
        }
        for (unit, file) in loaded.units.iter().enumerate() {
            for item in &file.ast.items {
                if let ItemKind::Use(import) = &item.kind {
                    index.import(import, unit, file.imports.get(&import.from.text).copied());
                }
            }
        }
        let mut walker = Walker::new(loaded, registry, &mut index);
        (0..loaded.units.len()).for_each(|unit| walker.unit(unit));
        for (span, at) in std::mem::take(&mut index.later) {
            if let Some(id) = index.declared(at) {
                index.mark(span, What::Symbol { id, declares: false });
            }
        }
        index.marks.sort_by_key(|mark| (mark.span.file, mark.span.start, mark.span.end));
        index
    }

    fn declare(
        &mut self,
        item: &ast::Item,
        unit: usize,
        parent: Option<usize>,
        registry: &Registry,
    ) -> Option<usize> {
        let name = item.name()?;
        let (sort, kind) = match &item.kind {
            ItemKind::Param(_) => (Sort::Param, None),
            ItemKind::Let(_) => (Sort::Let, None),
            ItemKind::Variant(_) => (Sort::Variant, None),
            ItemKind::Rounds(_) => (Sort::Rounds, None),
            ItemKind::Decl(decl) => {
                let sort = if decl.index.is_some() { Sort::Family } else { Sort::Item };
                (sort, registry.kind(&decl.kind.text))
            }
            ItemKind::Use(_) | ItemKind::Check(_) => return None,
        };
        let id = self.add(name, sort, item.span, unit, parent);
        self.symbols[id].kind = kind;
        self.symbols[id].doc.clone_from(&item.doc);
        match &item.kind {
            ItemKind::Decl(ast::Decl { index: Some(index), .. }) => {
                let var = self.add(&index.var, Sort::Index, index.span, unit, Some(id));
                self.inner.entry(id).or_default().insert(index.var.text.clone(), var);
            }
            ItemKind::Rounds(rounds) => {
                let mut inner = BTreeMap::new();
                let var = self.add(&rounds.var, Sort::Index, rounds.var.span, unit, Some(id));
                inner.insert(rounds.var.text.clone(), var);
                for member in &rounds.members {
                    let (name, found) = match member {
                        RoundMember::Carry(b) => {
                            (&b.name, Some(self.add(&b.name, Sort::Carry, b.span, unit, Some(id))))
                        }
                        RoundMember::Item(item) => {
                            let Some(name) = item.name() else { continue };
                            (name, self.declare(item, unit, Some(id), registry))
                        }
                        RoundMember::Next(_) => continue,
                    };
                    if let Some(found) = found {
                        inner.entry(name.text.clone()).or_insert(found);
                    }
                }
                self.inner.insert(id, inner);
            }
            _ => {}
        }
        Some(id)
    }

    /// A new definition.
    pub(crate) fn add(
        &mut self,
        name: &ast::Ident,
        sort: Sort,
        span: Span,
        unit: usize,
        parent: Option<usize>,
    ) -> usize {
        let id = self.symbols.len();
        self.symbols.push(Symbol {
            name: name.text.clone(),
            sort,
            kind: None,
            at: name.span,
            span,
            doc: String::new(),
            unit,
            target: None,
            parent,
        });
        self.places.entry(name.span).or_insert(id);
        self.mark(name.span, What::Symbol { id, declares: true });
        id
    }

    /// The definition whose name stands at a place.
    pub fn declared(&self, at: Span) -> Option<usize> {
        self.places.get(&at).copied()
    }

    /// Remembers what a word is.
    pub(crate) fn mark(&mut self, span: Span, what: What) {
        self.marks.push(Mark { span, what });
    }

    fn import(&mut self, import: &ast::Use, unit: usize, from: Option<usize>) {
        self.mark(import.from.span, What::Import(from));
        match &import.names {
            UseNames::Namespace(name) => {
                let id = self.add(name, Sort::Space, import.span, unit, None);
                // The unit that it names.
                self.symbols[id].target = from;
                self.scopes[unit].entry(name.text.clone()).or_insert(id);
            }
            UseNames::Names(names) => {
                for one in names {
                    let target = from.and_then(|from| self.scopes[from].get(&one.name.text).copied());
                    if let Some(id) = target {
                        self.mark(one.name.span, What::Symbol { id, declares: false });
                    }
                    let local = match (&one.alias, target) {
                        (Some(alias), _) => {
                            let id = self.add(alias, Sort::Alias, one.span, unit, None);
                            self.symbols[id].target = target;
                            self.symbols[id].kind = target.and_then(|t| self.symbols[t].kind);
                            id
                        }
                        (None, Some(id)) => id,
                        (None, None) => continue,
                    };
                    self.scopes[unit].entry(one.local().text.clone()).or_insert(local);
                }
            }
        }
    }

    /// The word at an offset; of two that touch it, the one that begins there.
    pub fn at(&self, file: llmp_grammar::FileId, offset: u32) -> Option<&Mark> {
        let end = self.marks.partition_point(|m| (m.span.file, m.span.start) <= (file, offset));
        let before = self.marks[..end].iter().rev().take_while(|m| m.span.file == file).take(16);
        before.filter(|m| m.span.touches(offset) && !m.span.is_empty()).max_by_key(|m| m.span.start)
    }

    /// Words of a file.
    pub fn of_file(&self, file: llmp_grammar::FileId) -> &[Mark] {
        let start = self.marks.partition_point(|m| m.span.file < file);
        let end = self.marks.partition_point(|m| m.span.file <= file);
        &self.marks[start..end]
    }

    /// What a definition stands for behind aliases.
    pub fn behind(&self, id: usize) -> usize {
        match self.symbols.get(id) {
            Some(Symbol { sort: Sort::Alias, target: Some(target), .. }) => *target,
            _ => id,
        }
    }

    /// Every word that defines or uses a symbol.
    pub fn occurrences(&self, id: usize) -> impl Iterator<Item = (Span, bool)> + '_ {
        self.marks.iter().filter_map(move |mark| match mark.what {
            What::Symbol { id: found, declares } if found == id => Some((mark.span, declares)),
            _ => None,
        })
    }
}
