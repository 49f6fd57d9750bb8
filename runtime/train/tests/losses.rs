//! Losses of post-training with the numbers of TRL and PyTorch.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use llmp_stdlib::{Arg, Settings, Signature, Value, literal};
use llmp_train::kinds::prefer::{Dpo, Hinge, Ipo, Kto, Orpo, PreferLoss, Simpo};
use llmp_train::losses::advantage::{group, leave_one_out};
use llmp_train::losses::policy::{Aggregate, Answers, Sampled, k3};
use llmp_train::losses::{
    Graded, Labelled, Pair, Side, Whole, bradley_terry, kto, pair_loss, ranked, reference_point, soft_labels,
};
use serde_json::Value as Json;

/// Made by `tests/python/trl_losses.py`.
fn golden() -> Json {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/losses.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn floats(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn rows(json: &Json) -> Vec<Vec<f32>> {
    let row = |row: &Json| floats(row).into_iter().map(|x| x as f32).collect();
    json.as_array().unwrap().iter().map(row).collect()
}

fn near(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-4 * theirs.abs() + 1e-7, "{what}: {ours}, TRL has {theirs}");
}

/// A loss as a program writes it, what it leaves out filled in.
fn loss(text: &str) -> PreferLoss {
    let signatures: [&Signature; 6] =
        [Dpo::SIGNATURE, Hinge::SIGNATURE, Ipo::SIGNATURE, Kto::SIGNATURE, Orpo::SIGNATURE, Simpo::SIGNATURE];
    let Value::Call(mut call) = literal::parse(text).unwrap() else { panic!("{text}") };
    let signature = signatures.into_iter().find(|s| s.name == call.name).unwrap();
    for param in signature.params {
        let default = || literal::parse(param.default.unwrap()).unwrap();
        call.args.entry(param.name.to_owned()).or_insert_with(default);
    }
    PreferLoss::read(&Value::Call(call)).unwrap()
}

#[test]
fn preference_losses_are_those_of_trl() {
    let golden = &golden()["preference"];
    let (logps, reference) = (rows(&golden["logps"]), floats(&golden["reference"]));
    let (lengths, prompt) = (floats(&golden["lengths"]), golden["prompt"].as_u64().unwrap() as usize);
    let side = |at: usize| {
        let tokens = lengths[at] as usize;
        // Position i predicts token i + 1.
        let own = &logps[at][prompt - 1..prompt - 1 + tokens];
        Side { logp: own.iter().map(|p| f64::from(*p)).sum(), reference: reference[at], tokens: lengths[at] }
    };
    let pairs: Vec<Pair> = (0..4).map(|at| Pair { chosen: side(at), rejected: side(at + 4) }).collect();
    let whole = Whole { pairs: 4.0, chosen_tokens: lengths[..4].iter().sum() };
    let cases = golden["losses"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let text = case["loss"].as_str().unwrap();
        let rule = pair_loss(&loss(text)).unwrap().unwrap();
        let all: Vec<_> = pairs.iter().map(|pair| rule.of(pair, &whole)).collect();
        near(all.iter().map(|one| one.loss).sum::<f64>() / 4.0, case["value"].as_f64().unwrap(), text);
        let slopes = all.iter().map(|one| one.chosen).chain(all.iter().map(|one| one.rejected));
        let theirs = floats(&case["slopes"]);
        assert!(theirs.iter().any(|x| *x != 0.0));
        slopes.zip(theirs).for_each(|(ours, theirs)| near(ours / 4.0, theirs, text));
    }
}

#[test]
fn kto_is_that_of_trl() {
    let golden = &golden()["kto"];
    let sides = |logps: &str, reference: &str| -> Vec<Side> {
        let both = floats(&golden[logps]).into_iter().zip(floats(&golden[reference]));
        both.map(|(logp, reference)| Side { logp, reference, tokens: 1.0 }).collect()
    };
    let weights = floats(&golden["weights"]);
    let settings = Kto { beta: golden["beta"].as_f64().unwrap(), wanted: weights[0], unwanted: weights[1] };
    let point = reference_point(&sides("mismatched", "mismatched_reference"));
    assert!(point > 0.0);
    let (mut sum, theirs) = (0.0, floats(&golden["slopes"]));
    for (at, answer) in sides("logps", "reference").into_iter().enumerate() {
        let wanted = golden["wanted"][at].as_bool().unwrap();
        let (loss, slope) = kto(&settings, &Labelled { answer, wanted }, point);
        near(slope / 8.0, theirs[at], "kto");
        sum += loss;
    }
    near(sum / 8.0, golden["value"].as_f64().unwrap(), "kto");
}

#[test]
fn reward_losses_are_those_of_trl() {
    let golden = &golden()["rewards"];
    let of = |name: &str| floats(&golden[name]);
    let (chosen, rejected, edited) = (of("chosen"), of("rejected"), of("edited"));
    let (margin, levels) = (of("margin"), of("levels"));
    let check = |name: &str, one: &dyn Fn(usize) -> (f64, Vec<f64>)| {
        let all: Vec<_> = (0..4).map(one).collect();
        near(
            all.iter().map(|(loss, _)| loss).sum::<f64>() / 4.0,
            golden[name]["value"].as_f64().unwrap(),
            name,
        );
        for (part, theirs) in golden[name]["slopes"].as_array().unwrap().iter().enumerate() {
            floats(theirs)
                .into_iter()
                .zip(&all)
                .for_each(|(theirs, (_, own))| near(own[part] / 4.0, theirs, name));
        }
    };
    let list = |(loss, slopes): (f64, [f64; 2])| (loss, slopes.to_vec());
    check("plain", &|at| list(bradley_terry(chosen[at], rejected[at], 0.0)));
    check("by_margin", &|at| list(bradley_terry(chosen[at], rejected[at], margin[at])));
    check("ranked", &|at| {
        let (loss, slopes) = ranked(edited[at], chosen[at], rejected[at], 0.0);
        (loss, slopes.to_vec())
    });
    check("soft", &|at| list(soft_labels(chosen[at], rejected[at], levels[at])));
    let (logits, classes) = (rows(&golden["logits"]), floats(&golden["classes"]));
    let mut sum = 0.0;
    for (at, theirs) in golden["grades"]["slopes"][0].as_array().unwrap().iter().enumerate() {
        let (loss, slopes) = Graded { logits: &logits[at], class: classes[at] as usize }.cross_entropy();
        floats(theirs).into_iter().zip(slopes).for_each(|(theirs, ours)| near(ours, theirs, "grades"));
        sum += loss;
    }
    near(sum, golden["grades"]["value"].as_f64().unwrap(), "grades");
}

#[test]
fn policy_losses_are_those_of_trl() {
    let golden = &golden()["policy"];
    let of = |name: &str| rows(&golden[name]);
    let (now, then, reference) = (of("now"), of("then"), of("reference"));
    let (lengths, advantages) = (floats(&golden["lengths"]), floats(&golden["advantages"]));
    let batch = Answers { count: 4.0, tokens: lengths.iter().sum() };
    let cases = golden["losses"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let what = case.to_string();
        let (rule, weight) = (case["rule"].as_str().unwrap(), case["kl"].as_f64().unwrap());
        let aggregate = match case["aggregate"].as_str().unwrap() {
            "token" => Aggregate::Token,
            "longest" => Aggregate::Longest(16.0),
            _ => Aggregate::Sequence,
        };
        let mut sum = 0.0;
        for at in 0..4 {
            let n = lengths[at] as usize;
            let own = Sampled { now: &now[at][..n], then: &then[at][..n], advantage: advantages[at] };
            let mut slopes = vec![0.0; n];
            sum += match rule {
                "gradient" => own.policy_gradient(batch, &mut slopes),
                "mirror" => own.mirror_descent(weight, batch, &mut slopes),
                _ => {
                    let held = k3((own.now, &reference[at][..n]), weight, aggregate, batch, &mut slopes);
                    held + own.clipped((0.2, 0.28), aggregate, batch, &mut slopes)
                }
            };
            let theirs = floats(&case["slopes"][at]);
            assert!(rule == "clipped" || theirs.iter().all(|x| *x != 0.0));
            slopes.iter().zip(theirs).for_each(|(ours, theirs)| near(f64::from(*ours), theirs, &what));
        }
        if rule != "gradient" {
            near(sum, case["value"].as_f64().unwrap(), &what);
        }
    }
}

#[test]
fn advantages_are_those_of_trl() {
    let golden = &golden()["advantages"];
    for (at, rewards) in golden["rewards"].as_array().unwrap().iter().enumerate() {
        let rewards = floats(rewards);
        let check = |name: &str, ours: Vec<f64>| {
            ours.into_iter().zip(floats(&golden[name][at])).for_each(|(a, b)| near(a, b, name));
        };
        check("leave_one_out", leave_one_out(&rewards));
        check("scaled", group(&rewards, true));
        check("centred", group(&rewards, false));
    }
}
