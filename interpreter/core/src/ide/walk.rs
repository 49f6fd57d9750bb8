//! Walks the trees and tells of every word what it is; types go down with the values.

use std::collections::BTreeMap;

use llmp_grammar::Span;
use llmp_grammar::ast::{
    Arg, BinaryOp, Block, Body, Decl, Expr, ExprKind, Ident, Item, ItemKind, Member, RoundMember, Segment,
    Text, TextPart, TypeRef,
};
use llmp_stdlib::{Form, Kind, Registry, Ty};

use super::index::{Index, Sort, What};
use super::types::{callee, elements, flat, inside, of_form, parameter, values};
use crate::load::Loaded;

/// Kinds whose member takes a record with names of definitions as keys.
const NAMES_AS_KEYS: [(&str, &str); 2] = [("compare", "vary"), ("hardware", "hours")];

/// The way through the trees.
pub(crate) struct Walker<'w> {
    loaded: &'w Loaded,
    registry: &'w Registry,
    index: &'w mut Index,
    unit: usize,
    /// Names of rounds, chains and comprehensions around the place.
    locals: Vec<BTreeMap<String, usize>>,
    /// Whether keys of records name definitions.
    keys: bool,
}

impl<'w> Walker<'w> {
    /// At the start.
    pub(crate) fn new(loaded: &'w Loaded, registry: &'w Registry, index: &'w mut Index) -> Walker<'w> {
        Walker { loaded, registry, index, unit: 0, locals: Vec::new(), keys: false }
    }

    /// One file.
    pub(crate) fn unit(&mut self, unit: usize) {
        self.unit = unit;
        let ast = std::sync::Arc::clone(&self.loaded.units[unit].ast);
        for item in &ast.items {
            let name = item.name().map(|n| n.span);
            let id = name.and_then(|at| self.index.declared(at));
            self.item(item, id);
        }
    }

    fn lookup(&self, name: &str) -> Option<usize> {
        let local = self.locals.iter().rev().find_map(|scope| scope.get(name));
        local.or_else(|| self.index.scopes.get(self.unit)?.get(name)).copied()
    }

    fn refer(&mut self, name: &str, at: Span) -> Option<usize> {
        let id = self.lookup(name)?;
        self.index.mark(at, What::Symbol { id, declares: false });
        Some(id)
    }

    fn within(&mut self, scope: BTreeMap<String, usize>, work: impl FnOnce(&mut Self)) {
        self.locals.push(scope);
        work(self);
        self.locals.pop();
    }

    fn item(&mut self, item: &Item, id: Option<usize>) {
        for attr in &item.attrs {
            if attr.name.text == "only" {
                for arg in &attr.args {
                    if let Some(name) = arg.value.as_name() {
                        self.refer(name, arg.value.span);
                    }
                }
            }
        }
        match &item.kind {
            ItemKind::Use(_) => {}
            ItemKind::Param(param) => {
                self.ty(&param.ty);
                param.default.iter().for_each(|value| self.expr(value, &[]));
            }
            ItemKind::Let(binding) => {
                binding.ty.iter().for_each(|ty| self.ty(ty));
                self.expr(&binding.value, &[]);
            }
            ItemKind::Check(check) => {
                self.expr(&check.condition, &[]);
                self.text(&check.message);
            }
            ItemKind::Variant(variant) => {
                variant.block.members.iter().for_each(|member| self.variant_member(member));
            }
            ItemKind::Rounds(rounds) => {
                self.expr(&rounds.from, &[Ty::Int]);
                self.expr(&rounds.to, &[Ty::Int]);
                let inner = id.and_then(|id| self.index.inner.get(&id)).cloned().unwrap_or_default();
                self.within(inner, |walker| walker.round(&rounds.members));
            }
            ItemKind::Decl(decl) => self.decl(decl, id),
        }
    }

    fn round(&mut self, members: &[RoundMember]) {
        for member in members {
            match member {
                RoundMember::Carry(binding) => self.expr(&binding.value, &[]),
                RoundMember::Next(binding) => {
                    self.refer(&binding.name.text, binding.name.span);
                    self.expr(&binding.value, &[]);
                }
                RoundMember::Item(item) => {
                    let id = item.name().and_then(|name| self.index.declared(name.span));
                    self.item(item, id);
                }
            }
        }
    }

    fn decl(&mut self, decl: &Decl, id: Option<usize>) {
        let kind = self.registry.kind(&decl.kind.text);
        if let Some(kind) = kind {
            self.index.mark(decl.kind.span, What::Kind(kind));
        }
        decl.ty.iter().for_each(|ty| self.ty(ty));
        let mut scope = BTreeMap::new();
        if let Some(index) = &decl.index {
            self.expr(&index.domain, &[]);
            scope.extend(id.and_then(|id| self.index.inner.get(&id)).cloned().unwrap_or_default());
        }
        for param in &decl.params {
            self.ty(&param.ty);
            param.default.iter().for_each(|value| self.expr(value, &[]));
            let unit = self.unit;
            let local = self.index.add(&param.name, Sort::Parameter, param.span, unit, id);
            scope.insert(param.name.text.clone(), local);
        }
        if let Some(like) = &decl.like {
            let names: Vec<&Ident> = like.segments.iter().collect();
            self.path(&names);
        }
        self.within(scope, |walker| match (&decl.body, kind) {
            (Body::Value(value), kind) => {
                let types = kind.map(|k| of_form(k.form)).unwrap_or_default();
                walker.expr(value, &types);
            }
            (Body::Block(block), Some(kind)) => {
                block.members.iter().for_each(|member| walker.member(member, &member.target, kind, id));
            }
            (Body::Block(block), None) => {
                block.members.iter().for_each(|member| walker.expr(&member.value, &[]));
            }
        });
    }

    /// Names joined by dots: what the last one is.
    fn path(&mut self, names: &[&Ident]) -> Option<usize> {
        let (first, rest) = names.split_first()?;
        let mut at = self.refer(&first.text, first.span)?;
        for name in rest {
            let next = self.below(at, &name.text);
            match next {
                Some(id) => {
                    self.index.mark(name.span, What::Symbol { id, declares: false });
                    at = id;
                }
                None => {
                    let what = What::Read { name: name.text.clone(), of: Some(at) };
                    self.index.mark(name.span, what);
                    return None;
                }
            }
        }
        Some(at)
    }

    /// What a definition defines below it.
    fn below(&self, id: usize, name: &str) -> Option<usize> {
        let id = self.index.behind(id);
        let symbol = self.index.symbols.get(id)?;
        match symbol.sort {
            Sort::Space => self.index.scopes.get(symbol.target?)?.get(name).copied(),
            Sort::Rounds | Sort::Family => self.index.inner.get(&id)?.get(name).copied(),
            _ => None,
        }
    }

    /// A member of an item of a kind; `target` is its path from there on.
    fn member(&mut self, member: &Member, target: &[Segment], kind: &'static Kind, item: Option<usize>) {
        if let Form::Open(ty) = kind.form {
            self.key(target);
            self.expr(&member.value, &flat(&ty));
            return;
        }
        let types = self.member_path(target, kind, item);
        let keyed = target.len() == 1
            && member.name().is_some_and(|n| NAMES_AS_KEYS.contains(&(kind.signature.name, n.text.as_str())));
        self.keys = keyed;
        self.expr(&member.value, &types);
        self.keys = false;
    }

    /// The key of an open block: an item, a part or an element of a family.
    fn key(&mut self, target: &[Segment]) {
        let mut names: Vec<&Ident> = Vec::new();
        for segment in target {
            match segment {
                Segment::Name(name) => names.push(name),
                Segment::Index(index, _) => self.expr(index, &[]),
            }
        }
        self.path(&names);
    }

    /// Marks a path of members and arguments; gives the types of its end.
    fn member_path(&mut self, target: &[Segment], kind: &'static Kind, item: Option<usize>) -> Vec<Ty> {
        let mut types: Vec<Ty> = Vec::new();
        let mut path: Vec<String> = Vec::new();
        for segment in target {
            let name = match segment {
                Segment::Name(name) => name,
                Segment::Index(index, _) => {
                    self.expr(index, &[]);
                    types = elements(&types);
                    continue;
                }
            };
            let first = path.is_empty();
            path.push(name.text.clone());
            let found = match (first, kind.signature.param(&name.text)) {
                (true, Some(param)) => Some((Some(kind.signature), param)),
                (true, None) => inside(&of_form(kind.form), &name.text, self.registry),
                (false, _) => inside(&types, &name.text, self.registry),
            };
            let Some((owner, param)) = found else {
                types = Vec::new();
                continue;
            };
            types = flat(&param.ty);
            let what = match owner {
                Some(owner) => What::Member { owner, param, item, path: path.clone() },
                None => What::Argument(None, param),
            };
            self.index.mark(name.span, what);
        }
        types
    }

    /// `item.path = value` of a variant.
    fn variant_member(&mut self, member: &Member) {
        let mut at: Option<usize> = None;
        let mut rest: &[Segment] = &member.target;
        while let Some((segment, after)) = rest.split_first() {
            match segment {
                Segment::Index(index, _) => self.expr(index, &[]),
                Segment::Name(name) => {
                    let next = match at {
                        None => self.lookup(&name.text),
                        Some(id) => self.below(id, &name.text),
                    };
                    let Some(id) = next else { break };
                    self.index.mark(name.span, What::Symbol { id, declares: false });
                    at = Some(id);
                }
            }
            rest = after;
        }
        let item = at.map(|id| self.index.behind(id));
        let inner = item.and_then(|id| self.index.symbols[id].parent);
        let scope = inner.and_then(|id| self.index.inner.get(&id)).cloned().unwrap_or_default();
        let own = item.and_then(|id| self.index.inner.get(&id)).cloned().unwrap_or_default();
        let kind = item.and_then(|id| self.index.symbols[id].kind);
        self.locals.push(scope);
        self.within(own, |walker| match (kind, rest) {
            (Some(kind), []) => walker.expr(&member.value, &of_form(kind.form)),
            (Some(kind), rest) => walker.member(member, rest, kind, item),
            (None, _) => walker.expr(&member.value, &[]),
        });
        self.locals.pop();
    }

    fn ty(&mut self, ty: &TypeRef) {
        ty.domain.iter().for_each(|domain| self.expr(domain, &[]));
    }

    fn text(&mut self, text: &Text) {
        for part in &text.parts {
            if let TextPart::Value(value) = part {
                self.expr(value, &[]);
            }
        }
    }

    /// A value where one of some types is expected.
    pub(crate) fn expr(&mut self, expr: &Expr, types: &[Ty]) {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::None | ExprKind::Error => {}
            ExprKind::Text(text) => self.text(text),
            ExprKind::Name(name) => self.name(name, expr.span, types),
            ExprKind::Column(name) => self.index.mark(expr.span, What::Column(name.text.clone())),
            ExprKind::List(items) => {
                let inner = elements(types);
                items.iter().for_each(|item| self.expr(item, &inner));
            }
            ExprKind::Comprehension(list) => {
                self.expr(&list.list, &[]);
                let unit = self.unit;
                let var = self.index.add(&list.var, Sort::Local, list.var.span, unit, None);
                let inner = elements(types);
                self.within(BTreeMap::from([(list.var.text.clone(), var)]), |walker| {
                    walker.expr(&list.value, &inner);
                    list.condition.iter().for_each(|condition| walker.expr(condition, &[]));
                });
            }
            ExprKind::Record(block) => self.record(block, types),
            ExprKind::Call { callee, args, .. } => self.call(callee, args, types),
            ExprKind::With { base, block } => self.with(base, block, types),
            ExprKind::Field { base, name } => {
                self.field(base, name);
            }
            ExprKind::Index { base, index } => {
                self.expr(base, &[]);
                self.expr(index, &[]);
            }
            ExprKind::Unary { operand, .. } => self.expr(operand, types),
            ExprKind::Binary { op: BinaryOp::Pipe, left, right, .. } => {
                self.expr(left, types);
                self.step(right);
            }
            ExprKind::Binary { op: BinaryOp::Range, left, right, .. } => {
                let inner = elements(types);
                self.expr(left, &inner);
                self.expr(right, &inner);
            }
            ExprKind::Binary { left, right, .. } => {
                self.expr(left, types);
                self.expr(right, types);
            }
            ExprKind::Chained { operands, .. } => operands.iter().for_each(|o| self.expr(o, types)),
            ExprKind::If { condition, then, otherwise } => {
                self.expr(condition, &[Ty::Bool]);
                self.expr(then, types);
                self.expr(otherwise, types);
            }
        }
    }

    fn name(&mut self, name: &str, at: Span, types: &[Ty]) {
        for ty in types {
            if let Ty::Choice(set) = ty
                && let Some((_, doc)) = set.values.iter().find(|(value, _)| *value == name)
            {
                return self.index.mark(at, What::Choice(set, doc));
            }
        }
        if self.refer(name, at).is_some() {
            return;
        }
        if let Some(signature) =
            super::types::constructors(types, self.registry).iter().find(|s| s.name == name)
        {
            self.index.mark(at, What::BuiltIn(signature));
        }
    }

    fn step(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) if self.lookup(name).is_none() => {
                if let Some(signature) = self.registry.step(name) {
                    self.index.mark(expr.span, What::BuiltIn(signature));
                }
            }
            _ => self.expr(expr, &[]),
        }
    }

    /// `base.name`: what it is, if that is a definition.
    fn field(&mut self, base: &Expr, name: &Ident) -> Option<usize> {
        let of = match &base.kind {
            ExprKind::Name(first) => self.refer(first, base.span),
            ExprKind::Field { base, name } => self.field(base, name),
            ExprKind::Index { base, index } => {
                self.expr(index, &[]);
                match &base.kind {
                    ExprKind::Name(first) => self.refer(first, base.span),
                    ExprKind::Field { base, name } => self.field(base, name),
                    _ => None,
                }
            }
            _ => {
                self.expr(base, &[]);
                None
            }
        };
        if let Some(id) = of.and_then(|of| self.below(of, &name.text)) {
            self.index.mark(name.span, What::Symbol { id, declares: false });
            return Some(id);
        }
        self.index.mark(name.span, What::Read { name: name.text.clone(), of });
        None
    }

    fn record(&mut self, block: &Block, types: &[Ty]) {
        let open = values(types);
        let keys = std::mem::take(&mut self.keys);
        for member in &block.members {
            let Some(name) = member.name() else {
                self.expr(&member.value, &[]);
                continue;
            };
            match inside(types, &name.text, self.registry) {
                Some((owner, param)) => {
                    self.index.mark(name.span, What::Argument(owner, param));
                    self.expr(&member.value, &flat(&param.ty));
                }
                None => {
                    if keys {
                        self.refer(&name.text, name.span);
                    }
                    self.expr(&member.value, &open);
                }
            }
        }
    }

    fn call(&mut self, callee_expr: &Expr, args: &[Arg], types: &[Ty]) {
        let Some(name) = callee_expr.as_name() else {
            self.expr(callee_expr, &[]);
            args.iter().for_each(|arg| self.expr(&arg.value, &[]));
            return;
        };
        if matches!(name, "unpublished" | "about") {
            let mut rest = args.iter();
            rest.next().into_iter().for_each(|arg| self.expr(&arg.value, types));
            rest.for_each(|arg| self.expr(&arg.value, &[Ty::Text]));
            return;
        }
        let found = callee(name, types, self.registry);
        let Some(signature) = found else {
            match self.registry.function(name) {
                Some(function) => self.index.mark(callee_expr.span, What::Function(function)),
                None => drop(self.refer(name, callee_expr.span)),
            }
            let chain = self.lookup(name);
            for arg in args {
                if let (Some(chain), Some(name)) = (chain, &arg.name) {
                    self.chain_argument(chain, name);
                }
                self.expr(&arg.value, &[]);
            }
            return;
        };
        self.index.mark(callee_expr.span, What::BuiltIn(signature));
        let mut position = 0;
        for arg in args {
            let written = arg.name.as_ref();
            let param = parameter(signature, written.map(|n| n.text.as_str()), position);
            if written.is_none() {
                position += 1;
            }
            if let (Some(name), Some(param)) = (written, param) {
                self.index.mark(name.span, What::Argument(Some(signature), param));
            }
            let types = param.map(|p| flat(&p.ty)).unwrap_or_default();
            // The first of several positional arguments that make one list.
            let many = written.is_none() && param.is_some_and(|p| p.many);
            let single = many && !matches!(arg.value.kind, ExprKind::List(_) | ExprKind::Comprehension(_));
            let types = if single { elements(&types) } else { types };
            self.expr(&arg.value, &types);
        }
    }

    /// `min = …` in a call of a chain of the program.
    fn chain_argument(&mut self, chain: usize, name: &Ident) {
        let chain = self.index.behind(chain);
        let known = self.index.symbols.iter();
        let is_it = |s: &super::index::Symbol| {
            s.parent == Some(chain) && s.sort == Sort::Parameter && s.name == name.text
        };
        if let Some(id) = known.clone().position(is_it) {
            self.index.mark(name.span, What::Symbol { id, declares: false });
        } else {
            // The chain stands further down, or in a file that is walked later: marked by its place in the tree.
            let unit = self.index.symbols.get(chain).map(|s| (s.unit, s.at));
            let Some((unit, at)) = unit else { return };
            let ast = std::sync::Arc::clone(&self.loaded.units[unit].ast);
            let decl = ast.items.iter().find_map(|item| match &item.kind {
                ItemKind::Decl(decl) if decl.name.span == at => Some(decl),
                _ => None,
            });
            if let Some(param) = decl.and_then(|d| d.params.iter().find(|p| p.name.text == name.text)) {
                self.index.later.push((name.span, param.name.span));
            }
        }
    }

    fn with(&mut self, base: &Expr, block: &Block, types: &[Ty]) {
        let signature = base.as_name().and_then(|name| callee(name, types, self.registry));
        let Some(signature) = signature else {
            self.expr(base, types);
            self.record(block, types);
            return;
        };
        self.index.mark(base.span, What::BuiltIn(signature));
        for member in &block.members {
            let param = member.name().and_then(|n| Some((n, parameter(signature, Some(&n.text), 0)?)));
            if let Some((name, param)) = param {
                self.index.mark(name.span, What::Argument(Some(signature), param));
            }
            let types = param.map(|(_, p)| flat(&p.ty)).unwrap_or_default();
            self.expr(&member.value, &types);
        }
    }
}
