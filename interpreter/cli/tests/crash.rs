//! The end of the process at any write or rename, and on any number of threads, never changes a byte of the result.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{Project, ran, text};

#[test]
fn a_run_that_dies_at_any_write_gives_the_same_bytes() {
    let whole = Project::new();
    whole.run();
    let expected = whole.released();
    // One project dies again and again, each time a few writes later: every kind of write is hit, also after a resume.
    let project = Project::new();
    let mut deaths = 0;
    for n in 1.. {
        // Early points one by one, later ones in growing strides.
        let at = (3 + n * 2).to_string();
        let output = project
            .command(&["run", "main.llmp", "--format", "json"])
            .env("LLMP_FAILPOINT", at)
            .output()
            .unwrap();
        if output.status.success() {
            break;
        }
        assert!(text(&output.stderr).contains("failpoint: "), "{}", text(&output.stderr));
        deaths += 1;
        assert!(deaths < 200, "the run never ends");
    }
    assert!(deaths > 10, "only {deaths} deaths");
    assert_eq!(project.released(), expected);
    assert_eq!(ran(&project.run()), Vec::<String>::new());
}

#[test]
fn every_write_of_a_run_can_be_its_last() {
    let whole = Project::new();
    whole.run();
    let expected = whole.released();
    let mut points = 0;
    // Each point once, from an empty store; strided so that the suite stays short (LLMP_EVERY_WRITE=1 takes them all).
    let stride = if std::env::var_os("LLMP_EVERY_WRITE").is_some() { 1 } else { 17 };
    for at in (1..).step_by(stride) {
        let project = Project::new();
        let died = project
            .command(&["run", "main.llmp", "--format", "json"])
            .env("LLMP_FAILPOINT", at.to_string())
            .output()
            .unwrap();
        if died.status.success() {
            break;
        }
        points += 1;
        project.run();
        assert_eq!(project.released(), expected, "after a death at write {at}");
    }
    assert!(points > 3, "only {points} points");
}

#[test]
fn threads_do_not_change_a_byte() {
    let run = |threads: &str| {
        let project = Project::new();
        let output =
            project.command(&["run", "main.llmp"]).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        project.released()
    };
    assert_eq!(run("1"), run("2"));
}

#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_where_it_was() {
    let whole = Project::new();
    whole.run();
    let project = Project::new();
    // SIGKILL at moments spread over the whole run; whether one hits filtering, training or nothing, the bytes agree.
    for milliseconds in [30, 80, 150, 300, 600, 1_000, 1_500] {
        let mut child = project
            .command(&["run", "main.llmp", "--format", "json"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    project.run();
    assert_eq!(project.released(), whole.released());
}

#[test]
fn two_runs_share_a_store() {
    let project = Project::new();
    let start = || {
        project
            .command(&["run", "main.llmp", "--format", "json"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let (first, second) = (start(), start());
    let outputs = [first.wait_with_output().unwrap(), second.wait_with_output().unwrap()];
    assert!(outputs.iter().all(|o| o.status.success()), "{}", text(&outputs[1].stderr));
    let mut all: Vec<String> = outputs.iter().flat_map(|o| ran(&common::events(o))).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "a task ran twice");
}
