//! Text: escapes resolved, parts kept.

use super::{Lower, tokens};
use crate::ast::{Text, TextPart};
use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode};

impl Lower<'_> {
    pub(super) fn text(&mut self, node: &SyntaxNode) -> Text {
        if node.kind() == SyntaxKind::TextBlock {
            let lines: Vec<String> = tokens(node)
                .map(|line| {
                    let text = line.text().strip_prefix(r"\\").unwrap_or("");
                    text.strip_prefix(' ').unwrap_or(text).to_string()
                })
                .collect();
            return plain(lines.join("\n"), true);
        }
        if let Some(raw) = tokens(node).find(|token| token.kind() == SyntaxKind::RawText) {
            let inner = raw.text().strip_prefix("r\"").and_then(|text| text.strip_suffix('"'));
            return plain(inner.unwrap_or("").to_string(), true);
        }
        let mut parts: Vec<TextPart> = vec![];
        for part in node.children_with_tokens() {
            let piece = match &part {
                SyntaxElement::Node(value) => {
                    let value = self.value(value);
                    parts.push(TextPart::Value(value));
                    continue;
                }
                SyntaxElement::Token(token) => match token.kind() {
                    SyntaxKind::Quote => continue,
                    SyntaxKind::Brace => token.text().get(..1).unwrap_or("").to_string(),
                    SyntaxKind::Escape => escape(token.text()),
                    _ => token.text().to_string(),
                },
            };
            match parts.last_mut() {
                Some(TextPart::Plain(text)) => text.push_str(&piece),
                _ => parts.push(TextPart::Plain(piece)),
            }
        }
        Text { parts, raw: false }
    }
}

fn plain(text: String, raw: bool) -> Text {
    let parts = if text.is_empty() { vec![] } else { vec![TextPart::Plain(text)] };
    Text { parts, raw }
}

/// The character that an escape stands for; unknown ones stand for themselves, so `\.` stays `\.`.
fn escape(written: &str) -> String {
    match written {
        r"\n" => "\n".into(),
        r"\t" => "\t".into(),
        r"\r" => "\r".into(),
        r"\0" => "\0".into(),
        "\\\"" => "\"".into(),
        r"\\" => "\\".into(),
        r"\{" => "{".into(),
        r"\}" => "}".into(),
        other => other.into(),
    }
}
