//! Values: flat runs of operands and operators become trees by binding strength.

use super::{Lower, child, idents, tokens};
use crate::Span;
use crate::ast::{Arg, BinaryOp, Comprehension, Expr, ExprKind, Ident, Number, UnaryOp};
use crate::codes::e0009_foreign_word::ForeignWord;
use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};

/// An operand of a flat run, with the operators before it.
struct Operand {
    prefixes: Vec<(UnaryOp, Span)>,
    value: Expr,
}

/// Binding strength of an operator, loosest 0.
fn strength(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Pipe => 0,
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::In => 4,
        BinaryOp::Range => 5,
        BinaryOp::Add | BinaryOp::Sub => 6,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 7,
    }
}

/// Strength of `not`: tighter than `and`, looser than comparisons.
const NOT: u8 = 3;
/// Strength of unary minus: tighter than all operators between values.
const NEG: u8 = 8;

/// A flat run on its way to a tree.
struct Run {
    operands: std::vec::IntoIter<Operand>,
    ops: std::iter::Peekable<std::vec::IntoIter<(BinaryOp, Span)>>,
}

impl Run {
    fn next_op(&mut self, at_least: u8) -> Option<(BinaryOp, Span)> {
        self.ops.next_if(|(op, _)| strength(*op) >= at_least)
    }

    /// A value whose operators all bind at least so strongly.
    fn tree(&mut self, at_least: u8) -> Option<Expr> {
        let operand = self.operands.next()?;
        let mut left = self.prefixed(operand.prefixes, operand.value);
        while let Some((op, op_span)) = self.next_op(at_least) {
            let right = self.tree(strength(op) + 1)?;
            left = join(left, op, op_span, right);
        }
        Some(left)
    }

    /// Applies prefixes from the inside out. `not` takes the comparison behind it with it.
    fn prefixed(&mut self, prefixes: Vec<(UnaryOp, Span)>, mut value: Expr) -> Expr {
        for (op, op_span) in prefixes.into_iter().rev() {
            let from = if op == UnaryOp::Not { NOT } else { NEG };
            while let Some((infix, infix_span)) = self.next_op(from) {
                let Some(right) = self.tree(strength(infix) + 1) else { break };
                value = join(value, infix, infix_span, right);
            }
            let span = op_span.to(value.span);
            value = Expr { kind: ExprKind::Unary { op, op_span, operand: Box::new(value) }, span };
        }
        value
    }
}

/// Joins two values; operators that do not chain are kept side by side.
fn join(left: Expr, op: BinaryOp, op_span: Span, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    let chains = |other: BinaryOp| strength(other) == strength(op) && matches!(strength(op), 4 | 5);
    let kind = match left.kind {
        ExprKind::Binary { op: first, op_span: first_span, left: a, right: b }
            if chains(first) && left.span == a.span.to(b.span) =>
        {
            ExprKind::Chained { ops: vec![(first, first_span), (op, op_span)], operands: vec![*a, *b, right] }
        }
        ExprKind::Chained { mut ops, mut operands }
            if ops.first().is_some_and(|(first, _)| chains(*first)) && bare(&operands, left.span) =>
        {
            ops.push((op, op_span));
            operands.push(right);
            ExprKind::Chained { ops, operands }
        }
        kind => {
            let left = Box::new(Expr { kind, span: left.span });
            ExprKind::Binary { op, op_span, left, right: Box::new(right) }
        }
    };
    Expr { kind, span }
}

/// Whether a span holds just these operands: with brackets around them it is larger.
fn bare(operands: &[Expr], span: Span) -> bool {
    matches!((operands.first(), operands.last()), (Some(a), Some(b)) if a.span.to(b.span) == span)
}

impl Lower<'_> {
    pub(super) fn expr(&mut self, node: &SyntaxNode) -> Expr {
        if node.kind() == SyntaxKind::TextBlock {
            return self.operand(node);
        }
        if let Some(choice) = child(node, SyntaxKind::IfExpr) {
            return self.if_expr(&choice);
        }
        let mut operands = vec![];
        let mut ops = vec![];
        for part in node.children_with_tokens() {
            match part {
                SyntaxElement::Node(node) => operands.push(self.unary(&node)),
                SyntaxElement::Token(token) => {
                    // `=` was reported, and read as the comparison that it stands for.
                    let symbol = if token.text() == "=" { "==" } else { token.text() };
                    ops.extend(BinaryOp::from_symbol(symbol).map(|op| (op, self.token_span(&token))));
                }
            }
        }
        // A sign of another language was reported: half of an expression must not be judged as a whole one.
        if ops.len() + 1 != operands.len() {
            return Expr::error(self.span(node));
        }
        let mut run = Run { operands: operands.into_iter(), ops: ops.into_iter().peekable() };
        run.tree(0).unwrap_or_else(|| Expr::error(self.span(node)))
    }

    fn if_expr(&mut self, node: &SyntaxNode) -> Expr {
        let span = self.span(node);
        let mut parts = node.children().filter(|part| part.kind() == SyntaxKind::Expr);
        let mut next = || Box::new(parts.next().map_or_else(|| Expr::error(span), |part| self.expr(&part)));
        let (condition, then, otherwise) = (next(), next(), next());
        Expr { kind: ExprKind::If { condition, then, otherwise }, span }
    }

    fn unary(&mut self, node: &SyntaxNode) -> Operand {
        let mut prefixes = vec![];
        let mut value: Option<Expr> = None;
        let mut parts = 0;
        for part in node.children_with_tokens().filter(|part| !part.kind().is_trivia()) {
            value = Some(match (value.take(), part) {
                (None, SyntaxElement::Token(token)) => match token.text() {
                    "-" => {
                        prefixes.push((UnaryOp::Neg, self.token_span(&token)));
                        continue;
                    }
                    "not" => {
                        prefixes.push((UnaryOp::Not, self.token_span(&token)));
                        continue;
                    }
                    _ => self.word(&token),
                },
                (None, SyntaxElement::Node(node)) => self.operand(&node),
                (Some(base), SyntaxElement::Node(node)) => self.postfix(base, &node),
                (Some(base), SyntaxElement::Token(_)) => base,
            });
            parts += 1;
        }
        let mut value = value.unwrap_or_else(|| Expr::error(self.span(node)));
        if parts == 1 {
            self.foreign(&mut value);
        }
        Operand { prefixes, value }
    }

    fn word(&mut self, token: &SyntaxToken) -> Expr {
        let kind = match token.text() {
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "none" => ExprKind::None,
            word => ExprKind::Name(word.to_string()),
        };
        Expr { kind, span: self.token_span(token) }
    }

    /// `True` and its like of other languages: reported, and taken as meant.
    fn foreign(&mut self, value: &mut Expr) {
        let ExprKind::Name(word) = &value.kind else { return };
        let (meant, kind) = match word.as_str() {
            "True" | "TRUE" => ("true", ExprKind::Bool(true)),
            "False" | "FALSE" => ("false", ExprKind::Bool(false)),
            "None" | "null" | "Null" | "NULL" | "nil" | "undefined" => ("none", ExprKind::None),
            _ => return,
        };
        self.sink.push(ForeignWord { word: word.clone(), meant: meant.to_string(), at: value.span });
        value.kind = kind;
    }

    /// An operand that is a node of its own.
    pub(super) fn operand(&mut self, node: &SyntaxNode) -> Expr {
        let span = self.span(node);
        let kind = match node.kind() {
            SyntaxKind::Quantity => self.number(node),
            SyntaxKind::Text | SyntaxKind::TextBlock => ExprKind::Text(self.text(node)),
            SyntaxKind::Column => match idents(node).next() {
                Some(name) => ExprKind::Column(self.ident(&name)),
                None => ExprKind::Error,
            },
            SyntaxKind::Paren => {
                // The brackets are part of the span, and keep `(a < b) < c` from chaining.
                let inner = self.value(node);
                return Expr { span, ..inner };
            }
            SyntaxKind::Record => match child(node, SyntaxKind::Block) {
                Some(block) => ExprKind::Record(self.block(&block)),
                None => ExprKind::Error,
            },
            SyntaxKind::List => self.list(node),
            SyntaxKind::Path => {
                let path = self.path(node);
                let mut names = path.segments.into_iter();
                let Some(first) = names.next() else { return Expr::error(span) };
                let first = Expr { kind: ExprKind::Name(first.text), span: first.span };
                return names.fold(first, field);
            }
            _ => ExprKind::Error,
        };
        Expr { kind, span }
    }

    fn number(&mut self, node: &SyntaxNode) -> ExprKind {
        let find = |kind| tokens(node).find(|token| token.kind() == kind);
        match find(SyntaxKind::Number) {
            Some(digits) => ExprKind::Number(Number {
                digits: digits.text().to_string(),
                suffix: find(SyntaxKind::Suffix).map(|suffix| self.ident(&suffix)),
                unit: find(SyntaxKind::Ident).map(|unit| self.ident(&unit)),
            }),
            None => ExprKind::Error,
        }
    }

    fn list(&mut self, node: &SyntaxNode) -> ExprKind {
        if let Some(tail) = child(node, SyntaxKind::Comp) {
            let value = self.value(node);
            let mut parts = tail.children().filter(|part| part.kind() == SyntaxKind::Expr);
            let list = parts.next().map_or_else(|| Expr::error(value.span), |list| self.expr(&list));
            let condition = parts.next().map(|condition| self.expr(&condition));
            let Some(var) = idents(&tail).next() else { return ExprKind::Error };
            let var = self.ident(&var);
            return ExprKind::Comprehension(Box::new(Comprehension { value, var, list, condition }));
        }
        let parts =
            node.children().filter(|part| matches!(part.kind(), SyntaxKind::Expr | SyntaxKind::Error));
        ExprKind::List(parts.map(|part| self.expr(&part)).collect())
    }

    pub(super) fn args(&mut self, node: &SyntaxNode) -> Vec<Arg> {
        let mut args = vec![];
        for part in node.children() {
            let span = self.span(&part);
            match part.kind() {
                SyntaxKind::Arg => {
                    let name = idents(&part).next().map(|name| self.ident(&name));
                    args.push(Arg { name, value: self.value(&part), span });
                }
                SyntaxKind::Error => {
                    let mut words = tokens(&part);
                    let name = words.next().filter(|name| name.kind() == SyntaxKind::Ident);
                    let named = words.next().is_some_and(|sign| matches!(sign.text(), "=" | ":"));
                    let name = name.filter(|_| named).map(|name| self.ident(&name));
                    args.push(Arg { name, value: Expr::error(span), span });
                }
                _ => {}
            }
        }
        args
    }

    fn postfix(&mut self, base: Expr, node: &SyntaxNode) -> Expr {
        let own = self.span(node);
        let span = base.span.to(own);
        let base = Box::new(base);
        let kind = match node.kind() {
            SyntaxKind::FieldGet => match idents(node).next() {
                Some(name) => ExprKind::Field { base, name: self.ident(&name) },
                None => ExprKind::Error,
            },
            SyntaxKind::IndexGet => ExprKind::Index { base, index: Box::new(self.value(node)) },
            SyntaxKind::Args => ExprKind::Call { callee: base, args: self.args(node), args_span: own },
            SyntaxKind::Block => ExprKind::With { base, block: self.block(node) },
            _ => ExprKind::Error,
        };
        Expr { kind, span }
    }
}

fn field(base: Expr, name: Ident) -> Expr {
    let span = base.span.to(name.span);
    Expr { kind: ExprKind::Field { base: Box::new(base), name }, span }
}
