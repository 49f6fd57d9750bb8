//! The tokens of texts, for comparisons with other tools: JSON strings in, one a line, JSON lists of tokens out.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::io::BufRead;

use llmp_data::steps::Splitter;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        println!("{}", serde_json::to_string(&Splitter::Tokens.words(&text))?);
    }
    Ok(())
}
