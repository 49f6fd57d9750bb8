//! What a record of a source is: its state and the columns that it declares.

use llmp_stdlib::{Arg, Problem, Record, State, Ty, Value, choices};

use crate::document::Document;

choices! {
    /// What one record is, with the columns that it must have.
    Records = "records" {
        /// A document: `text`.
        Docs = "Docs",
        /// A conversation: `messages`, a list of `{ role, content }`; or `prompt` and `completion`; or `conversations`, a list of
        /// `{ from, value }` (ShareGPT). Other fields of a message are kept as they are.
        Chat = "Chat",
        /// A prompt without an answer: `prompt`, a text or a list of messages.
        Prompt = "Prompt",
        /// Two answers to one prompt: `prompt`, `chosen`, `rejected`, each a text or a list of messages; if there, `edited` (better
        /// than chosen) and `strength`. Without `prompt` it is what `chosen` and `rejected` begin with alike.
        Preference = "Preference",
        /// A text with its label: `text`, `label`.
        Labelled = "Labelled",
    }
}

choices! {
    /// The type of a column.
    ColumnType = "column type" {
        /// Text.
        Text = "Text",
        /// A number.
        Num = "Num",
        /// `true` or `false`.
        Bool = "Bool",
    }
}

/// Columns by name with their types: `{ lang = Text, stars = Num }`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredColumns(pub Vec<(String, ColumnType)>);

impl Arg for DeclaredColumns {
    const TY: Ty = Ty::Map(&ColumnType::TY);
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else { return Err(format!("expected columns, found {value}")) };
        let column = |(name, ty): (&String, &Value)| Ok((name.clone(), ColumnType::read(ty)?));
        record.iter().map(column).collect::<Result<_, String>>().map(DeclaredColumns)
    }
}

/// The state that the argument `as` asks for.
pub fn state(args: &Record) -> State {
    match args.get("as").and_then(|v| Records::read(v).ok()) {
        Some(Records::Chat) => State::Chat,
        Some(Records::Prompt) => State::Prompt,
        Some(Records::Preference) => State::Preference,
        Some(Records::Labelled) => State::Labelled,
        Some(Records::Docs) | None => State::Docs,
    }
}

/// Columns that records of a state cannot do without.
fn required(records: Records) -> &'static [&'static str] {
    match records {
        // The text of a document is the field that `text` names.
        Records::Docs => &[],
        Records::Chat => &["messages"],
        Records::Prompt => &["prompt"],
        Records::Preference => &["prompt", "chosen", "rejected"],
        Records::Labelled => &["label"],
    }
}

/// Declared columns that leave out what the records need.
pub fn fields(records: Records, columns: Option<&DeclaredColumns>) -> Vec<Problem> {
    let Some(columns) = columns else { return Vec::new() };
    let missing = |name: &&&str| !columns.0.iter().any(|(own, _)| own == **name);
    let lacking = || required(records).iter().filter(missing);
    let names: Vec<String> = lacking().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let message =
        format!("{} records need {}; the columns declared here lack it", records.name(), names.join(", "));
    let problem = Problem::error("LLMP0410", "columns", message)
        .help("declare the column, or read the records as another state");
    let declared = |problem: Problem, name: &&str| {
        problem.fix(format!("declare `{name}`"), &format!("columns.{name}"), "Text")
    };
    vec![lacking().fold(problem, declared)]
}

/// Whether the columns of a document are as declared. Errors: words that name the column.
pub fn typed(columns: Option<&DeclaredColumns>, doc: &Document) -> Result<(), String> {
    let Some(columns) = columns else { return Ok(()) };
    for (name, ty) in &columns.0 {
        if let Some(cell) = doc.columns.get(name)
            && cell.type_name() != ty.name()
        {
            return Err(format!("the column `{name}` is {}, declared as {}", cell.type_name(), ty.name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_columns_must_hold_what_the_records_are() {
        let columns = |names: &[&str]| {
            DeclaredColumns(names.iter().map(|n| ((*n).to_owned(), ColumnType::Text)).collect())
        };
        let lacking = columns(&["prompt", "chosen"]);
        let problems = fields(Records::Preference, Some(&lacking));
        assert_eq!(problems[0].code, "LLMP0410");
        assert!(problems[0].message.contains("`rejected`"), "{}", problems[0].message);
        assert!(fields(Records::Preference, Some(&columns(&["prompt", "chosen", "rejected"]))).is_empty());
        assert!(
            fields(Records::Preference, None).is_empty() && fields(Records::Docs, Some(&lacking)).is_empty()
        );
    }

    #[test]
    fn the_state_is_what_the_source_says() {
        let args: Record = [("as".to_owned(), Value::Choice("Preference".into()))].into();
        assert_eq!((state(&args), state(&Record::new())), (State::Preference, State::Docs));
    }
}
