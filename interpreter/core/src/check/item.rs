//! Items: their members and values, evaluated when they are needed.

use std::collections::BTreeSet;
use std::rc::Rc;

use llmp_grammar::ast::{self, Body, Decl};
use llmp_grammar::{Diag, Span};
use llmp_stdlib::{Form, Record, Ty, Value, Yields};

use super::layers::Layers;
use super::{Checker, Val};
use crate::codes::{Mismatch, MissingMember, NotAvailable, OutOfRange, ParamWithoutValue, UnknownName};
use crate::program::{Insert, Item, Origin, Place, Row};
use crate::resolve::{DeclRef, LetRef};

/// What the body of an item gave.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) members: Record,
    pub(crate) value: Option<Value>,
    pub(crate) row: Option<Row>,
    pub(crate) takes: Option<llmp_stdlib::State>,
    pub(crate) complete: bool,
}

impl<'a> Checker<'a> {
    /// Evaluates an item. False while it is being evaluated further out: then it needs itself.
    pub(crate) fn item(&mut self, name: &str) -> bool {
        if self.items.0.contains_key(name) {
            return true;
        }
        if self.expanding {
            self.dynamic = true;
            return false;
        }
        if self.busy.contains(name) {
            return false;
        }
        let Some(decl) = self.names.decls.get(name).copied() else { return false };
        if self.too_deep(decl.decl.name.span) {
            return false;
        }
        self.busy.insert(name.to_owned());
        let saved = std::mem::take(&mut self.ctx);
        let places = std::mem::take(&mut self.places);
        let consumed = std::mem::take(&mut self.consumed);
        let takes = self.takes.take();
        self.ctx.node = name.to_owned();
        self.ctx.scope = Some(decl.scope);
        self.index_used(decl.scope, decl.decl.name.span);
        let item = self.evaluate(name, &decl);
        self.written_type(&decl, item.row.as_ref().and_then(|row| row.state));
        self.items.0.insert(name.to_owned(), item);
        self.ctx = saved;
        self.places = places;
        self.consumed = consumed;
        self.takes = takes;
        self.busy.remove(name);
        true
    }

    /// What stands inside of a template needs what its index needs.
    pub(crate) fn index_used(&mut self, scope: usize, at: Span) {
        if let Some(template) = self.names.scopes.get(scope).and_then(|scope| scope.template.clone()) {
            self.mention(&template, at);
        }
    }

    fn evaluate(&mut self, name: &str, decl: &DeclRef<'a>) -> Item {
        let layers = self.layers(name, decl);
        let overrides = Rc::new(layers.values.clone());
        self.ctx.overrides = Rc::clone(&overrides);
        let valued = layers.values.contains_key(&Vec::new() as &Vec<String>);
        let mut outcome = match (decl.kind.form, valued) {
            (Form::Value(ty) | Form::Either(ty), true) => self.valued(decl, &layers, ty),
            (Form::Block | Form::Either(_), false) => self.block(name, decl, &layers),
            (Form::Open(ty), false) => self.open(decl, &layers, ty),
            (Form::Value(_), false) => self.wrong_form(decl, "= value"),
            (Form::Block | Form::Open(_), true) => self.wrong_form(decl, "{ member = value }"),
        };
        let right_form = match decl.kind.form {
            Form::Value(_) => valued,
            Form::Block => !valued,
            Form::Either(_) => true,
            Form::Open(_) => false,
        };
        if right_form && !self.left_over(name, decl, &layers) {
            outcome.complete = false;
        }
        let written: BTreeSet<String> =
            layers.values.keys().filter_map(|path| path.first().cloned()).collect();
        let places = Rc::unwrap_or_clone(std::mem::take(&mut self.places));
        Item {
            name: name.to_owned(),
            kind: decl.kind,
            doc: decl.item.doc.clone(),
            members: outcome.members,
            written,
            value: outcome.value,
            row: outcome.row,
            takes: outcome.takes,
            complete: outcome.complete && !layers.broken,
            at: decl.decl.name.span,
            span: decl.item.span,
            places,
            layers: layers.history,
            mentions: BTreeSet::new(),
            preset: decl.has("preset"),
            keep: decl.has("keep"),
        }
    }

    fn wrong_form(&mut self, decl: &DeclRef<'a>, form: &str) -> Outcome {
        let kind = decl.kind.signature.name;
        let at = decl.decl.name.span;
        let found = if form.starts_with('=') { "a block" } else { "a value" };
        self.report(Mismatch {
            expected: format!("`{kind} {} {form}`", decl.decl.name.text),
            found: found.into(),
            at,
        });
        Outcome::default()
    }

    /// `kind name = value`
    fn valued(&mut self, decl: &DeclRef<'a>, layers: &Layers<'a>, ty: Ty) -> Outcome {
        let root: Vec<String> = Vec::new();
        let Some(layer) = layers.values.get(&root) else { return Outcome::default() };
        Rc::make_mut(&mut self.consumed).insert(root);
        self.ctx.scope = Some(layer.unit);
        if decl.kind.yields == Yields::Chain {
            return self.chain_item(decl, layer.expr);
        }
        if !decl.decl.params.is_empty() {
            self.report(NotAvailable {
                what: "an item with parameters that is not a chain".into(),
                at: decl.decl.name.span,
            });
        }
        let (value, row) = match (decl.kind.yields, ty) {
            (Yields::Data, Ty::Data(_)) => {
                self.place(layer.expr.span, None);
                let (value, row) = self.data(layer.expr);
                (value.and_then(|value| self.coerce(value, &ty, layer.expr.span)), Some(row))
            }
            _ => (self.check(layer.expr, &ty), None),
        };
        match value {
            Val::Known(value) => {
                let row = if decl.kind.yields == Yields::Data { self.row_of(&value).or(row) } else { None };
                Outcome { value: Some(value), row, complete: true, ..Outcome::default() }
            }
            // What comes out is often clear even where something inside is wrong.
            _ => Outcome { row: row.filter(|r| r.state.is_some()), ..Outcome::default() },
        }
    }

    fn chain_item(&mut self, decl: &DeclRef<'a>, expr: &'a ast::Expr) -> Outcome {
        for param in &decl.decl.params {
            let value = match &param.default {
                Some(default) => self.typed(&param.ty, decl.scope, |c, ty| c.check(default, ty), param.span),
                None => Val::Unknown,
            };
            self.ctx.locals.push((param.name.text.clone(), value));
        }
        let (value, takes, row) = self.chain_row(expr);
        let complete = value != Val::Error;
        let value = if let Val::Known(value) = value { Some(value) } else { None };
        Outcome { value, row: Some(row), takes, complete, ..Outcome::default() }
    }

    /// `kind name { … }` with the members of the kind.
    fn block(&mut self, name: &str, decl: &DeclRef<'a>, layers: &Layers<'a>) -> Outcome {
        let signature = decl.kind.signature;
        let mut outcome = Outcome { complete: true, ..Outcome::default() };
        self.block_place(decl.decl);
        let meant =
            meant(decl.kind, layers.values.keys().filter_map(|path| path.first().map(String::as_str)));
        for param in signature.params {
            let path = vec![param.name.to_owned()];
            let value = match (layers.values.get(&path), param.default) {
                (Some(layer), _) => {
                    Rc::make_mut(&mut self.consumed).insert(path.clone());
                    self.member(&path, layer.unit, layer.expr, &param.ty, param.binary)
                }
                (None, Some(_)) => {
                    self.ctx.path = path;
                    let value = self.default(param);
                    self.ctx.path.clear();
                    value
                }
                (None, None) => {
                    if !layers.broken && !decl.has("preset") && !meant.contains(param.name) {
                        self.missing(name, decl, param);
                    }
                    Val::Error
                }
            };
            match value {
                Val::Known(value) => {
                    outcome.members.insert(param.name.to_owned(), value);
                }
                Val::Unknown => {}
                Val::Error => outcome.complete = false,
            }
        }
        outcome
    }

    /// One member in the file where it was written.
    pub(crate) fn member(
        &mut self,
        path: &[String],
        unit: usize,
        expr: &'a ast::Expr,
        ty: &Ty,
        binary: bool,
    ) -> Val {
        let path = path.to_vec();
        self.within(
            |ctx| {
                ctx.scope = Some(unit);
                ctx.path = path;
                ctx.binary = binary;
            },
            |c| c.check(expr, ty),
        )
    }

    /// Where a further member can be written.
    fn block_place(&mut self, decl: &Decl) {
        let Body::Block(block) = &decl.body else { return };
        let lines = self.loaded.sources.slice(block.span).contains('\n');
        let insert = match block.members.last() {
            Some(last) => (last.span.after(), if lines { Insert::Line } else { Insert::Comma }),
            None => {
                let inside = block.span.start.saturating_add(1);
                (
                    Span { start: inside, end: inside, ..block.span },
                    if lines { Insert::Line } else { Insert::First },
                )
            }
        };
        Rc::make_mut(&mut self.places)
            .insert(Vec::new(), Place { value: decl.name.span, insert: Some(insert) });
    }

    fn missing(&mut self, name: &str, decl: &DeclRef<'a>, param: &'static llmp_stdlib::Param) {
        let owner = format!("the {} `{name}`", decl.kind.signature.name);
        let at = decl.decl.name.span;
        let diag = Diag::from(MissingMember { owner, name: param.name.to_owned(), at });
        let diag = diag.help(format!("add `{} = …` ({})", param.name, param.ty.show()));
        let diag = match (self.only_item(&param.ty), self.places.get(&Vec::new() as &Vec<String>)) {
            (Some(item), Some(place)) => super::report::insert(diag, *place, param.name, &item),
            _ => diag,
        };
        self.report(diag);
    }

    /// The only item of the file that a member can mean.
    fn only_item(&self, ty: &Ty) -> Option<String> {
        let Ty::Item(yields) = ty else { return None };
        let unit = self.ctx.scope?;
        let fits = |name: &&str| match self.names.get(unit, name) {
            Some((crate::resolve::Def::Item(item), _)) => {
                self.names.decls.get(item).is_some_and(|d| yields.contains(&d.kind.yields))
            }
            _ => false,
        };
        let mut found = self.names.known(unit).filter(fits);
        let first = found.next()?.to_owned();
        found.next().is_none().then_some(first)
    }

    /// Members that nothing asked for. False if there were any.
    fn left_over(&mut self, name: &str, decl: &DeclRef<'a>, layers: &Layers<'a>) -> bool {
        let mut clean = true;
        let signature = decl.kind.signature;
        for (path, layer) in &layers.values {
            if self.consumed.contains(path) {
                continue;
            }
            let known_first = path.first().is_some_and(|first| signature.param(first).is_some());
            // A path into a value that is wrong itself says nothing new.
            if path.len() > 1 && known_first && self.places.is_empty() {
                continue;
            }
            clean = false;
            self.ctx.scope = Some(layer.unit);
            match &layer.origin {
                Origin::Variant(variant) => {
                    let why = format!("which the {} does not have", decl.kind.signature.name);
                    let whole = format!("{name}.{}", path.join("."));
                    let facts = crate::codes::UnknownPath {
                        variant: variant.clone(),
                        path: whole,
                        why,
                        at: layer.at,
                    };
                    let first = path.first().map_or("", String::as_str);
                    let near = llmp_grammar::nearest(first, signature.params.iter().map(|p| p.name))
                        .filter(|_| signature.param(first).is_none());
                    let diag = Diag::from(facts);
                    self.report(match near {
                        Some(near) => {
                            let rest = path.iter().skip(1).map(|part| format!(".{part}")).collect::<String>();
                            let text = format!("{name}.{near}{rest}");
                            diag.help(format!("did you mean `{text}`?")).fix(
                                format!("write `{text}`"),
                                layer.at,
                                text,
                            )
                        }
                        None => diag,
                    });
                }
                // It was reported where it was written.
                Origin::Like(_) => {}
                Origin::Written => self.unknown_member(name, decl, layers, path, layer.at),
            }
        }
        clean
    }

    fn unknown_member(
        &mut self,
        name: &str,
        decl: &DeclRef<'a>,
        layers: &Layers<'a>,
        path: &[String],
        at: Span,
    ) {
        let kind = decl.kind.signature;
        let written = path.join(".");
        let owner = format!("the {} `{name}`", kind.name);
        let other = self.registry.all_kinds().find(|k| k.signature.param(&written).is_some());
        // What is written already is hardly meant.
        let free = |name: &&str| !layers.values.contains_key(&[(*name).to_owned()][..]);
        let names = || kind.params.iter().map(|p| p.name);
        let near = llmp_grammar::nearest(&written, names().filter(free))
            .or_else(|| llmp_grammar::nearest(&written, names()));
        let diag = Diag::from(crate::codes::UnknownMember { owner, name: written, at });
        let diag = match (near, other) {
            (None, Some(other)) => diag.help(format!("it belongs to `{}`", other.signature.name)),
            _ => diag,
        };
        let has: Vec<&str> = kind.params.iter().map(|p| p.name).collect();
        let diag = diag.note(format!("a {} has: {}", kind.name, has.join(", ")));
        self.report(crate::resolve::suggest(diag, near, at));
    }

    /// The value of a param: `--set`, else a variant, else its default.
    pub(crate) fn param(&mut self, name: &str) -> Val {
        if let Some(value) = self.params.get(name) {
            return value.clone();
        }
        if self.busy.contains(name) {
            return Val::Error;
        }
        let Some((unit, param)) = self.names.params.get(name).copied() else { return Val::Error };
        self.busy.insert(name.to_owned());
        let saved = std::mem::take(&mut self.ctx);
        self.ctx.node = name.to_owned();
        self.ctx.scope = Some(unit);
        let set = self.sets.get(name);
        let layered = self.param_set(name);
        let value = if let Some(expr) = set {
            let (value, said) =
                self.silently(|c| c.typed(&param.ty, unit, |c, ty| c.check(expr, ty), expr.span));
            if value == Val::Error {
                let why = said
                    .first()
                    .map_or_else(|| format!("expected {}", type_words(&param.ty)), |d| d.message.clone());
                self.report(crate::codes::BadOverride { name: name.to_owned(), why, at: expr.span });
            }
            value
        } else if let Some((unit, member)) = layered {
            self.ctx.scope = Some(unit);
            self.typed(&param.ty, unit, |c, ty| c.check(&member.value, ty), member.value.span)
        } else if let Some(default) = &param.default {
            self.typed(&param.ty, unit, |c, ty| c.check(default, ty), default.span)
        } else {
            self.report(ParamWithoutValue { name: name.to_owned(), at: param.name.span });
            Val::Error
        };
        self.ctx = saved;
        self.busy.remove(name);
        if !(self.expanding && self.dynamic) {
            self.params.insert(name.to_owned(), value.clone());
        }
        value
    }

    /// A value against a written type, `in` and `?` included.
    pub(crate) fn typed(
        &mut self,
        ty: &ast::TypeRef,
        unit: usize,
        look: impl FnOnce(&mut Self, &Ty) -> Val,
        at: Span,
    ) -> Val {
        let Some(core) = self.type_of(ty) else {
            let name = match &ty.base {
                ast::TypeBase::Named { name, .. } => name.text.clone(),
                ast::TypeBase::Record(_) => "{…}".into(),
            };
            let diag = Diag::from(UnknownName { what: "type".into(), name: name.clone(), at: ty.span });
            self.report(crate::resolve::suggest(
                diag,
                llmp_grammar::nearest(&name, TYPES.iter().map(|t| t.0)),
                ty.span,
            ));
            return Val::Error;
        };
        if ty.optional {
            let (value, said) = self.silently(|c| c.infer_none(at));
            if value == Val::Known(Value::None) && said.is_empty() {
                return value;
            }
        }
        let value = look(self, &core);
        let (Val::Known(found), Some(domain)) = (&value, &ty.domain) else { return value };
        let domain = self.within(|ctx| ctx.scope = Some(unit), |c| c.infer(domain));
        let inside = match (&domain, found) {
            (Val::Known(Value::Range(low, high)), Value::Number(q)) => match (&**low, &**high) {
                (Value::Number(low), Value::Number(high)) => {
                    low.amount <= q.amount && q.amount <= high.amount
                }
                _ => true,
            },
            (Val::Known(Value::List(items)), found) => {
                items.iter().any(|item| item.to_string() == found.to_string())
            }
            _ => true,
        };
        if let (false, Val::Known(domain)) = (inside, domain) {
            self.report(OutOfRange { message: format!("{found} is not in {domain}"), at });
            return Val::Error;
        }
        value
    }

    fn infer_none(&mut self, at: Span) -> Val {
        let none = self.loaded.sources.slice(at) == "none";
        if none { Val::Known(Value::None) } else { Val::Unknown }
    }

    pub(crate) fn type_of(&self, ty: &ast::TypeRef) -> Option<Ty> {
        let ast::TypeBase::Named { name, args } = &ty.base else { return None };
        match args.as_slice() {
            [] => TYPES
                .iter()
                .find(|t| t.0 == name.text)
                .map(|t| *t.1)
                .or_else(|| self.named_family(&name.text)),
            [inner] => {
                let outer = name.text.as_str();
                let ast::TypeBase::Named { name, args } = &inner.base else { return None };
                let inner = TYPES.iter().find(|t| t.0 == name.text && args.is_empty())?.1;
                match outer {
                    "List" => Some(Ty::List(inner)),
                    "Range" => Some(Ty::Range(inner)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `Schedule`, `Optimizer`: families by name with a capital.
    fn named_family(&self, name: &str) -> Option<Ty> {
        let family =
            self.registry.all_families().find(|f| f.name.replace('_', "").eq_ignore_ascii_case(name))?;
        Some(Ty::Family(family))
    }

    /// Lets that nothing uses are looked at by their own form.
    pub(crate) fn lets(&mut self) {
        let names = Rc::clone(&self.names);
        let used: BTreeSet<&String> = self.mentions.values().flat_map(|to| to.keys()).collect();
        let idle: Vec<(&String, &LetRef<'a>)> =
            names.lets.iter().filter(|(name, _)| !used.contains(name)).collect();
        for (name, binding) in idle {
            let saved = std::mem::take(&mut self.ctx);
            self.ctx.scope = Some(binding.scope);
            self.ctx.node.clone_from(name);
            self.busy.insert(name.clone());
            match binding.ty {
                Some(ty) => {
                    let look = |c: &mut Self, ty: &Ty| c.check(binding.value, ty);
                    self.typed(ty, binding.scope, look, binding.value.span);
                }
                None => {
                    self.infer(binding.value);
                }
            }
            self.busy.remove(name);
            self.ctx = saved;
        }
    }
}

/// Members that misspelt names probably mean: nothing is said of their absence.
pub(crate) fn meant<'n>(
    kind: &'static llmp_stdlib::Kind,
    written: impl Iterator<Item = &'n str>,
) -> BTreeSet<&'static str> {
    let signature = kind.signature;
    let unknown = written.filter(|name| signature.param(name).is_none());
    let near =
        unknown.filter_map(|name| llmp_grammar::nearest(name, signature.params.iter().map(|p| p.name)));
    near.filter_map(|name| signature.param(name).map(|p| p.name)).collect()
}

fn type_words(ty: &ast::TypeRef) -> String {
    match &ty.base {
        ast::TypeBase::Named { name, .. } => name.text.clone(),
        ast::TypeBase::Record(_) => "a record".into(),
    }
}

use llmp_stdlib::Dim;

/// Types that a param can have, by name.
const TYPES: &[(&str, &Ty)] = &[
    ("Bool", &Ty::Bool),
    ("Str", &Ty::Text),
    ("Text", &Ty::Text),
    ("Path", &Ty::Path),
    ("Int", &Ty::Int),
    ("Num", &Ty::Num),
    ("Tokens", &Ty::Quantity(&[Dim::TOKENS])),
    ("Sequences", &Ty::Quantity(&[Dim::SEQUENCES])),
    ("Docs", &Ty::Quantity(&[Dim::DOCS])),
    ("Steps", &Ty::Quantity(&[Dim::STEPS])),
    ("Epochs", &Ty::Quantity(&[Dim::EPOCHS])),
    ("Bytes", &Ty::Quantity(&[Dim::BYTES])),
    ("Seconds", &Ty::Quantity(&[Dim::SECONDS])),
    ("Flops", &Ty::Quantity(&[Dim::FLOPS])),
    ("Length", &Ty::Quantity(&[Dim::TOKENS, Dim::STEPS, Dim::EPOCHS])),
];
