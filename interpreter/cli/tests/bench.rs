//! What `llmp bench` has measured is what a later run states its MFU against; another cache knows nothing.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{Project, events, text};

#[test]
fn a_run_states_its_mfu_where_the_machine_was_measured() {
    let project = Project::new();
    let run = |cache: &str, args: &[&str]| {
        let output = project.command(args).env("XDG_CACHE_HOME", project.path(cache)).output().unwrap();
        assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
        output
    };
    let bench = run("cache", &["bench", "--seconds", "0", "--format", "json"]);
    let bench: serde_json::Value = serde_json::from_slice(&bench.stdout).unwrap();
    let rates = ["f32", "bf16"].map(|precision| bench["bench"]["peak"][precision].as_f64().unwrap());
    assert!(rates.iter().all(|rate| *rate > 1e8), "{rates:?}");
    assert!(std::path::Path::new(bench["file"].as_str().unwrap()).starts_with(project.path("cache")));

    let events = events(&run("cache", &["run", "main.llmp", "run", "--format", "json"]));
    let of = |kind: &str| events.iter().filter(|e| e["event"] == kind).cloned().collect::<Vec<_>>();
    let (losses, trained) = (of("loss"), of("trained"));
    assert!(
        losses.iter().chain(&trained).all(|e| e["mfu"].as_f64().is_some_and(|mfu| 0.0 < mfu && mfu < 1.5))
    );
    assert_eq!((trained.len(), &trained[0]["tokens"]), (1, &losses.last().unwrap()["tokens"]));

    project.write("main.llmp", common::PROGRAM.replace("width     = 32", "width     = 48"));
    let unknown = run("other", &["run", "main.llmp", "run"]);
    assert!(text(&unknown.stderr).contains(" tok/s · MFU -"), "{}", text(&unknown.stderr));
}
