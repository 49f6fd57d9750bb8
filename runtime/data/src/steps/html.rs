//! Text of HTML by a single pass over its tokens: blocks become paragraphs, markup of machines is left out.

use std::cell::RefCell;

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};

/// Text of a page or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extracted {
    /// Paragraphs, an empty line between them.
    pub(super) text: String,
    /// The `<title>`.
    pub(super) title: String,
    /// Largest number of elements open at a time.
    pub(super) depth: usize,
}

/// Reads `html`; works on any input, in time and memory linear in its length.
pub(super) fn text(html: &str) -> Extracted {
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    // The sink never asks for a script to be run, so one call takes all input.
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    let mut state = tokenizer.sink.state.into_inner();
    state.paragraph_end();
    Extracted { text: state.text, title: collapse(&state.title), depth: state.deepest }
}

/// A text with every run of whitespace as one space, none at the ends.
pub(super) fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[derive(Default)]
struct Sink {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    text: String,
    /// The paragraph being read: its lines, whitespace not yet collapsed.
    paragraph: String,
    title: String,
    in_title: bool,
    /// Names of open elements whose content is left out, and how many.
    hidden: usize,
    /// Open `<pre>` elements: whitespace counts.
    pre: usize,
    depth: usize,
    deepest: usize,
}

/// Content of these is not text of the page.
fn is_hidden(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "noscript"
            | "template"
            | "svg"
            | "math"
            | "select"
            | "textarea"
            | "iframe"
            | "object"
    )
}

/// Elements without content or end tag.
fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Elements that end a paragraph where they begin and where they end.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "head"
            | "header"
            | "hr"
            | "html"
            | "legend"
            | "main"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "tfoot"
            | "thead"
            | "title"
            | "ul"
    )
}

impl State {
    fn characters(&mut self, text: &str) {
        if self.in_title {
            self.title.push_str(text);
        } else if self.hidden == 0 {
            if self.pre > 0 {
                self.paragraph.push_str(text);
            } else {
                // Newlines of the source are spaces; a newline in `paragraph` is a line of the page.
                self.paragraph.extend(text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }));
            }
        }
    }

    fn line_end(&mut self) {
        if self.hidden == 0 && !self.paragraph.is_empty() {
            self.paragraph.push('\n');
        }
    }

    fn paragraph_end(&mut self) {
        if self.hidden > 0 {
            return;
        }
        let paragraph = std::mem::take(&mut self.paragraph);
        let lines: Vec<String> = if self.pre > 0 {
            paragraph.lines().map(|line| line.trim_end().to_string()).collect()
        } else {
            paragraph.lines().map(collapse).filter(|line| !line.is_empty()).collect()
        };
        let joined = lines.join("\n");
        let joined = joined.trim_end().trim_start_matches('\n');
        if !joined.trim().is_empty() {
            if !self.text.is_empty() {
                self.text.push_str("\n\n");
            }
            self.text.push_str(joined);
        }
    }

    fn tag(&mut self, tag: &Tag) -> Option<RawKind> {
        let name: &str = &tag.name;
        let start = tag.kind == TagKind::StartTag;
        let change = |count: &mut usize| *count = if start { *count + 1 } else { count.saturating_sub(1) };
        let counts = !tag.self_closing || !start;
        if counts && !is_void(name) {
            change(&mut self.depth);
            self.deepest = self.deepest.max(self.depth);
        }
        if is_block(name) {
            self.paragraph_end();
        }
        match name {
            "title" => self.in_title = start && self.title.is_empty(),
            "pre" => change(&mut self.pre),
            "br" | "li" | "tr" => self.line_end(),
            "td" | "th" => self.characters(" "),
            _ if is_hidden(name) && !tag.self_closing => {
                if start {
                    // What was written before a hidden element stays in the paragraph.
                    self.hidden += 1;
                } else {
                    self.hidden = self.hidden.saturating_sub(1);
                }
            }
            _ => {}
        }
        if start { raw_kind(name) } else { None }
    }
}

/// How the tokenizer reads what is inside an element, where that is no markup.
pub(super) fn raw_kind(name: &str) -> Option<RawKind> {
    match name {
        "script" => Some(RawKind::ScriptData),
        "style" | "iframe" | "noembed" | "noframes" | "xmp" => Some(RawKind::Rawtext),
        "title" | "textarea" => Some(RawKind::Rcdata),
        _ => None,
    }
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.state.borrow_mut();
        match token {
            Token::TagToken(tag) => {
                if let Some(kind) = state.tag(&tag) {
                    return TokenSinkResult::RawData(kind);
                }
            }
            Token::CharacterTokens(text) => state.characters(&text),
            Token::DoctypeToken(_) | Token::CommentToken(_) | Token::NullCharacterToken => {}
            Token::EOFToken | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_paragraphs_and_code_keeps_its_lines() {
        let page = "<html><head><title> A \n page</title><style>p{}</style></head><body><p>One\n two&amp;<b>three</b>\
                    <script>if (a < b) {}</script> four<p>five<ul><li>a<li>b</ul><pre>x = 1\n  y</pre>\
                    <table><tr><td>1<td>2<tr><td>3</table><!-- no -->";
        let out = text(page);
        assert_eq!(out.title, "A page");
        assert_eq!(out.text, "One two&three four\n\nfive\n\na\nb\n\nx = 1\n  y\n\n1 2\n3");
    }

    #[test]
    fn any_input_gives_some_text() {
        for bad in
            ["", "<", "<p", "</", "<script>never closed", "<!--", "&#xffffffff;", "<svg><p>x", "\0<p>\0"]
        {
            let _ = text(bad);
        }
        let deep = text(&"<div>".repeat(100_000));
        assert_eq!((deep.text.as_str(), deep.depth), ("", 100_000));
    }
}
