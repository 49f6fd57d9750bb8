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

    /// Items of a file; tokens that belong to none stick to the item before them, as it is.
    fn chunks(&self, root: &SyntaxNode) -> Vec<item::Chunk> {
        let mut chunks: Vec<item::Chunk> = vec![];
        for element in root.children_with_tokens() {
            let range = element.text_range();
            match element {
                SyntaxElement::Node(node) => {
                    let (start, end) = self.extent(&node);
                    let hit = |span: &Span| start <= span.start as usize && span.start as usize <= end;
                    let broken = node.kind() == SyntaxKind::Error
                        || node.descendants().any(|node| node.kind() == SyntaxKind::Error)
                        || self.broken.iter().any(hit);
                    chunks.push(item::Chunk { node: Some(node), start, end, broken });
                }
                SyntaxElement::Token(token) if !token.kind().is_trivia() => match chunks.last_mut() {
                    Some(last) => {
                        last.end = range.end().into();
                        last.broken = true;
                    }
                    None => chunks.push(item::Chunk {
                        node: None,
                        start: range.start().into(),
                        end: range.end().into(),
                        broken: true,
                    }),
                },
                SyntaxElement::Token(_) => {}
            }
        }
        chunks
    }
}
