//! Readers that are declared, checked and planned: CSV, Arrow, folders of code.

use llmp_stdlib::{Problem, arg::FilePath};

use super::OnError;
use super::shape::{self, DeclaredColumns, Records};

llmp_stdlib::def! {
    /// CSV with a header line: one document a row, the other columns beside it.
    ///
    /// ```llmp
    /// source reviews = csv("reviews/*.csv", text = "body", columns = { stars = Num })
    /// ```
    @planned Csv = "csv", rev 1, source Docs, to shape::state, check csv_fields {
        /// Files, as in `text`.
        glob: FilePath,
        /// The column that holds the text.
        text: String = "\"text\"",
        /// What one record is.
        r#as: Records = "Docs",
        /// Columns with their types. Without them the columns are open until they are locked.
        columns: Option<DeclaredColumns> = "none",
        /// The character between two columns.
        separator: String = "\",\"",
        /// What happens to a row that cannot be read.
        on_error: OnError = "count",
    }
}

fn csv_fields(it: &Csv) -> Vec<Problem> {
    let mut problems = shape::fields(it.r#as, it.columns.as_ref());
    if it.separator.chars().count() != 1 {
        let message = format!("csv: `separator` is {:?}, must be one character", it.separator);
        problems.push(Problem::error("LLMP0209", "separator", message));
    }
    problems
}

llmp_stdlib::def! {
    /// Arrow IPC files (`.arrow`, `.feather`): one document a row, the other columns beside it.
    ///
    /// ```llmp
    /// source pages = arrow("shards/*.arrow")
    /// ```
    @planned Arrow = "arrow", rev 1, source Docs, to shape::state, check arrow_fields {
        /// Files, as in `text`.
        glob: FilePath,
        /// The column that holds the text.
        text: String = "\"text\"",
        /// What one record is.
        r#as: Records = "Docs",
        /// Columns with their types. Without them the columns are open until they are locked.
        columns: Option<DeclaredColumns> = "none",
        /// What happens to a row that cannot be read.
        on_error: OnError = "count",
    }
}

fn arrow_fields(it: &Arrow) -> Vec<Problem> {
    shape::fields(it.r#as, it.columns.as_ref())
}

llmp_stdlib::def! {
    /// A folder of source code: one document a file, `.git` and files that `.gitignore` names left out.
    ///
    /// `.lang` is the programming language by the file's name (`rust`, `python`, `c`, …), `.path` its path in the
    /// folder, `.size` its length in bytes.
    ///
    /// ```llmp
    /// source own = code("src", languages = ["rust", "python"])
    /// ```
    @planned Code = "code", rev 1, source Docs, adds [path: Text, lang: Text, size: Num] {
        /// The folder.
        folder: FilePath,
        /// Languages that are read; an empty list reads all that are known.
        languages: Vec<String> = "[]",
        /// Longest file that is read, in bytes.
        max_bytes: u64 = "1_000_000",
    }
}
