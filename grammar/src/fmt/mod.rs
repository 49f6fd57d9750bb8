//! The formatter: one layout for every program, no options. It never changes what a program says.

mod doc;
mod expr;
mod item;
mod net;
mod trivia;

use crate::codes::e0901_formatter_loss::FormatterLoss;
use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode};
use crate::{Diag, FileId, Sink, Span, parse};
use doc::{Doc, print};
use std::cell::Cell;

/// Formats a file. Items that cannot be read stay byte for byte as they are.
///
/// # Errors
/// LLMP0901 if the result would not say the same, which is a mistake of the formatter: then nothing should be written.
pub fn format(text: &str) -> Result<String, Diag> {
    let file = FileId(0);
    let mut sink = Sink::new();
    let root = SyntaxNode::new_root(parse::tree(file, text, &mut sink));
    // Words of other languages are found while lowering; their tree is whole.
    let broken: Vec<Span> = sink.iter().filter(|diag| diag.is_error()).filter_map(Diag::span).collect();
    let format = Format { text, done: Cell::new(None), broken };
    let out = print(&format.file(&root));
    match net::difference(&root, &out) {
        None => Ok(out),
        Some((what, offset)) => Err(FormatterLoss { what, at: Span::at(file, offset) }.into()),
    }
}

/// What the functions of the formatter share.
struct Format<'a> {
    text: &'a str,
    /// Start of the token whose comments are already printed.
    done: Cell<Option<usize>>,
    broken: Vec<Span>,
}

impl Format<'_> {
    fn file(&self, root: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        let items = self.chunks(root);
        self.items(&items, &mut docs, true);
        self.comment_lines(self.comments_at_end(root), docs.is_empty(), &mut docs);
        Doc::All(docs)
    }

    /// Items of a file. What is broken keeps its blanks, and whatever stands on its lines or is broken too sticks to it.
    fn chunks(&self, root: &SyntaxNode) -> Vec<item::Chunk> {
        let mut chunks: Vec<item::Chunk> = vec![];
        for element in root.children_with_tokens().filter(|element| !element.kind().is_trivia()) {
            let (start, end) = match &element {
                SyntaxElement::Node(node) => self.extent(node),
                SyntaxElement::Token(token) => {
                    (token.text_range().start().into(), token.text_range().end().into())
                }
            };
            let broken = element.as_node().is_none_or(|node| self.is_broken(node, start, end));
            let between =
                |last: &item::Chunk| self.text.get(last.end..start).unwrap_or("").contains(['\n', '\r']);
            match chunks.last_mut() {
                Some(last) if (broken && last.broken) || ((broken || last.broken) && !between(last)) => {
                    if !last.broken {
                        last.start = self.line_start(last.start);
                        last.broken = true;
                    }
                    last.end = end;
                }
                _ => {
                    let start = if broken { self.line_start(start) } else { start };
                    let first = match &element {
                        SyntaxElement::Node(node) => self.first(node),
                        SyntaxElement::Token(token) => Some(token.clone()),
                    };
                    let node = element.into_node();
                    chunks.push(item::Chunk { node, first, start, end, broken });
                }
            }
        }
        chunks
    }

    fn is_broken(&self, node: &SyntaxNode, start: usize, end: usize) -> bool {
        let hit = |span: &Span| start <= span.start as usize && span.start as usize <= end;
        node.descendants().any(|node| node.kind() == SyntaxKind::Error) || self.broken.iter().any(hit)
    }

    /// Start of the blanks before an offset.
    fn line_start(&self, offset: usize) -> usize {
        self.text.get(..offset).map_or(offset, |before| before.trim_end_matches([' ', '\t']).len())
    }
}
