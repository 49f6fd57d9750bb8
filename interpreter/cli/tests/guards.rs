//! Checks that only the run can decide: judged as soon as the documents are counted, before anything behind them starts.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, ran, text};

#[test]
fn a_check_on_counted_documents_stops_the_run_before_it_trains() {
    let project = Project::new();
    project
        .write("main.llmp", format!("{PROGRAM}\ncheck clean.documents >= 500 else \"too few documents\"\n"));
    let output = project.llmp(&["run", "main.llmp", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let events = common::events(&output);
    let failed = events.last().unwrap();
    assert_eq!(failed["code"], "LLMP0805");
    assert!(
        failed["message"].as_str().unwrap().contains("too few documents (clean.documents = "),
        "{failed}"
    );
    assert!(!ran(&events).iter().any(|step| step == "run" || step == "tok"), "{events:?}");
    let said = text(&project.llmp(&["run", "main.llmp"]).stderr);
    assert!(said.contains("decided by the run") && said.contains("main.llmp:32"), "{said}");

    project.write("main.llmp", format!("{PROGRAM}\ncheck clean.documents >= 2 else \"too few documents\"\n"));
    assert!(ran(&project.run()).iter().any(|step| step == "run"));
}

#[test]
fn a_check_that_no_run_can_decide_is_refused_at_once() {
    let project = Project::new();
    let check = "check (if clean.documents > 5 then 1 else 2) == 1 else \"no\"\n";
    project.write("main.llmp", format!("{PROGRAM}\n{check}"));
    let output = project.llmp(&["run", "main.llmp"]);
    assert!(
        !output.status.success() && text(&output.stderr).contains("LLMP0703"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn items_of_families_have_folders_that_can_be_typed() {
    let project = Project::new();
    let family = "release out[size in [\"a/b\", \"c\"]] { model = run }";
    project.write("main.llmp", PROGRAM.replace("release out { model = run }", family));
    project.run();
    assert!(project.path("release/out.a_b/model.safetensors").exists());
    assert!(project.path("release/out.c").exists() && project.path("runs/main/out.a_b").exists());
}
