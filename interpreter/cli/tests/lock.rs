//! `llmp lock` on real files, and what `--frozen` refuses.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, examples, text};
use serde_json::Value;

fn lock(project: &Project) -> Value {
    serde_json::from_slice(&std::fs::read(project.path("llmp.lock")).unwrap()).unwrap()
}

#[test]
fn a_lock_holds_size_hash_and_counts_of_every_file() {
    let project = Project::new();
    let output = project.llmp(&["lock", "main.llmp"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lock = lock(&project);
    let input = &lock["inputs"]["text books/*.txt"];
    let files = input["files"].as_array().unwrap();
    assert_eq!(files.len(), 12);
    let mut bytes = 0;
    for file in files {
        let content = std::fs::read(project.path(file["path"].as_str().unwrap())).unwrap();
        assert_eq!(file["bytes"], content.len());
        assert_eq!(file["hash"].as_str().unwrap().len(), 64);
        bytes += content.len();
    }
    assert_eq!(input["bytes"], bytes);
    assert_eq!((&input["rows"], &input["documents"]), (&12.into(), &12.into()));
    // Plain text: what is measured is the text, without byte order marks.
    assert!(input["text_bytes"].as_u64().unwrap() <= bytes as u64);
    assert_eq!(input["programs"], serde_json::json!(["main.llmp"]));
    // Nothing changed: the second lock is the same, byte for byte, and `--check` agrees.
    let before = std::fs::read(project.path("llmp.lock")).unwrap();
    assert!(project.llmp(&["lock", "main.llmp"]).status.success());
    assert_eq!(std::fs::read(project.path("llmp.lock")).unwrap(), before);
    assert!(project.llmp(&["lock", "--check", "main.llmp"]).status.success());
    // One file changes: one line of the list changes, `--check` refuses and writes nothing.
    let one = files[3]["path"].as_str().unwrap();
    project.write(one, "another text");
    assert_eq!(project.llmp(&["lock", "--check", "main.llmp"]).status.code(), Some(1));
    assert_eq!(std::fs::read(project.path("llmp.lock")).unwrap(), before);
    assert!(project.llmp(&["lock", "main.llmp"]).status.success());
    let (old, new) = (text(&before), std::fs::read_to_string(project.path("llmp.lock")).unwrap());
    let changed: Vec<&str> = new.lines().filter(|line| !old.contains(line)).collect();
    assert!(changed.len() <= 3 && changed.iter().any(|l| l.contains(one)), "{changed:?}");
}

#[test]
fn frozen_refuses_what_the_lock_does_not_know() {
    let project = Project::new();
    let frozen = |verb: &str| -> (Option<i32>, String) {
        let output = project.llmp(&[verb, "main.llmp", "--frozen"]);
        (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    for verb in ["check", "plan", "run"] {
        let (code, said) = frozen(verb);
        assert!(code == Some(1) && said.contains("LLMP0903"), "{verb}: {said}");
    }
    assert!(project.llmp(&["lock", "main.llmp"]).status.success());
    assert_eq!(frozen("check").0, Some(0));
    assert_eq!(frozen("plan").0, Some(0));
    // Check and plan read no data: what lies on the disk does not matter to them; run compares it.
    let first = std::fs::read_dir(project.path("books")).unwrap().next().unwrap().unwrap().path();
    let content = std::fs::read(&first).unwrap();
    std::fs::write(&first, [content.as_slice(), b"more"].concat()).unwrap();
    assert_eq!(frozen("check").0, Some(0));
    let (code, said) = frozen("run");
    let name = first.file_name().unwrap().to_string_lossy().into_owned();
    assert!(code == Some(1) && said.contains("LLMP0112") && said.contains(&name), "{said}");
    assert!(!project.path("release").exists(), "nothing was started");
    // The same size and other content.
    let mut other = content.clone();
    other[0] ^= 1;
    std::fs::write(&first, &other).unwrap();
    assert!(frozen("run").1.contains("other content of the same size"));
    std::fs::remove_file(&first).unwrap();
    assert!(frozen("run").1.contains("is gone"));
    // Another glob is not in the lock.
    project.write("main.llmp", PROGRAM.replace("books/*.txt", "books/moby*.txt"));
    let (code, said) = frozen("check");
    assert!(code == Some(1) && said.contains("LLMP0111"), "{said}");
}

#[test]
fn locked_columns_close_the_row() {
    let project = Project::new();
    let data = examples().join("data/sotu-1946-2000.jsonl.gz");
    std::fs::copy(data, project.path("sotu.jsonl.gz")).unwrap();
    let program = |condition: &str| {
        format!(
            "llmp 1\n\nsource sotu = jsonl(\"sotu.jsonl.gz\")\n\ndataset kept = sotu |> keep_if({condition})\n"
        )
    };
    project.write("main.llmp", program(".no_such_column == 1"));
    assert!(project.llmp(&["check", "main.llmp"]).status.success(), "open rows let every column pass");
    let output = project.llmp(&["lock", "main.llmp", "--format", "json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let columns = list[0]["input"]["columns"].as_object().unwrap().clone();
    assert!(columns.contains_key("text") && columns.len() > 2, "{columns:?}");
    let output = project.llmp(&["check", "main.llmp"]);
    assert!(
        output.status.code() == Some(1) && text(&output.stderr).contains("LLMP0105"),
        "{}",
        text(&output.stderr)
    );
    let (name, ty) = columns.iter().find(|(name, _)| *name != "text" && *name != "id").unwrap();
    let condition = if ty == "Text" { format!(".{name} != \"\"") } else { format!(".{name} > 0") };
    project.write("main.llmp", program(&condition));
    let output = project.llmp(&["check", "main.llmp"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn programs_of_a_project_share_one_lock() {
    let project = Project::new();
    project.write("recipes/second.llmp", PROGRAM.replace("books/*.txt", "../books/*.txt"));
    project.write("third.llmp", "llmp 1\n\nsource one = text(\"books/moby-dick-001.txt\")\n");
    assert!(project.llmp(&["lock", "main.llmp", "third.llmp"]).status.success());
    assert!(project.llmp(&["lock", "recipes/second.llmp"]).status.success());
    let locked = lock(&project);
    let programs = &locked["inputs"]["text books/*.txt"]["programs"];
    assert_eq!(*programs, serde_json::json!(["main.llmp", "recipes/second.llmp"]));
    assert!(project.llmp(&["check", "--frozen", "main.llmp", "recipes/second.llmp"]).status.success());
    // What no program reads any more goes out with the next lock of that program.
    project.write("third.llmp", "llmp 1\n\nsource two = text(\"books/moby-dick-002.txt\")\n");
    assert!(project.llmp(&["lock", "third.llmp"]).status.success());
    let locked = lock(&project);
    let keys: Vec<&String> = locked["inputs"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["text books/*.txt", "text books/moby-dick-002.txt"]);
}

#[test]
fn a_path_without_files_is_an_error_and_leaves_the_lock() {
    let project = Project::new();
    project.write("main.llmp", PROGRAM.replace("books/*.txt", "nowhere/*.txt"));
    let output = project.llmp(&["lock", "main.llmp"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("LLMP1002"), "{}", text(&output.stderr));
    assert!(!project.path("llmp.lock").exists());
}
