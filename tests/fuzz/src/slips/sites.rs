//! Where names and numbers stand in a program, and what each of them is.

use std::ops::Range;

use llmp_grammar::Span;
use llmp_grammar::ast::{
    Arg, Block, Body, Decl, Expr, ExprKind, File, Ident, Item, ItemKind, Param, RoundMember, Segment,
    TextPart, TypeBase, TypeRef, UseNames,
};
use llmp_stdlib::{Form, Registry, Signature, Ty};

/// What a word or number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A kind or keyword that begins an item.
    Kind,
    /// A member of an item, a field of a record or of a value.
    Member,
    /// A step, constructor or function.
    Callee,
    /// The name of an argument.
    Argument,
    /// A value of a closed set, or a type.
    Value,
    /// The name of a definition.
    Reference,
    /// A column, without its dot.
    Column,
    /// The word behind a number.
    Unit,
    /// A number with all that belongs to it.
    Number,
}

/// One place.
#[derive(Clone, Debug)]
pub struct Site {
    /// What stands there.
    pub sort: Sort,
    /// Its bytes.
    pub range: Range<usize>,
    /// Its text.
    pub text: String,
    /// For numbers: the member or argument whose value it is; `share` in a mixture.
    pub owner: String,
    /// For numbers: only whole numbers fit.
    pub whole: bool,
    /// For numbers: nothing below zero fits.
    pub counted: bool,
}

/// Names that a file defines or imports, with their kinds.
pub fn defined(file: &File) -> Vec<(String, String)> {
    let mut names = Vec::new();
    items(&file.items, &mut names);
    names
}

fn items(list: &[Item], names: &mut Vec<(String, String)>) {
    for item in list {
        let kind = match &item.kind {
            ItemKind::Decl(decl) => decl.kind.text.clone(),
            ItemKind::Param(_) => "param".into(),
            ItemKind::Let(_) => "let".into(),
            ItemKind::Variant(_) => continue,
            ItemKind::Rounds(rounds) => {
                for member in &rounds.members {
                    match member {
                        RoundMember::Carry(carry) => names.push((carry.name.text.clone(), "carry".into())),
                        RoundMember::Item(item) => items(std::slice::from_ref(item), names),
                        RoundMember::Next(_) => {}
                    }
                }
                "rounds".into()
            }
            ItemKind::Use(import) => {
                match &import.names {
                    UseNames::Names(list) => {
                        names.extend(list.iter().map(|n| (n.local().text.clone(), "import".to_owned())));
                    }
                    UseNames::Namespace(name) => names.push((name.text.clone(), "namespace".into())),
                }
                continue;
            }
            ItemKind::Check(_) => continue,
        };
        names.extend(item.name().map(|name| (name.text.clone(), kind)));
    }
}

/// All places of a program.
pub fn sites(text: &str, file: &File, registry: &Registry) -> Vec<Site> {
    let names = defined(file).into_iter().map(|(name, _)| name).collect();
    let mut walk = Walk { text, registry, names, found: Vec::new(), owner: Owner::default() };
    file.items.iter().for_each(|item| walk.item(item));
    walk.found
}

/// Whose value is being looked at.
#[derive(Clone, Default)]
struct Owner {
    name: String,
    whole: bool,
    counted: bool,
}

struct Walk<'a> {
    text: &'a str,
    registry: &'a Registry,
    names: Vec<String>,
    found: Vec<Site>,
    owner: Owner,
}

impl Walk<'_> {
    fn site(&mut self, sort: Sort, span: Span) {
        let range = span.range();
        let text = self.text[range.clone()].to_owned();
        let Owner { name, whole, counted } = self.owner.clone();
        self.found.push(Site { sort, range, text, owner: name, whole, counted });
    }

    fn word(&mut self, sort: Sort, ident: &Ident) {
        let mut span = ident.span;
        // The place of a column holds its dot.
        if self.text[span.range()].starts_with('.') {
            span.start += 1;
        }
        self.site(sort, span);
    }

    fn item(&mut self, item: &Item) {
        for attr in &item.attrs {
            attr.args.iter().for_each(|a| self.expr(&a.value));
        }
        let keyword = |from: Span, word: &str| {
            let start = from.start as usize + self.text[from.range()].find(word).unwrap_or(0);
            Span::new(from.file, start, start + word.len())
        };
        match &item.kind {
            ItemKind::Decl(decl) => self.decl(decl),
            ItemKind::Param(param) => {
                self.site(Sort::Kind, keyword(param.span, "param"));
                self.param(param);
            }
            ItemKind::Let(binding) => {
                self.site(Sort::Kind, keyword(binding.span, "let"));
                binding.ty.iter().for_each(|ty| self.ty(ty));
                self.expr(&binding.value);
            }
            ItemKind::Check(check) => {
                self.site(Sort::Kind, keyword(check.span, "check"));
                self.expr(&check.condition);
            }
            ItemKind::Variant(variant) => {
                self.site(Sort::Kind, keyword(variant.span, "variant"));
                for member in &variant.block.members {
                    self.target(&member.target, true);
                    self.expr(&member.value);
                }
            }
            ItemKind::Rounds(rounds) => {
                self.site(Sort::Kind, keyword(rounds.span, "rounds"));
                self.names.push(rounds.var.text.clone());
                for member in &rounds.members {
                    match member {
                        RoundMember::Carry(binding) | RoundMember::Next(binding) => self.expr(&binding.value),
                        RoundMember::Item(item) => self.item(item),
                    }
                }
            }
            ItemKind::Use(import) => {
                self.site(Sort::Kind, keyword(import.span, "use"));
                if let UseNames::Names(list) = &import.names {
                    list.iter().for_each(|name| self.word(Sort::Reference, &name.name));
                }
            }
        }
    }

    fn decl(&mut self, decl: &Decl) {
        self.word(Sort::Kind, &decl.kind);
        let known = self.names.len();
        for param in &decl.params {
            self.param(param);
            self.names.push(param.name.text.clone());
        }
        if let Some(index) = &decl.index {
            self.expr(&index.domain);
            self.names.push(index.var.text.clone());
        }
        if let Some(like) = decl.like.as_ref().and_then(|path| path.segments.last()) {
            self.word(Sort::Reference, like);
        }
        let kind = self.registry.kind(&decl.kind.text);
        match &decl.body {
            Body::Value(value) => self.expr(value),
            Body::Block(block) => {
                let open = kind.is_some_and(|k| matches!(k.form, Form::Open(_)));
                self.block(block, kind.map(|k| k.signature), open);
            }
        }
        self.names.truncate(known);
    }

    fn param(&mut self, param: &Param) {
        self.ty(&param.ty);
        param.default.iter().for_each(|value| self.expr(value));
    }

    fn ty(&mut self, ty: &TypeRef) {
        if let TypeBase::Named { name, args } = &ty.base {
            self.word(Sort::Value, name);
            args.iter().for_each(|ty| self.ty(ty));
        }
        ty.domain.iter().for_each(|domain| self.expr(domain));
    }

    fn block(&mut self, block: &Block, signature: Option<&'static Signature>, open: bool) {
        for member in &block.members {
            self.target(&member.target, open);
            let name = member.name().map(|n| n.text.clone());
            let owner = if open { Some("share".to_owned()) } else { name };
            self.owned(owner, signature, &member.value);
        }
    }

    fn target(&mut self, target: &[Segment], reference: bool) {
        for (at, segment) in target.iter().enumerate() {
            match segment {
                Segment::Name(name) if at == 0 && reference => self.word(Sort::Reference, name),
                Segment::Name(name) => self.word(Sort::Member, name),
                Segment::Index(value, _) => self.expr(value),
            }
        }
    }

    /// The value of a member or argument.
    fn owned(&mut self, name: Option<String>, signature: Option<&'static Signature>, value: &Expr) {
        let outer = std::mem::take(&mut self.owner);
        let ty = name.as_ref().and_then(|n| signature?.param(n)).map(|p| p.ty);
        self.owner = Owner {
            name: name.unwrap_or_default(),
            whole: ty.is_some_and(|ty| only_numbers(&ty, true)),
            counted: ty.is_some_and(|ty| only_numbers(&ty, false)),
        };
        self.expr(value);
        self.owner = outer;
    }

    fn args(&mut self, args: &[Arg], signature: Option<&'static Signature>) {
        for (at, arg) in args.iter().enumerate() {
            if let Some(name) = &arg.name {
                self.word(Sort::Argument, name);
            }
            let by_place = signature.and_then(|s| s.params.get(at)).map(|p| p.name.to_owned());
            let name = arg.name.as_ref().map(|n| n.text.clone()).or(by_place);
            self.owned(name, signature, &arg.value);
        }
    }

    fn signature(&self, callee: &Expr) -> Option<&'static Signature> {
        let name = callee.as_name()?;
        let constructor = self.registry.constructors(name).first().map(|(_, s)| *s);
        self.registry.step(name).or(constructor)
    }

    fn callee(&mut self, callee: &Expr) {
        match callee.as_name() {
            Some(name) if self.names.iter().any(|n| n == name) => self.site(Sort::Reference, callee.span),
            Some(_) => self.site(Sort::Callee, callee.span),
            None => self.expr(callee),
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number(number) => {
                self.site(Sort::Number, expr.span);
                if let Some(unit) = &number.unit {
                    self.word(Sort::Unit, unit);
                }
            }
            ExprKind::Text(text) => text.parts.iter().for_each(|part| {
                if let TextPart::Value(value) = part {
                    self.expr(value);
                }
            }),
            ExprKind::Name(name) if self.names.iter().any(|n| n == name) => {
                self.site(Sort::Reference, expr.span)
            }
            ExprKind::Name(_) => self.site(Sort::Value, expr.span),
            ExprKind::Column(name) => self.word(Sort::Column, name),
            ExprKind::List(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Comprehension(list) => {
                self.expr(&list.list);
                self.names.push(list.var.text.clone());
                self.expr(&list.value);
                list.condition.iter().for_each(|condition| self.expr(condition));
                self.names.pop();
            }
            ExprKind::Record(block) => self.block(block, None, false),
            ExprKind::Call { callee, args, .. } => {
                self.callee(callee);
                let signature = self.signature(callee);
                self.args(args, signature);
            }
            ExprKind::With { base, block } => {
                self.callee(base);
                let signature = self.signature(base);
                self.block(block, signature, false);
            }
            ExprKind::Field { base, name } => {
                self.expr(base);
                self.word(Sort::Member, name);
            }
            ExprKind::Index { base, index } => {
                self.expr(base);
                self.expr(index);
            }
            ExprKind::Unary { operand, .. } => self.expr(operand),
            ExprKind::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Chained { operands, .. } => operands.iter().for_each(|operand| self.expr(operand)),
            ExprKind::If { condition, then, otherwise } => {
                [condition, then, otherwise].into_iter().for_each(|part| self.expr(part));
            }
            ExprKind::Bool(_) | ExprKind::None | ExprKind::Error => {}
        }
    }
}

/// Whether only numbers fit that are whole (or not below zero).
fn only_numbers(ty: &Ty, whole: bool) -> bool {
    match ty {
        Ty::Int => true,
        Ty::Quantity(_) => !whole,
        Ty::Optional(ty) | Ty::List(ty) | Ty::Range(ty) => only_numbers(ty, whole),
        Ty::OneOf(types) => types.iter().all(|ty| only_numbers(ty, whole)),
        _ => false,
    }
}
