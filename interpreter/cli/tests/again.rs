//! What runs again: nothing without a change, and only what is behind a change.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, ran, text};

#[test]
fn a_second_run_does_nothing_and_a_threshold_runs_what_is_behind_it() {
    let project = Project::new();
    let first = ran(&project.run());
    assert!(first.iter().any(|s| s == "run") && first.iter().any(|s| s == "quality"), "{first:?}");
    assert_eq!(ran(&project.run()), Vec::<String>::new());

    // Renames, comments and layout change nothing.
    let plan = |p: &Project| -> serde_json::Value {
        serde_json::from_slice(&p.llmp(&["plan", "main.llmp", "--format", "json"]).stdout).unwrap()
    };
    let hash = plan(&project)["hash"].clone();
    project.write("main.llmp", PROGRAM.replace("small", "tiny").replace("layers    = 2", "layers = 2 # few"));
    assert_eq!(plan(&project)["hash"], hash);
    assert_eq!(ran(&project.run()), Vec::<String>::new());

    // A threshold that drops the same documents runs the filter and nothing behind its result.
    project.write("main.llmp", PROGRAM.replace("min_doc_words = 50", "min_doc_words = 51"));
    let why = text(&project.llmp(&["why", "clean.gopher_quality"]).stdout);
    assert!(why.contains("min_doc_words") && why.contains("50") && why.contains("51"), "{why}");
    let again = ran(&project.run());
    assert_eq!(again.len(), 1, "{again:?}");

    // One that drops others runs everything behind it.
    project.write("main.llmp", PROGRAM.replace("min_doc_words = 50", "min_doc_words = 800"));
    let again = ran(&project.run());
    assert!(again.iter().any(|s| s == "run"), "{again:?}");
    let why = text(&project.llmp(&["why", "clean.gopher_quality"]).stdout);
    assert!(why.contains("in the store") && why.contains("min_doc_words"), "{why}");
}
