//! Every shipped program, as it is and in each of its variants: no error, exactly the warnings that its numbers
//! deserve, a plan, the published parameter counts, the one layout.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llmp_grammar::ast::ItemKind;
use llmp_grammar::diag::Severity;
use llmp_interpreter::{Loaded, Options, Vfs, check, load, plan};
use llmp_stdlib::{Plan, Registry};

/// The warnings of the shipped programs, with the line on which each stands: program, variant, code, text of the line.
const WARNINGS: &[(&str, &str, &str, &str)] = &[
    // Llama 3.1 prints a batch that doubles after 63 of 8,000 steps of warm-up, and an annealing of 2.5 steps.
    ("llama3_1/main.llmp", "", "LLMP0621", "ramp(["),
    ("llama3_1/main.llmp", "", "LLMP0622", "= 40M"),
    ("llama3_1/pretraining.llmp", "", "LLMP0621", "ramp(["),
    ("llama3_1/pretraining.llmp", "", "LLMP0622", "= 40M"),
];

/// Parameters as the papers and the released weights have them (recipes.md, sections 1.3, 2.3, 3.3, 4.3).
const COUNTS: &[(&str, &str, u64)] = &[
    ("qwen2", "qwen2_0_5b", 494_032_768),
    ("qwen2", "qwen2_1_5b", 1_543_714_304),
    ("qwen2", "qwen2_7b", 7_615_616_512),
    ("qwen2", "qwen2_72b", 72_706_203_648),
    ("gemma2", "gemma2_2b", 2_614_341_888),
    ("gemma2", "gemma2_9b", 9_241_705_984),
    ("gemma2", "gemma2_27b", 27_227_128_320),
    ("llama3_1", "llama_8b", 8_030_261_248),
    ("llama3_1", "llama_70b", 70_553_706_496),
    ("llama3_1", "llama_405b", 405_853_388_800),
    ("afm", "on_device", 2_737_739_264),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The repository.
struct Repository(PathBuf);

impl Vfs for Repository {
    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(path)).ok()
    }

    fn exists(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }
}

/// Programs below a folder, by path from the root.
fn programs(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "llmp") {
                found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

fn shipped() -> Vec<String> {
    [programs("examples"), programs("stdlib/llmp")].concat()
}

/// What was said about a program, and its plan.
struct Judged {
    /// Severity, code, place and message, and the line.
    said: Vec<(Severity, &'static str, String, String)>,
    plan: Plan,
}

fn loaded(path: &str) -> Loaded {
    load(&Repository(root()), path).0
}

fn judge(registry: &Registry, path: &str, variants: &[String]) -> Judged {
    let (loaded, mut sink) = load(&Repository(root()), path);
    let (program, said) =
        check(&loaded, registry, &Options { variants: variants.to_vec(), sets: Vec::new() });
    sink.extend(said.into_sorted());
    let (plan, more) = plan(&program, registry);
    sink.extend(more.into_sorted());
    let said = sink.into_sorted().into_iter().map(|diag| {
        let at = diag.span().unwrap_or_default();
        let line = program.sources.position(at.file, at.start).line;
        let place = format!("{}:{line}: {}", program.sources.path(at.file), diag.message);
        (diag.severity, diag.code, place, program.sources.line(at.file, line).trim().to_owned())
    });
    Judged { said: said.collect(), plan }
}

/// As written, and in each variant.
fn variants(path: &str) -> Vec<Vec<String>> {
    let loaded = loaded(path);
    let named = loaded.units[0].ast.items.iter().filter(|i| matches!(i.kind, ItemKind::Variant(_)));
    let mut all = vec![Vec::new()];
    all.extend(named.filter_map(|i| i.name()).map(|name| vec![name.text.clone()]));
    all
}

#[test]
fn shipped_programs_say_what_they_deserve_and_plan() {
    let registry = llmp_exec::registry();
    let mut wrong = Vec::new();
    let mut due: BTreeMap<_, usize> = BTreeMap::new();
    for row in WARNINGS {
        *due.entry(*row).or_default() += 1;
    }
    let mut seen = 0;
    for path in shipped() {
        for chosen in variants(&path) {
            let name = chosen.join(",");
            let judged = judge(&registry, &path, &chosen);
            for (severity, code, place, line) in &judged.said {
                let row = WARNINGS
                    .iter()
                    .find(|w| path.ends_with(w.0) && w.1 == name && w.2 == *code && line.contains(w.3));
                match (severity, row.and_then(|row| due.get_mut(row))) {
                    (Severity::Info, _) => {}
                    (Severity::Warning, Some(left)) if *left > 0 => *left -= 1,
                    _ => wrong.push(format!("{path} [{name}] {code} {place}")),
                }
            }
            assert!(path.starts_with("stdlib") || !judged.plan.hash().is_empty());
            seen += 1;
        }
    }
    let missing: Vec<_> = due.iter().filter(|(_, left)| **left > 0).collect();
    assert!(wrong.is_empty(), "not expected:\n{}", wrong.join("\n"));
    assert!(missing.is_empty(), "expected, but not said: {missing:#?}");
    assert!(seen >= 40, "{seen} programs and variants");
}

#[test]
fn shipped_programs_are_in_the_one_layout_and_fit_a_sitting() {
    for path in shipped() {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        assert_eq!(llmp_grammar::format(&text).unwrap(), text, "{path}: `llmp fmt {path}`");
        assert!(text.lines().count() <= 220, "{path} has {} lines", text.lines().count());
        assert!(text.starts_with("llmp 1\n"), "{path} begins with its edition");
    }
}

#[test]
fn plans_have_the_published_parameter_counts() {
    let registry = llmp_exec::registry();
    let mut plans = BTreeMap::new();
    for (paper, model, parameters) in COUNTS {
        let plan = plans
            .entry(*paper)
            .or_insert_with(|| judge(&registry, &format!("examples/papers/{paper}/main.llmp"), &[]).plan);
        let cost = plan.models.get(*model);
        assert_eq!(cost.map(|c| c.parameters), Some(*parameters), "{paper}: {model}");
    }
    let device = plans["afm"].models["on_device"];
    assert_eq!(
        (device.non_embedding, device.parameters - device.non_embedding),
        (2_586_744_320, 150_994_944)
    );
    let experts = plans["qwen2"].models["qwen2_57b_a14b"];
    assert_eq!(
        (experts.parameters, experts.active),
        (57_408_658_944, 14_249_270_784),
        "57.41B, 14.25B active"
    );
}

#[test]
fn examples_of_comparisons_share_what_their_arms_have_in_common() {
    let registry = llmp_exec::registry();
    let plan = |name: &str| judge(&registry, &format!("examples/{name}.llmp"), &[]).plan;
    let count = |plan: &Plan, op: &str| plan.steps.iter().filter(|step| step.op == op).count();
    // Three halves, each annealed with and without the new data.
    let probe = plan("is_new_data_worth_it");
    assert_eq!(["pretrain", "eval", "compare"].map(|op| count(&probe, op)), [9, 6, 1]);
    let begun = |step: &&llmp_stdlib::Step| step.args.get("from") == Some(&llmp_stdlib::Value::None);
    assert_eq!(probe.steps.iter().filter(|step| step.op == "pretrain").filter(begun).count(), 3);
    // Four sizes at each of three budgets.
    let law = plan("scaling_law");
    assert_eq!(["pretrain", "eval", "compare"].map(|op| count(&law, op)), [12, 12, 1]);
    for plan in [probe, law, plan("does_filtering_pay")] {
        let evals = plan.steps.iter().filter(|step| step.op == "eval");
        let mut names: Vec<String> = evals.map(|step| plan.name(&step.id)).collect();
        assert!(names.iter().all(|name| name.ends_with(".eval") && name.contains(" = ")), "{names:?}");
        let runs = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), runs);
    }
}

#[test]
fn every_number_of_the_papers_has_its_mark() {
    let marks = ["S", "K", "D", "?"];
    for path in programs("examples/papers") {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        let marked = |line: &str| {
            let comment = line.split_once('#').map_or("", |(_, comment)| comment);
            comment.split(|c: char| !c.is_ascii_alphanumeric() && c != '?').any(|word| marks.contains(&word))
        };
        assert!(text.lines().any(marked), "{path} has no mark");
    }
}
