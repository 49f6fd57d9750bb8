//! The `llmp` binary: arguments in, exit code out. The only place where language, runtime and terminal meet.
#![allow(clippy::disallowed_methods, reason = "the clock and the environment belong to cli and exec")]

mod allocator;
mod args;
mod commands;
mod funnel;
mod git;
mod load;
mod output;
mod progress;
mod table;

use std::process::ExitCode;

use clap::Parser;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing to complain about.
    Clean = 0,
    /// Diagnostics, or a run that failed.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// A defect of this program.
    Internal = 3,
}

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked_for_help = !error.use_stderr();
            // Nothing can be done if the terminal is gone.
            let _ = error.print();
            return ExitCode::from(if asked_for_help { 0 } else { Exit::Usage as u8 });
        }
    };
    let outcome = std::panic::catch_unwind(|| commands::dispatch(arguments));
    let exit = outcome.unwrap_or_else(|_| {
        output::note("error[LLMP0999]: internal error; please report it with the text above and the program");
        Exit::Internal
    });
    ExitCode::from(exit as u8)
}
