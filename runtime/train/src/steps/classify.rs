//! `classify`: the score of a classifier as a column of its name.

use llmp_stdlib::arg::ClassifierRef;
use llmp_stdlib::{Column, Record, Value};

llmp_stdlib::def! {
    /// Adds the score of a classifier, 0 to 1 (for labels that are numbers: that number), as a column called after it.
    ///
    /// ```llmp
    /// dataset good = web |> classify(educational) |> keep_if(.educational >= 0.5)
    /// ```
    @planned Classify = "classify", rev 1, rows_of [Docs, Chat, Prompt, Answers], gains score {
        /// The classifier.
        classifier: ClassifierRef,
        /// Another name of the column.
        r#as: Option<String> = "none",
    }
}

fn score(args: &Record) -> Vec<(String, Column)> {
    let name = match (args.get("as"), args.get("classifier")) {
        (Some(Value::Text(name)), _) => Some(name.clone()),
        (_, Some(Value::Item(item))) => Some(plain(&item.item).to_owned()),
        _ => None,
    };
    name.into_iter().map(|name| (name, Column::Num)).collect()
}

/// The name of an item in its own file, without the file, the round and the member of a family.
fn plain(unique: &str) -> &str {
    let name = unique.rsplit(['.', ':', '/']).next().unwrap_or(unique);
    name.split('[').next().unwrap_or(name)
}
