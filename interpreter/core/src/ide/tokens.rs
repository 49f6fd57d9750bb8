//! What colour a word gets: by what it means, not by how it looks.

use llmp_grammar::kind::SyntaxKind;
use llmp_grammar::scan::scan;
use llmp_grammar::{FileId, Span};
use llmp_stdlib::Registry;

use super::Analysis;
use super::index::{Sort, What};

/// The sort of a word. The order is that of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// A kind or reserved word.
    Keyword,
    /// An item that is data.
    Data,
    /// An item that is a model, and what becomes one.
    Model,
    /// Any other item.
    Item,
    /// `let`, `param`, an index, a local name.
    Variable,
    /// A parameter of a chain.
    Parameter,
    /// A member, argument or field.
    Property,
    /// A step, constructor or function.
    Function,
    /// A value of a closed set.
    EnumMember,
    /// A column.
    Column,
    /// A module.
    Namespace,
    /// A number.
    Number,
    /// A unit.
    Unit,
    /// Text.
    Text,
    /// A comment.
    Comment,
    /// An operator.
    Operator,
    /// An attribute.
    Decorator,
}

impl Token {
    /// Names for the protocol, in order.
    pub const LEGEND: [&str; 17] = [
        "keyword",
        "struct",
        "class",
        "type",
        "variable",
        "parameter",
        "property",
        "function",
        "enumMember",
        "event",
        "namespace",
        "number",
        "unit",
        "string",
        "comment",
        "operator",
        "decorator",
    ];
}

/// Modifiers, as bits in the order of [`MODIFIERS`].
pub const DECLARATION: u32 = 1;
/// A built-in.
pub const LIBRARY: u32 = 2;
/// `##` comments.
pub const DOCUMENTATION: u32 = 4;
/// A value that no run can change.
pub const READONLY: u32 = 8;
/// Names of modifiers for the protocol.
pub const MODIFIERS: [&str; 4] = ["declaration", "defaultLibrary", "documentation", "readonly"];

impl Analysis {
    /// Every word of a file with its colour; ranges do not overlap and do not span lines.
    pub fn tokens(&self, registry: &Registry, file: FileId) -> Vec<(Span, Token, u32)> {
        let text = self.text(file);
        let index = self.word_index(registry);
        let mut marks = index.of_file(file).iter().peekable();
        let mut found = Vec::new();
        let mut attribute = false;
        for token in scan(text) {
            let span = Span::new(file, token.start, token.end);
            while marks.peek().is_some_and(|mark| mark.span.start < span.start) {
                marks.next();
            }
            let here = marks.clone().take_while(|m| m.span.start == span.start);
            let marked = here.filter(|m| m.span.end == span.end).find_map(|m| self.marked(registry, &m.what));
            let word = token.text(text);
            let plain = match token.kind {
                SyntaxKind::Comment if word.starts_with("##") => Some((Token::Comment, DOCUMENTATION)),
                SyntaxKind::Comment => Some((Token::Comment, 0)),
                SyntaxKind::Keyword => Some((Token::Keyword, 0)),
                SyntaxKind::Number => Some((Token::Number, 0)),
                SyntaxKind::Suffix => Some((Token::Unit, 0)),
                SyntaxKind::Quote
                | SyntaxKind::TextChars
                | SyntaxKind::Escape
                | SyntaxKind::RawText
                | SyntaxKind::TextLine
                | SyntaxKind::Brace => Some((Token::Text, 0)),
                SyntaxKind::Ident if attribute => Some((Token::Decorator, 0)),
                SyntaxKind::Ident if self.is_unit(&found, span, word) => Some((Token::Unit, 0)),
                SyntaxKind::Ident if column_0(text, token.start) => Some((Token::Keyword, 0)),
                SyntaxKind::Ident if dotted(text, token.start) => self.dotted(index, span),
                SyntaxKind::Punct if matches!(word, "|>" | "==" | "!=" | "<=" | ">=" | "<" | ">" | "..") => {
                    Some((Token::Operator, 0))
                }
                _ => None,
            };
            attribute = word == "@";
            if let Some((sort, modifiers)) = marked.or(plain) {
                found.push((span, sort, modifiers));
            }
        }
        found
    }

    /// A word behind a number.
    fn is_unit(&self, found: &[(Span, Token, u32)], span: Span, word: &str) -> bool {
        let behind = found.last().is_some_and(|(last, sort, _)| {
            matches!(sort, Token::Number | Token::Unit)
                && self
                    .text(span.file)
                    .get(last.range().end..span.range().start)
                    .is_some_and(|t| t.trim_matches(' ').is_empty())
        });
        behind && llmp_stdlib::unit::WORDS.iter().any(|w| w.text == word)
    }

    /// The mark of a column begins with its dot.
    fn dotted(&self, index: &super::Index, span: Span) -> Option<(Token, u32)> {
        let mark = index.at(span.file, span.end)?;
        match mark.what {
            What::Column(_) => Some((Token::Column, 0)),
            What::Read { .. } => Some((Token::Property, 0)),
            _ => None,
        }
    }

    fn marked(&self, registry: &Registry, what: &What) -> Option<(Token, u32)> {
        let index = self.word_index(registry);
        Some(match what {
            What::Symbol { id, declares } => {
                let symbol = &index.symbols[index.behind(*id)];
                let declaration = if *declares { DECLARATION } else { 0 };
                let library = if self.loaded.units[symbol.unit].library { LIBRARY } else { 0 };
                let sort = match symbol.sort {
                    Sort::Item | Sort::Family => match symbol.kind.map(|k| k.yields) {
                        Some(llmp_stdlib::Yields::Data | llmp_stdlib::Yields::Mix) => Token::Data,
                        Some(llmp_stdlib::Yields::Chain) => Token::Function,
                        Some(
                            llmp_stdlib::Yields::Model
                            | llmp_stdlib::Yields::Reward
                            | llmp_stdlib::Yields::Classifier,
                        ) => Token::Model,
                        _ => Token::Item,
                    },
                    Sort::Rounds | Sort::Space | Sort::Alias => Token::Namespace,
                    Sort::Parameter => Token::Parameter,
                    Sort::Variant => Token::Item,
                    Sort::Let | Sort::Param | Sort::Carry | Sort::Index | Sort::Local => Token::Variable,
                };
                let fixed = if symbol.sort == Sort::Let { READONLY } else { 0 };
                (sort, declaration | library | fixed)
            }
            What::Kind(_) => (Token::Keyword, LIBRARY),
            What::Member { .. } | What::Argument(..) => (Token::Property, 0),
            What::Read { .. } => (Token::Property, 0),
            What::BuiltIn(_) | What::Function(_) => (Token::Function, LIBRARY),
            What::Choice(..) => (Token::EnumMember, LIBRARY),
            What::Column(_) => (Token::Column, 0),
            What::Import(_) => return None,
        })
    }
}

fn column_0(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|before| before.is_empty() || before.ends_with(['\n', '\r']))
}

fn dotted(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|before| before.ends_with('.'))
}
