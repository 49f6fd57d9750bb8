//! Items, blocks, members and types.

use super::{Lower, child, children, idents, tokens};
use crate::Span;
use crate::ast::{
    Attr, Binding, Block, Body, Check, Decl, Expr, Ident, Index, Item, ItemKind, Let, Member, Param, Path,
    RoundMember, Rounds, Segment, Text, TypeBase, TypeField, TypeRef, Use, UseName, UseNames, Variant,
};
use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};

impl Lower<'_> {
    pub(super) fn item(&mut self, node: &SyntaxNode) -> Option<Item> {
        let attrs = self.attrs(node);
        let doc = self.doc(node);
        let form = node.children().find(|child| child.kind() != SyntaxKind::Attr)?;
        let kind = match form.kind() {
            SyntaxKind::Use => ItemKind::Use(self.use_item(&form)?),
            SyntaxKind::ParamItem => ItemKind::Param(self.param(&form)?),
            SyntaxKind::Let => ItemKind::Let(self.let_item(&form)?),
            SyntaxKind::Check => ItemKind::Check(self.check(&form)),
            SyntaxKind::Variant => ItemKind::Variant(self.variant(&form)?),
            SyntaxKind::Rounds => ItemKind::Rounds(self.rounds(&form)?),
            SyntaxKind::Decl => ItemKind::Decl(self.decl(&form)?),
            _ => return None,
        };
        Some(Item { attrs, doc, kind, span: self.span(node) })
    }

    /// What can be known of an item that could not be read: its name, so that others may use it.
    pub(super) fn broken_item(&mut self, node: &SyntaxNode) -> Option<Item> {
        let mut words = tokens(node).take(2);
        let (first, second) = (words.next()?, words.next()?);
        let span = self.span(node);
        let missing = Expr::error(span);
        let name = self.ident(&second);
        let kind = match (first.kind(), first.text(), second.kind()) {
            (SyntaxKind::Keyword, "use", _) => {
                let words = idents(node).filter(|token| !matches!(token.text(), "from" | "as"));
                let names = words.map(|token| {
                    let name = self.ident(&token);
                    UseName { span: name.span, name, alias: None }
                });
                let names = UseNames::Names(names.collect());
                ItemKind::Use(Use { names, from: Ident { text: String::new(), span }, span })
            }
            (SyntaxKind::Keyword, "let" | "param", SyntaxKind::Ident) => {
                ItemKind::Let(Let { name, ty: None, value: missing, span })
            }
            (SyntaxKind::Ident, _, SyntaxKind::Ident) => {
                let kind = self.ident(&first);
                let has_block = tokens(node).any(|token| token.text() == "{");
                let block = Block { members: vec![], broken: true, span };
                let body = if has_block { Body::Block(block) } else { Body::Value(missing) };
                ItemKind::Decl(Decl {
                    kind,
                    name,
                    params: vec![],
                    index: None,
                    ty: None,
                    like: None,
                    body,
                    span,
                })
            }
            _ => return None,
        };
        Some(Item { attrs: vec![], doc: self.doc(node), kind, span })
    }

    fn attrs(&mut self, node: &SyntaxNode) -> Vec<Attr> {
        let lower = |attr: SyntaxNode| {
            let name = idents(&attr).next()?;
            let args = child(&attr, SyntaxKind::Args).map(|args| self.args(&args)).unwrap_or_default();
            Some(Attr { name: self.ident(&name), args, span: self.span(&attr) })
        };
        children(node, SyntaxKind::Attr).filter_map(lower).collect()
    }

    fn use_item(&mut self, node: &SyntaxNode) -> Option<Use> {
        let names = match child(node, SyntaxKind::UseNames) {
            Some(list) => UseNames::Names(
                children(&list, SyntaxKind::UseName)
                    .filter_map(|one| {
                        let mut words = idents(&one);
                        let name = self.ident(&words.next()?);
                        let alias = words.nth(1).map(|alias| self.ident(&alias));
                        Some(UseName { name, alias, span: self.span(&one) })
                    })
                    .collect(),
            ),
            None => UseNames::Namespace(self.ident(&idents(node).next()?)),
        };
        let text = child(node, SyntaxKind::Text);
        let from = text.as_ref().map(|text| self.text(text).as_plain().unwrap_or("").to_string());
        let from_span = text.map_or(self.span(node), |text| self.span(&text));
        Some(Use {
            names,
            from: Ident { text: from.unwrap_or_default(), span: from_span },
            span: self.span(node),
        })
    }

    fn param(&mut self, node: &SyntaxNode) -> Option<Param> {
        let name = self.ident(&idents(node).next()?);
        let ty = self.type_ref(&child(node, SyntaxKind::TypeRef)?)?;
        let default = child(node, SyntaxKind::Expr).map(|value| self.expr(&value));
        Some(Param { name, ty, default, span: self.span(node) })
    }

    fn let_item(&mut self, node: &SyntaxNode) -> Option<Let> {
        let name = self.ident(&idents(node).next()?);
        let ty = child(node, SyntaxKind::TypeRef).and_then(|ty| self.type_ref(&ty));
        Some(Let { name, ty, value: self.value(node), span: self.span(node) })
    }

    fn check(&mut self, node: &SyntaxNode) -> Check {
        let span = self.span(node);
        let condition = self.value(node);
        let text = child(node, SyntaxKind::Text);
        let message_span = text.as_ref().map_or(span, |text| self.span(text));
        let message = text.map_or(Text { parts: vec![], raw: false }, |text| self.text(&text));
        Check { condition, message, message_span, span }
    }

    fn variant(&mut self, node: &SyntaxNode) -> Option<Variant> {
        let name = self.ident(&idents(node).next()?);
        let block = self.block(&child(node, SyntaxKind::Block)?);
        Some(Variant { name, block, span: self.span(node) })
    }

    fn rounds(&mut self, node: &SyntaxNode) -> Option<Rounds> {
        let mut words = idents(node);
        let (name, var) = (self.ident(&words.next()?), self.ident(&words.next()?));
        let bounds = node.children().filter(|child| {
            let error_bound = child.kind() == SyntaxKind::Error && !after_brace(child);
            matches!(child.kind(), SyntaxKind::Quantity | SyntaxKind::Path) || error_bound
        });
        let mut bounds = bounds.map(|bound| self.operand(&bound)).collect::<Vec<_>>().into_iter();
        let span = self.span(node);
        let (from, to) = (bounds.next(), bounds.next());
        let mut broken = false;
        let mut members = vec![];
        for part in node.children() {
            match part.kind() {
                SyntaxKind::Carry => members.extend(self.binding(&part).map(RoundMember::Carry)),
                SyntaxKind::Next => members.extend(self.binding(&part).map(RoundMember::Next)),
                SyntaxKind::Item => members.extend(self.item(&part).map(RoundMember::Item)),
                SyntaxKind::Error if after_brace(&part) => {
                    broken = true;
                    members.extend(self.broken_round_member(&part));
                }
                _ => {}
            }
        }
        let bound = |bound: Option<Expr>| bound.unwrap_or(Expr::error(span));
        Some(Rounds { name, var, from: bound(from), to: bound(to), members, broken, span })
    }

    fn broken_round_member(&mut self, node: &SyntaxNode) -> Option<RoundMember> {
        let mut words = idents(node);
        let (word, name) = (words.next()?, words.next()?);
        let span = self.span(node);
        let binding = Binding { name: self.ident(&name), value: Expr::error(span), span };
        match word.text() {
            "carry" => Some(RoundMember::Carry(binding)),
            "next" => Some(RoundMember::Next(binding)),
            _ => self.broken_item(node).map(RoundMember::Item),
        }
    }

    fn binding(&mut self, node: &SyntaxNode) -> Option<Binding> {
        let name = self.ident(&idents(node).nth(1)?);
        Some(Binding { name, value: self.value(node), span: self.span(node) })
    }

    fn decl(&mut self, node: &SyntaxNode) -> Option<Decl> {
        let mut words = idents(node);
        let (kind, name) = (self.ident(&words.next()?), self.ident(&words.next()?));
        let params = child(node, SyntaxKind::Params);
        let params =
            params.map(|list| children(&list, SyntaxKind::Param).collect::<Vec<_>>()).unwrap_or_default();
        let params = params.iter().filter_map(|param| self.param(param)).collect();
        let index = child(node, SyntaxKind::Index).and_then(|index| {
            let var = self.ident(&idents(&index).next()?);
            Some(Index { var, domain: self.value(&index), span: self.span(&index) })
        });
        let ty = child(node, SyntaxKind::TypeRef).and_then(|ty| self.type_ref(&ty));
        let like = child(node, SyntaxKind::Path).map(|path| self.path(&path));
        let body = match child(node, SyntaxKind::Block) {
            Some(block) => Body::Block(self.block(&block)),
            None => Body::Value(self.value(node)),
        };
        Some(Decl { kind, name, params, index, ty, like, body, span: self.span(node) })
    }

    pub(super) fn block(&mut self, node: &SyntaxNode) -> Block {
        let mut block = Block { members: vec![], broken: false, span: self.span(node) };
        for part in node.children() {
            match part.kind() {
                SyntaxKind::Member => block.members.extend(self.member(&part)),
                SyntaxKind::Error => {
                    block.broken = true;
                    block.members.extend(self.broken_member(&part));
                }
                _ => {}
            }
        }
        block
    }

    fn member(&mut self, node: &SyntaxNode) -> Option<Member> {
        let target_node = child(node, SyntaxKind::Target)?;
        let mut target = vec![];
        for part in target_node.children_with_tokens() {
            match part {
                SyntaxElement::Token(token) if token.kind() == SyntaxKind::Ident => {
                    target.push(Segment::Name(self.ident(&token)));
                }
                SyntaxElement::Node(get) => target.push(Segment::Index(self.value(&get), self.span(&get))),
                SyntaxElement::Token(_) => {}
            }
        }
        if target.is_empty() {
            return None;
        }
        let target_span = self.span(&target_node);
        let (attrs, doc) = (self.attrs(node), self.doc(node));
        Some(Member { attrs, doc, target, target_span, value: self.value(node), span: self.span(node) })
    }

    /// The path at the start of a member that could not be read.
    fn broken_member(&mut self, node: &SyntaxNode) -> Option<Member> {
        let mut target = vec![];
        let mut wants_name = true;
        for token in tokens(node) {
            match (wants_name, token.kind(), token.text()) {
                (true, SyntaxKind::Ident, _) => target.push(Segment::Name(self.ident(&token))),
                (false, SyntaxKind::Punct, ".") => {}
                _ => break,
            }
            wants_name = !wants_name;
        }
        let span = self.span(node);
        let target_span = target.first()?.span().to(target.last()?.span());
        Some(Member {
            attrs: vec![],
            doc: String::new(),
            target,
            target_span,
            value: Expr::error(span),
            span,
        })
    }

    pub(super) fn path(&mut self, node: &SyntaxNode) -> Path {
        Path { segments: idents(node).map(|word| self.ident(&word)).collect(), span: self.span(node) }
    }

    fn type_ref(&mut self, node: &SyntaxNode) -> Option<TypeRef> {
        let atom = child(node, SyntaxKind::TypeAtom)?;
        let base = match child(&atom, SyntaxKind::RecordType) {
            Some(record) => {
                let fields = children(&record, SyntaxKind::TypeField).filter_map(|field| {
                    let name = self.ident(&idents(&field).next()?);
                    Some(TypeField { name, ty: self.type_ref(&child(&field, SyntaxKind::TypeRef)?)? })
                });
                TypeBase::Record(fields.collect())
            }
            None => {
                let name = self.ident(&idents(&atom).next()?);
                let args = children(&atom, SyntaxKind::TypeRef).filter_map(|arg| self.type_ref(&arg));
                TypeBase::Named { name, args: args.collect() }
            }
        };
        let optional = tokens(node).any(|token| token.text() == "?");
        let domain = child(node, SyntaxKind::Expr).map(|domain| self.expr(&domain));
        Some(TypeRef { base, optional, domain, span: self.span(node) })
    }

    /// The value of a node that has one: an expression, or `\\` lines.
    pub(super) fn value(&mut self, node: &SyntaxNode) -> Expr {
        let found =
            node.children().find(|child| matches!(child.kind(), SyntaxKind::Expr | SyntaxKind::TextBlock));
        match found {
            Some(value) => self.expr(&value),
            None => Expr::error(Span { start: self.span(node).end, ..self.span(node) }),
        }
    }
}

/// Whether an opening brace stands before a node, under the same parent.
fn after_brace(node: &SyntaxNode) -> bool {
    let before = std::iter::successors(node.prev_sibling_or_token(), SyntaxElement::prev_sibling_or_token);
    before.filter_map(SyntaxElement::into_token).any(|token: SyntaxToken| token.text() == "{")
}
