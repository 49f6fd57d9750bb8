//! Printing: results on standard output, notes on standard error; a closed pipe ends quietly.

use std::io::{IsTerminal, Write};

use crate::args::Color;

/// Prints a result.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        // The reader has gone (`llmp plan | head`): nothing more to say.
        std::process::exit(0);
    }
}

/// Prints a line for people, beside the result.
pub(crate) fn note(text: &str) {
    // Standard error may be closed; then nobody reads it.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Are colours wanted on standard error?
pub(crate) fn colored(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}
