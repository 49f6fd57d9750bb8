//! From text to tree: pest reads each chunk, the mistake catalogue explains what it cannot read.

use crate::attempt::Attempt;
use crate::kind::{Llmp, SyntaxKind, SyntaxNode};
use crate::scan::Token;
use crate::span::FileId;
use crate::tree::{Builder, Green};
use crate::{Sink, ast, limits, lower, mistakes, split};
use pest::Parser;
use rowan::Language;
use std::collections::BTreeMap;

#[derive(pest_derive::Parser)]
#[grammar = "../llmp.pest"]
struct Grammar;

/// A parsed file: the lossless tree and the program lowered from it.
#[derive(Clone, Debug)]
pub struct Parse {
    green: rowan::GreenNode,
    /// The program.
    pub file: ast::File,
}

impl Parse {
    /// Root of the lossless tree; its text is the text of the file.
    pub fn syntax(&self) -> SyntaxNode {
        SyntaxNode::new_root(self.green.clone())
    }
}

/// Reads a file. Never fails: what cannot be read is reported and stands in the tree as an error node.
pub fn parse(file: FileId, text: &str) -> (Parse, Sink) {
    let mut sink = Sink::new();
    let green = tree(file, text, &mut sink);
    let root = SyntaxNode::new_root(green.clone());
    let program = lower::file(file, &root, &mut sink);
    (Parse { green, file: program }, sink)
}

/// Trees of items without a mistake, by their text: for those who read a text again after each small edit.
#[derive(Debug, Default)]
pub struct Chunks {
    known: BTreeMap<String, Vec<Green>>,
}

/// Most items that are kept; when there are more, all are forgotten.
const MOST_CHUNKS: usize = 50_000;

/// As [`parse()`], with the trees of items that were read before: what did not change is not read again.
pub fn parse_with(file: FileId, text: &str, chunks: &mut Chunks) -> (Parse, Sink) {
    let mut sink = Sink::new();
    let green = known_tree(file, text, chunks, &mut sink);
    let root = SyntaxNode::new_root(green.clone());
    let program = lower::file(file, &root, &mut sink);
    (Parse { green, file: program }, sink)
}

/// As [`tree`]. Where every item can be read by itself, so can the file: then only new items are read.
fn known_tree(file: FileId, text: &str, chunks: &mut Chunks, sink: &mut Sink) -> rowan::GreenNode {
    let tokens = limits::tokens(text);
    let hidden = if limits::check(file, text, &tokens, &mut Sink::new()).is_ok() {
        limits::clean(file, text, &mut Sink::new())
    } else {
        vec![(0, text.len())]
    };
    if !hidden.is_empty() {
        return tree(file, text, sink);
    }
    let ranges = split::split(text, &tokens);
    let parts: Vec<&[Token]> = ranges.into_iter().filter_map(|range| tokens.get(range)).collect();
    let mut found: Vec<Option<Vec<Green>>> = parts.iter().map(|part| chunks.read(text, part)).collect();
    let broken = found.iter().any(Option::is_none);
    // A file with an open bracket is none; any other may be one although its pieces are not.
    if broken
        && split::is_balanced(text, &tokens)
        && let Ok(mut pairs) = Grammar::parse(Rule::file, text)
    {
        let mut builder = Builder::new(text, &tokens);
        if let Some(top) = pairs.next() {
            let attempt = Attempt::new(text, &tokens, 0..text.len(), &[]);
            builder.chunk(top, &attempt.seen(), &attempt);
        }
        return builder.finish();
    }
    for (part, found) in parts.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let mut builder = Builder::part(text, part, first.start, last.end);
        let mut attempt = Attempt::new(text, part, first.start..last.end, &[]);
        read(file, &mut attempt, sink);
        let seen = attempt.seen();
        match Grammar::parse(Rule::file, &seen.text).ok().and_then(|mut pairs| pairs.next()) {
            Some(top) => builder.chunk(top, &seen, &attempt),
            None => builder.error(first.start, last.end),
        }
        *found = Some(children(&builder.finish()));
    }
    let all = found.into_iter().flatten().flatten();
    rowan::GreenNode::new(Llmp::kind_to_raw(SyntaxKind::File), all.collect::<Vec<_>>())
}

fn children(green: &rowan::GreenNode) -> Vec<Green> {
    green.children().map(|child| child.to_owned()).collect()
}

impl Chunks {
    /// The tree of one item; `None` where it cannot be read.
    fn read(&mut self, text: &str, part: &[Token]) -> Option<Vec<Green>> {
        let (first, last) = (part.first()?, part.last()?);
        let own = text.get(first.start..last.end)?;
        if let Some(known) = self.known.get(own) {
            return Some(known.clone());
        }
        let mut builder = Builder::part(text, part, first.start, last.end);
        if !part.iter().all(|token| token.kind.is_trivia()) {
            let top = Grammar::parse(Rule::file, own).ok()?.next()?;
            let attempt = Attempt::new(text, part, first.start..last.end, &[]);
            builder.chunk(top, &attempt.seen(), &attempt);
        }
        let found = children(&builder.finish());
        if self.known.len() >= MOST_CHUNKS {
            self.known.clear();
        }
        self.known.insert(own.to_owned(), found.clone());
        Some(found)
    }
}

/// Reads one value, as in `--set lr=3e-4`.
pub fn parse_expr(file: FileId, text: &str) -> (Option<ast::Expr>, Sink) {
    let mut sink = Sink::new();
    let tokens = limits::tokens(text);
    if limits::check(file, text, &tokens, &mut sink).is_err()
        || !limits::clean(file, text, &mut sink).is_empty()
    {
        return (None, sink);
    }
    match Grammar::parse(Rule::value_only, text) {
        Ok(mut pairs) => {
            let mut builder = Builder::new(text, &tokens);
            if let Some(top) = pairs.next() {
                let attempt = Attempt::new(text, &tokens, 0..text.len(), &[]);
                builder.chunk(top, &attempt.seen(), &attempt);
            }
            let root = SyntaxNode::new_root(builder.finish());
            let expr = lower::only_expr(file, &root, &mut sink);
            (expr, sink)
        }
        Err(error) => {
            mistakes::value(file, text, &tokens, place(&error), &mut sink);
            (None, sink)
        }
    }
}

/// Builds the lossless tree and reports what cannot be read.
pub(crate) fn tree(file: FileId, text: &str, sink: &mut Sink) -> rowan::GreenNode {
    let tokens = limits::tokens(text);
    let mut builder = Builder::new(text, &tokens);
    if limits::check(file, text, &tokens, sink).is_err() {
        builder.error(0, text.len());
        return builder.finish();
    }
    let hidden = limits::clean(file, text, sink);
    if hidden.is_empty()
        && let Ok(mut pairs) = Grammar::parse(Rule::file, text)
    {
        if let Some(top) = pairs.next() {
            let attempt = Attempt::new(text, &tokens, 0..text.len(), &[]);
            builder.chunk(top, &attempt.seen(), &attempt);
        }
        return builder.finish();
    }
    for range in split::split(text, &tokens) {
        let chunk = tokens.get(range).unwrap_or(&[]);
        let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else { continue };
        if chunk.iter().all(|token| token.kind.is_trivia()) {
            continue;
        }
        let mut attempt = Attempt::new(text, chunk, first.start..last.end, &hidden);
        read(file, &mut attempt, sink);
        let seen = attempt.seen();
        match Grammar::parse(Rule::file, &seen.text).ok().and_then(|mut pairs| pairs.next()) {
            Some(top) => builder.chunk(top, &seen, &attempt),
            None => builder.error(first.start, last.end),
        }
    }
    builder.finish()
}

/// Masks what is wrong until pest can read the chunk, or nothing is left of it.
fn read(file: FileId, attempt: &mut Attempt<'_>, sink: &mut Sink) {
    if Grammar::parse(Rule::file, &attempt.seen().text).is_ok() {
        return;
    }
    let view = mistakes::explain(file, attempt, sink);
    for _ in 0..mistakes::MOST {
        let seen = attempt.seen();
        let Err(error) = Grammar::parse(Rule::file, &seen.text) else { return };
        if !mistakes::fallback(file, attempt, &view, seen.source(place(&error)), sink) {
            return;
        }
    }
}

/// Where pest stopped.
fn place(error: &pest::error::Error<Rule>) -> usize {
    match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    }
}

/// The node of a rule; rules of a single token have none.
pub(crate) fn node_kind(rule: Rule) -> Option<SyntaxKind> {
    Some(match rule {
        Rule::edition => SyntaxKind::Edition,
        Rule::item => SyntaxKind::Item,
        Rule::attr => SyntaxKind::Attr,
        Rule::use_item => SyntaxKind::Use,
        Rule::use_names => SyntaxKind::UseNames,
        Rule::use_name => SyntaxKind::UseName,
        Rule::param_item => SyntaxKind::ParamItem,
        Rule::let_item => SyntaxKind::Let,
        Rule::check_item => SyntaxKind::Check,
        Rule::variant_item => SyntaxKind::Variant,
        Rule::rounds_item => SyntaxKind::Rounds,
        Rule::carry => SyntaxKind::Carry,
        Rule::next => SyntaxKind::Next,
        Rule::decl => SyntaxKind::Decl,
        Rule::params => SyntaxKind::Params,
        Rule::param => SyntaxKind::Param,
        Rule::index => SyntaxKind::Index,
        Rule::block => SyntaxKind::Block,
        Rule::member => SyntaxKind::Member,
        Rule::target => SyntaxKind::Target,
        Rule::type_ref => SyntaxKind::TypeRef,
        Rule::type_atom => SyntaxKind::TypeAtom,
        Rule::record_type => SyntaxKind::RecordType,
        Rule::type_field => SyntaxKind::TypeField,
        Rule::expr => SyntaxKind::Expr,
        Rule::if_expr => SyntaxKind::IfExpr,
        Rule::unary => SyntaxKind::Unary,
        Rule::field_get => SyntaxKind::FieldGet,
        Rule::index_get => SyntaxKind::IndexGet,
        Rule::args => SyntaxKind::Args,
        Rule::arg => SyntaxKind::Arg,
        Rule::paren => SyntaxKind::Paren,
        Rule::record => SyntaxKind::Record,
        Rule::list => SyntaxKind::List,
        Rule::comp => SyntaxKind::Comp,
        Rule::column => SyntaxKind::Column,
        Rule::path => SyntaxKind::Path,
        Rule::quantity => SyntaxKind::Quantity,
        Rule::string | Rule::raw_string => SyntaxKind::Text,
        Rule::interp => SyntaxKind::Interp,
        Rule::text_block => SyntaxKind::TextBlock,
        _ => return None,
    })
}
