//! Layout of items, blocks and members.

use super::Format;
use super::doc::{Doc, WIDTH};
use crate::kind::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};

/// An item, or something that is left as it is.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) node: Option<SyntaxNode>,
    pub(super) first: Option<SyntaxToken>,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) broken: bool,
}

/// An item in three pieces, so that neighbours can be aligned: head, sign with what precedes it, rest.
struct Parts {
    attrs: Vec<Doc>,
    head: Doc,
    sign: Option<SyntaxToken>,
    rest: Doc,
}

impl Format<'_> {
    /// Items below each other; imports that stand together are sorted.
    pub(super) fn items(&self, chunks: &[Chunk], docs: &mut Vec<Doc>, top: bool) {
        let written = chunks;
        let chunks = self.sort_imports(written);
        let leads: Vec<bool> = chunks.iter().map(|chunk| self.separated(chunk)).collect();
        let done = self.done.get();
        let parts: Vec<Option<Parts>> = chunks.iter().map(|chunk| self.parts(chunk)).collect();
        self.done.set(done);
        let pads = self.pads(&parts, &leads);
        for (at, ((chunk, before), parts)) in chunks.iter().zip(written).zip(parts).enumerate() {
            if chunk.start == before.start || at == 0 {
                self.before_chunk(chunk, top && at == 0, !top && at == 0, docs);
            } else {
                // An import that was moved: the empty line stays where it is.
                let blank = self.token_at(before).is_some_and(|token| self.lead(&token).blank);
                docs.push(if blank { Doc::Blank } else { Doc::Hard });
            }
            match parts {
                Some(parts) => {
                    for attr in parts.attrs {
                        docs.push(attr);
                        docs.push(Doc::Hard);
                    }
                    let pad = " ".repeat(pads.get(at).copied().unwrap_or(0));
                    docs.push(Doc::All(vec![parts.head, Doc::text(pad), parts.rest]));
                }
                None => docs.push(Doc::Verbatim(self.text.get(chunk.start..chunk.end).unwrap_or("").into())),
            }
        }
    }

    /// Line ends and comments before an item.
    fn before_chunk(&self, chunk: &Chunk, start: bool, first: bool, docs: &mut Vec<Doc>) {
        let Some(token) = self.token_at(chunk) else { return };
        if start {
            let lead = self.lead(&token);
            self.mark(&token);
            let any = !lead.comments.is_empty();
            let blank = lead.blank;
            self.comment_lines(lead.comments, true, docs);
            if any {
                docs.push(if blank { Doc::Blank } else { Doc::Hard });
            }
            return;
        }
        self.break_before(&token, Doc::Hard, first, docs);
    }

    fn token_at(&self, chunk: &Chunk) -> Option<SyntaxToken> {
        chunk.first.clone()
    }

    fn separated(&self, chunk: &Chunk) -> bool {
        self.token_at(chunk).is_none_or(|token| self.lead(&token).separates())
    }

    /// Sorts runs of imports without comments between them.
    fn sort_imports(&self, chunks: &[Chunk]) -> Vec<Chunk> {
        let mut all = chunks.to_vec();
        let key = |chunk: &Chunk| {
            let node = chunk.node.as_ref().filter(|_| !chunk.broken)?;
            let import = node.children().find(|child| child.kind() == SyntaxKind::Use)?;
            let path = import.children().find(|child| child.kind() == SyntaxKind::Text)?.text().to_string();
            node.children()
                .all(|child| child.kind() != SyntaxKind::Attr)
                .then(|| (path.starts_with("\"."), path))
        };
        let plain = |chunk: &Chunk| {
            self.token_at(chunk).is_some_and(|token| {
                let lead = self.lead(&token);
                lead.comments.is_empty() && !lead.blank
            })
        };
        let mut from = 0;
        while from < all.len() {
            let mut to = from + 1;
            while key(&all[from]).is_some() && to < all.len() && key(&all[to]).is_some() && plain(&all[to]) {
                to += 1;
            }
            // What stands before the first or behind the last belongs to them: such runs stay.
            let next = all.get(to).and_then(|next| self.token_at(next));
            let trailing = next
                .is_some_and(|next| self.lead(&next).comments.first().is_some_and(|comment| !comment.own));
            let leading =
                self.token_at(&all[from]).is_some_and(|token| !self.lead(&token).comments.is_empty());
            if to - from > 1 && !trailing && !leading && !all[from..to].is_sorted_by_key(key) {
                all[from..to].sort_by_key(key);
            }
            from = to;
        }
        all
    }

    /// Blanks before the signs of neighbours whose signs stood in one column.
    fn pads(&self, parts: &[Option<Parts>], separated: &[bool]) -> Vec<usize> {
        // Sign, its column, the widths of what precedes and of what follows.
        let place = |at: usize| {
            let parts = parts.get(at)?.as_ref()?;
            let sign = parts.sign.as_ref()?;
            let column = self.column(sign.text_range().start().into());
            let (head, rest) = (parts.head.flat().chars().count(), parts.rest.flat().chars().count());
            let one_line = !parts.head.breaks() && !parts.rest.breaks() && column + rest <= WIDTH;
            one_line.then(|| (sign.text().to_string(), column, head, rest))
        };
        let mut pads = vec![0; parts.len()];
        let mut from = 0;
        while from < parts.len() {
            let mut to = from + 1;
            if let Some((sign, column, ..)) = place(from) {
                while place(to).is_some_and(|next| !separated[to] && next.0 == sign && next.1 == column) {
                    to += 1;
                }
                let widths: Vec<(usize, usize)> =
                    (from..to).filter_map(place).map(|place| (place.2, place.3)).collect();
                let widest = widths.iter().map(|width| width.0).max().unwrap_or(0);
                if widths.iter().all(|width| widest + width.1 <= WIDTH) {
                    pads.splice(from..to, widths.iter().map(|width| widest - width.0));
                }
            }
            from = to;
        }
        pads
    }

    fn parts(&self, chunk: &Chunk) -> Option<Parts> {
        let node = chunk.node.as_ref().filter(|_| !chunk.broken)?;
        if let Some(token) = self.first(node) {
            self.mark(&token);
        }
        if matches!(node.kind(), SyntaxKind::Edition | SyntaxKind::Carry | SyntaxKind::Next) {
            return self.form(node, vec![]);
        }
        let attrs: Vec<SyntaxNode> =
            node.children().filter(|child| child.kind() == SyntaxKind::Attr).collect();
        let form = node.children().find(|child| child.kind() != SyntaxKind::Attr)?;
        let attrs = attrs.iter().enumerate().map(|(at, attr)| self.attr(attr, at > 0)).collect::<Vec<_>>();
        self.form(&form, attrs)
    }

    fn form(&self, node: &SyntaxNode, attrs: Vec<Doc>) -> Option<Parts> {
        let mut head: Vec<Doc> = vec![];
        let mut rest: Vec<Doc> = vec![];
        let mut sign = None;
        if node.kind() == SyntaxKind::Rounds {
            return Some(Parts { attrs, head: self.rounds(node), sign, rest: Doc::All(rest) });
        }
        for part in node.children_with_tokens().filter(|part| !part.kind().is_trivia()) {
            let own_sign = match &part {
                SyntaxElement::Token(token) if matches!(token.text(), "=" | "else") => Some(token.clone()),
                SyntaxElement::Node(block) if block.kind() == SyntaxKind::Block => self.first(block),
                _ => None,
            };
            if sign.is_none() && own_sign.is_some() {
                sign = own_sign;
            }
            let docs = if sign.is_some() { &mut rest } else { &mut head };
            let no_blank = match &part {
                SyntaxElement::Token(token) => matches!(token.text(), ":" | ","),
                SyntaxElement::Node(node) => {
                    matches!(node.kind(), SyntaxKind::Params | SyntaxKind::Index | SyntaxKind::TextBlock)
                }
            };
            if !no_blank && (!docs.is_empty() || sign.is_some()) {
                docs.push(Doc::text(" "));
            }
            docs.push(match part {
                SyntaxElement::Token(token) => self.token(&token),
                SyntaxElement::Node(node) => self.node(&node),
            });
        }
        let head = Doc::All(head);
        let rest = if node.kind() == SyntaxKind::Check {
            let broken = Doc::nest(Doc::All(vec![Doc::Line, Doc::All(rest.split_off(1))]));
            Doc::group(broken)
        } else {
            Doc::All(rest)
        };
        Some(Parts { attrs, head, sign, rest })
    }

    fn attr(&self, node: &SyntaxNode, lead: bool) -> Doc {
        let mut docs = vec![];
        if let Some(first) = self.first(node)
            && !lead
        {
            self.mark(&first);
        }
        for part in node.children_with_tokens().filter(|part| !part.kind().is_trivia()) {
            docs.push(match part {
                SyntaxElement::Token(token) => self.token(&token),
                SyntaxElement::Node(node) => self.node(&node),
            });
        }
        Doc::All(docs)
    }

    fn rounds(&self, node: &SyntaxNode) -> Doc {
        let mut docs = vec![];
        let mut chunks = vec![];
        let mut open = None;
        let mut close = None;
        for part in node.children_with_tokens().filter(|part| !part.kind().is_trivia()) {
            match part {
                SyntaxElement::Token(token) if token.text() == "{" => open = Some(token),
                SyntaxElement::Token(token) if token.text() == "}" => close = Some(token),
                SyntaxElement::Node(node) if open.is_some() => {
                    let (start, end) = self.extent(&node);
                    let first = self.first(&node);
                    chunks.push(Chunk { node: Some(node), first, start, end, broken: false });
                }
                SyntaxElement::Token(token) => {
                    if !docs.is_empty() && token.text() != ".." {
                        docs.push(Doc::text(" "));
                    }
                    docs.push(self.token(&token));
                }
                SyntaxElement::Node(node) => {
                    if node.prev_sibling_or_token().is_none_or(|before| before.to_string() != "..") {
                        docs.push(Doc::text(" "));
                    }
                    docs.push(self.node(&node));
                }
            }
        }
        docs.push(Doc::text(" {"));
        let mut body = vec![];
        self.items(&chunks, &mut body, false);
        docs.push(Doc::nest(Doc::All(body)));
        if let Some(close) = close {
            self.close(&close, chunks.is_empty(), &mut docs);
        }
        Doc::All(docs)
    }

    /// The line of a closing bracket, with the comments before it one level deeper.
    fn close(&self, close: &SyntaxToken, first: bool, docs: &mut Vec<Doc>) {
        let lead = self.lead(close);
        self.mark(close);
        let mut inner = vec![];
        self.comment_lines(lead.comments, false, &mut inner);
        if first && inner.is_empty() {
            docs.push(Doc::text("}"));
            return;
        }
        docs.push(Doc::nest(Doc::All(inner)));
        docs.push(Doc::Hard);
        docs.push(Doc::text("}"));
    }

    /// Members between braces: on one line if they were and fit, else one per line with their `=` below each other.
    pub(super) fn block(&self, node: &SyntaxNode) -> Doc {
        let open = node.first_token();
        let members: Vec<SyntaxNode> =
            node.children().filter(|child| child.kind() == SyntaxKind::Member).collect();
        let close = node.last_token();
        let (Some(open), Some(close)) = (open, close) else { return Doc::text("{}") };
        let lines = node.text().contains_char('\n') || node.text().contains_char('\r');
        let before = self.token(&open);
        if members.is_empty() {
            let mut docs = vec![before];
            self.close(&close, true, &mut docs);
            return Doc::All(docs);
        }
        if !lines {
            let inner = Doc::nest(Doc::All(self.members(&members, false)));
            return Doc::group(Doc::All(vec![before, inner, Doc::Line, Doc::text(close.text())]));
        }
        let mut docs = vec![before, Doc::nest(Doc::All(self.members(&members, true)))];
        self.close(&close, false, &mut docs);
        Doc::All(docs)
    }

    fn members(&self, members: &[SyntaxNode], lines: bool) -> Vec<Doc> {
        let mut docs = vec![];
        let pads = self.member_pads(members);
        for (at, member) in members.iter().enumerate() {
            let Some(first) = self.first(member) else { continue };
            if lines {
                self.break_before(&first, Doc::Hard, at == 0, &mut docs);
            } else {
                if at > 0 {
                    docs.push(Doc::IfFlat(",".into()));
                }
                docs.push(Doc::Line);
            }
            let pad = pads.get(at).copied().unwrap_or(0);
            docs.push(
                self.member(member, if lines { Doc::text(" ".repeat(pad)) } else { Doc::AlignBroken(pad) }),
            );
        }
        docs
    }

    /// Blanks before `=` in runs of members without an empty line, a comment or a target that may break between them.
    fn member_pads(&self, members: &[SyntaxNode]) -> Vec<usize> {
        let target = |member: &SyntaxNode| {
            member.children().find(|child| child.kind() == SyntaxKind::Target).filter(one_line)
        };
        let done = self.done.get();
        let width = |member: &SyntaxNode| target(member).map(|it| self.target(&it).flat().chars().count());
        let widths: Vec<Option<usize>> = members.iter().map(width).collect();
        let separates =
            |member: &SyntaxNode| self.first(member).is_some_and(|token| self.lead(&token).separates());
        let starts: Vec<bool> = (0..members.len())
            .map(|at| at == 0 || widths[at].is_none() || widths[at - 1].is_none() || separates(&members[at]))
            .collect();
        self.done.set(done);
        let mut pads = vec![];
        let mut from = 0;
        while from < members.len() {
            let to = (from + 1..members.len()).find(|at| starts[*at]).unwrap_or(members.len());
            let widest = widths[from..to].iter().max().copied().flatten().unwrap_or(0);
            pads.extend(widths[from..to].iter().map(|width| widest - width.unwrap_or(widest)));
            from = to;
        }
        pads
    }

    fn member(&self, node: &SyntaxNode, pad: Doc) -> Doc {
        let mut docs = vec![];
        let mut pad = Some(pad);
        let mut attrs = 0;
        for part in node.children_with_tokens().filter(|part| !part.kind().is_trivia()) {
            match part {
                SyntaxElement::Node(attr) if attr.kind() == SyntaxKind::Attr => {
                    docs.push(self.attr(&attr, attrs > 0));
                    docs.push(Doc::Hard);
                    attrs += 1;
                }
                SyntaxElement::Node(node) if node.kind() == SyntaxKind::Target => {
                    docs.push(self.target(&node))
                }
                SyntaxElement::Token(token) => {
                    docs.extend(pad.take());
                    docs.push(Doc::text(" "));
                    docs.push(self.token(&token));
                }
                SyntaxElement::Node(value) => {
                    if value.kind() != SyntaxKind::TextBlock {
                        docs.push(Doc::text(" "));
                    }
                    docs.push(self.node(&value));
                }
            }
        }
        Doc::All(docs)
    }
}

/// Whether a target stands on one line in every layout: names, and indices of one word, number or text.
fn one_line(target: &SyntaxNode) -> bool {
    target.descendants_with_tokens().all(|part| match part {
        SyntaxElement::Node(node) => node.kind() != SyntaxKind::List,
        SyntaxElement::Token(token) => match token.kind() {
            SyntaxKind::Punct => matches!(token.text(), "." | "[" | "]"),
            kind => kind != SyntaxKind::Comment,
        },
    })
}
