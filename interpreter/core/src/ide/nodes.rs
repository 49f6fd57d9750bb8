//! The values around an offset, outermost first, and the places that editors fold and select.

use llmp_grammar::Span;
use llmp_grammar::ast::{
    BinaryOp, Block, Body, Expr, ExprKind, File, Item, ItemKind, RoundMember, Segment, TextPart,
};

/// The values inside of a value.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Text(text) => text
            .parts
            .iter()
            .filter_map(|part| if let TextPart::Value(value) = part { Some(value) } else { None })
            .collect(),
        ExprKind::List(items) => items.iter().collect(),
        ExprKind::Chained { operands, .. } => operands.iter().collect(),
        ExprKind::Comprehension(list) => {
            [&list.value, &list.list].into_iter().chain(list.condition.as_ref()).collect()
        }
        ExprKind::Record(block) => block.members.iter().map(|m| &m.value).collect(),
        ExprKind::Call { callee, args, .. } => {
            std::iter::once(&**callee).chain(args.iter().map(|a| &a.value)).collect()
        }
        ExprKind::With { base, block } => {
            std::iter::once(&**base).chain(block.members.iter().map(|m| &m.value)).collect()
        }
        ExprKind::Field { base, .. } => vec![base],
        ExprKind::Index { base, index } => vec![base, index],
        ExprKind::Unary { operand, .. } => vec![operand],
        ExprKind::Binary { left, right, .. } => vec![left, right],
        ExprKind::If { condition, then, otherwise } => vec![condition, then, otherwise],
        ExprKind::Number(_)
        | ExprKind::Bool(_)
        | ExprKind::None
        | ExprKind::Name(_)
        | ExprKind::Column(_)
        | ExprKind::Error => Vec::new(),
    }
}

/// The values that an item holds by itself.
pub(crate) fn values(item: &Item) -> Vec<&Expr> {
    match &item.kind {
        ItemKind::Use(_) => Vec::new(),
        ItemKind::Param(param) => param.default.iter().chain(&param.ty.domain).collect(),
        ItemKind::Let(binding) => vec![&binding.value],
        ItemKind::Check(check) => {
            let parts = check.message.parts.iter();
            let values = parts.filter_map(|p| if let TextPart::Value(v) = p { Some(v) } else { None });
            std::iter::once(&check.condition).chain(values).collect()
        }
        ItemKind::Variant(variant) => members(&variant.block),
        ItemKind::Rounds(rounds) => {
            let mut all = vec![&rounds.from, &rounds.to];
            for member in &rounds.members {
                match member {
                    RoundMember::Carry(b) | RoundMember::Next(b) => all.push(&b.value),
                    RoundMember::Item(item) => all.extend(values(item)),
                }
            }
            all
        }
        ItemKind::Decl(decl) => {
            let mut all: Vec<&Expr> = decl.params.iter().filter_map(|p| p.default.as_ref()).collect();
            all.extend(decl.index.as_ref().map(|index| &index.domain));
            match &decl.body {
                Body::Value(value) => all.push(value),
                Body::Block(block) => all.extend(members(block)),
            }
            all
        }
    }
}

fn members(block: &Block) -> Vec<&Expr> {
    let mut all = Vec::new();
    for member in &block.members {
        all.extend(
            member.target.iter().filter_map(|s| if let Segment::Index(e, _) = s { Some(e) } else { None }),
        );
        all.push(&member.value);
    }
    all
}

/// The values around an offset, outermost first.
pub(crate) fn around(file: &File, offset: u32) -> Vec<&Expr> {
    let mut found = Vec::new();
    let Some(item) = file.items.iter().find(|item| item.span.touches(offset)) else { return found };
    let mut open: Vec<&Expr> = values(item);
    while let Some(expr) = open.into_iter().filter(|e| e.span.touches(offset)).min_by_key(|e| e.span.len()) {
        found.push(expr);
        open = children(expr);
    }
    found
}

/// Every value of an item, those inside of others too.
pub(crate) fn all(item: &Item) -> Vec<&Expr> {
    let mut open = values(item);
    let mut found = Vec::new();
    while let Some(expr) = open.pop() {
        found.push(expr);
        open.extend(children(expr));
    }
    found
}

/// Items of a file, those inside of rounds too.
pub(crate) fn items(file: &File) -> Vec<&Item> {
    let mut found = Vec::new();
    for item in &file.items {
        found.push(item);
        if let ItemKind::Rounds(rounds) = &item.kind {
            found.extend(
                rounds
                    .members
                    .iter()
                    .filter_map(|m| if let RoundMember::Item(item) = m { Some(item) } else { None }),
            );
        }
    }
    found
}

/// Ranges that contain an offset, innermost first, each larger than the one before: words, values, members, items.
pub fn selection(file: &File, word: Option<Span>, offset: u32) -> Vec<Span> {
    let mut spans: Vec<Span> = word.into_iter().collect();
    spans.extend(around(file, offset).iter().map(|e| e.span));
    for item in items(file).into_iter().filter(|item| item.span.touches(offset)) {
        spans.push(item.span);
        let blocks = match &item.kind {
            ItemKind::Decl(decl) => match &decl.body {
                Body::Block(block) => Some(block),
                Body::Value(_) => None,
            },
            ItemKind::Variant(variant) => Some(&variant.block),
            _ => None,
        };
        if let Some(block) = blocks.filter(|block| block.span.touches(offset)) {
            spans.push(block.span);
            spans.extend(block.members.iter().map(|m| m.span).filter(|s| s.touches(offset)));
        }
    }
    spans.push(file.span);
    spans.retain(|span| span.touches(offset));
    spans.sort_by_key(|span| span.len());
    let mut chain: Vec<Span> = Vec::new();
    for span in spans {
        let grows = chain.last().is_none_or(|last| span.contains(*last) && span != *last);
        if grows {
            chain.push(span);
        }
    }
    chain
}

/// Ranges that can be folded: items, blocks and lists of several lines, pipes, runs of comments and imports.
pub fn folds(file: &File) -> Vec<(Span, bool)> {
    let mut found: Vec<(Span, bool)> = Vec::new();
    for item in items(file) {
        found.push((item.span, false));
        let mut pipes: Vec<Span> = Vec::new();
        for expr in all(item) {
            let whole = match &expr.kind {
                ExprKind::Binary { op: BinaryOp::Pipe, .. } => {
                    if pipes.iter().any(|outer| outer.contains(expr.span)) {
                        continue;
                    }
                    pipes.push(expr.span);
                    expr.span
                }
                ExprKind::Call { args_span, .. } => *args_span,
                ExprKind::With { block, .. } | ExprKind::Record(block) => block.span,
                ExprKind::List(_) => expr.span,
                _ => continue,
            };
            found.push((whole, false));
        }
        if let ItemKind::Decl(decl) = &item.kind
            && let Body::Block(block) = &decl.body
        {
            found.push((block.span, false));
        }
    }
    let uses: Vec<Span> =
        file.items.iter().filter(|i| matches!(i.kind, ItemKind::Use(_))).map(|i| i.span).collect();
    if let (Some(first), Some(last), true) = (uses.first(), uses.last(), uses.len() > 1) {
        found.push((first.to(*last), true));
    }
    found
}
