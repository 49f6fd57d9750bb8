//! Programs and broken programs with the parser's verdict, for grammars of others: what one accepts the other must accept.

use std::io::Result;
use std::path::Path;

use llmp_grammar::{FileId, parse};

use crate::corpus;
use crate::edits::Pieces;
use crate::random::Random;

/// Codes that say nothing of the grammar: depth and size, characters, and words that are read and then judged.
const APART: [&str; 3] = ["LLMP0009", "LLMP0015", "LLMP0016"];

/// Whether the grammar reads a text; `None` where something else was said of it.
pub fn verdict(text: &str) -> Option<bool> {
    let (_, said) = parse(FileId(0), text);
    if said.iter().any(|diag| APART.contains(&diag.code)) || text.contains('\u{feff}') {
        return None;
    }
    Some(!said.iter().any(|diag| diag.code <= "LLMP0010"))
}

/// Every program of the repository, section by section where a file holds several.
pub fn programs() -> Vec<String> {
    let mut found = Vec::new();
    for program in corpus::everything() {
        if !program.text.lines().any(|line| line.starts_with("--- ")) {
            found.push(program.text);
            continue;
        }
        let mut section = String::new();
        for line in program.text.lines().chain(["--- "]) {
            if line.starts_with("--- ") {
                found.push(std::mem::take(&mut section));
            } else {
                section.push_str(line);
                section.push('\n');
            }
        }
    }
    found.retain(|text| !text.trim().is_empty());
    found
}

/// Writes programs and `count` edits of them into `valid/` and `invalid/` of a folder; how many of each.
pub fn write(folder: &Path, count: usize, seed: u64) -> Result<(usize, usize)> {
    let mut texts = programs();
    let mut random = Random::new(seed);
    let pieces = Pieces::of(texts.iter().map(String::as_str));
    let small: Vec<String> = texts.iter().filter(|text| text.len() < 4_000).cloned().collect();
    for _ in 0..count {
        let text = &small[random.below(small.len())];
        texts.push(pieces.edit(text, &mut random));
    }
    let mut counts = (0, 0);
    for name in ["valid", "invalid"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    for (number, text) in texts.iter().enumerate() {
        let Some(valid) = verdict(text) else { continue };
        let name = if valid { "valid" } else { "invalid" };
        std::fs::write(folder.join(name).join(format!("{number:05}.llmp")), text)?;
        *(if valid { &mut counts.0 } else { &mut counts.1 }) += 1;
    }
    Ok(counts)
}
