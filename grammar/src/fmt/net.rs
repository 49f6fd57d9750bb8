//! The safety net: a formatted file has the same tokens but for commas at ends, and the same comments in their order.

use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};
use crate::{FileId, Sink, parse};

/// What differs between a tree and its formatted text, and where; `None` if nothing does.
pub(super) fn difference(before: &SyntaxNode, out: &str) -> Option<(String, usize)> {
    let after = SyntaxNode::new_root(parse::tree(FileId(0), out, &mut Sink::new()));
    let (a, b) = (tokens(before), tokens(&after));
    for at in 0..a.len().max(b.len()) {
        let (old, new) = (a.get(at), b.get(at));
        if old.map(|old| &old.0) != new.map(|new| &new.0) {
            let shown = |side: Option<&(String, usize)>| {
                side.map_or("nothing".to_string(), |side| format!("`{}`", side.0))
            };
            let offset = old.map_or(usize::from(before.text_range().end()), |old| old.1);
            return Some((format!("{} would become {}", shown(old), shown(new)), offset));
        }
    }
    None
}

/// Comments in order, then tokens; imports sorted, since the formatter sorts them.
fn tokens(root: &SyntaxNode) -> Vec<(String, usize)> {
    let mut comments = vec![];
    let mut rest: Vec<(String, usize)> = vec![];
    let mut imports = vec![];
    for child in root.children_with_tokens() {
        let import =
            child.as_node().is_some_and(|node| node.children().any(|child| child.kind() == SyntaxKind::Use));
        let all: Vec<_> = match child {
            SyntaxElement::Token(token) => vec![token],
            SyntaxElement::Node(node) => {
                node.descendants_with_tokens().filter_map(SyntaxElement::into_token).collect()
            }
        };
        let mut own: Vec<(String, usize)> = vec![];
        for token in all {
            let offset = usize::from(token.text_range().start());
            match token.kind() {
                SyntaxKind::Space | SyntaxKind::Newline => {}
                SyntaxKind::Comment => comments.push((token.text().trim_end().to_string(), offset)),
                SyntaxKind::TextLine => own.push((token.text().trim_end_matches('\r').to_string(), offset)),
                // In a block a line end does what a comma does.
                SyntaxKind::Punct if token.text() == "," && in_block(&token) => {}
                _ => {
                    let text = token.text();
                    if matches!(text, ")" | "]" | "}") && own.last().is_some_and(|last| last.0 == ",") {
                        own.pop();
                    }
                    own.push((text.to_string(), offset));
                }
            }
        }
        if import { imports.push(own) } else { rest.extend(own) }
    }
    imports.sort_by(|a, b| a.iter().map(|part| &part.0).cmp(b.iter().map(|part| &part.0)));
    comments.into_iter().chain(imports.into_iter().flatten()).chain(rest).collect()
}

fn in_block(token: &SyntaxToken) -> bool {
    token.parent().is_some_and(|parent| matches!(parent.kind(), SyntaxKind::Block | SyntaxKind::RecordType))
}
