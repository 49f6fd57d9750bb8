//! One file for each verb.

mod check;
mod doc;
mod explain;
mod fmt;
mod generate;
mod new;
mod plan;
mod run;
mod score;
mod why;

use crate::Exit;
use crate::args::{Arguments, Command};

/// Runs the verb.
pub(crate) fn dispatch(arguments: Arguments) -> Exit {
    let color = arguments.color;
    match arguments.command {
        Command::New(args) => new::new(&args),
        Command::Check(args) => check::check(&args, color),
        Command::Fmt(args) => fmt::fmt(&args, color),
        Command::Plan(args) => plan::plan(&args, color),
        Command::Run(args) => run::run(&args, color),
        Command::Why(args) => why::why(&args, color),
        Command::Generate(args) => generate::generate(&args),
        Command::Score(args) => score::score(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Doc(args) => doc::doc(&args),
    }
}
