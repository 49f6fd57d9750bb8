//! A small real project in a temporary folder, and the binary run on it.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]
#![allow(dead_code, reason = "each suite uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program of the suites: every kind of step, small enough for a few seconds.
pub(crate) const PROGRAM: &str = r#"llmp 1

source books = text("books/*.txt")

dataset clean = books
  |> gopher_quality(min_doc_words = 50)
  |> dedup_exact()
  |> dedup_minhash()
  |> split(heldout = 20%)

tokenizer tok = bpe(train_on = clean, vocab = 512)

model small {
  tokenizer = tok
  layers    = 2
  width     = 32
  heads     = 2
  context   = 64
}

pretrain run {
  model       = small
  data        = clean
  tokens      = 16k
  batch       = 8 sequences
  checkpoints = every(8 steps)
}

eval quality { model = run, suites = [bits_per_byte(clean.heldout)] }
release out { model = run }
"#;

/// A project with its program and the first chapters of a real book.
pub(crate) struct Project {
    pub(crate) folder: tempfile::TempDir,
}

impl Project {
    /// The suites' program and twelve chapters.
    pub(crate) fn new() -> Project {
        let folder = tempfile::tempdir().unwrap();
        let books = folder.path().join("books");
        std::fs::create_dir_all(&books).unwrap();
        for entry in std::fs::read_dir(examples().join("books")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_owned();
            if name.to_string_lossy().as_ref() < "moby-dick-013" {
                std::fs::copy(&path, books.join(name)).unwrap();
            }
        }
        let project = Project { folder };
        project.write("main.llmp", PROGRAM);
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The binary in the project's folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmp"));
        command.args(args).current_dir(self.folder.path()).env_remove("LLMP_FAILPOINT");
        command
    }

    pub(crate) fn llmp(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs `main.llmp` to its end; the events as JSON.
    pub(crate) fn run(&self) -> Vec<serde_json::Value> {
        let output = self.llmp(&["run", "main.llmp", "--format", "json"]);
        assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
        events(&output)
    }

    /// Bytes of the released weights and of everything else that is released.
    pub(crate) fn released(&self) -> Vec<(String, Vec<u8>)> {
        let folder = self.path("release/out");
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&p).unwrap()))
            .collect();
        files.sort();
        assert!(files.iter().any(|(name, bytes)| name == "model.safetensors" && bytes.len() > 10_000));
        files
    }
}

/// The examples of the repository.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn events(output: &Output) -> Vec<serde_json::Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Names of the tasks that really ran.
pub(crate) fn ran(events: &[serde_json::Value]) -> Vec<String> {
    let finished = events.iter().filter(|e| e["event"] == "finished");
    finished.map(|e| e["step"].as_str().unwrap().to_owned()).collect()
}

/// A program with an error, a warning, a problem in an imported file, and letters outside of ASCII before a place.
pub(crate) fn broken() -> Project {
    let project = Project::new();
    project.write("parts/model.llmp", "llmp 1\n\nlet size: Int = 33 stepz\n");
    let main = PROGRAM
        .replace("width     = 32", "widht     = 32")
        .replace("context   = 64", "context   = 8k")
        .replace(
            "source books",
            "use { size } from \"./parts/model.llmp\"\n\nlet word = \"𝛼\" + sice\n\nsource books",
        );
    project.write("main.llmp", main);
    project
}
