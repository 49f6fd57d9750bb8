//! Builds the lossless tree: nodes from pest's pairs, tokens from the scanner, so the tree always is the text.

use crate::attempt::{Attempt, Hidden, Seen};
use crate::kind::{Llmp, SyntaxKind};
use crate::parse::{Rule, node_kind};
use crate::scan::Token;
use pest::iterators::Pair;
use rowan::{GreenNodeBuilder, Language};

/// A node or token, wherever it stands.
pub(crate) type Green = rowan::NodeOrToken<rowan::GreenNode, rowan::GreenToken>;

/// Walks pairs and tokens side by side.
pub(crate) struct Builder<'a> {
    source: &'a str,
    tokens: &'a [Token],
    at: usize,
    offset: usize,
    end: usize,
    hidden: Vec<Hidden>,
    green: GreenNodeBuilder<'static>,
}

impl<'a> Builder<'a> {
    /// Starts a file.
    pub(crate) fn new(source: &'a str, tokens: &'a [Token]) -> Builder<'a> {
        Builder::part(source, tokens, 0, source.len())
    }

    /// Starts a part of a file: the bytes of its tokens.
    pub(crate) fn part(source: &'a str, tokens: &'a [Token], start: usize, end: usize) -> Builder<'a> {
        let mut green = GreenNodeBuilder::new();
        green.start_node(Llmp::kind_to_raw(SyntaxKind::File));
        Builder { source, tokens, at: 0, offset: start, end, hidden: vec![], green }
    }

    /// Adds the pairs of a chunk.
    pub(crate) fn chunk(&mut self, pairs: Pair<'_, Rule>, seen: &Seen, attempt: &Attempt<'_>) {
        self.hidden = attempt.hidden();
        for pair in pairs.into_inner() {
            self.pair(pair, seen, attempt.range.end);
        }
        self.push_until(attempt.range.end);
        self.hidden.clear();
    }

    /// Adds a chunk that could not be read at all.
    pub(crate) fn error(&mut self, start: usize, end: usize) {
        self.hidden = vec![Hidden { start, end, filled: false }];
        self.push_until(end);
        self.hidden.clear();
    }

    /// The finished tree.
    pub(crate) fn finish(mut self) -> rowan::GreenNode {
        self.push_until(self.end);
        self.green.finish_node();
        self.green.finish()
    }

    fn pair(&mut self, pair: Pair<'_, Rule>, seen: &Seen, limit: usize) {
        let span = pair.as_span();
        let Some(kind) = node_kind(pair.as_rule()) else { return };
        let text = seen.text.get(span.start()..span.end()).unwrap_or("");
        let text = text.trim_end_matches([' ', '\t', '\n', '\r']);
        let start = seen.source(span.start());
        let end = seen.source_end(span.start() + text.len()).min(limit);
        // Blanks at the end of a `\\` line belong to it.
        let at = self.tokens.partition_point(|token| token.end < end);
        let line =
            self.tokens.get(at).filter(|token| token.kind == SyntaxKind::TextLine && token.start < end);
        let end = line.map_or(end, |token| token.end);
        if start >= end {
            return;
        }
        self.push_until(start);
        let filled = self.hidden.iter().find(|part| part.filled && part.start == start).copied();
        if kind == SyntaxKind::Quantity
            && let Some(part) = filled
        {
            self.green.start_node(Llmp::kind_to_raw(SyntaxKind::Error));
            self.push_tokens(part.end);
            self.green.finish_node();
            return;
        }
        self.green.start_node(Llmp::kind_to_raw(kind));
        for child in pair.into_inner() {
            self.pair(child, seen, limit);
        }
        self.push_until(end);
        self.green.finish_node();
    }

    /// Adds tokens up to an offset; what pest did not see becomes an error node.
    fn push_until(&mut self, end: usize) {
        while let Some(part) = self.hidden.iter().find(|part| part.end > self.offset).copied() {
            if part.start >= end || part.filled {
                break;
            }
            self.push_tokens(part.start);
            self.green.start_node(Llmp::kind_to_raw(SyntaxKind::Error));
            self.push_tokens(part.end);
            self.green.finish_node();
        }
        self.push_tokens(end);
    }

    fn push_tokens(&mut self, end: usize) {
        while let Some(token) = self.tokens.get(self.at) {
            if self.offset >= end {
                break;
            }
            let stop = token.end.min(end);
            let text = self.source.get(self.offset..stop).unwrap_or("");
            self.green.token(Llmp::kind_to_raw(token.kind), text);
            self.offset = stop;
            if stop == token.end {
                self.at += 1;
            }
        }
    }
}
