//! Programs of one's own, mixtures that change and rows of whole documents, through the binary.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, text};

const RATED: &str = r#"llmp 1

source books = text("books/*.txt")

dataset rated = books |> external(["sh", "rate.sh"], adds = { seen = Bool }) |> keep_if(.seen)
"#;

#[test]
fn programs_are_started_only_where_that_is_allowed() {
    let project = Project::new();
    project.write("main.llmp", RATED);
    project.write("rate.sh", r#"while read -r line; do echo '{"seen": true}'; done"#);
    let refused = project.llmp(&["run", "main.llmp"]);
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && said.contains("LLMP1305") && said.contains("sh rate.sh"), "{said}");
    assert!(!project.path(".llmp").exists());

    let allowed = ["run", "main.llmp", "--allow-external"];
    let output = project.llmp(&allowed);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let again = project.llmp(&allowed);
    assert!(!text(&again.stderr).contains("(external)"), "{}", text(&again.stderr));

    // A changed script runs again, and what it says at its end is shown.
    project.write("rate.sh", "read -r line; echo 'no model here' >&2; exit 7");
    let failed = project.llmp(&allowed);
    let said = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{said}");
    for part in ["sh rate.sh", "books/moby-dick-0", "status: 7", "no model here"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

/// The suites' program on a mixture whose shares change, in rows of whole documents.
fn mixed(tokens: &str) -> String {
    let blend = "source more = text(\"books/moby-dick-00*.txt\")

mix blend {
  clean = { weight = 80%, max_epochs = 1 }
  more  = { weight = 20%, max_epochs = 2, later = [{ after = 8k tokens, weight = 60% }] }
}

pretrain run {
  packing     = best_fit
";
    let end = PROGRAM.find("eval quality").unwrap();
    PROGRAM[..end]
        .replace("pretrain run {\n", blend)
        .replace("data        = clean", "data        = blend")
        .replace("16k", tokens)
}

#[test]
fn shares_change_rows_are_packed_and_what_cannot_be_given_is_said() {
    let project = Project::new();
    project.write("main.llmp", mixed("16k"));
    let output = project.llmp(&["run", "main.llmp"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let stage = std::fs::read_to_string(project.path("runs/main/run/stage.json")).unwrap();
    let stage: serde_json::Value = serde_json::from_str(&stage).unwrap();
    let drawn = |k: usize| stage["drawn"][k].as_u64().unwrap();
    // 80% of 8,000 and 40% of 8,000, within a row of 64 each.
    assert!(drawn(0).abs_diff(9_600) <= 192 && drawn(1).abs_diff(6_400) <= 192, "{stage}");

    project.write("main.llmp", mixed("4M"));
    let output = project.llmp(&["run", "main.llmp"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["tokens are wanted", "parts give", "clean ", "more ", "are missing"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}
