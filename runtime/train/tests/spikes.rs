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
use llmp_train::settings::{OnSpike, SpikePolicy};
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
