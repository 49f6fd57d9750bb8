//! Models merged by `llmp`, and rounds whose results are kept.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, ran, text};
use serde_json::Value;

fn program(rest: &str) -> String {
    PROGRAM.replace("release out { model = run }", rest)
}

fn metric(project: &Project, eval: &str, name: &str) -> f64 {
    let text = std::fs::read(project.path(&format!("runs/main/{eval}"))).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    report["metrics"][name].as_f64().unwrap()
}

const MERGES: &str = "
pretrain one { from = run, data = clean, tokens = 4k, batch = 8 sequences, seed = 1 }
pretrain two { from = run, data = clean, tokens = 4k, batch = 8 sequences, seed = 2 }
merge soup  = linear([one, two])
merge arc   = slerp(one, two, t = 30%, base = run)
merge sum   = task_arithmetic([one, two], base = run, weights = [0.5, 0.5])
merge cut   = ties([one, two], base = run, density = 50%)
merge thin  = dare([one, two], base = run, drop = 50%)
merge front = warp([one, two], base = run)
eval merged   { model = soup, suites = [bits_per_byte(clean.heldout)] }
eval added    { model = sum, suites = [bits_per_byte(clean.heldout)] }
eval thinned  { model = thin, suites = [bits_per_byte(clean.heldout)] }
release out   { model = soup }
release out_a { model = arc }
release out_c { model = cut }
release out_f { model = front }
";

#[test]
fn merges_run_are_measured_and_released_and_run_once() {
    let project = Project::new();
    project.write("main.llmp", program(MERGES));
    let first = ran(&project.run());
    assert!(
        ["soup", "arc", "sum", "cut", "thin", "front"].iter().all(|m| first.iter().any(|s| s == m)),
        "{first:?}"
    );
    let (soup, sum) =
        (metric(&project, "merged", "bits_per_byte"), metric(&project, "added", "bits_per_byte"));
    assert!((soup - sum).abs() < 1e-3, "the mean of two is the base with half of each change: {soup} {sum}");
    // Two short stages that went on from one model lie in one valley: their mean is no worse than where they began.
    assert!(soup < metric(&project, "quality", "bits_per_byte") + 0.02, "{soup}");
    assert_ne!(sum, metric(&project, "thinned", "bits_per_byte"));
    let weights =
        |name: &str| std::fs::read(project.path(&format!("release/{name}/model.safetensors"))).unwrap();
    assert!(weights("out") != weights("out_a") && weights("out_a") != weights("out_c"));
    assert_eq!(ran(&project.run()), Vec::<String>::new());

    // Another share of the arc merges again, and nothing is trained.
    project.write("main.llmp", program(&MERGES.replace("t = 30%", "t = 40%")));
    assert_eq!(ran(&project.run()), ["arc", "out_a"]);
}

const ROUNDS: &str = "
rounds post for r in 1..3 {
  carry policy = run

  pretrain left  { from = policy, data = clean, steps = 4, batch = 8 sequences, seed = r }
  pretrain right { from = policy, data = clean, steps = 4, batch = 8 sequences, seed = r + 10 }
  merge policies = warp([left, right], base = policy)

  next policy = policies
}
eval last { model = post.policy, suites = [bits_per_byte(clean.heldout)] }
release out { model = post.policy }

variant longer {
  post[3].right.steps = 6
}
";

#[test]
fn a_change_of_the_last_round_runs_that_round_alone() {
    let project = Project::new();
    project.write("main.llmp", program(ROUNDS));
    let first = ran(&project.run());
    for step in ["post[1].left", "post[2].right", "post[3].policies", "last", "out"] {
        assert!(first.iter().any(|s| s == step), "{step}: {first:?}");
    }
    assert_eq!(ran(&project.run()), Vec::<String>::new());

    let longer = project.llmp(&["run", "main.llmp", "--variant", "longer", "--format", "json"]);
    assert!(longer.status.success(), "{}", text(&longer.stderr));
    assert_eq!(ran(&common::events(&longer)), ["post[3].right", "post[3].policies", "last", "out"]);

    // A further round goes on from the last.
    project.write("main.llmp", program(&ROUNDS.replace("1..3", "1..4")));
    let further = ran(&project.run());
    assert_eq!(further, ["post[4].left", "post[4].right", "post[4].policies", "last", "out"]);
}

const PICK: &str = "
pretrain worse { from = run, data = clean, tokens = 4k, batch = 8 sequences, schedule = constant(1) }
pretrain on { from = pick(worse, run, by = bits_per_byte(clean.heldout)), data = clean, tokens = 1k, batch = 8 sequences }
eval memory { model = on, suites = [needle(length = 64, depths = 2)], require = .needle >= 0 }
release out { model = on }
";

#[test]
fn the_better_model_is_picked_and_gone_on_from() {
    let project = Project::new();
    // Needle texts need more room than the suites' model has.
    let wide = PROGRAM.replace("context   = 64", "context   = 256").replace("vocab = 512", "vocab = 700");
    let program = |rest: &str| wide.replace("release out { model = run }", rest);
    project.write("main.llmp", program(&PICK.replace("length = 64", "length = 200..256")));
    let events = project.run();
    let figure = |name: &str| {
        let metric = |e: &&Value| e["event"] == "metric" && e["name"] == name;
        events.iter().find(metric).unwrap()["value"].as_f64().unwrap()
    };
    assert!(figure("worse.bits_per_byte") > figure("run.bits_per_byte") + 0.1);
    assert!((0.0..=1.0).contains(&metric(&project, "memory", "needle")));
    // What went on from the choice went on from the better one.
    let named = |from: &str| {
        let program = PICK.replace("pick(worse, run, by = bits_per_byte(clean.heldout))", from);
        program.replace("length = 64", "length = 200..256")
    };
    let weights = || std::fs::read(project.path("release/out/model.safetensors")).unwrap();
    let picked = weights();
    project.write("main.llmp", program(&named("run")));
    assert!(ran(&project.run()).iter().any(|s| s == "on" || s == "out"));
    assert!(weights() == picked, "another model was picked");

    project.write("main.llmp", program(&PICK.replace("length = 64", "length = 2Ki")));
    let output = project.llmp(&["run", "main.llmp"]);
    assert!(text(&output.stderr).contains("the context of `on` has 256"), "{}", text(&output.stderr));
}
