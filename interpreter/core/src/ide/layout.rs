//! Layout: the formatter's edits for a file, a range, or behind a key.

use llmp_grammar::kind::SyntaxKind;
use llmp_grammar::scan::scan;
use llmp_grammar::{Edit, FileId, Span, split};

use super::lines::difference;

/// Edits that bring a text into the one layout; none where the formatter refuses.
pub fn format(text: &str) -> Vec<Edit> {
    let file = FileId(0);
    let Ok(new) = llmp_grammar::format(text) else { return Vec::new() };
    // Line ends stay those of the text.
    let new = if text.contains("\r\n") && !text.replace("\r\n", "").contains('\n') {
        new.replace('\n', "\r\n")
    } else {
        new
    };
    difference(text, &new, file)
}

/// Those of them that touch a range.
pub fn format_range(text: &str, range: std::ops::Range<u32>) -> Vec<Edit> {
    let touches = |s: Span| s.start <= range.end && range.start <= s.end;
    format(text).into_iter().filter(|edit| touches(edit.span)).collect()
}

/// Edits behind a key: `}` lays out its item, a new line is indented.
pub fn on_type(text: &str, offset: u32, key: &str) -> Vec<Edit> {
    let tokens = scan(text);
    let at = offset as usize;
    if key == "}" {
        let chunk = split::split(text, &tokens).into_iter().find_map(|range| {
            let (first, last) = (tokens.get(range.start)?, tokens.get(range.end.checked_sub(1)?)?);
            (first.start < at && at <= last.end).then_some(first.start..last.end)
        });
        let Some(chunk) = chunk else { return Vec::new() };
        let whole = |s: Span| s.range().start >= chunk.start && s.range().end <= chunk.end;
        return format(text).into_iter().filter(|edit| whole(edit.span)).collect();
    }
    let line_start = text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
    let mut open = 0i32;
    let mut pipe = false;
    for token in tokens.iter().filter(|t| t.end <= line_start) {
        match token.kind {
            SyntaxKind::Newline => {
                let next = tokens.iter().find(|t| t.start >= token.end && t.kind != SyntaxKind::Space);
                if next.is_none_or(|n| n.start >= token.end && open == 0 && n.text(text) != "|>") {
                    pipe &= next.is_none_or(|n| n.start >= line_start);
                }
            }
            _ if token.text(text) == "|>" && open == 0 => pipe = true,
            _ => open = (open + split::bracket(text, token)).max(0),
        }
    }
    let rest = text.get(line_start..).unwrap_or("");
    let have = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let closes = rest.trim_start_matches([' ', '\t']).starts_with(['}', ')', ']']);
    let depth =
        usize::try_from(open - i32::from(closes && open > 0)).unwrap_or(0) + usize::from(pipe && open == 0);
    let want = "  ".repeat(depth);
    let span = Span::new(FileId(0), line_start, line_start + have);
    if text.get(span.range()) == Some(&want) { Vec::new() } else { vec![Edit { span, replacement: want }] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ide::actions::apply;

    #[test]
    fn layouts_are_small_edits() {
        let text = "llmp 1\n\nsource a = text( \"x\" )\n\nmodel m {\n layers=4\n  width = 192\n}\n";
        let edits = format(text);
        assert_eq!(apply(text, &edits), llmp_grammar::format(text).unwrap());
        assert!(edits.iter().all(|e| e.span.len() < 40), "{edits:?}");
        let windows = text.replace('\n', "\r\n");
        let laid_out = apply(&windows, &format(&windows));
        assert_eq!(laid_out, llmp_grammar::format(text).unwrap().replace('\n', "\r\n"));
        assert_eq!(format_range(text, 8..12).len(), 1);
    }

    #[test]
    fn new_lines_are_indented() {
        let after = |text: &str| {
            let at = u32::try_from(text.find('$').unwrap()).unwrap();
            let text = text.replace('$', "");
            apply(&text, &on_type(&text, at, "\n"))
        };
        assert_eq!(after("model m {\n$\n}\n"), "model m {\n  \n}\n");
        assert_eq!(after("dataset d = a\n  |> b()\n$\n"), "dataset d = a\n  |> b()\n  \n");
        assert_eq!(after("model m {\n  layers = 4\n$}\n"), "model m {\n  layers = 4\n}\n");
        assert_eq!(after("let a = 1\n$\n"), "let a = 1\n\n");
    }
}
