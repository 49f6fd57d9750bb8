//! Where a cursor stands, read off the tokens before it: so that half a line is enough.

use llmp_grammar::kind::SyntaxKind;
use llmp_grammar::scan::{Token, scan};
use llmp_grammar::split;

/// An open bracket around the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// `(`, `[` or `{`.
    pub(crate) open: char,
    /// Its offset.
    pub(crate) at: usize,
    /// What is called, or the name before `{`.
    pub(crate) callee: Option<String>,
    /// Name of the member or argument whose value the cursor stands in; dots and indices included.
    pub(crate) name: Option<String>,
    /// Commas before the cursor.
    pub(crate) commas: usize,
    /// Names given in this bracket, also behind the cursor.
    pub(crate) given: Vec<String>,
    /// Start of the value or of the name that the cursor stands in.
    pub(crate) start: usize,
    /// The last `|>` of that value.
    pub(crate) pipe: Option<usize>,
}

/// What stands before the word at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: the first word of an item.
    Nothing,
    /// The start of a member or of an argument.
    Start,
    /// `|>`.
    Pipe,
    /// `.` behind a path of names; with no names, a column.
    Dot(Vec<String>),
    /// A number: a unit may follow.
    Number,
    /// `like`.
    Like,
    /// `@`.
    At,
    /// An operator, `=`, or a comma in a list: a value follows.
    Value,
    /// A whole value or a name: what may follow is an operator.
    After,
}

/// The place of a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Start of the chunk.
    pub(crate) chunk: usize,
    /// End of the chunk.
    pub(crate) chunk_end: usize,
    /// First words of the item: `pretrain run`.
    pub(crate) words: Vec<String>,
    /// Start of the item's name.
    pub(crate) name_at: Option<usize>,
    /// Brackets around the cursor, outermost first; the item itself is the first, with `open` a blank.
    pub(crate) frames: Vec<Frame>,
    /// The word that the cursor stands in or behind, as far as the cursor.
    pub(crate) prefix: String,
    /// Start of that word.
    pub(crate) from: usize,
    /// End of that word.
    pub(crate) to: usize,
    /// What stands before it.
    pub(crate) before: Before,
    /// Inside of a text, and how it begins.
    pub(crate) text: Option<String>,
    /// Inside of a comment.
    pub(crate) comment: bool,
}

fn frame(open: char, at: usize, callee: Option<String>) -> Frame {
    Frame { open, at, callee, name: None, commas: 0, given: Vec::new(), start: at + 1, pipe: None }
}

/// Whether a line that begins with this token goes on with the value of the line before.
fn goes_on(word: &str) -> bool {
    matches!(word, "|>" | "and" | "or" | "then" | "else" | "in" | "mod" | "+" | "-" | "*" | "/" | "==" | "!=")
}

/// Reads the place of an offset.
pub(crate) fn cursor(source: &str, offset: usize) -> Cursor {
    let tokens = scan(source);
    let chunk = split::split(source, &tokens).into_iter().find(|range| {
        let last = range.end.saturating_sub(1);
        range.start < range.end && tokens.get(last).is_some_and(|t| offset <= t.end && ends_here(t, offset))
    });
    let chunk = chunk.unwrap_or(tokens.len()..tokens.len());
    let mine = tokens.get(chunk).unwrap_or(&[]);
    let start = mine.first().map_or(source.len(), |t| t.start);
    let end = mine.last().map_or(source.len(), |t| t.end);
    Reader { source, tokens: mine, offset, words: Vec::new(), name_at: None, header: true }.read(start, end)
}

/// The end of a line belongs to its chunk; the start of the next line does not.
fn ends_here(last: &Token, offset: usize) -> bool {
    last.kind != SyntaxKind::Newline || offset < last.end
}

struct Reader<'s> {
    source: &'s str,
    tokens: &'s [Token],
    offset: usize,
    words: Vec<String>,
    name_at: Option<usize>,
    header: bool,
}

impl Reader<'_> {
    fn read(mut self, chunk: usize, chunk_end: usize) -> Cursor {
        let mut frames = vec![Frame { start: chunk, ..frame(' ', chunk, None) }];
        let word = self.word();
        let mut text = None;
        let mut comment = false;
        let mut last: Option<Token> = None;
        for (i, token) in self.tokens.iter().enumerate() {
            if token.start >= word.0 {
                break;
            }
            let inside = token.start < self.offset && self.offset < token.end;
            comment |=
                token.kind == SyntaxKind::Comment && token.start < self.offset && self.offset <= token.end;
            match token.kind {
                SyntaxKind::RawText if inside => text = Some(self.slice(token.start, self.offset)),
                SyntaxKind::Quote if token.in_text => text = None,
                SyntaxKind::Quote => text = Some(String::new()),
                SyntaxKind::TextChars | SyntaxKind::Escape | SyntaxKind::Brace => {
                    if let Some(text) = &mut text {
                        text.push_str(&self.slice(token.start, token.end.min(self.offset)));
                    }
                }
                SyntaxKind::InterpOpen => frames.push(frame('{', token.start, Some("\"".into()))),
                SyntaxKind::InterpClose => drop(frames.pop()),
                SyntaxKind::Newline => {
                    text = None;
                    self.newline(i, &mut frames);
                }
                _ => {}
            }
            if !token.kind.is_trivia() && !in_text(token) {
                self.token(*token, last, &mut frames);
                last = Some(*token);
            }
        }
        if frames.last().is_some_and(|f| f.callee.as_deref() == Some("\"")) {
            text = None;
        }
        self.ahead(&mut frames);
        let before = self.before(last, &frames, word.0);
        Cursor {
            chunk,
            chunk_end,
            before,
            words: self.words,
            name_at: self.name_at,
            frames,
            prefix: self.source.get(word.0..self.offset).unwrap_or("").to_owned(),
            from: word.0,
            to: word.1,
            text,
            comment,
        }
    }

    fn slice(&self, start: usize, end: usize) -> String {
        self.source.get(start..end).unwrap_or("").to_owned()
    }

    /// The word around the cursor; empty at the cursor if there is none.
    fn word(&self) -> (usize, usize) {
        let is_word = |t: &&Token| {
            matches!(t.kind, SyntaxKind::Ident | SyntaxKind::Keyword | SyntaxKind::Suffix)
                && t.start < self.offset
                && self.offset <= t.end
        };
        self.tokens.iter().find(is_word).map_or((self.offset, self.offset), |t| (t.start, t.end))
    }

    /// A line ends: so does the member, unless the next line goes on with it.
    fn newline(&self, at: usize, frames: &mut [Frame]) {
        let Some(last) = frames.last_mut() else { return };
        if last.open != '{' {
            return;
        }
        let next = self.tokens.get(at + 1..).unwrap_or(&[]).iter().find(|t| !t.kind.is_trivia());
        let goes = next.is_some_and(|t| t.start < self.offset && goes_on(t.text(self.source)));
        if !goes {
            last.name = None;
            last.pipe = None;
            last.start = self.tokens.get(at).map_or(last.start, |t| t.end);
        }
    }

    fn token(&mut self, token: Token, last: Option<Token>, frames: &mut Vec<Frame>) {
        let word = token.text(self.source);
        if self.header && frames.len() == 1 {
            match token.kind {
                SyntaxKind::Ident | SyntaxKind::Keyword => {
                    if self.words.len() == 1 {
                        self.name_at = Some(token.start);
                    }
                    self.words.push(word.to_owned());
                }
                _ if matches!(word, "=" | "{" | "[" | "(" | ":") => self.header = false,
                _ => {}
            }
        }
        let inner = frames.len() > 1;
        let Some(top) = frames.last_mut() else { return };
        match word {
            "(" | "[" | "{" => {
                let callee = last
                    .filter(|t| matches!(t.kind, SyntaxKind::Ident) && t.end == token.start)
                    .or(last.filter(|t| word == "{" && t.kind == SyntaxKind::Ident))
                    .map(|t| t.text(self.source).to_owned());
                frames.push(frame(word.chars().next().unwrap_or('('), token.start, callee));
            }
            ")" | "]" | "}" if inner => drop(frames.pop()),
            "," => {
                top.commas += 1;
                top.name = None;
                top.pipe = None;
                top.start = token.end;
            }
            "=" => {
                let name = self.source.get(top.start..token.start).unwrap_or("");
                let name = name.rsplit(['\n', '{', ',']).next().unwrap_or("").trim().to_owned();
                if top.open != ' ' {
                    top.given.push(name.clone());
                    top.name = Some(name);
                } else {
                    top.name = Some(String::new());
                }
                top.start = token.end;
            }
            "|>" => top.pipe = Some(token.start),
            _ => {}
        }
    }

    /// Names that stand in the innermost bracket behind the cursor.
    fn ahead(&self, frames: &mut [Frame]) {
        let Some(top) = frames.last_mut() else { return };
        let mut depth = 0;
        let mut name: Option<&str> = None;
        for token in
            self.tokens.iter().filter(|t| t.start >= self.offset && !t.kind.is_trivia() && !in_text(t))
        {
            let word = token.text(self.source);
            match word {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" if depth == 0 => break,
                ")" | "]" | "}" => depth -= 1,
                "=" if depth == 0 => top.given.extend(name.map(str::to_owned)),
                _ => {}
            }
            name = (token.kind == SyntaxKind::Ident).then_some(word);
        }
    }

    fn before(&self, last: Option<Token>, frames: &[Frame], from: usize) -> Before {
        let Some(top) = frames.last() else { return Before::Nothing };
        let Some(last) = last else { return Before::Nothing };
        let word = last.text(self.source);
        let between = self.source.get(last.end..from).unwrap_or("");
        let new_line = between.contains(['\n', '\r']);
        if frames.len() == 1 && new_line && self.at_column_0(from) {
            return Before::Nothing;
        }
        match word {
            "|>" => return Before::Pipe,
            "like" => return Before::Like,
            "@" => return Before::At,
            "." => return Before::Dot(self.path(last.start)),
            _ => {}
        }
        if top.open == '{' && top.name.is_none() && (new_line || matches!(word, "{" | ",")) {
            return Before::Start;
        }
        if matches!(word, "(" | "," | "[" | "{") {
            return if top.open == '[' { Before::Value } else { Before::Start };
        }
        let value = matches!(
            word,
            "=" | "=="
                | "!="
                | "<"
                | "<="
                | ">"
                | ">="
                | "+"
                | "-"
                | "*"
                | "/"
                | ".."
                | ":"
                | "and"
                | "or"
                | "not"
                | "in"
                | "if"
                | "then"
                | "else"
                | "mod"
                | "check"
        );
        if value {
            return Before::Value;
        }
        if matches!(last.kind, SyntaxKind::Number | SyntaxKind::Suffix) && !new_line {
            return Before::Number;
        }
        Before::After
    }

    fn at_column_0(&self, from: usize) -> bool {
        self.source.get(..from).is_some_and(|text| text.is_empty() || text.ends_with(['\n', '\r']))
    }

    /// Names before a dot: `post` of `post.`, none of `keep_if(.`.
    fn path(&self, dot: usize) -> Vec<String> {
        let mut names = Vec::new();
        let mut end = dot;
        while let Some(at) = self.tokens.iter().rposition(|t| t.end == end) {
            let token = self.tokens[at];
            match token.kind {
                SyntaxKind::Ident => {
                    names.push(token.text(self.source).to_owned());
                    end = token.start;
                }
                SyntaxKind::Punct if token.text(self.source) == "]" => {
                    // An index belongs to the name before it.
                    let mut depth = 0;
                    let open = self.tokens[..=at].iter().rposition(|t| {
                        depth += split::bracket(self.source, t);
                        depth == 0
                    });
                    let Some(open) = open else { break };
                    end = self.tokens[open].start;
                    continue;
                }
                _ => break,
            }
            match self.tokens.iter().rfind(|t| t.end == end) {
                Some(t) if t.text(self.source) == "." => end = t.start,
                _ => break,
            }
        }
        names.reverse();
        names
    }
}

fn in_text(token: &Token) -> bool {
    matches!(
        token.kind,
        SyntaxKind::TextChars
            | SyntaxKind::Escape
            | SyntaxKind::Brace
            | SyntaxKind::InterpOpen
            | SyntaxKind::InterpClose
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Cursor {
        let offset = text.find('$').unwrap();
        cursor(&text.replace('$', ""), offset)
    }

    #[test]
    fn places_are_told_from_half_lines() {
        let head = "llmp 1\nsource a = text(\"x\")\n";
        let cases: &[(&str, Before, usize)] = &[
            ("$", Before::Nothing, 1),
            ("mod$", Before::Nothing, 1),
            ("dataset d = $", Before::Value, 1),
            ("dataset d = a |> de$", Before::Pipe, 1),
            ("dataset d = a\n  |> $", Before::Pipe, 1),
            ("dataset d = a |> keep_if(.la$", Before::Dot(vec![]), 2),
            ("model m {\n  la$", Before::Start, 2),
            ("model m {\n  layers = 4\n  $\n}", Before::Start, 2),
            ("model m {\n  ffn = swiglu($)\n}", Before::Start, 3),
            ("model m {\n  ffn = swiglu(hidden = $)\n}", Before::Value, 3),
            ("model m {\n  ffn = swiglu(4, $)\n}", Before::Start, 3),
            ("pretrain p {\n  tokens = 4M $\n}", Before::Number, 2),
            ("pretrain p {\n  data = post[1].$\n}", Before::Dot(vec!["post".into()]), 2),
            ("model m like $", Before::Like, 1),
            ("eval e { model = m, suites = [$] }", Before::Value, 3),
        ];
        for (text, before, frames) in cases {
            let found = at(&format!("{head}{text}\n"));
            assert_eq!((&found.before, found.frames.len()), (before, *frames), "{text}: {found:?}");
        }
        let inside = at(&format!("{head}model m {{\n  ffn = swiglu(4, ratio = 2, mul$, hidden = 3)\n}}\n"));
        let top = inside.frames.last().unwrap();
        assert_eq!((top.callee.as_deref(), top.commas), (Some("swiglu"), 2));
        assert_eq!(top.given, ["ratio", "hidden"]);
        assert_eq!(inside.words, ["model", "m"]);
        assert_eq!(inside.frames[1].name.as_deref(), Some("ffn"));
        assert_eq!(at("llmp 1\nuse { a } from \"std/da$\"\n").text.as_deref(), Some("std/da"));
        assert!(at("llmp 1\n# hel$lo\n").comment);
    }
}
