//! The needle test, and the gate that it keeps: who finds the fact, and what happens at a gate that stays shut.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Stand, content, documents, stage};
use llmp_stdlib::Event;
use llmp_train::budget::Goal;
use llmp_train::course::{Context, Gate, Grow, Needle, OnFail};
use llmp_train::needle;
use llmp_train::schedules::Schedule;
use llmp_train::settings::{Average, Averaging, Checkpoints, Moments, Publish};
use llmp_train::stage::Stage;
use llmp_train::{Host, TrainError};

#[test]
fn who_reads_all_finds_all_and_who_reads_the_end_finds_what_stands_there() {
    let stand = Stand::new();
    let (vocabulary, shard) = (stand.vocabulary(), stand.shard("text", &documents(1)));
    let hay = needle::haystack(&shard, 700).unwrap();
    assert_eq!(hay.len(), 700);
    assert!(hay.iter().all(|id| *id < common::END), "no end of text inside");
    let text = vocabulary.decode(&hay).unwrap();
    assert!(text.starts_with("a dog ran to the red house and back again.rain falls."), "{text}");
    assert!(text.matches("a dog ran").count() > 1, "from the first document again");
    // A reader of the last tokens of its prompt, who answers with the number that it was told.
    let found = |context: usize, last: usize| {
        let mut prompts = Vec::new();
        let found = needle::ask_with(&vocabulary, &hay, context, 5, &mut |prompt, most| {
            prompts.push((vocabulary.decode(prompt).unwrap(), prompt.len() + most));
            let seen = vocabulary.decode(&prompt[prompt.len() - last.min(prompt.len())..]).unwrap();
            let told = seen.split("has the number ").nth(1).map_or("nothing", |rest| &rest[..5]);
            Ok(vocabulary.encode_plain(&format!(" {told} it is")).unwrap())
        });
        (found.unwrap(), prompts)
    };
    let (all, prompts) = found(600, 600);
    assert_eq!((all.found, all.hidden, all.share()), (10, 10, 1.0));
    assert!(prompts.iter().all(|(_, length)| *length == 600));
    assert!(prompts[0].0.starts_with(" The number of the red locker is "), "at the beginning");
    assert!(prompts[9].0.contains(". What is the number") || prompts[9].0.contains(".  What is the number"));
    let numbers: Vec<&str> =
        prompts.iter().map(|(text, _)| text.split("has the number ").nth(1).unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0][..5] != pair[1][..5]), "another number each time");
    let half = found(600, 350).0;
    assert!(half.found > 0 && half.found < 10, "{half:?}");
    let error = needle::ask_with(&vocabulary, &hay, 100, 5, &mut |_, _| Ok(Vec::new())).unwrap_err();
    assert!(error.to_string().contains("the context has 100"), "{error}");
}

/// A stage of three parts of 230, 250 and 280 tokens of context, two steps each.
fn growing(score: f64, on_fail: OnFail) -> Stage {
    let gate = Some(Gate::Needle(Needle { score }));
    let grow = Grow { from: 190, to: 280, stages: 3, through: vec![230, 250, 280], gate, on_fail };
    Stage { context: Context::Grow(grow), goal: Goal::Steps(6), batch: None, ..stage() }
}

fn run(
    stand: &Stand,
    stage: &Stage,
    name: &str,
    host: &Host<'_>,
) -> Result<Vec<serde_json::Value>, TrainError> {
    let mut stage = stage.clone();
    let size = llmp_stdlib::arg::BatchSize::Sequences(2);
    stage.batch = Some(llmp_train::course::Batch::Fixed(size));
    stand.run(&stage, name, host)?;
    let text = std::fs::read_to_string(stand.path(name).join("metrics.jsonl")).unwrap();
    Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn a_gate_that_opens_changes_nothing_but_the_lines_of_its_tests() {
    let stand = Stand::new();
    let open = run(&stand, &growing(0.0, OnFail::Stop), "open", &Host::quiet()).unwrap();
    let tested: Vec<u64> =
        open.iter().filter(|l| l.get("needle").is_some()).map(|l| l["step"].as_u64().unwrap()).collect();
    assert_eq!(tested, [2, 4, 6], "at the end of every part");
    let mut free = growing(0.0, OnFail::Stop);
    let Context::Grow(grow) = &mut free.context else { panic!("it grows") };
    grow.gate = None;
    run(&stand, &free, "free", &Host::quiet()).unwrap();
    let weights = |name: &str| content(&stand.path(name)).remove("/model.safetensors").unwrap();
    assert!(weights("open") == weights("free"));
}

#[test]
fn a_gate_that_stays_shut_stops_the_stage_or_lengthens_its_part_three_times() {
    let stand = Stand::new();
    let error = run(&stand, &growing(1.0, OnFail::Stop), "stop", &Host { step: "long", ..Host::quiet() });
    let error = error.unwrap_err();
    assert_eq!(error.code(), "LLMP1201");
    let words = "of 10 facts hidden in 230 tokens are found, the gate asks for 100%";
    assert!(error.to_string().starts_with("`long`: 0 ") && error.to_string().ends_with(words), "{error}");

    let (said, rates) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let event = |event: Event| match event {
        Event::HeldUp { message, .. } => said.lock().unwrap().push(message),
        Event::Loss { rate, .. } => rates.lock().unwrap().push(rate),
        _ => {}
    };
    let shut = growing(1.0, OnFail::Extend);
    let error = run(&stand, &shut, "shut", &Host { event: &event, ..Host::quiet() }).unwrap_err();
    assert!(error.to_string().ends_with("100%, after 4 times its tokens"), "{error}");
    let (said, rates) = (said.into_inner().unwrap(), rates.into_inner().unwrap());
    assert_eq!(said.len(), 3);
    assert!(said[2].ends_with("(3 of at most 3 times)"), "{}", said[2]);
    // The part has two steps: the rate of the second stays, until the eighth fails.
    assert_eq!(rates.len(), 7);
    assert!(rates[0] != rates[1] && rates[1..].iter().all(|rate| *rate == rates[1]), "{rates:?}");
    // The next run tests again, from the step before.
    assert!(run(&stand, &shut, "shut", &Host::quiet()).unwrap_err().to_string().contains("after 4 times"));
}

/// A stage that learns one of the ten numbers by heart, which is all that its gate asks for: not in its first part.
fn by_heart(stand: &Stand) -> (Stage, String) {
    let mut stage = growing(0.1, OnFail::Extend);
    stage.goal = Goal::Steps(90);
    stage.sources.truncate(1);
    let of = Moments::Checkpoints(Checkpoints { every: None, last: Some(3) });
    stage.publish = Publish::Averaged(Averaging::Average(Average { of }));
    let hay = needle::haystack(&stand.shard("any", &documents(1)), 300).unwrap();
    let mut numbers = Vec::new();
    let seed = stage.stream("needle");
    needle::ask_with(&stand.vocabulary(), &hay, 280, seed, &mut |prompt, _| {
        let prompt = stand.vocabulary().decode(prompt)?;
        numbers.push(prompt.split("has the number ").nth(1).unwrap()[..5].to_owned());
        Ok(Vec::new())
    })
    .unwrap();
    let Schedule::Cosine(cosine) = &mut stage.schedule else { panic!("another schedule") };
    (cosine.peak, cosine.floor) = (5e-3, 1.0);
    (stage, format!(" What is the number of the red locker? The number of the red locker is {}.", numbers[0]))
}

#[test]
fn a_part_that_went_on_for_longer_ends_when_the_gate_opens_and_resumes_to_the_same_bytes() {
    let stand = Stand::new();
    let (stage, text) = by_heart(&stand);
    let text = text.repeat(12);
    let go = |name: &str, host: &Host<'_>| {
        let mut stage = stage.clone();
        let size = llmp_stdlib::arg::BatchSize::Sequences(2);
        stage.batch = Some(llmp_train::course::Batch::Fixed(size));
        stand.run_on(&stage, vec![stand.shard("heart", &[text.as_str(); 6])], name, host)
    };
    let said = Mutex::new(0);
    let event = |event: Event| *said.lock().unwrap() += u64::from(matches!(event, Event::HeldUp { .. }));
    let summary = go("whole", &Host { event: &event, ..Host::quiet() }).unwrap();
    let said = said.into_inner().unwrap();
    assert!(said > 0, "the first test was passed");
    assert_eq!(summary.steps, 90 + 30 * said);
    let whole = content(&stand.path("whole"));
    for at in [29, 31, 75] {
        let (stop, name) = (AtomicBool::new(false), format!("cut-{at}"));
        let event = |event: Event| {
            if let Event::Loss { at: step, .. } = event {
                stop.store(step == at, Ordering::Relaxed);
            }
        };
        let cut = go(&name, &Host { stop: &stop, event: &event, ..Host::quiet() });
        assert!(matches!(cut, Err(TrainError::Stopped)), "{cut:?}");
        assert_eq!(go(&name, &Host::quiet()).unwrap(), summary);
        assert!(content(&stand.path(&name)) == whole, "stopped after step {at}");
    }
}
