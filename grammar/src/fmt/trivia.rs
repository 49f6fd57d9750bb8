//! Comments and empty lines between tokens.

use super::Format;
use super::doc::Doc;
use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};

/// A comment between two tokens.
#[derive(Clone, Debug)]
pub(super) struct Comment {
    text: String,
    /// Whether it has its line for itself.
    pub(super) own: bool,
    /// Whether an empty line stands before it.
    blank: bool,
    column: usize,
}

impl Comment {
    fn doc(&self) -> Doc {
        Doc::Comment { text: self.text.clone(), own: self.own, column: self.column }
    }
}

/// What stands before a token.
#[derive(Clone, Debug, Default)]
pub(super) struct Lead {
    pub(super) comments: Vec<Comment>,
    /// Whether an empty line stands right before the token.
    pub(super) blank: bool,
    /// Whether a line end stands before the token.
    pub(super) newline: bool,
}

impl Lead {
    /// Whether an empty line or a comment on its own line separates the token from what precedes it.
    pub(super) fn separates(&self) -> bool {
        self.blank || self.comments.iter().any(|comment| comment.own || comment.blank)
    }
}

impl Format<'_> {
    /// Comments and lines before a token; none if they are printed already.
    pub(super) fn lead(&self, token: &SyntaxToken) -> Lead {
        let start = usize::from(token.text_range().start());
        let mut trivia = vec![];
        let mut before = token.prev_token();
        let at_start = loop {
            match before {
                Some(token) if token.kind().is_trivia() => {
                    before = token.prev_token();
                    trivia.push(token);
                }
                other => break other.is_none(),
            }
        };
        trivia.reverse();
        let mut lead = self.read(&trivia, at_start);
        if self.done.get() == Some(start) {
            lead.comments.clear();
        }
        lead
    }

    fn read(&self, trivia: &[SyntaxToken], file_start: bool) -> Lead {
        let mut lead = Lead::default();
        let mut newlines = usize::from(file_start);
        for token in trivia {
            match token.kind() {
                SyntaxKind::Newline => {
                    newlines += 1;
                    lead.newline = true;
                }
                SyntaxKind::Comment => {
                    let column = self.column(token.text_range().start().into());
                    let (own, blank) = (newlines > 0, newlines > 1);
                    lead.comments.push(Comment { text: token.text().to_string(), own, blank, column });
                    newlines = 0;
                }
                _ => {}
            }
        }
        lead.blank = newlines > 1;
        lead
    }

    /// Comments behind the last token of the file that is not trivia.
    pub(super) fn comments_at_end(&self, root: &SyntaxNode) -> Vec<Comment> {
        let mut trivia = vec![];
        let mut last = root.last_token();
        while let Some(token) = last.take_if(|token| token.kind().is_trivia()) {
            last = token.prev_token();
            trivia.push(token);
        }
        trivia.reverse();
        self.read(&trivia, last.is_none()).comments
    }

    /// Characters before an offset on its line.
    pub(super) fn column(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or("");
        before.rsplit(['\n', '\r']).next().unwrap_or("").chars().count()
    }

    /// Marks the comments before a token as printed.
    pub(super) fn mark(&self, token: &SyntaxToken) {
        self.done.set(Some(token.text_range().start().into()));
    }

    /// Comments one after the other: those behind something, then those on lines of their own.
    pub(super) fn comment_lines(&self, comments: Vec<Comment>, first: bool, docs: &mut Vec<Doc>) {
        let mut first = first;
        for comment in comments {
            if comment.own && !first {
                docs.push(if comment.blank { Doc::Blank } else { Doc::Hard });
            }
            docs.push(comment.doc());
            first = false;
        }
    }

    /// A line end before a token, with the comments that stand there. `first`: nothing precedes it in its block.
    pub(super) fn break_before(&self, token: &SyntaxToken, line: Doc, first: bool, docs: &mut Vec<Doc>) {
        let lead = self.lead(token);
        self.mark(token);
        let mut fresh = first;
        for comment in &lead.comments {
            if comment.own {
                docs.push(if comment.blank && !fresh { Doc::Blank } else { Doc::Hard });
            }
            docs.push(comment.doc());
            fresh = false;
        }
        docs.push(if lead.blank && !fresh && matches!(line, Doc::Hard) { Doc::Blank } else { line });
    }

    /// A token with the comments before it.
    pub(super) fn token(&self, token: &SyntaxToken) -> Doc {
        let lead = self.lead(token);
        if lead.comments.is_empty() {
            return Doc::text(token.text());
        }
        let mut docs: Vec<Doc> = lead.comments.iter().map(Comment::doc).collect();
        docs.push(Doc::text(token.text()));
        Doc::All(docs)
    }

    /// First token of a node that is not trivia.
    pub(super) fn first(&self, node: &SyntaxNode) -> Option<SyntaxToken> {
        let mut tokens = node.descendants_with_tokens().filter_map(SyntaxElement::into_token);
        tokens.find(|token| !token.kind().is_trivia())
    }

    /// Bytes of a node without the trivia around it.
    pub(super) fn extent(&self, node: &SyntaxNode) -> (usize, usize) {
        let tokens = node.descendants_with_tokens().filter_map(SyntaxElement::into_token);
        let mut tokens = tokens.filter(|token| !token.kind().is_trivia());
        let range = node.text_range();
        let Some(first) = tokens.next() else { return (range.start().into(), range.end().into()) };
        let last = tokens.last().unwrap_or_else(|| first.clone());
        (first.text_range().start().into(), last.text_range().end().into())
    }
}
