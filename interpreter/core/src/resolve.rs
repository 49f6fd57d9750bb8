//! Names: one flat table for each file and each instance of a template, and the definitions behind it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use llmp_grammar::ast::{self, Decl, Expr, ItemKind, RoundMember, UseNames};
use llmp_grammar::{Diag, Span, nearest};
use llmp_stdlib::{Kind, Registry, Value};

use crate::codes::{CarryWithoutNext, DuplicateItem, NotAvailable, NotOffered, UnknownKind, UnknownName};
use crate::load::Loaded;

/// What a name of a file stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Def {
    /// An item, by unique name.
    Item(String),
    /// A `let`, by unique name; or what `carry` carries.
    Let(String),
    /// A `param`, by unique name.
    Param(String),
    /// A family or `rounds`, by unique name.
    Template(String),
    /// The index of a family or of rounds: its value in this instance.
    Bound(Value),
    /// A `variant`.
    Variant,
    /// `use x from …`: the names of that unit.
    Space(usize),
    /// Something that was reported already.
    Broken,
}

/// Names that are known together: those of a file, or of one instance of a template inside of it.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    pub(crate) names: BTreeMap<String, (Def, Span)>,
    /// The file.
    pub(crate) unit: usize,
    /// The scope around it.
    pub(crate) parent: Option<usize>,
    /// The template of which this is an instance.
    pub(crate) template: Option<String>,
}

/// A declared item.
#[derive(Clone, Copy)]
pub(crate) struct DeclRef<'a> {
    pub(crate) scope: usize,
    pub(crate) item: &'a ast::Item,
    pub(crate) decl: &'a Decl,
    pub(crate) kind: &'static Kind,
    /// Where it stands among the items of its file.
    pub(crate) order: u32,
}

impl DeclRef<'_> {
    /// Whether an attribute without arguments stands before it.
    pub(crate) fn has(&self, attribute: &str) -> bool {
        self.item.attrs.iter().any(|attr| attr.name.text == attribute)
    }
}

/// A named value and the scope whose names it uses.
#[derive(Clone, Copy)]
pub(crate) struct LetRef<'a> {
    pub(crate) scope: usize,
    pub(crate) ty: Option<&'a ast::TypeRef>,
    pub(crate) value: &'a Expr,
}

/// A declaration that is made once for each value of its index.
#[derive(Clone)]
pub(crate) struct Template<'a> {
    /// The scope in which it stands.
    pub(crate) scope: usize,
    pub(crate) item: &'a ast::Item,
    pub(crate) what: What<'a>,
    pub(crate) order: u32,
    /// One for each value of the index, once these are known.
    pub(crate) instances: Vec<Instance>,
    /// Where the instance of a key stands among them.
    pub(crate) keys: BTreeMap<String, usize>,
}

/// What a template repeats.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// One item.
    Family(&'a Decl, &'a ast::Index, &'static Kind),
    /// Several, with values carried from one to the next.
    Rounds(&'a ast::Rounds),
}

/// A template with its index bound.
#[derive(Clone)]
pub(crate) struct Instance {
    /// `wiki["de"]`, `post[3]`.
    pub(crate) name: String,
    /// The names that are known inside.
    pub(crate) scope: usize,
}

impl<'a> Template<'a> {
    /// The name of the index.
    pub(crate) fn index(&self) -> &'a ast::Ident {
        match self.what {
            What::Family(_, index, _) => &index.var,
            What::Rounds(rounds) => &rounds.var,
        }
    }

    /// How many definitions one instance has.
    pub(crate) fn size(&self) -> usize {
        match self.what {
            What::Family(..) => 1,
            What::Rounds(rounds) => rounds.members.len().max(1),
        }
    }

    /// What a variant sets to change the values of the index.
    pub(crate) fn setting(&self) -> &'a str {
        match self.what {
            What::Family(_, index, _) => &index.var.text,
            What::Rounds(_) => "count",
        }
    }

    /// The instance of a key.
    pub(crate) fn instance(&self, key: &Value) -> Option<&Instance> {
        self.instances.get(*self.keys.get(&key.to_string())?)
    }
}

/// All names and definitions of a program.
#[derive(Clone, Default)]
pub(crate) struct Names<'a> {
    /// The scope of each file, then those of instances.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) decls: IndexMap<String, DeclRef<'a>>,
    pub(crate) lets: IndexMap<String, LetRef<'a>>,
    pub(crate) params: IndexMap<String, (usize, &'a ast::Param)>,
    pub(crate) templates: IndexMap<String, Template<'a>>,
    pub(crate) checks: Vec<(usize, &'a ast::Item, &'a ast::Check)>,
    /// Variants of one name in several files are one.
    pub(crate) variants: IndexMap<String, Vec<(usize, &'a ast::Variant)>>,
    /// Imported names of the main file: name, place.
    pub(crate) imports: Vec<(String, Span)>,
}

impl Names<'_> {
    /// What a name stands for in a scope.
    pub(crate) fn get(&self, scope: usize, name: &str) -> Option<&(Def, Span)> {
        let scope = self.scopes.get(scope)?;
        scope.names.get(name).or_else(|| self.get(scope.parent?, name))
    }

    /// Names that a scope knows.
    pub(crate) fn known(&self, scope: usize) -> impl Iterator<Item = &str> {
        let around = |scope: &&Scope| scope.parent.and_then(|parent| self.scopes.get(parent));
        let scopes = std::iter::successors(self.scopes.get(scope), around);
        scopes.flat_map(|scope| scope.names.keys().map(String::as_str))
    }

    /// The file of a scope.
    pub(crate) fn unit(&self, scope: usize) -> Option<usize> {
        self.scopes.get(scope).map(|scope| scope.unit)
    }
}

/// Builds the tables.
pub(crate) fn resolve<'a>(loaded: &'a Loaded, registry: &Registry, diags: &mut Vec<Diag>) -> Names<'a> {
    let mut names = Names::default();
    for unit in 0..loaded.units.len() {
        names.scopes.push(Scope { unit, ..Scope::default() });
    }
    for (unit, file) in loaded.units.iter().enumerate() {
        for item in &file.ast.items {
            attributes(item, diags);
            let unique = |names: &Names<'_>, name: &str| unique(names, &loaded.units[unit].path, name);
            let order = item.name().map_or(0, |name| name.span.start);
            let mut definer = Definer { names: &mut names, registry, scope: unit, order, diags };
            definer.define(item, unique);
        }
    }
    for (unit, file) in loaded.units.iter().enumerate() {
        for other in &file.offers {
            let offered = names.scopes[*other].names.clone();
            names.scopes[unit].names.extend(offered);
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

/// Puts definitions into a scope.
pub(crate) struct Definer<'n, 'a> {
    pub(crate) names: &'n mut Names<'a>,
    pub(crate) registry: &'n Registry,
    pub(crate) scope: usize,
    pub(crate) order: u32,
    pub(crate) diags: &'n mut Vec<Diag>,
}

impl<'a> Definer<'_, 'a> {
    /// Gives a name its meaning, unless it has one.
    pub(crate) fn name(&mut self, name: &ast::Ident, def: Def) {
        let scope = &mut self.names.scopes[self.scope].names;
        if let Some((_, first)) = scope.get(&name.text) {
            self.diags.push(DuplicateItem { name: name.text.clone(), at: name.span, first: *first }.into());
            return;
        }
        scope.insert(name.text.clone(), (def, name.span));
    }

    /// Defines what an item defines.
    pub(crate) fn define(&mut self, item: &'a ast::Item, unique: impl FnOnce(&Names<'a>, &str) -> String) {
        if let ItemKind::Check(check) = &item.kind {
            self.names.checks.push((self.scope, item, check));
        }
        let Some(name) = item.name() else { return };
        if self.names.scopes[self.scope].names.contains_key(&name.text) {
            return self.name(name, Def::Broken);
        }
        let unique = unique(self.names, &name.text);
        let scope = self.scope;
        let def = match &item.kind {
            ItemKind::Param(param) => {
                self.names.params.insert(unique.clone(), (scope, param));
                Def::Param(unique)
            }
            ItemKind::Let(binding) => {
                let of = LetRef { scope, ty: binding.ty.as_ref(), value: &binding.value };
                self.names.lets.insert(unique.clone(), of);
                Def::Let(unique)
            }
            ItemKind::Variant(variant) => {
                self.names.variants.entry(name.text.clone()).or_default().push((scope, variant));
                Def::Variant
            }
            ItemKind::Rounds(rounds) => {
                carries(rounds, self.diags);
                self.template(item, What::Rounds(rounds), unique)
            }
            ItemKind::Decl(decl) => self.declare(item, decl, unique),
            ItemKind::Use(_) | ItemKind::Check(_) => return,
        };
        self.name(name, def);
    }

    fn template(&mut self, item: &'a ast::Item, what: What<'a>, unique: String) -> Def {
        let (scope, order) = (self.scope, self.order);
        let template = Template { scope, item, what, order, instances: Vec::new(), keys: BTreeMap::new() };
        self.names.templates.insert(unique.clone(), template);
        Def::Template(unique)
    }

    fn declare(&mut self, item: &'a ast::Item, decl: &'a Decl, unique: String) -> Def {
        let Some(kind) = self.registry.kind(&decl.kind.text) else {
            let reserved = ["use", "let", "param", "check", "variant", "rounds"];
            let kinds = self.registry.all_kinds().map(|k| k.signature.name);
            let near = nearest(&decl.kind.text, kinds.chain(reserved));
            let diag = Diag::from(UnknownKind { name: decl.kind.text.clone(), at: decl.kind.span });
            self.diags.push(suggest(diag, near, decl.kind.span));
            return Def::Broken;
        };
        if let Some(index) = &decl.index {
            return self.template(item, What::Family(decl, index, kind), unique);
        }
        let one = DeclRef { scope: self.scope, item, decl, kind, order: self.order };
        self.names.decls.insert(unique.clone(), one);
        Def::Item(unique)
    }
}

/// Each `carry` has one `next`, and each `next` its `carry`.
fn carries(rounds: &ast::Rounds, diags: &mut Vec<Diag>) {
    let of = |next: bool| {
        rounds.members.iter().filter_map(move |member| match member {
            RoundMember::Carry(binding) if !next => Some(binding),
            RoundMember::Next(binding) if next => Some(binding),
            _ => None,
        })
    };
    for carry in of(false) {
        let nexts: Vec<&ast::Binding> = of(true).filter(|n| n.name.text == carry.name.text).collect();
        let name = carry.name.text.clone();
        match nexts.as_slice() {
            [] if !rounds.broken => {
                let what = "is carried, and no `next` says what follows".to_owned();
                diags.push(CarryWithoutNext { name, what, at: carry.name.span, other: None }.into());
            }
            [first, second, ..] => {
                let what = "has two values for the next round".to_owned();
                let other = Some(first.name.span);
                diags.push(CarryWithoutNext { name, what, at: second.name.span, other }.into());
            }
            _ => {}
        }
    }
    for next in of(true) {
        if !rounds.broken && !of(false).any(|carry| carry.name.text == next.name.text) {
            let diag = UnknownName { what: "carry".into(), name: next.name.text.clone(), at: next.name.span };
            let near = nearest(&next.name.text, of(false).map(|carry| carry.name.text.as_str()));
            diags.push(suggest(diag.into(), near, next.name.span));
        }
    }
}

/// Attributes that mean something: `@allow(CODE)` anywhere, `@only(variant)` on a check, `@keep` and `@preset` on an item.
fn attributes(item: &ast::Item, diags: &mut Vec<Diag>) {
    let members = match &item.kind {
        ItemKind::Decl(Decl { body: ast::Body::Block(block), .. }) => block.members.as_slice(),
        ItemKind::Variant(variant) => variant.block.members.as_slice(),
        ItemKind::Rounds(rounds) => {
            for member in &rounds.members {
                if let RoundMember::Item(inner) = member {
                    attributes(inner, diags);
                    if let ItemKind::Use(_) | ItemKind::Variant(_) | ItemKind::Param(_) = &inner.kind {
                        let what = "`use`, `param` and `variant` inside `rounds`".to_owned();
                        diags.push(NotAvailable { what, at: inner.span }.into());
                    }
                }
            }
            &[]
        }
        _ => &[],
    };
    let on_item = |name: &str| match &item.kind {
        ItemKind::Check(_) => name == "only",
        ItemKind::Decl(_) => matches!(name, "keep" | "preset"),
        _ => false,
    };
    let own = item.attrs.iter().filter(|attr| !on_item(&attr.name.text));
    for attr in own.chain(members.iter().flat_map(|m| &m.attrs)).filter(|attr| attr.name.text != "allow") {
        diags.push(NotAvailable { what: format!("`@{}` here", attr.name.text), at: attr.span }.into());
    }
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
        names.scopes[unit].names.insert(name, (def, at));
    }
}

/// The name itself where nothing else has it, else with the name of its file before it.
fn unique(names: &Names<'_>, path: &str, name: &str) -> String {
    let taken = |n: &str| {
        let values = names.lets.contains_key(n) || names.params.contains_key(n);
        values || names.decls.contains_key(n) || names.templates.contains_key(n)
    };
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
