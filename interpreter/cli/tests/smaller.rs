//! Smaller models of a trained one: masks that are learned, teachers whose words are stored, students that write, adapters
//! on rounded weights.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, ran, text};
use serde_json::Value;

fn json(project: &Project, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(project.path(path)).unwrap()).unwrap()
}

#[test]
fn a_mask_is_learned_and_the_smaller_model_is_released() {
    let project = Project::new();
    let prune = "
prune less { from = run, keep = { ffn_hidden = 40 }, data = clean, tokens = 8k, batch = 8 sequences, schedule = constant(1e-3) }
distill student { from = less, teacher = run, data = clean, tokens = 2k, batch = 8 sequences, loss = top1(teacher = 90%, truth = 10%) }
release out { model = less }
eval after { model = student, suites = [bits_per_byte(clean.heldout)] }
";
    project.write("main.llmp", PROGRAM.replace("release out { model = run }", prune));
    project.run();
    assert_eq!(json(&project, "release/out/config.json")["intermediate_size"], 40);
    let score = |name: &str| {
        json(&project, &format!("runs/main/{name}"))["metrics"]["bits_per_byte"].as_f64().unwrap()
    };
    assert!(score("after") < score("quality") + 0.5, "{} and {}", score("after"), score("quality"));
    assert_eq!(ran(&project.run()), Vec::<String>::new());
}

#[test]
fn what_a_teacher_says_is_computed_once() {
    let project = Project::new();
    let distill = "
distill live   { model = small, teacher = run, data = clean, tokens = 4k, batch = 8 sequences, loss = LOSS, seed = 3 }
distill stored { model = small, teacher = stored(run), data = clean, tokens = 4k, batch = 8 sequences, loss = LOSS, seed = 3 }
release a { model = live }
release b { model = stored }
";
    let program = |loss: &str| PROGRAM.replace("release out { model = run }", &distill.replace("LOSS", loss));
    let weights =
        |name: &str| std::fs::read(project.path(&format!("release/{name}/model.safetensors"))).unwrap();
    for loss in ["full()", "sampled(n = 8)", "top1(teacher = 80%, truth = 20%)"] {
        project.write("main.llmp", program(loss));
        let ran = ran(&project.run());
        assert!(ran.iter().any(|step| step == "teach"), "{ran:?}");
        assert!(weights("a") == weights("b"), "{loss}: another student");
    }
    // Another rate and other weights of the loss: the teacher says the same.
    let other = program("top1(teacher = 70%, truth = 30%)").replace("seed = 3 }", "seed = 3, clip = 0.5 }");
    project.write("main.llmp", other);
    let ran = ran(&project.run());
    assert!(ran.iter().any(|step| step == "stored") && !ran.iter().any(|step| step == "teach"), "{ran:?}");
    let wrong = program("on_policy()");
    project.write("main.llmp", wrong);
    let said = project.llmp(&["check", "main.llmp"]);
    assert!(text(&said.stderr).contains("LLMP0202"), "{}", text(&said.stderr));
}

#[test]
fn a_student_learns_from_what_it_writes() {
    let project = Project::new();
    let distill = "
distill own { from = run, teacher = run, data = clean, tokens = 2k, batch = 8 sequences, loss = on_policy(divergence = jsd, student_share = 50%, prompt = 50%) }
release out { model = own }
";
    project.write("main.llmp", PROGRAM.replace("release out { model = run }", distill));
    project.run();
    assert_eq!(ran(&project.run()), Vec::<String>::new());
}

#[test]
fn an_adapter_recovers_what_rounding_cost() {
    let project = Project::new();
    let quantize = "
quantize few   { from = run, method = palette(bits = 2) }
quantize again { from = run, method = palette(bits = 2), recover = lora(rank = 4), data = clean, tokens = 16k, batch = 8 sequences, schedule = constant(3e-3) }
eval few_score   { model = few, suites = [bits_per_byte(clean.heldout)] }
eval again_score { model = again, suites = [bits_per_byte(clean.heldout)] }
release out { model = again }
";
    project.write("main.llmp", PROGRAM.replace("release out { model = run }", quantize));
    project.run();
    let score = |name: &str| {
        json(&project, &format!("runs/main/{name}"))["metrics"]["bits_per_byte"].as_f64().unwrap()
    };
    assert!(score("again_score") < score("few_score"), "{} and {}", score("again_score"), score("few_score"));
    let config = json(&project, "runs/main/again/adapter/adapter_config.json");
    assert_eq!((config["r"].as_u64(), config["peft_type"].as_str()), (Some(4), Some("LORA")));
    assert_eq!(ran(&project.run()), Vec::<String>::new());
}
