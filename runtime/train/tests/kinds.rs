//! Checks and costs of the kinds, over hand-made items.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use llmp_stdlib::kind::Cost;
use llmp_stdlib::unit::literal;
use llmp_stdlib::{Call, ItemRef, Kind, Problem, Program, Rational, Record, Value, View};
use llmp_train::kinds::ALL;

/// Items of a program: kind and known members.
struct Items {
    items: BTreeMap<&'static str, (&'static Kind, Record)>,
    written: BTreeSet<String>,
}

impl Program for Items {
    fn view(&self, name: &str) -> Option<View<'_>> {
        let (name, (kind, members)) = self.items.get_key_value(name)?;
        Some(View { name, kind, members, written: &self.written, value: None, program: self })
    }
}

fn kind(name: &str) -> &'static Kind {
    let all = ALL.iter().chain(llmp_nn::kinds::ALL);
    all.copied().find(|k| k.signature.name == name).unwrap()
}

fn number(digits: &str, unit: &str) -> Value {
    Value::Number(literal(digits, None, (!unit.is_empty()).then_some(unit)).unwrap())
}

fn call(name: &str, args: &[(&str, Value)]) -> Value {
    Value::Call(Call { name: name.to_owned(), args: record(args) })
}

fn record(members: &[(&str, Value)]) -> Record {
    members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn item(name: &str) -> Value {
    Value::Item(ItemRef { item: name.to_owned(), part: None })
}

fn choice(name: &str) -> Value {
    Value::Choice(name.to_owned())
}

fn cosine(warmup: Value, over: Value) -> Value {
    call(
        "cosine",
        &[("peak", number("3e-4", "")), ("warmup", warmup), ("floor", number("0.1", "")), ("over", over)],
    )
}

fn program(stage: &[(&str, Value)]) -> Items {
    let ratio = Value::number(Rational::new(8, 3));
    let model = record(&[
        ("layers", number("4", "")),
        ("width", number("192", "")),
        ("heads", number("6", "")),
        ("kv_heads", number("2", "")),
        ("context", number("256", "")),
        ("vocab", number("4096", "")),
        ("ffn", call("swiglu", &[("hidden", Value::None), ("ratio", ratio), ("multiple", number("64", ""))])),
        ("norm", call("rms", &[("eps", number("1e-5", "")), ("offset", Value::Bool(false))])),
        (
            "position",
            call("rope", &[("base", number("10000", "")), ("scaling", Value::None), ("chunks", Value::None)]),
        ),
        ("embedding", choice("tied")),
        ("init", call("normal", &[("std", number("0.02", ""))])),
    ]);
    let core = record(&[("model", item("tiny")), ("tokens", number("4000000", "tokens"))]);
    let items = [
        ("tiny", (kind("model"), model)),
        ("core", (kind("pretrain"), core)),
        ("run", (kind("pretrain"), record(stage))),
    ];
    Items { items: items.into(), written: BTreeSet::new() }
}

fn check(stage: &[(&str, Value)]) -> Vec<Problem> {
    let program = program(stage);
    let view = program.view("run").unwrap();
    (view.kind.check)(&view)
}

fn codes(stage: &[(&str, Value)]) -> Vec<(&'static str, String)> {
    check(stage).into_iter().map(|p| (p.code, p.path.join("."))).collect()
}

fn one(code: &'static str, path: &str) -> Vec<(&'static str, String)> {
    vec![(code, path.to_owned())]
}

#[test]
fn a_plain_stage_is_clean_and_costs_what_the_formula_says() {
    let stage = [("model", item("tiny")), ("tokens", number("4000000", "tokens"))];
    assert_eq!(codes(&stage), []);
    let program = program(&stage);
    let Some(Cost::Stage(cost)) = (kind("pretrain").cost)(&program.view("run").unwrap()) else {
        panic!("no cost")
    };
    assert_eq!((cost.tokens, cost.steps), (4_000_000, 1954));
    // 4096*192 + 4*(192*(192+128) + 192*192 + 3*192*512 + 2*192) + 192, the embedding being the head as well.
    let parameters = 4096 * 192 + 4 * (192 * 320 + 192 * 192 + 3 * 192 * 512 + 384) + 192;
    let products = parameters - 4 * 384 - 192;
    let flops = (6.0 * f64::from(products) + 6.0 * 4.0 * 192.0 * 256.0) * 4e6;
    assert!((cost.flops / flops - 1.0).abs() < 1e-12);
    assert!(cost.memory_bytes > 20 * parameters as u64 && cost.memory_bytes < 300_000_000, "{cost:?}");
}

#[test]
fn warm_ups_and_horizons_are_compared_with_the_stage() {
    let stage =
        |schedule| [("model", item("tiny")), ("steps", number("100", "steps")), ("schedule", schedule)];
    let long = stage(cosine(number("200", "steps"), choice("stage")));
    assert_eq!(codes(&long), one("LLMP0604", "schedule.warmup"));
    assert_eq!(check(&long)[0].message, "the warm-up takes 200 steps, the stage has 100");
    let short = check(&stage(cosine(number("0.02", ""), number("50", "steps"))));
    assert_eq!((short[0].code, short[0].severity), ("LLMP0604", llmp_stdlib::Severity::Warning));
    assert_eq!(codes(&stage(cosine(number("0.02", ""), number("500", "steps")))), []);
}

#[test]
fn contexts_are_compared_with_positions() {
    let tokens = ("tokens", number("4000000", "tokens"));
    let scratch = [("model", item("tiny")), tokens.clone(), ("context", number("512", ""))];
    assert_eq!(codes(&scratch), one("LLMP0506", "context"));
    assert_eq!(check(&scratch)[0].fixes[0].text, "256");
    let grown =
        |context: &str| check(&[("from", item("core")), tokens.clone(), ("context", number(context, ""))]);
    assert!(grown("1024").is_empty());
    assert_eq!(grown("2048")[0].severity, llmp_stdlib::Severity::Warning);
}

#[test]
fn what_has_no_runtime_is_said_before_a_run_and_only_then() {
    let stage = |name, value| {
        let members = [("model", item("tiny")), ("tokens", number("4000000", "tokens")), (name, value)];
        assert_eq!(codes(&members), [], "{name}");
        let program = program(&members);
        let view = program.view("run").unwrap();
        (view.kind.lacks)(&view).into_iter().map(|p| (p.code, p.path.join("."))).collect::<Vec<_>>()
    };
    let every = call("every", &[("distance", number("100", "steps"))]);
    for (name, value) in [
        ("precision", choice("bf16")),
        ("recompute", choice("blocks")),
        ("on_spike", choice("skip")),
        ("on_spike", call("rewind", &[("steps", number("100", "steps"))])),
        ("sample", every),
        ("z_loss", number("1e-4", "")),
        ("publish", choice("last")),
    ] {
        assert_eq!(stage(name, value), []);
    }
    for (family, names) in [
        (llmp_train::optimizers::Optimizer::FAMILY, family_names(llmp_train::optimizers::Optimizer::FAMILY)),
        (llmp_train::settings::Averaging::FAMILY, family_names(llmp_train::settings::Averaging::FAMILY)),
        (llmp_train::schedules::Schedule::FAMILY, family_names(llmp_train::schedules::Schedule::FAMILY)),
    ] {
        let ready: Vec<&str> = family.members.iter().filter(|s| !s.planned).map(|s| s.name).collect();
        assert_eq!(ready, names, "what the training loop has of {}", family.name);
    }
}

fn family_names(family: &llmp_stdlib::Family) -> Vec<&'static str> {
    family.members.iter().map(|s| s.name).collect()
}

#[test]
fn a_decay_branches_from_a_stage_whose_steps_are_known() {
    let wsd = |peak| {
        let args = [
            ("peak", peak),
            ("warmup", number("0", "")),
            ("decay", number("1", "")),
            ("shape", choice("sqrt")),
            ("floor", number("0", "")),
            ("over", choice("stage")),
        ];
        ("schedule", call("wsd", &args))
    };
    let steps = ("steps", number("100", "steps"));
    let branch = [("from", item("core")), steps.clone(), wsd(Value::None)];
    assert_eq!(codes(&branch), []);
    let lone = [("model", item("tiny")), steps, wsd(Value::None)];
    assert_eq!(codes(&lone), one("LLMP0103", "schedule.peak"));

    let late = |stage: &[(&str, Value)]| {
        let mut program = program(stage);
        let core = record(&[("model", item("tiny")), ("epochs", number("2", "epochs"))]);
        program.items.insert("core", (kind("pretrain"), core));
        let view = program.view("run").unwrap();
        (view.kind.check)(&view).into_iter().map(|p| (p.code, p.path.join("."))).collect::<Vec<_>>()
    };
    assert_eq!(late(&branch), one("LLMP0103", "schedule.peak"));
    let mut given = branch.to_vec();
    given[2] = wsd(number("1e-3", ""));
    assert_eq!(late(&given), []);
    given[2] = ("schedule", call("continue_from", &[("stage", item("core"))]));
    assert_eq!(late(&given), one("LLMP0103", "schedule.stage"));
}

#[test]
fn an_optimizer_updates_what_the_model_has() {
    let adamw = |on: &str| {
        let args = [
            ("betas", Value::List(vec![number("0.9", ""), number("0.95", "")])),
            ("eps", number("1e-8", "")),
            ("weight_decay", number("0.1", "")),
            ("on", Value::List(vec![Value::text(on)])),
            ("coupling", choice("rate")),
            ("mup", Value::None),
        ];
        let steps = ("steps", number("100", "steps"));
        codes(&[("model", item("tiny")), steps, ("optimizer", call("adamw", &args))])
    };
    assert_eq!([adamw("blocks.*.attention"), adamw("embedding")], [vec![], vec![]]);
    assert_eq!(adamw("blocks.4"), one("LLMP0209", "optimizer.on"));
    assert_eq!(adamw("head"), one("LLMP0209", "optimizer.on"), "it is tied");
}

#[test]
fn models_are_described_or_trained() {
    let tokens = ("tokens", number("4000000", "tokens"));
    assert_eq!(codes(&[("model", item("core")), tokens.clone()]), one("LLMP0201", "model"));
    assert_eq!(codes(&[("from", item("tiny")), tokens.clone()]), one("LLMP0201", "from"));
    let program = program(&[]);
    let members = record(&[("model", item("tiny"))]);
    for name in ["eval", "release"] {
        let view = View {
            name: "x",
            kind: kind(name),
            members: &members,
            value: None,
            ..program.view("run").unwrap()
        };
        assert_eq!((kind(name).check)(&view)[0].code, "LLMP0201", "{name}");
    }
    let heavy = [("model", item("tiny")), tokens.clone(), ("z_loss", number("2", ""))];
    assert_eq!(codes(&heavy), one("LLMP0209", "z_loss"));
    let uneven = [("model", item("tiny")), tokens, ("accumulate", number("7", ""))];
    assert_eq!(codes(&uneven), one("LLMP0605", "accumulate"));
    assert_eq!(
        codes(&[("model", item("tiny")), ("tokens", number("0", "tokens"))]),
        one("LLMP0209", "tokens")
    );
}
