//! `source name = reader(…)`: files that become documents.

use llmp_stdlib::{Arg, Form, Kind, Output, Planner, Problem, Settings, Value, View, Yields};

use super::concat::Concat;
use crate::readers::{Arrow, Code, Csv, HfData, Jsonl, Parquet, Text, Warc};

llmp_stdlib::family! {
    /// How files become documents.
    Source = "source" { Arrow, Code, Concat, Csv, HfData, Jsonl, Parquet, Text, Warc }
}

llmp_stdlib::def! {
    /// Names files and says how they become documents.
    ///
    /// Paths are globs relative to the program; `name:…` lies where `--root name=FOLDER` says. Reading is part of the first
    /// step that follows, so a source costs nothing by itself.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// source pages = warc("data:crawl/*.warc.gz", on_error = stop)
    /// ```
    SourceKind = "source", rev 1 {}
}

/// The kind.
pub(super) static KIND: Kind =
    Kind::new(SourceKind::SIGNATURE, Form::Value(<Source as Arg>::TY), Yields::Data, elaborate);

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    match view.value {
        Some(Value::Call(call)) => planner.call(call, &[]).map(Output::Port),
        _ => Err(Problem::error("LLMP0201", "", "a source is a reader with its files")),
    }
}
