//! A stage gives the same bytes however it is interrupted, on one thread or two.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use common::{Stand, content, optimizer, stage};
use llmp_stdlib::Event;
use llmp_stdlib::arg::{BatchSize, Length, Tokens};
use llmp_train::budget::Goal;
use llmp_train::course::{Batch, Context, Grow, OnFail, Phase, Ramp};
use llmp_train::schedules::Schedule;
use llmp_train::settings::{
    Accumulate, Average, Averaging, Checkpoints as Moment, Clip, Ema, Every, Interval, Moments, Precision,
    Publish, Recompute, Times,
};
use llmp_train::stage::Stage;
use llmp_train::{Host, TrainError};

#[test]
fn a_stopped_stage_goes_on_to_the_same_bytes() {
    let stand = Stand::new();
    let whole = stand.run(&stage(), "whole", &Host::quiet()).unwrap();
    assert_eq!((whole.steps, whole.tokens), (12, 32 * 68));
    let want = content(&stand.path("whole"));
    let names: Vec<&str> = want.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["/config.json", "/events.out.tfevents.0", "/metrics.jsonl", "/model.safetensors", "/stage.json"]
    );
    assert_eq!(String::from_utf8_lossy(&want["/metrics.jsonl"]).lines().count(), 12);
    for at in [1, 6, 11] {
        let (stop, name) = (AtomicBool::new(false), format!("stopped-{at}"));
        let event = |event: Event| {
            if matches!(event, Event::Loss { at: step, .. } if step == at) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let host = Host { stop: &stop, event: &event, ..Host::quiet() };
        let stopped = stand.run(&stage(), &name, &host);
        assert!(matches!(stopped, Err(TrainError::Stopped)), "{stopped:?}");
        let resumed = Mutex::new(Vec::new());
        let event = |event: Event| {
            if let Event::Resumed { at, .. } = event {
                resumed.lock().unwrap().push(at);
            }
        };
        let again = stand.run(&stage(), &name, &Host { event: &event, ..Host::quiet() }).unwrap();
        assert_eq!((again, content(&stand.path(&name)) == want), (whole.clone(), true), "stopped at {at}");
        assert_eq!(resumed.into_inner().unwrap(), [format!("step {at}")]);
    }
    // A finished stage is not run again.
    let silent = |event: Event| panic!("{event:?}");
    assert_eq!(stand.run(&stage(), "whole", &Host { event: &silent, ..Host::quiet() }).unwrap(), whole);
}

#[test]
fn a_crash_at_any_write_or_rename_loses_nothing() {
    let stand = Stand::new();
    stand.run(&stage(), "whole", &Host::quiet()).unwrap();
    let want = content(&stand.path("whole"));
    let calls = AtomicUsize::new(0);
    let count = |_: &str| {
        calls.fetch_add(1, Ordering::Relaxed);
    };
    stand.run(&stage(), "counted", &Host { failpoint: &count, ..Host::quiet() }).unwrap();
    let total = calls.into_inner();
    assert!(total > 25, "only {total} failpoints");
    std::panic::set_hook(Box::new(|_| {}));
    for at in 0..total {
        let name = format!("crash-{at}");
        let calls = AtomicUsize::new(0);
        let crash = |_: &str| assert!(calls.fetch_add(1, Ordering::Relaxed) != at, "crash here");
        let host = Host { failpoint: &crash, ..Host::quiet() };
        let crashed = catch_unwind(AssertUnwindSafe(|| stand.run(&stage(), &name, &host)));
        assert!(crashed.is_err());
        // The half line that a crash can leave in the log.
        let log = stand.path(&name).join("metrics.jsonl");
        if !stand.path(&name).join("stage.json").exists() {
            let mut text = std::fs::read(&log).unwrap();
            text.extend(b"{\"step\":");
            std::fs::write(&log, text).unwrap();
        }
        stand.run(&stage(), &name, &Host::quiet()).unwrap();
        assert!(content(&stand.path(&name)) == want, "another result after a crash at failpoint {at}");
    }
    drop(std::panic::take_hook());
}

#[test]
fn an_averaged_stage_goes_on_to_the_same_bytes() {
    let stand = Stand::new();
    stand.run(&stage(), "last", &Host::quiet()).unwrap();
    let weights = |name: &str| content(&stand.path(name)).remove("/model.safetensors").unwrap();
    let every = |tokens: Option<u64>, last: Option<u64>| {
        let of = Moments::Checkpoints(Moment { every: tokens.map(Tokens), last });
        Publish::Averaged(Averaging::Average(Average { of }))
    };
    let ema = Publish::Averaged(Averaging::Ema(Ema { decay: 0.75 }));
    let all = [("ema", ema), ("mean", every(Some(500), None)), ("tail", every(None, Some(3)))];
    for (name, publish) in all {
        let mut stage = stage();
        stage.publish = publish;
        stand.run(&stage, name, &Host::quiet()).unwrap();
        assert!(weights(name) != weights("last"), "{name} gives the last weights");
        for at in 1..12 {
            let (stop, part) = (AtomicBool::new(false), format!("{name}-{at}"));
            let event = |event: Event| {
                if matches!(event, Event::Loss { at: step, .. } if step == at) {
                    stop.store(true, Ordering::Relaxed);
                }
            };
            let host = Host { stop: &stop, event: &event, ..Host::quiet() };
            assert!(matches!(stand.run(&stage, &part, &host), Err(TrainError::Stopped)));
            stand.run(&stage, &part, &Host::quiet()).unwrap();
            assert!(content(&stand.path(&part)) == content(&stand.path(name)), "{name}, stopped at {at}");
        }
    }
    // The mean of the last moment alone is that moment.
    let mut stage = stage();
    stage.publish = every(None, Some(1));
    stand.run(&stage, "one", &Host::quiet()).unwrap();
    assert!(weights("one") == weights("last"));
}

#[test]
fn time_decides_when_to_save_and_never_what() {
    let stand = Stand::new();
    stand.run(&stage(), "whole", &Host::quiet()).unwrap();
    let ticks = AtomicU64::new(0);
    let clock = || ticks.fetch_add(9, Ordering::Relaxed) as f64;
    let saves = AtomicUsize::new(0);
    let event = |event: Event| {
        if matches!(event, Event::Saved { .. }) {
            saves.fetch_add(1, Ordering::Relaxed);
        }
    };
    let mut timed = stage();
    timed.checkpoints = Times::Every(Every { distance: Interval::Seconds(30.0) });
    stand.run(&timed, "timed", &Host { clock: &clock, event: &event, ..Host::quiet() }).unwrap();
    // By this clock a step takes 27 s and a save 9 s: one save for 450 s of work, were it not for the 30 s; and the last.
    assert_eq!(saves.into_inner(), 7);
    assert!(content(&stand.path("whole")) == content(&stand.path("timed")));
}

#[test]
fn one_thread_and_two_give_the_same_bytes() {
    let stand = Stand::new();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let name = format!("threads-{threads}");
        pool.install(|| stand.run(&stage(), &name, &Host::quiet())).unwrap();
        content(&stand.path(&name))
    };
    assert!(run(1) == run(2));
}

#[test]
fn products_in_bf16_train_and_go_on_to_the_same_bytes() {
    let stand = Stand::new();
    let stage = Stage { precision: Precision::Bf16, ..stage() };
    stand.run(&stage, "whole", &Host::quiet()).unwrap();
    let stop = AtomicBool::new(false);
    let event = |event: Event| {
        if let Event::Loss { at, .. } = event {
            stop.store(at == 5, Ordering::Relaxed);
        }
    };
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let host = Host { event: &event, stop: &stop, ..Host::quiet() };
    assert!(matches!(one.install(|| stand.run(&stage, "cut", &host)), Err(TrainError::Stopped)));
    one.install(|| stand.run(&stage, "cut", &Host::quiet())).unwrap();
    assert!(content(&stand.path("whole")) == content(&stand.path("cut")));
    stand.run(&self::stage(), "f32", &Host::quiet()).unwrap();
    assert!(content(&stand.path("f32")) != content(&stand.path("cut")), "the products were not in bf16");
}

#[test]
fn recomputed_blocks_train_to_the_same_bytes() {
    let stand = Stand::new();
    stand.run(&stage(), "kept", &Host::quiet()).unwrap();
    let stage = Stage { recompute: Some(Recompute::Blocks), ..stage() };
    stand.run(&stage, "again", &Host::quiet()).unwrap();
    assert!(content(&stand.path("kept")) == content(&stand.path("again")));
}

#[test]
fn batches_and_contexts_that_change_go_on_to_the_same_bytes() {
    let stand = Stand::new();
    let of = |size, context, after| Phase { size: BatchSize::Tokens(size), context: Some(context), after };
    let grow = Grow { from: 16, to: 48, stages: 2, through: vec![], gate: None, on_fail: OnFail::Stop };
    let ramp = Ramp { phases: vec![of(100, 16, 0), of(200, 16, 600), of(200, 40, 1200)] };
    let stages = [
        Stage { batch: Some(Batch::Ramp(ramp)), context: Context::Fixed(16), ..stage() },
        Stage { context: Context::Grow(grow), ..stage() },
    ];
    for (case, stage) in stages.into_iter().enumerate() {
        let stage = Stage { goal: Goal::Tokens(2_400), ..stage };
        let course = stage.course(0).unwrap();
        assert!(course.switches().len() + 1 == course.0.len() && course.0.len() > 1, "{course:?}");
        let whole = format!("course-{case}");
        let summary = stand.run(&stage, &whole, &Host::quiet()).unwrap();
        assert_eq!((summary.steps, summary.tokens), (course.steps(), course.drawn()));
        assert_eq!(summary.drawn.iter().sum::<u64>(), summary.tokens);
        for at in 1..course.steps() {
            let name = format!("course-{case}-{at}");
            let stop = AtomicBool::new(false);
            let event = |event: Event| {
                if let Event::Loss { at: step, .. } = event {
                    stop.store(step == at, Ordering::Relaxed);
                }
            };
            let host = Host { event: &event, stop: &stop, ..Host::quiet() };
            assert!(matches!(stand.run(&stage, &name, &host), Err(TrainError::Stopped)));
            stand.run(&stage, &name, &Host::quiet()).unwrap();
            assert!(content(&stand.path(&whole)) == content(&stand.path(&name)), "{case}, cut after {at}");
        }
    }
}

#[test]
fn every_optimizer_goes_on_to_the_same_bytes_and_lowers_the_loss() {
    let stand = Stand::new();
    const SIMPLE: (&str, &str) = ("mup", "simple(base_width = 16)");
    let cases = [
        ("adamw", [("coupling", "schedule"), ("weight_decay", "1e-3"), SIMPLE].as_slice(), 3e-3),
        ("adamw", &[("on", "[\"blocks.*.ffn\", \"norm\"]")], 3e-3),
        ("adafactor", &[], 0.1),
        ("lion", &[], 1e-3),
        ("muon", &[], 3e-3),
        ("rmsprop_momentum", &[SIMPLE], 1e-2),
        // Its gradients are longer than that in some steps: those are left out, and the count of updates goes on.
        ("rmsprop_momentum", &[("skip_above", "1.8")], 1e-2),
        ("sgd", &[("momentum", "0.9")], 3e-2),
        ("sgd", &[], 0.3),
    ];
    for (case, (name, settings, peak)) in cases.into_iter().enumerate() {
        let mut stage = stage();
        stage.optimizer = optimizer(name, settings);
        let Schedule::Cosine(cosine) = &mut stage.schedule else { panic!("another schedule") };
        cosine.peak = peak;
        let losses = Mutex::new(Vec::new());
        let stop = AtomicBool::new(false);
        let event = |event: Event| {
            if let Event::Loss { at, loss, gradient_norm, .. } = event {
                losses.lock().unwrap().push((loss, gradient_norm));
                stop.store(at == 7, Ordering::Relaxed);
            }
        };
        let two = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let (whole, cut) = (format!("whole-{case}"), format!("cut-{case}"));
        two.install(|| stand.run(&stage, &whole, &Host { event: &event, ..Host::quiet() })).unwrap();
        let losses = losses.lock().unwrap().split_off(0);
        assert!(losses[11].0 < losses[0].0 - 0.02, "{name} {settings:?}: {losses:?}");
        let host = Host { event: &event, stop: &stop, ..Host::quiet() };
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let stopped = one.install(|| stand.run(&stage, &cut, &host));
        assert!(matches!(stopped, Err(TrainError::Stopped)), "{stopped:?}");
        one.install(|| stand.run(&stage, &cut, &Host::quiet())).unwrap();
        assert!(content(&stand.path(&whole)) == content(&stand.path(&cut)), "{name} {settings:?}");
    }
}

#[test]
fn an_optimizer_leaves_alone_what_it_is_not_given() {
    let stand = Stand::new();
    let mut stage = stage();
    let weights = |name: &str| llmp_nn::Model::load(&stand.path(name)).unwrap();
    (stage.clip, stage.goal) = (None, Goal::Steps(1));
    let Schedule::Cosine(cosine) = &mut stage.schedule else { panic!("another schedule") };
    cosine.warmup = Length::Steps(0);
    stand.run(&stage, "all", &Host::quiet()).unwrap();
    stage.optimizer = optimizer("adamw", &[("on", "[\"blocks.1\"]")]);
    stand.run(&stage, "some", &Host::quiet()).unwrap();
    let (all, some) = (weights("all"), weights("some"));
    let start = llmp_nn::Model::init(some.spec().clone(), stage.stream("init")).unwrap();
    for (i, info) in start.spec().params().iter().enumerate() {
        let trained = info.name.starts_with("blocks.1.");
        let of = if trained { all.params()[i] } else { start.params()[i] };
        assert!(some.params()[i] == of, "{}", info.name);
    }
    stage.optimizer = optimizer("adamw", &[("on", "[\"blocks.7\"]")]);
    let error = stand.run(&stage, "none", &Host::quiet()).unwrap_err();
    assert!(error.to_string().contains("`blocks.7`"), "{error}");
}

#[test]
fn a_gradient_clipped_by_value_moves_no_weight_further() {
    let stand = Stand::new();
    let mut stage = stage();
    stage.goal = Goal::Steps(1);
    stage.optimizer = optimizer("sgd", &[]);
    let Schedule::Cosine(cosine) = &mut stage.schedule else { panic!("another schedule") };
    (cosine.peak, cosine.warmup) = (1.0, Length::Steps(0));
    let furthest = |clip: Clip, name: &str| {
        let stage = Stage { clip: Some(clip), ..stage.clone() };
        stand.run(&stage, name, &Host::quiet()).unwrap();
        let end = llmp_nn::Model::load(&stand.path(name)).unwrap();
        let start = llmp_nn::Model::init(end.spec().clone(), stage.stream("init")).unwrap().to_flat();
        start.iter().zip(end.to_flat()).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
    };
    let (value, norm) = (furthest(Clip::Value(1e-3), "value"), furthest(Clip::Norm(1e9), "norm"));
    assert!((value - 1e-3).abs() < 1e-6 && norm > 1e-2, "{value} {norm}");
}

#[test]
fn a_checkpoint_of_another_optimizer_does_not_go_on() {
    let stand = Stand::new();
    let stop = AtomicBool::new(true);
    let mut stage = stage();
    assert!(stand.run(&stage, "run", &Host { stop: &stop, ..Host::quiet() }).is_err());
    for (name, settings) in [("lion", [].as_slice()), ("sgd", &[]), ("muon", &[])] {
        stage.optimizer = optimizer(name, settings);
        let error = stand.run(&stage, "run", &Host::quiet()).unwrap_err();
        assert!(error.code() == "LLMP1301" && error.to_string().contains("optimizer"), "{error}");
    }
}

#[test]
fn micro_batches_change_the_result_by_rounding_only() {
    let stand = Stand::new();
    let losses = |accumulate: Accumulate| {
        let losses = Mutex::new(Vec::new());
        let event = |event: Event| {
            if let Event::Loss { loss, .. } = event {
                losses.lock().unwrap().push(loss);
            }
        };
        let mut stage = stage();
        stage.accumulate = accumulate;
        let name = format!("{accumulate:?}");
        stand.run(&stage, &name, &Host { event: &event, ..Host::quiet() }).unwrap();
        losses.into_inner().unwrap()
    };
    let whole = losses(Accumulate::Parts(1));
    assert!(whole[11] < whole[0] - 0.3, "{whole:?}");
    for parts in [2, 3, 6] {
        for (a, b) in whole.iter().zip(losses(Accumulate::Parts(parts))) {
            assert!((a - b).abs() < 1e-4, "{a} and {b} in {parts} parts");
        }
    }
}

#[test]
fn other_arithmetic_and_other_sizes_do_not_go_on() {
    let stand = Stand::new();
    let stop = AtomicBool::new(true);
    let first = Host { stop: &stop, numerics: "avx512", ..Host::quiet() };
    assert!(matches!(stand.run(&stage(), "run", &first), Err(TrainError::Stopped)));
    let error = stand.run(&stage(), "run", &Host { numerics: "neon", ..Host::quiet() }).unwrap_err();
    assert!(error.to_string().contains("made with avx512") && error.code() == "LLMP1301", "{error}");
    let mut wider = stage();
    wider.model.spec.ffn.hidden = 96;
    let error = stand.run(&wider, "run", &Host { numerics: "avx512", ..Host::quiet() }).unwrap_err();
    assert!(error.to_string().contains("another model"), "{error}");
}
