//! Random edits of programs that know the grammar: nodes are exchanged for others of their kind, words for words.

use std::collections::BTreeMap;

use llmp_grammar::kind::SyntaxKind;
use llmp_grammar::{FileId, parse, scan};

use crate::random::Random;

/// Pieces of all programs, to be put into others.
pub struct Pieces {
    nodes: BTreeMap<SyntaxKind, Vec<String>>,
    words: Vec<String>,
}

/// Longest text that edits make.
const LONGEST: usize = 24_000;

const SIGNS: [&str; 34] = [
    "(", ")", "[", "]", "{", "}", "\"", "r\"", "\n", "\r\n", "\r", "=", ",", "|>", "..", "#", "##", "@", "%",
    ".", "\\", "\\\\ x\n", "ä", "𝛼", "\u{feff}", "\u{202e}", "\0", "if ", "not ", "-", "{{", "==", "/",
    "llmp 2\n",
];

const NUMBERS: [&str; 26] = [
    "0",
    "1",
    "-1",
    "2",
    "63",
    "64",
    "65",
    "1009",
    "0.1",
    "1e-400",
    "1e400",
    "1e38",
    "9e18",
    "340282366920938463463374607431768211456",
    "18446744073709551616",
    "4M tokens",
    "1 step",
    "0 tokens",
    "2 epochs",
    "100%",
    "101%",
    "0%",
    "8k",
    "8Ki",
    "1h30m",
    "999T",
];

impl Pieces {
    /// The pieces of programs.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Pieces {
        let mut nodes: BTreeMap<SyntaxKind, Vec<String>> = BTreeMap::new();
        let mut words = std::collections::BTreeSet::new();
        for text in texts {
            let (tree, _) = parse(FileId(0), text);
            for node in tree.syntax().descendants().filter(|node| node.kind() != SyntaxKind::File) {
                let piece = node.text().to_string();
                if piece.len() < 2000 {
                    nodes.entry(node.kind()).or_default().push(piece);
                }
            }
            let idents = scan::scan(text).into_iter().filter(|token| token.kind == SyntaxKind::Ident);
            words.extend(idents.map(|token| token.text(text).to_owned()));
        }
        for pieces in nodes.values_mut() {
            pieces.sort();
            pieces.dedup();
        }
        Pieces { nodes, words: words.into_iter().collect() }
    }

    /// A text with one to four random edits.
    pub fn edit(&self, text: &str, random: &mut Random) -> String {
        let mut text = text.to_owned();
        for _ in 0..=random.below(4) {
            text = self.once(&text, random);
            if text.len() > LONGEST {
                let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.truncate(end);
            }
        }
        text
    }

    fn once(&self, text: &str, random: &mut Random) -> String {
        match random.below(12) {
            0..=4 => self.node(text, random),
            5 | 6 => self.token(text, random),
            7 => lines(text, random),
            8 => self.item(text, random),
            9 => repeated(text, random),
            10 => bytes(text, random),
            _ => nested(text, random),
        }
    }

    /// Exchanges, removes or doubles a node.
    fn node(&self, text: &str, random: &mut Random) -> String {
        let (tree, _) = parse(FileId(0), text);
        let nodes: Vec<_> = tree.syntax().descendants().skip(1).collect();
        let Some(node) = random.pick(&nodes) else { return text.to_owned() };
        let range = usize::from(node.text_range().start())..usize::from(node.text_range().end());
        let with = match random.below(8) {
            0 => String::new(),
            1 => text[range.clone()].repeat(2),
            // One kind of value for another.
            2 => self.piece(SyntaxKind::Unary, random),
            _ => self.piece(node.kind(), random),
        };
        replaced(text, range, &with)
    }

    fn piece(&self, kind: SyntaxKind, random: &mut Random) -> String {
        self.nodes.get(&kind).and_then(|pieces| random.pick(pieces)).cloned().unwrap_or_default()
    }

    /// Exchanges, removes or inserts a token.
    fn token(&self, text: &str, random: &mut Random) -> String {
        let tokens = scan::scan(text);
        let Some(token) = random.pick(&tokens) else { return text.to_owned() };
        let range = token.start..token.end;
        let with = match (random.below(6), token.kind) {
            (0, _) => String::new(),
            (1, _) => format!("{}{}", &text[range.clone()], random.pick(&SIGNS).copied().unwrap_or_default()),
            (_, SyntaxKind::Number) => random.pick(&NUMBERS).copied().unwrap_or_default().to_owned(),
            (_, SyntaxKind::Ident) => random.pick(&self.words).cloned().unwrap_or_default(),
            (2, _) => random.pick(&self.words).cloned().unwrap_or_default(),
            _ => random.pick(&SIGNS).copied().unwrap_or_default().to_owned(),
        };
        replaced(text, range, &with)
    }

    /// Adds an item of another program.
    fn item(&self, text: &str, random: &mut Random) -> String {
        let starts: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let at = random.pick(&starts).copied().unwrap_or(text.len());
        let kinds =
            [SyntaxKind::Item, SyntaxKind::Item, SyntaxKind::Member, SyntaxKind::Variant, SyntaxKind::Rounds];
        let kind = random.pick(&kinds).copied().unwrap_or(SyntaxKind::Item);
        replaced(text, at..at, &format!("{}\n", self.piece(kind, random)))
    }
}

fn replaced(text: &str, range: std::ops::Range<usize>, with: &str) -> String {
    let before = text.get(..range.start).unwrap_or("");
    let behind = text.get(range.end..).unwrap_or("");
    format!("{before}{with}{behind}")
}

/// Drops, doubles or moves lines.
fn lines(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.is_empty() {
        return String::new();
    }
    let (at, to) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(4) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(to, lines[at]),
        2 => lines.swap(at, to),
        _ => random.shuffle(&mut lines),
    }
    lines.concat()
}

/// Repeats a piece of a line many times.
fn repeated(text: &str, random: &mut Random) -> String {
    let tokens = scan::scan(text);
    let at = random.below(tokens.len());
    let to = (at + 1 + random.below(8)).min(tokens.len());
    let (Some(first), Some(last)) = (tokens.get(at), tokens.get(to.saturating_sub(1))) else {
        return text.to_owned();
    };
    let piece = &text[first.start..last.end];
    replaced(text, first.start..first.start, &piece.repeat(2 + random.below(100)))
}

/// Changes characters without any plan.
fn bytes(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(6) {
        let at = random.below(chars.len());
        let new = char::from_u32(u32::try_from(random.below(0x250)).unwrap_or(32)).unwrap_or(' ');
        match random.below(3) {
            0 if !chars.is_empty() => drop(chars.remove(at)),
            1 if !chars.is_empty() => chars[at] = new,
            _ => chars.insert(at, new),
        }
    }
    chars.into_iter().collect()
}

/// Puts brackets around something, many times.
fn nested(text: &str, random: &mut Random) -> String {
    let tokens = scan::scan(text);
    let Some(token) = random.pick(&tokens) else { return text.to_owned() };
    let pairs = [
        ("(", ")"),
        ("[", "]"),
        ("{ a = ", " }"),
        ("f(", ")"),
        ("if true then ", " else 1"),
        ("not ", ""),
        ("-", ""),
    ];
    let (open, close) = random.pick(&pairs).copied().unwrap_or_default();
    let depth = 1 + random.below(70);
    let with = format!("{}{}{}", open.repeat(depth), token.text(text), close.repeat(depth));
    replaced(text, token.start..token.end, &with)
}
