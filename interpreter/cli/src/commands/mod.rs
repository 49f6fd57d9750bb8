//! One file for each verb.

mod bench;
mod chat;
mod check;
mod data;
mod diff;
mod doc;
mod explain;
mod fix;
mod fmt;
mod generate;
mod graph;
mod hash;
mod lock;
mod lsp;
mod new;
mod params;
mod plan;
mod report;
mod run;
mod schema;
mod score;
mod serve;
mod test;
mod trace;
mod watch;
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
        Command::Graph(args) => graph::graph(&args, color),
        Command::Hash(args) => hash::hash(&args, color),
        Command::Diff(args) => diff::diff(&args, color),
        Command::Params(args) => params::params(&args, color),
        Command::Schema(args) => schema::schema(&args),
        Command::Test(args) => test::test(&args, color),
        Command::Lock(args) => lock::lock(&args, color),
        Command::Run(args) => run::run(&args, color),
        Command::Report(args) => report::report(&args, color),
        Command::Trace(args) => trace::trace(&args, color),
        Command::Data(args) => data::data(&args, color),
        Command::Why(args) => why::why(&args, color),
        Command::Generate(args) => generate::generate(&args),
        Command::Chat(args) => chat::chat(&args),
        Command::Score(args) => score::score(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Doc(args) => doc::doc(&args),
        Command::Lsp(_) => lsp::lsp(),
        Command::Serve(args) => serve::serve(&args),
    }
}
