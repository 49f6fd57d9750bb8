//! Losses that jump: their steps are left out, or the stage stops.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Stand, content, documents, stage};
use llmp_nn::Model;
use llmp_stdlib::Event;
use llmp_stdlib::arg::Length;
use llmp_train::budget::Goal;
use llmp_train::schedules::Schedule;
use llmp_train::settings::{OnSpike, Rewind, SpikePolicy, SpikeRemedy, Steps};
use llmp_train::stage::Stage;
use llmp_train::training::{Inputs, Summary, train};
use llmp_train::{Host, TrainError};

/// Tokens of a batch of [`stage`].
const BATCH: u64 = 6 * 32;

/// A stage of so many steps at one rate: a shorter one is the beginning of a longer one.
fn steps(steps: u64) -> Stage {
    let mut stage = stage();
    stage.goal = Goal::Steps(steps);
    let Schedule::Cosine(cosine) = &mut stage.schedule else { panic!("another schedule") };
    (cosine.warmup, cosine.floor) = (Length::Steps(0), 1.0);
    stage
}

/// Runs a stage in the folder of that name.
type Run<'a> = &'a (dyn Fn(&str, &Host<'_>) -> Result<Summary, TrainError> + Sync);

/// Runs a stage whole on two threads, and on one with a stop after each of `stops`; both must give the same bytes.
fn goes_on(stops: &[u64], run: Run<'_>, stand: &Stand) {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool(2).install(|| run("whole", &Host::quiet())).unwrap();
    let want = content(&stand.path("whole"));
    for at in stops {
        let (stop, name) = (AtomicBool::new(false), format!("cut-{at}"));
        let event = |event: Event| {
            if let Event::Loss { at: step, .. } = event {
                stop.store(step == *at, Ordering::Relaxed);
            }
        };
        let host = Host { stop: &stop, event: &event, ..Host::quiet() };
        let cut = pool(1).install(|| run(&name, &host));
        assert!(matches!(cut, Err(TrainError::Stopped)), "{cut:?}");
        pool(1).install(|| run(&name, &Host::quiet())).unwrap();
        assert!(content(&stand.path(&name)) == want, "stopped after step {at}");
    }
}

/// A stage that goes on from a trained model; after 70 of 75 steps its text gives way to another.
struct Jump {
    stand: Stand,
    stage: Stage,
}

impl Jump {
    fn new() -> Jump {
        let stand = Stand::new();
        stand.shard("noise", &["ZQ#%@!XKVJ&*~^ZWYQ{}|<>"; 40]);
        let mut before = steps(60);
        before.sources.truncate(1);
        stand.run_on(&before, vec![stand.shard("text", &documents(1))], "before", &Host::quiet()).unwrap();
        let mut stage = Stage { from: Some(3), ..steps(75) };
        let Schedule::Cosine(cosine) = &mut stage.schedule else { panic!("another schedule") };
        cosine.peak = 1e-4;
        for (source, shares) in stage.sources.iter_mut().zip([(0.9999, 0.0001), (0.0001, 0.9999)]) {
            (source.share, source.then) = (shares.0, vec![(70 * BATCH, shares.1)]);
        }
        Jump { stand, stage }
    }

    fn run(&self, on_spike: Option<OnSpike>, name: &str, host: &Host<'_>) -> Result<Summary, TrainError> {
        let open = |name: &str| llmp_data::tokens::TokenShard::open(&self.stand.path(name)).unwrap();
        let (tokenizer, from) = (self.stand.path("tokenizer.json"), self.stand.path("before"));
        let inputs = Inputs {
            shards: vec![open("text"), open("noise")],
            examples: None,
            tokenizer: &tokenizer,
            from: Some(&from),
            held_out: Vec::new(),
        };
        train(&Stage { on_spike, ..self.stage.clone() }, inputs, &self.stand.path(name), host)
    }
}

#[test]
fn a_loss_that_jumps_is_left_out_or_stops_the_stage() {
    let jump = Jump::new();
    let losses = Mutex::new(Vec::new());
    let event = |event: Event| {
        if let Event::Loss { loss, .. } = event {
            losses.lock().unwrap().push(loss);
        }
    };
    jump.run(None, "none", &Host { event: &event, ..Host::quiet() }).unwrap();
    let losses = losses.into_inner().unwrap();
    let skip = Some(OnSpike::Policy(SpikePolicy::Skip));
    goes_on(&[66, 72], &|name, host| jump.run(skip.clone(), name, host), &jump.stand);
    let of = |name: &str| Model::load(&jump.stand.path(name)).unwrap().to_flat();
    assert!(of("none") != of("whole"), "no step was left out: {losses:?}");
    let stop = Some(OnSpike::Policy(SpikePolicy::Stop));
    let error = jump.run(stop, "stop", &Host { step: "run", ..Host::quiet() }).unwrap_err();
    assert!(matches!(error, TrainError::Spike { step: 71, .. }), "{error} {losses:?}");
    assert!(error.help().unwrap().contains("on_spike"));
}

fn rewind(steps: u64) -> Option<OnSpike> {
    Some(OnSpike::Remedy(SpikeRemedy::Rewind(Rewind { steps: Steps(steps) })))
}

#[test]
fn a_jump_leads_back_to_earlier_weights_and_past_its_data() {
    let mut jump = Jump::new();
    let weights = |jump: &Jump, name: &str| Model::load(&jump.stand.path(name)).unwrap().to_flat();
    // What the weights were after 60 steps.
    jump.stage.goal = Goal::Steps(60);
    jump.run(None, "sixty", &Host::quiet()).unwrap();
    // Step 71 jumps: of the states after 10, 20, … steps the newest that lies 10 steps back is that of step 60.
    jump.stage.goal = Goal::Steps(71);
    let said = Mutex::new(Vec::new());
    let event = |event: Event| {
        if let Event::HeldUp { message, .. } = event {
            said.lock().unwrap().push(message);
        }
    };
    jump.run(rewind(10), "back", &Host { event: &event, ..Host::quiet() }).unwrap();
    assert!(weights(&jump, "back") == weights(&jump, "sixty"));
    let said = said.into_inner().unwrap();
    assert_eq!(said.len(), 1);
    assert!(said[0].ends_with("back to the weights of step 60, past the data since"), "{}", said[0]);
    let lines = std::fs::read_to_string(jump.stand.path("back").join("metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((last["step"].as_u64(), last["rewound"].as_u64()), (Some(71), Some(60)));
    // Farther than the stage is long: its beginning.
    jump.run(rewind(100), "begin", &Host::quiet()).unwrap();
    assert!(weights(&jump, "begin") == weights(&jump, "before"));
}

#[test]
fn a_stage_that_went_back_resumes_to_the_same_bytes() {
    let jump = Jump::new();
    goes_on(&[5, 59, 60, 66, 70, 71, 72, 74], &|name, host| jump.run(rewind(10), name, host), &jump.stand);
    let of = |name: &str| Model::load(&jump.stand.path(name)).unwrap().to_flat();
    jump.run(Some(OnSpike::Policy(SpikePolicy::Skip)), "skip", &Host::quiet()).unwrap();
    assert!(of("whole") != of("skip"), "going back is more than leaving out");
}
