//! Inputs out of object stores, on the store of local files: fetched by `llmp lock` and `llmp run`, and by nothing else.
#![cfg(feature = "object-stores")]
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{Project, text};
use serde_json::Value;

/// A program that reads a bucket, and the bucket.
fn program() -> (Project, tempfile::TempDir, String) {
    let (project, bucket) = (Project::new(), tempfile::tempdir().unwrap());
    for (name, words) in [("a.txt", "The first."), ("b/c.txt", "The second."), ("b/d.md", "Not asked for.")] {
        let path = bucket.path().join("crawl").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, words).unwrap();
    }
    let address = format!("file://{}/crawl/**/*.txt", bucket.path().display());
    let kept = "dataset kept = crawl |> dedup_exact()\n";
    project.write("objects.llmp", &format!("llmp 1\nsource crawl = text(\"{address}\")\n{kept}"));
    (project, bucket, address)
}

fn lock(project: &Project) -> (bool, String) {
    let output = project.llmp(&["lock", "objects.llmp"]);
    (output.status.success(), text(&output.stderr))
}

fn locked(project: &Project, address: &str) -> Vec<String> {
    let lock: Value = serde_json::from_slice(&std::fs::read(project.path("llmp.lock")).unwrap()).unwrap();
    let files = lock["inputs"][format!("text {address}")]["files"].as_array().unwrap();
    files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_lock_follows_the_store() {
    let (project, bucket, address) = program();
    let label = |name: &str| format!("file://{}/crawl/{name}", bucket.path().display());
    // Nothing is fetched by looking.
    for verb in ["check", "plan"] {
        assert!(project.llmp(&[verb, "objects.llmp"]).status.success(), "{verb}");
        assert!(!project.path(".llmp/objects").exists(), "{verb}");
    }
    let (good, said) = lock(&project);
    assert!(good, "{said}");
    assert_eq!(locked(&project, &address), [label("a.txt"), label("b/c.txt")]);
    // A new object, one that changed, one that is gone.
    std::fs::write(bucket.path().join("crawl/e.txt"), "A new one.").unwrap();
    std::fs::remove_file(bucket.path().join("crawl/b/c.txt")).unwrap();
    let before = std::fs::read_to_string(project.path("llmp.lock")).unwrap();
    std::fs::write(bucket.path().join("crawl/a.txt"), "The first?").unwrap();
    assert!(lock(&project).0);
    assert_eq!(locked(&project, &address), [label("a.txt"), label("e.txt")]);
    let after = std::fs::read_to_string(project.path("llmp.lock")).unwrap();
    let hash = |text: &str| text.lines().find(|l| l.contains("a.txt")).map(str::to_owned);
    assert_ne!(hash(&before), hash(&after), "content of the same size");
    // The store is away: what is here is not taken for it.
    std::fs::remove_dir_all(bucket.path().join("crawl")).unwrap();
    let (good, said) = lock(&project);
    assert!(!good && said.contains("LLMP1002") && said.contains("no object matches"), "{said}");
}

#[test]
fn a_run_fetches_and_says_what_it_read() {
    let (project, bucket, _) = program();
    let output = project.llmp(&["run", "objects.llmp"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let kept = project.path("runs/objects/kept/part-00000.jsonl.zst");
    let lines = zstd::decode_all(std::fs::File::open(kept).unwrap()).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert!(lines.contains(&format!("file://{}/crawl/a.txt#0", bucket.path().display())), "{lines}");
    assert_eq!(lines.lines().count(), 2);
    // A store that no address has, and one without a key.
    for wrong in ["nowhere://bucket/*.txt", "s3://bucket"] {
        project.write(
            "wrong.llmp",
            &format!("llmp 1\nsource crawl = text(\"{wrong}\")\ndataset d = crawl |> dedup_exact()\n"),
        );
        let output = project.llmp(&["run", "wrong.llmp"]);
        assert!(
            !output.status.success() && text(&output.stderr).contains("LLMP1002"),
            "{wrong}: {}",
            text(&output.stderr)
        );
    }
}
