//! Datasets of the Hugging Face cache folder: which files of a snapshot are read, and by which reader.

use std::collections::BTreeSet;

use llmp_stdlib::{Problem, arg::FilePath};

use super::shape::{self, DeclaredColumns, Records as Shape};
use super::{Body, Jsonl, OnError, Parquet, Reader, Records, SourceFile, Tap};
use crate::error::Result;

llmp_stdlib::def! {
    /// A dataset out of the Hugging Face cache folder: its Parquet or JSON Lines files. Nothing is ever fetched.
    ///
    /// The cache is where `HF_HUB_CACHE` or `HF_HOME` says, else `~/.cache/huggingface/hub`;
    /// `huggingface-cli download org/name --repo-type dataset` fills it. A folder of that name beside the program
    /// counts too. Files belong to a split by a word in their path (`data/train-00000-of-00002.parquet`,
    /// `validation/a.jsonl.gz`); files without such a word are the split `train`. Where a dataset holds Parquet, its
    /// JSON Lines are left out.
    ///
    /// ```llmp
    /// source math = hf("open-web-math/open-web-math", split = "train")
    /// ```
    HfData = "hf", rev 1, source Docs, to shape::state, check fields {
        /// The repository: `organisation/name`.
        name: String,
        /// The configuration: the folder that holds its files, for a dataset that has several.
        config: Option<String> = "none",
        /// The split that is read.
        split: String = "\"train\"",
        /// The revision: a branch, a tag or a commit; the lock holds the commit.
        revision: String = "\"main\"",
        /// The column that holds the text.
        text: String = "\"text\"",
        /// What one record is.
        r#as: Shape = "Docs",
        /// Columns with their types. Without them the columns are open until they are locked.
        columns: Option<DeclaredColumns> = "none",
        /// What happens to a row that cannot be read.
        on_error: OnError = "count",
    }
}

fn fields(it: &HfData) -> Vec<Problem> {
    let mut problems = shape::fields(it.r#as, it.columns.as_ref());
    let parts: Vec<&str> = it.name.split('/').collect();
    if parts.len() > 2 || parts.iter().any(|p| p.is_empty()) {
        let message = format!("hf: {:?} is not the name of a repository (`organisation/name`)", it.name);
        problems.push(Problem::error("LLMP0209", "name", message));
    }
    problems
}

impl HfData {
    fn parquet(&self) -> Parquet {
        Parquet {
            glob: FilePath(self.name.clone()),
            text: self.text.clone(),
            r#as: self.r#as,
            columns: self.columns.clone(),
            on_error: self.on_error,
        }
    }

    fn jsonl(&self) -> Jsonl {
        Jsonl {
            glob: FilePath(self.name.clone()),
            text: self.text.clone(),
            r#as: self.r#as,
            columns: self.columns.clone(),
            on_error: self.on_error,
        }
    }
}

impl Reader for HfData {
    fn name(&self) -> &'static str {
        "hf"
    }

    fn glob(&self) -> &str {
        &self.name
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn open(&self, file: &SourceFile, tap: Tap) -> Result<Records> {
        match format(&file.label) {
            Some(Format::Parquet) => self.parquet().open(file, tap),
            _ => self.jsonl().open(file, tap),
        }
    }

    fn parse(&self, file: &SourceFile, index: u64, bytes: Vec<u8>) -> Body {
        self.jsonl().parse(file, index, bytes)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Lines,
}

/// Files beside the data that only describe them.
const DESCRIPTIONS: &[&str] =
    &["dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "metadata.json"];

fn format(path: &str) -> Option<Format> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if DESCRIPTIONS.contains(&name) {
        return None;
    }
    let bare = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    match bare.rsplit_once('.')?.1 {
        "parquet" if bare == name => Some(Format::Parquet),
        "jsonl" | "ndjson" | "json" => Some(Format::Lines),
        _ => None,
    }
}

/// Words that name a split in a path, each list one split.
const SPLITS: &[&[&str]] = &[
    &["train", "training"],
    &["validation", "valid", "val", "dev"],
    &["test", "testing", "eval", "evaluation"],
];

/// The split that a path inside a snapshot belongs to: what stands before `-00000-of-00002`, else a word of it.
fn split_of(inside: &str) -> Option<String> {
    let name = inside.rsplit('/').next().unwrap_or(inside);
    let stem = name.split('.').next().unwrap_or(name);
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if let Some((rest, total)) = stem.rsplit_once("-of-")
        && let Some((split, number)) = rest.rsplit_once('-')
        && digits(total)
        && digits(number)
    {
        return Some(split.to_owned());
    }
    // The nearest word to the data wins: `test/train.jsonl` is training data of a folder called test.
    let words = inside.split(|c: char| !c.is_ascii_alphabetic()).rev();
    let split = words.filter_map(|word| SPLITS.iter().find(|names| names.contains(&word))).next();
    split.map(|names| names[0].to_owned())
}

/// The files of a dataset that a configuration and a split mean. `files` are all files of the snapshot, labelled
/// `name/path`.
///
/// Errors: nothing fits, or several folders do; in words that name what there is.
pub fn chosen(
    files: Vec<SourceFile>,
    name: &str,
    config: Option<&str>,
    split: &str,
) -> Result<Vec<SourceFile>, String> {
    let inside = |file: &SourceFile| {
        let inside = file.label.strip_prefix(name.trim_end_matches('/')).unwrap_or(&file.label);
        inside.trim_start_matches('/').to_owned()
    };
    let mut data: Vec<(String, SourceFile)> = files
        .into_iter()
        .map(|file| (inside(&file), file))
        .filter(|(path, _)| format(path).is_some())
        .collect();
    if data.is_empty() {
        return Err(format!("`{name}` holds no Parquet and no JSON Lines file"));
    }
    if let Some(config) = config {
        let there = folders(&data);
        let own = format!("{}/", config.trim_matches('/'));
        data.retain(|(path, _)| path.starts_with(&own) || path.starts_with(&format!("data/{own}")));
        if data.is_empty() {
            return Err(format!("`{name}` holds no folder `{config}` with data; it holds {}", list(&there)));
        }
    }
    let wanted = SPLITS.iter().find(|names| names.contains(&split)).map_or(split, |names| names[0]);
    let splits: BTreeSet<String> = data.iter().filter_map(|(path, _)| split_of(path)).collect();
    if !splits.is_empty() {
        data.retain(|(path, _)| split_of(path).is_some_and(|own| own == wanted || own == split));
    }
    if data.is_empty() || (splits.is_empty() && wanted != "train") {
        let there = if splits.is_empty() { ["train".to_owned()].into() } else { splits };
        return Err(format!("`{name}` holds no split `{split}`; it holds {}", list(&there)));
    }
    if data.iter().any(|(path, _)| format(path) == Some(Format::Parquet)) {
        data.retain(|(path, _)| format(path) == Some(Format::Parquet));
    }
    let tops = folders(&data);
    if tops.contains("data") {
        data.retain(|(path, _)| path.starts_with("data/") || config.is_some());
    } else if config.is_none() && tops.len() > 1 {
        let say = format!("`config = {:?}`", tops.iter().next().map_or("", String::as_str));
        return Err(format!("`{name}` holds several configurations ({}): name one, {say}", list(&tops)));
    }
    Ok(data.into_iter().map(|(_, file)| file).collect())
}

/// First folders of paths.
fn folders(data: &[(String, SourceFile)]) -> BTreeSet<String> {
    data.iter().filter_map(|(path, _)| Some(path.split_once('/')?.0.to_owned())).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "no folder".into();
    }
    let mut shown: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    if names.len() > shown.len() {
        shown.push("…".into());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(paths: &[&str], config: Option<&str>, split: &str) -> Result<Vec<String>, String> {
        let file =
            |path: &&str| SourceFile { label: format!("org/a/{path}"), path: (*path).into(), bytes: 1 };
        let found = chosen(paths.iter().map(file).collect(), "org/a", config, split)?;
        Ok(found.into_iter().map(|file| file.label["org/a/".len()..].to_owned()).collect())
    }

    #[test]
    fn a_split_is_read_off_the_paths() {
        let shards = [
            "README.md",
            "dataset_infos.json",
            "data/train-00000-of-00002.parquet",
            "data/train-00001-of-00002.parquet",
            "data/auxiliary_train-00000-of-00001.parquet",
            "data/test-00000-of-00001.parquet",
        ];
        assert_eq!(pick(&shards, None, "train").unwrap(), shards[2..4]);
        assert_eq!(pick(&shards, None, "test").unwrap(), shards[5..]);
        assert_eq!(pick(&shards, None, "auxiliary_train").unwrap(), shards[4..5]);
        let said = pick(&shards, None, "validation").unwrap_err();
        assert!(said.contains("no split `validation`") && said.contains("`test`"), "{said}");
        let lines =
            ["c4-train.00000-of-01024.json.gz", "c4-validation.00000-of-00008.json.gz", "dev/x.jsonl"];
        assert_eq!(pick(&lines, None, "train").unwrap(), lines[..1]);
        assert_eq!(pick(&["a.jsonl.zst", "b.jsonl", "c.csv"], None, "train").unwrap().len(), 2);
        assert!(pick(&["a.jsonl"], None, "test").unwrap_err().contains("it holds `train`"));
        assert!(pick(&["a.csv"], None, "train").unwrap_err().contains("no Parquet"));
    }

    #[test]
    fn several_configurations_must_be_told_apart() {
        let wiki = ["raw/train-0-of-1.parquet", "small/train-0-of-1.parquet", "small/test-0-of-1.parquet"];
        let said = pick(&wiki, None, "train").unwrap_err();
        assert!(said.contains("`raw`, `small`") && said.contains("config"), "{said}");
        assert_eq!(pick(&wiki, Some("small"), "train").unwrap(), wiki[1..2]);
        assert_eq!(pick(&wiki, None, "test").unwrap(), wiki[2..]);
        assert!(pick(&wiki, Some("large"), "train").unwrap_err().contains("no folder `large`"));
        let web = ["data/CC-1/0.parquet", "data/CC-2/0.parquet", "sample/10BT/0.parquet", "notes.jsonl"];
        assert_eq!(pick(&web, None, "train").unwrap(), web[..2]);
        assert_eq!(pick(&web, Some("CC-2"), "train").unwrap(), web[1..2]);
        assert_eq!(pick(&web, Some("sample/10BT"), "train").unwrap(), web[2..3]);
    }
}
