//! Distillation as a stage: a student that learns from a teacher, resumed, and against one without a teacher.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Stand, content, documents, stage};
use llmp_stdlib::Event;
use llmp_train::budget::Goal;
use llmp_train::distill::Distil;
use llmp_train::kinds::distill::{DistillLoss, Divergence, Full, OnPolicy, Sampled, Says, Top1};
use llmp_train::stage::Stage;
use llmp_train::training::{Inputs, Summary, train_for};
use llmp_train::{Host, TrainError, stored};

fn teacher(stand: &Stand) -> PathBuf {
    let mut long = stage();
    long.goal = Goal::Steps(150);
    long.checkpoints = llmp_train::settings::Times::Every(llmp_train::settings::Every {
        distance: llmp_train::settings::Interval::Steps(1000),
    });
    stand.run(&long, "teacher", &Host::quiet()).unwrap();
    stand.path("teacher")
}

fn distil(
    stand: &Stand,
    loss: &DistillLoss,
    teachers: &[PathBuf],
    name: &str,
    host: &Host<'_>,
) -> Result<Summary, TrainError> {
    let (stage, tokenizer): (Stage, PathBuf) = (stage(), stand.path("tokenizer.json"));
    let shards = vec![stand.shard("left", &documents(1)), stand.shard("right", &documents(2))];
    let mut objective = Distil::new(&stage, loss.clone(), teachers, (&tokenizer, &[]))?;
    let inputs = Inputs { shards, examples: None, tokenizer: &tokenizer, from: None, held_out: Vec::new() };
    train_for(&stage, &mut objective, inputs, &stand.path(name), host)
}

/// Half of the rows are the student's own.
fn on_policy(divergence: Divergence, prompt: Option<f64>) -> DistillLoss {
    DistillLoss::OnPolicy(OnPolicy { divergence, student_share: 0.5, temperature: 1.0, prompt })
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_loss_trains_resumes_to_the_same_bytes_and_shows_its_parts() {
    let stand = Stand::new();
    let teacher = teacher(&stand);
    let losses = [
        DistillLoss::Full(Full { temperature: 2.0 }),
        DistillLoss::Sampled(Sampled { n: 16 }),
        DistillLoss::Top1(Top1 { teacher: 0.9, truth: 0.1 }),
        on_policy(Divergence::Reverse, Some(0.25)),
        on_policy(Divergence::Jsd, None),
    ];
    for (k, loss) in losses.iter().enumerate() {
        let (whole, cut) = (format!("whole-{k}"), format!("cut-{k}"));
        let one = std::slice::from_ref(&teacher);
        distil(&stand, loss, one, &whole, &Host::quiet()).unwrap();
        let lines = lines(&stand.path(&whole));
        let at = |i: usize, name: &str| lines[i][name].as_f64().unwrap();
        let own = matches!(loss, DistillLoss::OnPolicy(_));
        assert!(
            at(11, "teacher") < at(0, "teacher") && (own || at(11, "truth") < at(0, "truth")),
            "{lines:?}"
        );
        let sum = match loss {
            DistillLoss::Full(full) => full.temperature.powi(2) * at(3, "teacher"),
            DistillLoss::Top1(_) => 0.9 * at(3, "teacher") + 0.1 * at(3, "truth"),
            DistillLoss::Sampled(_) | DistillLoss::OnPolicy(_) => at(3, "teacher"),
        };
        assert!((at(3, "loss") / sum - 1.0).abs() < 1e-4, "{} is not {sum}", at(3, "loss"));
        let stop = AtomicBool::new(false);
        let event = |event: Event| {
            if matches!(event, Event::Loss { at: 5, .. }) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let host = Host { stop: &stop, event: &event, ..Host::quiet() };
        assert!(matches!(distil(&stand, loss, one, &cut, &host), Err(TrainError::Stopped)));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| distil(&stand, loss, one, &cut, &Host::quiet())).unwrap();
        assert!(content(&stand.path(&whole)) == content(&stand.path(&cut)), "another result after a stop");
    }
}

#[test]
fn what_teachers_said_before_teaches_the_same_bytes() {
    let stand = Stand::new();
    let first = teacher(&stand);
    let mut other = stage();
    other.seed = 9;
    stand.run(&other, "other", &Host::quiet()).unwrap();
    let teachers = [first, stand.path("other")];
    let losses = [
        (DistillLoss::Full(Full { temperature: 2.0 }), Says { states: true, likeliest: 0, drawn: 0 }),
        (DistillLoss::Sampled(Sampled { n: 16 }), Says { states: false, likeliest: 0, drawn: 16 }),
        (
            DistillLoss::Top1(Top1 { teacher: 0.9, truth: 0.1 }),
            Says { states: false, likeliest: 1, drawn: 0 },
        ),
    ];
    let tokenizer = stand.path("tokenizer.json");
    let shards = || vec![stand.shard("left", &documents(1)), stand.shard("right", &documents(2))];
    for (k, (loss, says)) in losses.iter().enumerate() {
        let (live, said) = (format!("live-{k}"), stand.path(&format!("said-{k}")));
        distil(&stand, loss, &teachers, &live, &Host::quiet()).unwrap();
        let write = |host: &Host<'_>| stored::write(&stage(), *says, &teachers, shards(), &said, host);
        // Stopped in the second file, it goes on after the first.
        let stop = AtomicBool::new(false);
        let event = |event: Event| {
            if matches!(event, Event::Progress { done, .. } if done > 9 * 6 * 32) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let host = Host { stop: &stop, event: &event, ..Host::quiet() };
        assert!(matches!(write(&host), Err(TrainError::Stopped)));
        let begun = content(&said);
        assert_eq!(begun.len(), 1, "{:?}", begun.keys());
        assert_eq!(write(&Host::quiet()).unwrap(), 32 * (11 * 6 + 2));
        assert!(begun.iter().all(|(name, bytes)| content(&said)[name] == *bytes));
        let heads = if says.states { &teachers[..] } else { &[] };
        let distil = Distil::new(&stage(), loss.clone(), heads, (&tokenizer, &[])).unwrap();
        let inputs = Inputs {
            shards: shards(),
            examples: None,
            tokenizer: &tokenizer,
            from: None,
            held_out: Vec::new(),
        };
        let name = format!("read-{k}");
        train_for(&stage(), &mut distil.stored(&said), inputs, &stand.path(&name), &Host::quiet()).unwrap();
        assert!(content(&stand.path(&live)) == content(&stand.path(&name)), "{loss:?} trains otherwise");
        let moved = Stage { seed: 8, ..stage() };
        let distil = Distil::new(&moved, loss.clone(), heads, (&tokenizer, &[])).unwrap();
        let inputs = Inputs {
            shards: shards(),
            examples: None,
            tokenizer: &tokenizer,
            from: None,
            held_out: Vec::new(),
        };
        let other = stand.path(&format!("other-{k}"));
        let error = train_for(&moved, &mut distil.stored(&said), inputs, &other, &Host::quiet()).unwrap_err();
        assert!(error.to_string().contains("about other rows"), "{error}");
    }
}

#[test]
fn several_teachers_teach_their_mean_and_another_tokenizer_is_refused() {
    let stand = Stand::new();
    let teacher = teacher(&stand);
    let loss = DistillLoss::Full(Full { temperature: 1.0 });
    let one = distil(&stand, &loss, std::slice::from_ref(&teacher), "one", &Host::quiet()).unwrap();
    let two = distil(&stand, &loss, &[teacher.clone(), teacher.clone()], "two", &Host::quiet()).unwrap();
    assert!((one.loss - two.loss).abs() < 1e-4, "the mean of equal teachers is the teacher");
    let other = stand.path("other.json");
    std::fs::write(&other, "{}").unwrap();
    let own = stand.path("tokenizer.json");
    let refused = Distil::new(&stage(), loss, &[teacher], (&own, &[other]));
    assert!(refused.unwrap_err().to_string().contains("is not the student's"));
}
