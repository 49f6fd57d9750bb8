//! From the lossless tree to the plain structs of [`ast`](crate::ast): items and blocks. Values are in [`expr`].

mod expr;
mod item;
mod text;

use crate::codes::e0001_unexpected::Unexpected;
use crate::codes::e0014_edition::EditionLine;
use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};
use crate::{Diag, FileId, Severity, Sink, Span, ast};

/// The edition that this tool knows.
const EDITION: u32 = 1;

/// Lowers a whole file.
pub(crate) fn file(file: FileId, root: &SyntaxNode, sink: &mut Sink) -> ast::File {
    let mut lower = Lower { file, sink };
    let mut edition = None;
    let mut items = vec![];
    let mut first = true;
    for node in root.children() {
        match node.kind() {
            SyntaxKind::Edition => {
                let found = lower.edition(&node);
                if first {
                    edition = Some(found);
                } else {
                    let what = "`llmp`".to_string();
                    let wanted = "the edition line must be the first of the file".to_string();
                    lower.sink.push(Diag::from(Unexpected { what, wanted, at: found.span }));
                }
            }
            SyntaxKind::Item => items.extend(lower.item(&node)),
            SyntaxKind::Error => items.extend(lower.broken_item(&node)),
            _ => {}
        }
        first = false;
    }
    let begun = root.descendants_with_tokens().filter_map(SyntaxElement::into_token);
    let begun = begun.filter(|token| !token.kind().is_trivia()).map(|token| token.text() == "llmp").next();
    // Of a file that is too large nothing was read.
    let read = usize::from(root.text_range().len()) <= crate::limits::SIZE;
    if read && edition.is_none() && begun == Some(false) {
        let at = Span::at(file, 0);
        let message = format!("the edition line `llmp {EDITION}` is missing");
        sink.push(Diag::from(EditionLine { message, at }).fix("add the edition line", at, "llmp 1\n\n"));
    }
    ast::File { edition, items, span: Span::new(file, 0, usize::from(root.text_range().end())) }
}

/// Lowers the tree of a single value.
pub(crate) fn only_expr(file: FileId, root: &SyntaxNode, sink: &mut Sink) -> Option<ast::Expr> {
    let mut lower = Lower { file, sink };
    let node = root.children().find(|node| node.kind() == SyntaxKind::Expr)?;
    Some(lower.expr(&node))
}

struct Lower<'s> {
    file: FileId,
    sink: &'s mut Sink,
}

impl Lower<'_> {
    /// Place of a node without the blanks around it.
    fn span(&self, node: &SyntaxNode) -> Span {
        let mut tokens = node.descendants_with_tokens().filter_map(SyntaxElement::into_token);
        let first = tokens.find(|token| !token.kind().is_trivia());
        let start = first.map_or(node.text_range().start(), |token| token.text_range().start());
        let mut last = node.last_token();
        while let Some(token) = last.take() {
            if !token.kind().is_trivia() || token.text_range().start() <= start {
                return Span::new(self.file, start.into(), token.text_range().end().into());
            }
            last = token.prev_token();
        }
        Span::new(self.file, start.into(), node.text_range().end().into())
    }

    fn token_span(&self, token: &SyntaxToken) -> Span {
        Span::new(self.file, token.text_range().start().into(), token.text_range().end().into())
    }

    fn ident(&self, token: &SyntaxToken) -> ast::Ident {
        ast::Ident { text: token.text().to_string(), span: self.token_span(token) }
    }

    fn edition(&mut self, node: &SyntaxNode) -> ast::Edition {
        let span = self.span(node);
        let digits = tokens(node).find(|token| token.kind() == SyntaxKind::Number);
        let number = digits.and_then(|token| token.text().parse().ok()).unwrap_or(u32::MAX);
        if number != EDITION {
            let message = format!("edition {number} is not known: this tool reads edition {EDITION}");
            let diag = Diag::from(EditionLine { message, at: span }).severity(Severity::Error);
            self.sink.push(diag.fix("write `llmp 1`", span, "llmp 1").help("write `llmp 1`, or update llmp"));
        }
        ast::Edition { number, span }
    }

    /// Text of the `##` lines right before a node.
    fn doc(&self, node: &SyntaxNode) -> String {
        let mut lines = vec![];
        let mut newlines = 0;
        let mut comment: Option<String> = None;
        let mut before = node.prev_sibling_or_token();
        loop {
            let token = before.as_ref().and_then(SyntaxElement::as_token);
            let kind = token.map(SyntaxToken::kind);
            if !matches!(kind, Some(SyntaxKind::Space | SyntaxKind::Newline | SyntaxKind::Comment)) {
                // The start of the file ends the first line; anything else shares its line with the comment.
                if before.is_none() {
                    lines.extend(comment.take());
                }
                break;
            }
            match (kind, token) {
                (Some(SyntaxKind::Newline), _) => {
                    lines.extend(comment.take());
                    newlines += 1;
                    if newlines > 1 {
                        break;
                    }
                }
                (Some(SyntaxKind::Comment), Some(token)) => {
                    let Some(text) = token.text().strip_prefix("##") else { break };
                    comment = Some(text.strip_prefix(' ').unwrap_or(text).trim_end().to_string());
                    newlines = 0;
                }
                _ => {}
            }
            before = before.and_then(|element| element.prev_sibling_or_token());
        }
        lines.reverse();
        lines.join("\n")
    }
}

/// Tokens right under a node that are not trivia.
fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    let all = node.children_with_tokens().filter_map(SyntaxElement::into_token);
    all.filter(|token| !token.kind().is_trivia())
}

/// Words right under a node that are not reserved.
fn idents(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    tokens(node).filter(|token| token.kind() == SyntaxKind::Ident)
}

/// The first child of a kind.
fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

/// All children of a kind.
fn children(node: &SyntaxNode, kind: SyntaxKind) -> impl Iterator<Item = SyntaxNode> + use<> {
    node.children().filter(move |child| child.kind() == kind)
}
