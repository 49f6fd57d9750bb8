//! `export name { … }`: writes data as files that other tools read.

use llmp_stdlib::arg::{AnyData, FilePath, TokenizerRef};
use llmp_stdlib::{Form, Kind, Output, Planner, Problem, Record, Settings, Value, View, Yields};

use crate::write::Format;

llmp_stdlib::def! {
    /// Writes data as a folder of files that other tools read.
    ///
    /// Documents are written as `{"id", "text", "metadata"}`, the form of datatrove and dolma; conversations, prompts and
    /// preferences with their messages, the form of TRL (`messages`, `prompt`, `chosen`, `rejected`). Parquet has one column for
    /// each column of the data. Token shards are `tokens.npy` (u16 for vocabularies up to 65,536, else u32), `offsets.npy` (where
    /// each document begins, one more than there are documents) and `ids.npy` (a 64-bit hash of each document's id).
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// dataset clean = books |> dedup_exact()
    /// export shards { data = clean, format = parquet }
    /// ```
    Export = "export", rev 1 {
        /// A source, a dataset, or a part of one.
        data: AnyData,
        /// The form of the files.
        format: Format = "jsonl_zst",
        /// The tokenizer, where the format is `tokens`.
        tokenizer: Option<TokenizerRef> = "none",
        /// The folder; without it `export/` and the item's name.
        to: Option<FilePath> = "none",
    }
}

/// The kind.
pub(super) static KIND: Kind =
    Kind { check, ..Kind::new(Export::SIGNATURE, Form::Block, Yields::Release, elaborate) };

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let leaves =
        |path: &str| path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..");
    if view.read::<FilePath>("to").is_some_and(|path| leaves(&path.0)) {
        problems.push(Problem::error("LLMP0115", "to", "an export stays inside the project"));
    }
    let tokens = view.read::<Format>("format") == Some(Format::Tokens);
    if tokens && !view.written("tokenizer") {
        problems.push(Problem::error("LLMP0103", "tokenizer", "token shards need a `tokenizer`"));
    }
    if view.written("format") && !tokens && view.get("tokenizer").is_some() {
        let message = "a `tokenizer` is only used by `format = tokens`";
        problems.push(Problem::error("LLMP0209", "tokenizer", message).fix(
            "leave it out",
            "tokenizer",
            "none",
        ));
    }
    problems
}

/// Arguments of the step `export`, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exporting {
    /// The form of the files.
    pub format: Format,
}

impl Exporting {
    /// The operation's name in a plan.
    pub const OP: &'static str = "export";
    /// Revision of the operation.
    pub const REV: u32 = 1;

    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Exporting, String> {
        let format = args.get("format").ok_or("export: `format` is missing")?;
        Ok(Exporting { format: llmp_stdlib::Arg::read(format)? })
    }
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let missing = |member: &str| Problem::error("LLMP0103", member, format!("`{member}` is missing"));
    let data = view.get("data").ok_or_else(|| missing("data"))?;
    let Output::Port(mut data) = planner.data(data)? else {
        return Err(Problem::error("LLMP0201", "data", "an export takes data, not a mixture"));
    };
    let format = view.members.get("format").cloned().unwrap_or_else(|| Value::Choice("jsonl_zst".into()));
    if view.read::<Format>("format") == Some(Format::Tokens) {
        let Some(Value::Item(tokenizer)) = view.get("tokenizer") else { return Err(missing("tokenizer")) };
        let Output::Port(tokenizer) = planner.item(tokenizer)? else { return Err(missing("tokenizer")) };
        data = planner.tokens(data, tokenizer);
    }
    let to = view
        .read::<FilePath>("to")
        .map_or_else(|| format!("export/{}", llmp_stdlib::value::file_name(view.name)), |path| path.0);
    let args = [("data", Value::Port(data)), ("format", format), ("to", Value::text(to))];
    let args = args.map(|(name, value)| (name.to_owned(), value)).into();
    Ok(Output::Port(planner.step(Exporting::OP, Exporting::REV, args)))
}
