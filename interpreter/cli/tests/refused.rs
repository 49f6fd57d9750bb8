//! What this version cannot run is said before anything starts, by `run` alone.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, text};

#[test]
fn nothing_is_started_when_the_last_step_cannot_run() {
    let project = Project::new();
    let asks = "eval gate { model = run, suites = [gpqa()] }\nrelease out { model = run }";
    project.write("main.llmp", PROGRAM.replace("release out { model = run }", asks));
    let checked = project.llmp(&["check", "main.llmp"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let output = project.llmp(&["run", "main.llmp"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("LLMP0703") && said.contains("`gpqa`") && said.contains("nothing was started"),
        "{said}"
    );
    assert!(!project.path(".llmp").exists());
    let events = common::events(&project.llmp(&["run", "main.llmp", "--format", "json"]));
    assert_eq!((events.len(), events[0]["code"].as_str()), (1, Some("LLMP0703")));
}

#[test]
fn a_device_that_is_not_there_is_said_before_anything_starts() {
    let project = Project::new();
    // No machine has so many, with a driver or without.
    for device in ["cuda:4096", "tpu"] {
        let output = project.llmp(&["run", "main.llmp", "--device", device]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("LLMP1203") && said.contains("--device cpu"), "{said}");
        assert!(!project.path(".llmp").exists());
    }
}
