//! Layout of values, names and types.

use super::Format;
use super::doc::Doc;
use crate::ast::BinaryOp;
use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};

/// How loosely an operator binds: lines break at the loosest.
fn looseness(symbol: &str) -> u8 {
    match BinaryOp::from_symbol(symbol) {
        Some(BinaryOp::Pipe) => 6,
        Some(BinaryOp::Or) => 5,
        Some(BinaryOp::And) => 4,
        Some(BinaryOp::Range) | None => 0,
        Some(BinaryOp::Add | BinaryOp::Sub) => 2,
        Some(BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod) => 1,
        Some(_) => 3,
    }
}

impl Format<'_> {
    pub(super) fn node(&self, node: &SyntaxNode) -> Doc {
        match node.kind() {
            SyntaxKind::Block => self.block(node),
            SyntaxKind::Expr => self.expr(node),
            SyntaxKind::IfExpr => self.if_expr(node),
            SyntaxKind::Unary => self.unary(node),
            SyntaxKind::Args | SyntaxKind::Params => self.list(node, false),
            SyntaxKind::List if has(node, SyntaxKind::Comp) => self.comprehension(node),
            SyntaxKind::List | SyntaxKind::RecordType => self.list(node, false),
            SyntaxKind::UseNames => self.list(node, true),
            SyntaxKind::TextBlock => self.text_block(node),
            SyntaxKind::Text => self.as_written(node),
            SyntaxKind::Quantity => self.tight(node, &[SyntaxKind::Ident]),
            SyntaxKind::Target => self.target(node),
            SyntaxKind::FieldGet
            | SyntaxKind::Column
            | SyntaxKind::Path
            | SyntaxKind::IndexGet
            | SyntaxKind::Paren => self.tight(node, &[]),
            SyntaxKind::Param | SyntaxKind::TypeField => self.typed(node),
            SyntaxKind::TypeAtom => self.type_atom(node),
            SyntaxKind::TypeRef => self.type_ref(node),
            SyntaxKind::Index => self.index(node),
            SyntaxKind::Record => Doc::All(node.children().map(|child| self.node(&child)).collect()),
            _ => self.spaced(node),
        }
    }

    fn part(&self, part: SyntaxElement) -> Doc {
        match part {
            SyntaxElement::Token(token) => self.token(&token),
            SyntaxElement::Node(node) => self.node(&node),
        }
    }

    /// The text of a node that holds no comment.
    fn as_written(&self, node: &SyntaxNode) -> Doc {
        let lead = self.first(node).map(|token| self.token(&token));
        let text = node.text().to_string();
        match lead {
            Some(Doc::All(mut docs)) => {
                docs.pop();
                docs.push(Doc::text(text));
                Doc::All(docs)
            }
            _ => Doc::text(text),
        }
    }

    /// Parts with a blank between them.
    fn spaced(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        for part in parts(node) {
            if !docs.is_empty() {
                docs.push(Doc::text(" "));
            }
            docs.push(self.part(part));
        }
        Doc::All(docs)
    }

    /// Parts without a blank between them, but for one before the kinds given.
    fn tight(&self, node: &SyntaxNode, blank_before: &[SyntaxKind]) -> Doc {
        let mut docs = vec![];
        for part in parts(node) {
            if !docs.is_empty() && blank_before.contains(&part.kind()) {
                docs.push(Doc::text(" "));
            }
            docs.push(self.part(part));
        }
        Doc::All(docs)
    }

    pub(super) fn target(&self, node: &SyntaxNode) -> Doc {
        self.tight(node, &[])
    }

    /// `name: Type = value`
    fn typed(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        for part in parts(node) {
            if !docs.is_empty() && !matches!(&part, SyntaxElement::Token(token) if token.text() == ":") {
                docs.push(Doc::text(" "));
            }
            docs.push(self.part(part));
        }
        Doc::All(docs)
    }

    fn type_atom(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        for part in parts(node) {
            let comma = matches!(&part, SyntaxElement::Token(token) if token.text() == ",");
            docs.push(self.part(part));
            if comma {
                docs.push(Doc::text(" "));
            }
        }
        Doc::All(docs)
    }

    fn type_ref(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        for part in parts(node) {
            let tight =
                docs.is_empty() || matches!(&part, SyntaxElement::Token(token) if token.text() == "?");
            if !tight {
                docs.push(Doc::text(" "));
            }
            docs.push(self.part(part));
        }
        Doc::All(docs)
    }

    /// `[name in list]` of a family.
    fn index(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        for part in parts(node) {
            let bracket = matches!(&part, SyntaxElement::Token(token) if matches!(token.text(), "[" | "]"));
            if !bracket && docs.len() > 1 {
                docs.push(Doc::text(" "));
            }
            docs.push(self.part(part));
        }
        Doc::All(docs)
    }

    /// `\\` lines below their `=`.
    fn text_block(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        for token in parts(node).filter_map(SyntaxElement::into_token) {
            self.break_before(&token, Doc::Hard, true, &mut docs);
            docs.push(Doc::Verbatim(token.text().into()));
        }
        Doc::nest(Doc::All(docs))
    }

    fn expr(&self, node: &SyntaxNode) -> Doc {
        let infix =
            |part: &SyntaxElement| part.as_token().filter(|token| looseness(token.text()) > 0).cloned();
        let loosest = parts(node).filter_map(|part| infix(&part)).map(|token| looseness(token.text())).max();
        let lines = parts(node).filter_map(|part| part.into_token()).any(|token| self.lead(&token).newline);
        let mut first = vec![];
        let mut rest = vec![];
        for part in parts(node) {
            let docs = if rest.is_empty() { &mut first } else { &mut rest };
            match part {
                SyntaxElement::Token(token) if token.text() == ".." => docs.push(self.token(&token)),
                SyntaxElement::Token(token) => {
                    if Some(looseness(token.text())) == loosest {
                        self.break_before(&token, if lines { Doc::Hard } else { Doc::Line }, true, &mut rest);
                        rest.push(Doc::text(token.text()));
                        rest.push(Doc::text(" "));
                    } else {
                        docs.push(Doc::text(" "));
                        docs.push(self.token(&token));
                        docs.push(Doc::text(" "));
                    }
                }
                SyntaxElement::Node(node) => docs.push(self.node(&node)),
            }
        }
        if rest.is_empty() {
            return Doc::All(first);
        }
        first.push(Doc::nest(Doc::All(rest)));
        Doc::group(Doc::All(first))
    }

    fn if_expr(&self, node: &SyntaxNode) -> Doc {
        let mut head = vec![];
        let mut rest = vec![];
        for part in parts(node) {
            match part {
                SyntaxElement::Token(token) if matches!(token.text(), "then" | "else") => {
                    let line = if self.lead(&token).newline { Doc::Hard } else { Doc::Line };
                    self.break_before(&token, line, true, &mut rest);
                    rest.push(Doc::text(token.text()));
                    rest.push(Doc::text(" "));
                }
                SyntaxElement::Token(token) => {
                    head.push(self.token(&token));
                    head.push(Doc::text(" "));
                }
                SyntaxElement::Node(node) => {
                    (if rest.is_empty() { &mut head } else { &mut rest }).push(self.node(&node))
                }
            }
        }
        head.push(Doc::nest(Doc::All(rest)));
        Doc::group(Doc::All(head))
    }

    fn unary(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        for part in parts(node) {
            let not = matches!(&part, SyntaxElement::Token(token) if token.text() == "not");
            if part.kind() == SyntaxKind::Block {
                docs.push(Doc::text(" "));
            }
            docs.push(self.part(part));
            if not {
                docs.push(Doc::text(" "));
            }
        }
        Doc::All(docs)
    }

    fn comprehension(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        for part in parts(node) {
            match part {
                SyntaxElement::Node(comp) if comp.kind() == SyntaxKind::Comp => {
                    docs.push(Doc::text(" "));
                    docs.push(self.spaced(&comp));
                }
                part => docs.push(self.part(part)),
            }
        }
        Doc::All(docs)
    }

    /// Parts between brackets, with commas. `airy`: blanks inside the brackets.
    fn list(&self, node: &SyntaxNode, airy: bool) -> Doc {
        let mut tokens = parts(node).filter_map(SyntaxElement::into_token);
        let Some(open) = tokens.next() else { return Doc::All(vec![]) };
        let close = tokens.last().unwrap_or_else(|| open.clone());
        let elements: Vec<SyntaxNode> = node.children().collect();
        let soft = || if airy { Doc::Line } else { Doc::Soft };
        let head = self.token(&open);
        if let [only] = elements.as_slice()
            && self.hugs(node, only)
        {
            return Doc::All(vec![head, self.node(only), self.token(&close)]);
        }
        let on_lines = elements
            .first()
            .and_then(|first| self.first(first))
            .is_some_and(|token| self.lead(&token).newline);
        let mut inner = vec![];
        for (at, element) in elements.iter().enumerate() {
            let Some(first) = self.first(element) else { continue };
            let line = if at > 0 { Doc::Line } else { soft() };
            self.break_before(&first, if on_lines { Doc::Hard } else { line }, true, &mut inner);
            inner.push(self.node(element));
            if at + 1 < elements.len() {
                inner.push(Doc::text(","));
                self.comments_of_comma(element, &mut inner);
            } else {
                inner.push(Doc::IfBroken(","));
                self.comments_of_comma(element, &mut inner);
            }
        }
        let lead = self.lead(&close);
        self.mark(&close);
        self.comment_lines(lead.comments, false, &mut inner);
        if inner.is_empty() {
            return Doc::All(vec![head, Doc::text(close.text())]);
        }
        Doc::group(Doc::All(vec![head, Doc::nest(Doc::All(inner)), soft(), Doc::text(close.text())]))
    }

    /// Comments before the comma behind an element.
    fn comments_of_comma(&self, element: &SyntaxNode, docs: &mut Vec<Doc>) {
        let mut after = element.next_sibling_or_token();
        while let Some(part) = after.take() {
            if let SyntaxElement::Token(token) = &part
                && token.text() == ","
            {
                let lead = self.lead(token);
                self.comment_lines(lead.comments, false, docs);
                return;
            }
            if part.kind().is_trivia() {
                after = part.next_sibling_or_token();
            }
        }
    }

    /// Whether the only argument of a call is a list or record that opens on the line of the call.
    fn hugs(&self, node: &SyntaxNode, only: &SyntaxNode) -> bool {
        if node.kind() != SyntaxKind::Args {
            return false;
        }
        let value = only.descendants().find(|node| node.kind() == SyntaxKind::Unary);
        let whole = only.children().count() == 1 && only.children().all(|expr| expr.children().count() == 1);
        let kinds: Vec<SyntaxKind> =
            value.map(|value| parts(&value).map(|part| part.kind()).collect()).unwrap_or_default();
        let plain = matches!(kinds.as_slice(), [SyntaxKind::List | SyntaxKind::Record]);
        let comments = |token: Option<SyntaxToken>| {
            token.is_some_and(|token| {
                let lead = self.lead(&token);
                lead.newline || !lead.comments.is_empty()
            })
        };
        plain
            && whole
            && !comments(self.first(only))
            && !comments(node.last_token())
            && !parts(node).any(|part| part.as_token().is_some_and(|token| token.text() == ","))
    }
}

/// Nodes and tokens right under a node, without trivia.
fn parts(node: &SyntaxNode) -> impl Iterator<Item = SyntaxElement> + use<> {
    node.children_with_tokens().filter(|part| !part.kind().is_trivia())
}

fn has(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.children().any(|child| child.kind() == kind)
}
