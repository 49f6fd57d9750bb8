//! What `llmp.lock` changes: open rows become closed, and `--frozen` refuses what it does not know.

use super::{checked, places};
use crate::{Options, externals, frozen, plan};

const LOCK: &str = r#"{"version": 1, "inputs": {"jsonl data/*.jsonl": {
  "programs": ["main.llmp"], "bytes": 5, "columns": {"text": "Text", "year": "Num"},
  "files": [{"path": "data/a.jsonl", "bytes": 5, "hash": "00"}]
}}}"#;

fn program(source: &str) -> String {
    format!("llmp 1\nsource a = {source}\ndataset b = a |> keep_if(.yeer > 1900)\n")
}

#[test]
fn locked_columns_make_an_unknown_column_an_error() {
    let text = program("jsonl(\"data/*.jsonl\")");
    let open = checked(&[("main.llmp", &text)], &Options::default());
    assert!(!open.diags.iter().any(|d| d.is_error()), "{:?}", open.diags);
    let closed = checked(&[("main.llmp", &text), ("llmp.lock", LOCK)], &Options::default());
    assert_eq!(places(&closed, false), ["0105 3:26"]);
    let diag = closed.diags.iter().find(|d| d.is_error()).unwrap();
    assert_eq!(diag.fixes[0].edits[0].replacement, ".year");
    // Another path is not locked, and declared columns win.
    for source in ["jsonl(\"other/*.jsonl\")", "jsonl(\"data/*.jsonl\", columns = { yeer = Num })"] {
        let files = [("main.llmp", program(source)), ("llmp.lock", LOCK.to_owned())];
        let files = [(files[0].0, files[0].1.as_str()), (files[1].0, files[1].1.as_str())];
        assert_eq!(places(&checked(&files, &Options::default()), false), Vec::<String>::new());
    }
}

#[test]
fn the_type_of_a_locked_column_counts() {
    let text = "llmp 1\nsource a = jsonl(\"data/*.jsonl\")\ndataset b = a |> keep_if(.year == \"x\")\n";
    let closed = checked(&[("main.llmp", text), ("llmp.lock", LOCK)], &Options::default());
    assert!(closed.diags.iter().any(|d| d.is_error()), "{:?}", closed.diags);
}

#[test]
fn frozen_programs_need_every_input_in_the_lock() {
    let registry = crate::test_registry::registry();
    let refused = |files: &[(&str, &str)]| -> Vec<String> {
        let checked = checked(files, &Options::default());
        let (plan, _) = plan(&checked.program, &registry);
        assert!(!externals(&plan, &registry).is_empty());
        let said = frozen(&plan, &registry, &checked.loaded.locked);
        said.iter().map(|d| format!("{} {}", d.code, d.message)).collect()
    };
    let main = "llmp 1\nsource a = jsonl(\"data/*.jsonl\")\nsource b = text(\"books/*.txt\")\n";
    assert!(refused(&[("main.llmp", main)])[0].starts_with("LLMP0903"));
    assert_eq!(
        refused(&[("main.llmp", main), ("llmp.lock", LOCK)]),
        ["LLMP0111 `books/*.txt` is not in llmp.lock"]
    );
    assert!(refused(&[("main.llmp", main), ("llmp.lock", "<<<<<<< ours")])[0].starts_with("LLMP0903"));
    // A program in a folder below names the same files by another path.
    let below = "llmp 1\nsource a = jsonl(\"../data/*.jsonl\")\n";
    let files = [("recipes/main.llmp", below), ("llmp.lock", LOCK)];
    let files: std::collections::BTreeMap<String, String> =
        files.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let (loaded, _) = crate::load(&files, "recipes/main.llmp");
    let (program, _) = crate::check(&loaded, &registry, &Options::default());
    let (plan, _) = plan(&program, &registry);
    assert_eq!(frozen(&plan, &registry, &loaded.locked), vec![]);
}
