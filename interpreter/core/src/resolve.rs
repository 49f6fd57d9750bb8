//! Names: one flat table for each file, and the definitions behind it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use llmp_grammar::ast::{self, Decl, ItemKind, UseNames};
use llmp_grammar::{Diag, Span, nearest};
use llmp_stdlib::{Kind, Registry};

use crate::codes::{DuplicateItem, NotAvailable, NotOffered, UnknownKind};
use crate::load::Loaded;

/// What a name of a file stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Def {
    /// An item, by unique name.
    Item(String),
    /// A `let`, by unique name.
    Let(String),
    /// A `param`, by unique name.
    Param(String),
    /// A `variant`.
    Variant,
    /// `use x from …`: the names of that unit.
    Space(usize),
    /// Something that was reported already.
    Broken,
}

/// A declared item.
pub(crate) struct DeclRef<'a> {
    pub(crate) unit: usize,
    pub(crate) item: &'a ast::Item,
    pub(crate) decl: &'a Decl,
    pub(crate) kind: &'static Kind,
}

/// All names and definitions of a program.
#[derive(Default)]
pub(crate) struct Names<'a> {
    pub(crate) scopes: Vec<BTreeMap<String, (Def, Span)>>,
    pub(crate) decls: IndexMap<String, DeclRef<'a>>,
    pub(crate) lets: IndexMap<String, (usize, &'a ast::Let)>,
    pub(crate) params: IndexMap<String, (usize, &'a ast::Param)>,
    pub(crate) checks: Vec<(usize, &'a ast::Item, &'a ast::Check)>,
    pub(crate) variants: IndexMap<String, (usize, &'a ast::Variant)>,
    /// Imported names of the main file: name, place.
    pub(crate) imports: Vec<(String, Span)>,
}

impl Names<'_> {
    /// What a name stands for in a file.
    pub(crate) fn get(&self, unit: usize, name: &str) -> Option<&(Def, Span)> {
        self.scopes.get(unit)?.get(name)
    }

    /// Names that a file knows.
    pub(crate) fn known(&self, unit: usize) -> impl Iterator<Item = &str> {
        self.scopes.get(unit).into_iter().flat_map(|scope| scope.keys().map(String::as_str))
    }
}

/// Builds the tables.
pub(crate) fn resolve<'a>(loaded: &'a Loaded, registry: &Registry, diags: &mut Vec<Diag>) -> Names<'a> {
    let mut names = Names::default();
    for (unit, file) in loaded.units.iter().enumerate() {
        names.scopes.push(BTreeMap::new());
        for item in &file.ast.items {
            define(&mut names, loaded, registry, unit, item, diags);
        }
    }
    for (unit, file) in loaded.units.iter().enumerate() {
        for other in &file.offers {
            let offered = names.scopes[*other].clone();
            names.scopes[unit].extend(offered);
        }
    }
    for (unit, file) in loaded.units.iter().enumerate() {
        for item in &file.ast.items {
            if let ItemKind::Use(import) = &item.kind {
                let from = file.imports.get(&import.from.text).copied();
                use_names(&mut names, unit, import, from, diags);
            }
        }
    }
    names
}

fn define<'a>(
    names: &mut Names<'a>,
    loaded: &Loaded,
    registry: &Registry,
    unit: usize,
    item: &'a ast::Item,
    diags: &mut Vec<Diag>,
) {
    attributes(item, diags);
    if let ItemKind::Check(check) = &item.kind {
        names.checks.push((unit, item, check));
    }
    let Some(name) = item.name() else { return };
    if let Some((_, first)) = names.get(unit, &name.text) {
        diags.push(DuplicateItem { name: name.text.clone(), at: name.span, first: *first }.into());
        return;
    }
    let unique = unique(names, &loaded.units[unit].path, &name.text);
    let def = match &item.kind {
        ItemKind::Param(param) => {
            names.params.insert(unique.clone(), (unit, param));
            Def::Param(unique)
        }
        ItemKind::Let(binding) => {
            names.lets.insert(unique.clone(), (unit, binding));
            Def::Let(unique)
        }
        ItemKind::Variant(variant) => {
            names.variants.insert(name.text.clone(), (unit, variant));
            Def::Variant
        }
        ItemKind::Rounds(_) => {
            diags.push(NotAvailable { what: "`rounds`".into(), at: name.span }.into());
            Def::Broken
        }
        ItemKind::Decl(decl) => declare(names, registry, unit, item, decl, unique, diags),
        ItemKind::Use(_) | ItemKind::Check(_) => return,
    };
    names.scopes[unit].insert(name.text.clone(), (def, name.span));
}

/// Attributes that mean something: `@allow(CODE)`, and `@only(variant)` on a check.
fn attributes(item: &ast::Item, diags: &mut Vec<Diag>) {
    let members = match &item.kind {
        ItemKind::Decl(Decl { body: ast::Body::Block(block), .. }) => block.members.as_slice(),
        ItemKind::Variant(variant) => variant.block.members.as_slice(),
        _ => &[],
    };
    let on_check = matches!(item.kind, ItemKind::Check(_));
    for attr in item.attrs.iter().chain(members.iter().flat_map(|m| &m.attrs)) {
        let known = attr.name.text == "allow" || (attr.name.text == "only" && on_check);
        if !known {
            diags.push(NotAvailable { what: format!("`@{}` here", attr.name.text), at: attr.span }.into());
        }
    }
}

fn declare<'a>(
    names: &mut Names<'a>,
    registry: &Registry,
    unit: usize,
    item: &'a ast::Item,
    decl: &'a Decl,
    unique: String,
    diags: &mut Vec<Diag>,
) -> Def {
    let Some(kind) = registry.kind(&decl.kind.text) else {
        let reserved = ["use", "let", "param", "check", "variant", "rounds"];
        let near = nearest(&decl.kind.text, registry.all_kinds().map(|k| k.signature.name).chain(reserved));
        let diag = Diag::from(UnknownKind { name: decl.kind.text.clone(), at: decl.kind.span });
        diags.push(suggest(diag, near, decl.kind.span));
        return Def::Broken;
    };
    if let Some(index) = &decl.index {
        diags.push(
            NotAvailable { what: "a family of items (`name[x in list]`)".into(), at: index.span }.into(),
        );
        return Def::Broken;
    }
    if let Some(ty) = &decl.ty {
        diags.push(NotAvailable { what: "a written type of an item".into(), at: ty.span }.into());
    }
    names.decls.insert(unique.clone(), DeclRef { unit, item, decl, kind });
    Def::Item(unique)
}

fn use_names(
    names: &mut Names<'_>,
    unit: usize,
    import: &ast::Use,
    from: Option<usize>,
    diags: &mut Vec<Diag>,
) {
    let pairs: Vec<(String, Span, Def)> = match &import.names {
        UseNames::Namespace(name) => {
            vec![(name.text.clone(), name.span, from.map_or(Def::Broken, Def::Space))]
        }
        UseNames::Names(list) => list
            .iter()
            .map(|one| {
                let def = from.map_or(Def::Broken, |from| match names.get(from, &one.name.text) {
                    Some((def, _)) => def.clone(),
                    None => {
                        let facts = NotOffered {
                            name: one.name.text.clone(),
                            path: import.from.text.clone(),
                            at: one.name.span,
                        };
                        diags.push(suggest(
                            facts.into(),
                            nearest(&one.name.text, names.known(from)),
                            one.name.span,
                        ));
                        Def::Broken
                    }
                });
                (one.local().text.clone(), one.local().span, def)
            })
            .collect(),
    };
    for (name, at, def) in pairs {
        if let Some((_, first)) = names.get(unit, &name) {
            diags.push(DuplicateItem { name, at, first: *first }.into());
            continue;
        }
        if unit == 0 && def != Def::Broken {
            names.imports.push((name.clone(), at));
        }
        names.scopes[unit].insert(name, (def, at));
    }
}

/// The name itself where nothing else has it, else with the name of its file before it.
fn unique(names: &Names<'_>, path: &str, name: &str) -> String {
    let taken =
        |n: &str| names.decls.contains_key(n) || names.lets.contains_key(n) || names.params.contains_key(n);
    if !taken(name) {
        return name.to_owned();
    }
    let file = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".llmp");
    let base = format!("{file}.{name}");
    let numbered = (2..).map(|n| format!("{base}.{n}"));
    std::iter::once(base.clone()).chain(numbered).find(|n| !taken(n)).unwrap_or(base)
}

/// Adds "did you mean" with its fix.
pub(crate) fn suggest(diag: Diag, near: Option<&str>, at: Span) -> Diag {
    match near {
        Some(near) => diag.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), at, near),
        None => diag,
    }
}
