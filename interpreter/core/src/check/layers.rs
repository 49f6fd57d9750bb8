//! Layers of an item's values, weakest first: what `like` copies, what is written, what variants set.

use std::collections::BTreeMap;

use llmp_grammar::ast::{Body, Decl, Expr, ExprKind, Segment};
use llmp_grammar::{Diag, Span};

use super::overrides::Target;
use super::{Checker, Histories};
use crate::codes::{DuplicateMember, Mismatch, NotAvailable, UnknownPath};
use crate::program::{Layer, Origin};
use crate::resolve::{DeclRef, Def, What};

/// A value given for a path, by the strongest layer.
#[derive(Clone, Debug)]
pub(crate) struct Override<'a> {
    /// The value.
    pub(crate) expr: &'a Expr,
    /// The file whose names it uses.
    pub(crate) unit: usize,
    /// The path as written.
    pub(crate) at: Span,
    /// Who gave it.
    pub(crate) origin: Origin,
    /// Keys of open blocks resolve where they were written.
    pub(crate) key: Vec<Segment>,
}

/// All layers of an item.
#[derive(Default)]
pub(crate) struct Layers<'a> {
    pub(crate) values: BTreeMap<Vec<String>, Override<'a>>,
    /// Paths in the order in which they were written.
    pub(crate) order: Vec<Vec<String>>,
    pub(crate) history: Histories,
    /// Paths are keys of an open block: `clean` and `clean.heldout` are two.
    pub(crate) keyed: bool,
    /// Something could not be read: what seems absent may be there.
    pub(crate) broken: bool,
}

impl<'a> Layers<'a> {
    fn put(&mut self, path: Vec<String>, value: Override<'a>) {
        if !self.keyed {
            self.values.retain(|known, _| !(known.len() > path.len() && known.starts_with(&path)));
        }
        let layer = Layer { origin: value.origin.clone(), at: value.expr.span };
        self.history.entry(path.clone()).or_default().push(layer);
        if self.keyed && !self.values.contains_key(&path) {
            self.order.push(path.clone());
        }
        self.values.insert(path, value);
    }
}

/// A target as a path of texts: an index belongs to the name before it.
pub(crate) fn path_of(target: &[Segment]) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    for segment in target {
        match segment {
            Segment::Name(name) => path.push(name.text.clone()),
            Segment::Index(index, _) => {
                let text = match &index.kind {
                    ExprKind::Number(number) => number.digits.clone(),
                    ExprKind::Name(name) => name.clone(),
                    _ => index
                        .as_text()
                        .map_or_else(|| format!("? {}", index.span.start), |t| format!("{t:?}")),
                };
                match path.last_mut() {
                    Some(last) => last.push_str(&format!("[{text}]")),
                    None => path.push(text),
                }
            }
        }
    }
    path
}

impl<'a> Checker<'a> {
    /// Layers of an item, variants included.
    pub(crate) fn layers(&mut self, name: &str, decl: &DeclRef<'a>) -> Layers<'a> {
        let mut layers = self.declared(decl.scope, decl.decl, 0);
        let mut set: BTreeMap<Vec<String>, String> = BTreeMap::new();
        for Target { variant, scope, member, start, .. } in
            self.targets.get(name).cloned().unwrap_or_default()
        {
            let key = member.target.get(start..).unwrap_or_default().to_vec();
            let path = path_of(&key);
            let clash = set
                .iter()
                .find(|(known, by)| **by != variant && (known.starts_with(&path) || path.starts_with(known)));
            if let Some((_, other)) = clash {
                let why = format!("which variant `{other}` sets too");
                let whole = path_of(&member.target).join(".");
                self.diags.push(
                    UnknownPath { variant: variant.clone(), path: whole, why, at: member.target_span }.into(),
                );
            }
            set.insert(path.clone(), variant.clone());
            let (expr, at, origin) = (&member.value, member.target_span, Origin::Variant(variant));
            layers.put(path, Override { expr, unit: scope, at, origin, key });
        }
        layers
    }

    fn declared(&mut self, unit: usize, decl: &'a Decl, depth: usize) -> Layers<'a> {
        let mut layers = self.copied(unit, decl, depth);
        let form = self.registry.kind(&decl.kind.text).map(|kind| kind.form);
        layers.keyed = matches!(form, Some(llmp_stdlib::Form::Open(_)));
        match &decl.body {
            Body::Value(expr) => {
                let value =
                    Override { expr, unit, at: decl.name.span, origin: Origin::Written, key: Vec::new() };
                layers.put(Vec::new(), value);
            }
            Body::Block(block) => {
                layers.broken |= block.broken;
                let mut seen: BTreeMap<Vec<String>, Span> = BTreeMap::new();
                for member in &block.members {
                    let path = path_of(&member.target);
                    if let Some(first) = seen.get(&path) {
                        if depth == 0 {
                            let facts = DuplicateMember {
                                name: path.join("."),
                                at: member.target_span,
                                first: *first,
                            };
                            let diag = Diag::from(facts).fix("remove this one", member.span, "");
                            self.diags.push(diag);
                        }
                        continue;
                    }
                    seen.insert(path.clone(), member.target_span);
                    let key = member.target.clone();
                    let value = Override {
                        expr: &member.value,
                        unit,
                        at: member.target_span,
                        origin: Origin::Written,
                        key,
                    };
                    layers.put(path, value);
                }
            }
        }
        layers
    }

    /// What `like` copies: what was written in the other item, not what it became.
    fn copied(&mut self, unit: usize, decl: &'a Decl, depth: usize) -> Layers<'a> {
        let Some(like) = &decl.like else { return Layers::default() };
        let broken = || Layers { broken: true, ..Layers::default() };
        if depth > 64 {
            return broken();
        }
        let Some((base, at)) = self.like_base(unit, like) else { return broken() };
        self.mention(&base, at);
        let Some(other) = self.names.decls.get(&base).copied() else { return broken() };
        if other.decl.kind.text != decl.kind.text {
            let expected = format!("a {}", decl.kind.text);
            let found = format!("the {} `{base}`", other.decl.kind.text);
            self.diags.push(Mismatch { expected, found, at }.into());
            return broken();
        }
        let saved = (self.ctx.node.clone(), other.scope, other.decl);
        // A circle of `like` shows as a cycle of mentions.
        self.ctx.node.clone_from(&base);
        let mut layers = self.declared(saved.1, saved.2, depth + 1);
        self.ctx.node = saved.0;
        for value in layers.values.values_mut() {
            value.origin = Origin::Like(base.clone());
        }
        for layer in layers.history.values_mut().flatten() {
            layer.origin = Origin::Like(base.clone());
        }
        layers
    }

    fn like_base(&mut self, unit: usize, like: &llmp_grammar::ast::Path) -> Option<(String, Span)> {
        let mut unit = unit;
        let (last, before) = like.segments.split_last()?;
        for segment in before {
            match self.names.get(unit, &segment.text).map(|(def, _)| def.clone()) {
                Some(Def::Space(other)) => {
                    self.used_names.insert(segment.text.clone());
                    unit = other;
                }
                Some(Def::Template(rounds)) if self.rounds_scope(&rounds).is_some() => {
                    unit = self.rounds_scope(&rounds).unwrap_or(unit);
                }
                Some(Def::Broken) => return None,
                _ => {
                    self.diags.push(
                        NotAvailable { what: "`like` with a part of an item".into(), at: like.span }.into(),
                    );
                    return None;
                }
            }
        }
        match self.names.get(unit, &last.text).map(|(def, _)| def.clone()) {
            Some(Def::Item(name)) => {
                self.used_names.insert(last.text.clone());
                Some((name, like.span))
            }
            Some(Def::Broken) => None,
            Some(_) => {
                let found = format!("`{}`, which is not one item", last.text);
                self.diags.push(Mismatch { expected: "an item".into(), found, at: last.span }.into());
                None
            }
            None => {
                self.within(|ctx| ctx.scope = Some(unit), |c| c.unknown_name("item", &last.text, last.span));
                None
            }
        }
    }

    /// The scope of the last round: `like post.tuned` copies what is written there.
    fn rounds_scope(&self, name: &str) -> Option<usize> {
        let template = self.names.templates.get(name)?;
        let last = template.instances.last()?;
        matches!(template.what, What::Rounds(_)).then_some(last.scope)
    }
}
