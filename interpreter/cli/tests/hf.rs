//! Programs that read data and a tokenizer out of a Hugging Face cache folder, as the tools of Hugging Face lay it out.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::process::Output;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use common::{PROGRAM, Project, events, examples, ran, text};

/// Texts as a Parquet file with the column `text`.
fn parquet_of(texts: &[String]) -> Vec<u8> {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn chapters(project: &Project) -> Vec<String> {
    let entries = std::fs::read_dir(project.path("books")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Puts a file into a snapshot as the tools do: the content under `blobs`, the name as a link to it.
fn cached(project: &Project, repository: &str, revision: &str, name: &str, content: &[u8]) {
    let blob = format!("hub/{repository}/blobs/{revision}-{}", name.replace('/', "-"));
    project.write(&blob, content);
    let link = project.path(&format!("hub/{repository}/snapshots/{revision}/{name}"));
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(project.path(&blob), link).unwrap();
    #[cfg(not(unix))]
    std::fs::copy(project.path(&blob), link).unwrap();
    project.write(&format!("hub/{repository}/refs/main"), revision);
}

fn llmp(project: &Project, args: &[&str]) -> Output {
    project.command(args).env("HF_HUB_CACHE", project.path("hub")).output().unwrap()
}

fn run(project: &Project, file: &str) -> Vec<String> {
    let output = llmp(project, &["run", file, "--format", "json"]);
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    ran(&events(&output))
}

fn refused(project: &Project, args: &[&str]) -> String {
    let output = llmp(project, args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn a_dataset_of_the_cache_is_trained_on_to_the_end() {
    let project = Project::new();
    project
        .write("main.llmp", PROGRAM.replace("text(\"books/*.txt\")", "hf(\"org/tales\", license = \"mit\")"));
    // Nothing is there: the program is right, a run says where was looked and how to fetch it.
    assert!(llmp(&project, &["check", "main.llmp"]).status.success());
    let said = refused(&project, &["run", "main.llmp"]);
    let hub = project.path("hub").display().to_string();
    assert!(said.contains("LLMP1002") && said.contains(&hub), "{said}");
    assert!(said.contains("huggingface-cli download org/tales --repo-type dataset"), "{said}");
    let chapters = chapters(&project);
    let (shard, name) = (parquet_of(&chapters), "data/train-00000-of-00001.parquet");
    let store = |revision, content: &[u8]| cached(&project, "datasets--org--tales", revision, name, content);
    store("aaaa1111", &shard);
    cached(&project, "datasets--org--tales", "aaaa1111", "data/test-00000-of-00001.parquet", b"not read");
    assert!(run(&project, "main.llmp").contains(&"run".to_owned()));
    assert!(project.released().len() > 2);
    // Keyed by content: the same files at another revision are the same input.
    store("bbbb2222", &shard);
    assert_eq!(run(&project, "main.llmp"), Vec::<String>::new());
    assert!(llmp(&project, &["lock", "main.llmp"]).status.success());
    let lock: serde_json::Value =
        serde_json::from_slice(&std::fs::read(project.path("llmp.lock")).unwrap()).unwrap();
    let input = &lock["inputs"]["hf org/tales"];
    assert_eq!((&input["revision"], &input["documents"]), (&"bbbb2222".into(), &chapters.len().into()));
    assert_eq!(input["files"][0]["path"], format!("org/tales/{name}"));
    assert!(llmp(&project, &["run", "main.llmp", "--frozen"]).status.success());
    // What was measured closes the columns of this split, not of another one.
    let columns = |split: &str| {
        format!(
            "llmp 1\n\nsource tales = hf(\"org/tales\", split = \"{split}\")\n\ndataset kept = tales |> keep_if(.no_such_column == 1)\n"
        )
    };
    project.write("columns.llmp", columns("train"));
    assert!(refused(&project, &["check", "columns.llmp"]).contains("LLMP0105"));
    project.write("columns.llmp", columns("test"));
    assert!(llmp(&project, &["check", "columns.llmp"]).status.success());
    store("cccc3333", &parquet_of(&chapters[1..]));
    let said = refused(&project, &["run", "main.llmp", "--frozen"]);
    assert!(said.contains("LLMP0112") && said.contains("cccc3333"), "{said}");
    assert!(run(&project, "main.llmp").contains(&"run".to_owned()), "other content is other input");
}

#[test]
fn a_split_of_json_lines_is_read_with_a_cached_tokenizer() {
    let project = Project::new();
    project.write("main.llmp", "llmp 1\n\nsource books = text(\"books/*.txt\")\ntokenizer tok = bpe(train_on = books, vocab = 512)\n");
    run(&project, "main.llmp");
    let tokenizer = std::fs::read(project.path("runs/main/tok")).unwrap();
    cached(&project, "models--org--small", "dddd4444", "tokenizer.json", &tokenizer);
    cached(&project, "models--org--small", "dddd4444", "model.safetensors", b"not read");
    let lines = std::fs::read(examples().join("data/sotu-1946-2000.jsonl.gz")).unwrap();
    cached(&project, "datasets--org--speeches", "eeee5555", "en/validation.jsonl.gz", &lines);
    cached(&project, "datasets--org--speeches", "eeee5555", "de/validation.jsonl.gz", b"not read");
    let program = |data: &str| {
        let program = PROGRAM.replace("text(\"books/*.txt\")", &format!("hf(\"org/speeches\"{data})"));
        program.replace("bpe(train_on = clean, vocab = 512)", "hf(\"org/small\", vocab = 512)")
    };
    for (data, words) in [
        ("", "no split `train`; it holds `validation`"),
        (", split = \"dev\"", "several configurations (`de`, `en`)"),
        (", split = \"dev\", config = \"fr\"", "no folder `fr`"),
        (", split = \"dev\", config = \"en\", revision = \"v9\"", "not its revision `v9`"),
    ] {
        project.write("speeches.llmp", program(data));
        let said = refused(&project, &["run", "speeches.llmp"]);
        assert!(said.contains("LLMP1002") && said.contains(words), "{said}");
    }
    project.write("speeches.llmp", program(", split = \"dev\", config = \"en\""));
    assert!(run(&project, "speeches.llmp").contains(&"run".to_owned()));
    assert_eq!(std::fs::read(project.path("release/out/tokenizer.json")).unwrap(), tokenizer);
    assert!(llmp(&project, &["lock", "speeches.llmp"]).status.success());
    let lock = std::fs::read_to_string(project.path("llmp.lock")).unwrap();
    for key in ["hf org/small?tokenizer", "hf org/speeches?config=en&split=dev"] {
        assert!(lock.contains(&format!("\"{key}\"")), "{lock}");
    }
    assert!(!lock.contains("safetensors"), "of a tokenizer only its own file is locked");
    assert!(llmp(&project, &["run", "speeches.llmp", "--frozen"]).status.success());
}
