//! Families and rounds: instances, keys, what is carried, and what variants make of them.

use super::{NEWCOMER, checked, planned, planned_with, said, said_with};
use crate::Options;

/// A family, rounds that train, and a variant that changes both.
pub(crate) const ROUNDS: &str = r#"llmp 1

let LANGS = ["de", "fr"]
param rounds_in_all: Int = 3

source books = text("books/*.txt")
source wiki[lang in LANGS] = text("wiki/{lang}/*.txt")
source notes[r in 1..3] = text("notes/{r}/*.txt")
source exam = text("exam/*.txt")
dataset foreign = all(wiki) |> dedup_minhash()
dataset few = wiki["de"] |> gopher_quality(min_words = 20)

tokenizer tok = bpe(train_on = books, vocab = 4096)
model tiny { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
pretrain core { model = tiny, data = few, tokens = 4M }

rounds post for r in 1..rounds_in_all {
  carry policy = core

  dataset seen = concat([notes[i] for i in 1..r]) |> dedup_minhash()
  mix instruct {
    seen       = 70%
    foreign    = 20%
    wiki["fr"] = rest
  }

  pretrain tuned {
    from  = policy
    data  = instruct
    steps = 100 * r
  }
  pretrain aligned like tuned {
    from = tuned
    seed = r
  }

  next policy = aligned
}

check post.count in 1..3 else "few rounds"
check post[1].tuned.steps < 1000 steps else "the first round is short"
eval quality { model = post.policy, suites = [bits_per_byte(exam)] }
release all_of_it { model = post.policy, to = "out" }

variant laptop {
  wiki.lang = ["de", "fr", "it"]
  wiki["it"] = text("italian.txt")
  post.count = 2
  post.tuned.steps = 7
  post[2].tuned.steps = 9
  post.seen = notes[r] |> gopher_quality()
}
"#;

fn laptop() -> Options {
    Options { variants: vec!["laptop".into()], sets: vec![] }
}

#[test]
fn rounds_are_unrolled_and_carry_on() {
    assert_eq!(said(ROUNDS), Vec::<String>::new());
    let plan = planned(ROUNDS);
    let step = |name: &str| plan.named(name).unwrap_or_else(|| panic!("{name}: {:?}", plan.names));
    let from = |name: &str| step(name).inputs.iter().map(|p| p.step.clone()).collect::<Vec<_>>();
    assert!(from("post[1].tuned").contains(&step("core").id));
    assert!(from("post[2].tuned").contains(&step("post[1].aligned").id));
    assert!(from("post[3].tuned").contains(&step("post[2].aligned").id));
    assert!(from("quality").contains(&step("post[3].aligned").id));
    assert_eq!(step("post[2].aligned").args["steps"].to_string(), "200 steps");
    assert_eq!(step("post[3].aligned").args["seed"].to_string(), "3");
    let joined = step("foreign").inputs[0].step.clone();
    assert_eq!(plan.step(&joined).unwrap().inputs.len(), 2);
    assert!(plan.named("post[3].seen.dedup_minhash").is_some());
    assert_eq!(plan.roots.len(), 1 + 6 + 2);
}

#[test]
fn variants_set_instances_and_all_of_them() {
    assert_eq!(said_with(ROUNDS, &laptop()), Vec::<String>::new());
    let plan = planned_with(ROUNDS, &laptop());
    assert!(plan.named("post[3].tuned").is_none());
    assert_eq!(plan.named("post[1].tuned").unwrap().args["steps"].to_string(), "7 steps");
    assert_eq!(plan.named("post[2].tuned").unwrap().args["steps"].to_string(), "9 steps");
    assert!(plan.named("post[2].seen.gopher_quality").is_some());
    assert_eq!(plan.named("wiki[\"it\"]").unwrap().args["glob"].to_string(), "\"italian.txt\"");
    let with = |from: &str, to: &str| said_with(&ROUNDS.replace(from, to), &laptop());
    assert_eq!(with("post.tuned.steps = 7", "post.tund.steps = 7"), ["0803 49:3"]);
    assert_eq!(with("post.tuned.steps = 7", "post.tuned.stps = 7"), ["0803 49:3"]);
    assert_eq!(with("post[2].tuned", "post[4].tuned"), ["0209 50:7"]);
    assert_eq!(with("wiki[\"it\"]", "wiki[\"is\"]"), ["0101 47:7"]);
    let default = Options::default();
    assert_eq!(said_with(&ROUNDS.replace("post.count = 2", "post.count = 0"), &default), ["0209 48:16"]);
}

#[test]
fn keys_and_names_of_templates_are_checked() {
    let with = |from: &str, to: &str| said(&ROUNDS.replace(from, to));
    assert_eq!(with("few = wiki[\"de\"]", "few = wiki[\"dee\"]"), ["0101 11:20"]);
    assert_eq!(with("few = wiki[\"de\"]", "few = wiki"), ["0201 11:15"]);
    assert_eq!(with("few = wiki[\"de\"]", "few = notes[4]"), ["0209 11:21"]);
    assert_eq!(with("few = wiki[\"de\"]", "few = all(books)"), ["0201 11:19"]);
    assert_eq!(with("model = post.policy, suites", "model = post.polcy, suites"), ["0102 42:29"]);
    assert_eq!(with("model = post.policy, suites", "model = post.tuned, suites"), ["0201 42:24"]);
    assert_eq!(with("model = post.policy, suites", "model = post[9].tuned, suites"), ["0209 42:29"]);
    assert_eq!(with("model = post.policy, suites", "model = post[2].tund, suites"), ["0102 42:32"]);
    assert_eq!(with("model = post.policy, suites", "model = post, suites"), ["0201 42:24"]);
    assert_eq!(with("model = post.policy, suites", "model = post[1].policy, suites"), Vec::<String>::new());
    assert_eq!(with("wiki[\"fr\"] = rest", "wiki[\"fi\"] = rest"), ["0101 24:10"]);
    assert_eq!(with("notes[i] for", "notes[i + 1] for"), ["0209 20:32"]);
    assert_eq!(with("lang in LANGS", "lang in books"), ["0205 7:21"]);
    assert_eq!(with("lang in LANGS", "lang in 1..9_000_000"), ["0209 7:21"]);
    assert_eq!(with("in 1..rounds_in_all", "in 1..rounds_in_al"), ["0101 17:25"]);
    assert_eq!(with("param rounds_in_all: Int = 3", "param rounds_in_all: Int = 0"), ["0209 17:25"]);
    // Said once, not once for each round.
    assert_eq!(with("    data  = instruct\n", ""), ["0103 27:12", "0103 31:12"]);
    assert_eq!(with("steps = 100 * r", "steps = 100 * r, layers = 3"), ["0102 30:22"]);
}

#[test]
fn rounds_have_a_scope_of_their_own() {
    let with = |from: &str, to: &str| said(&ROUNDS.replace(from, to));
    assert_eq!(with("dataset seen", "dataset foreign"), ["0107 20:11", "0101 22:5", "0803 51:3"]);
    assert_eq!(with("few = wiki[\"de\"]", "few = seen"), ["0101 11:15"]);
    assert_eq!(with("  next policy = aligned\n", ""), ["0608 18:9"]);
    assert_eq!(
        with("  next policy = aligned\n", "  next policy = aligned\n  next policy = tuned\n"),
        ["0608 38:8"]
    );
    assert_eq!(with("  next policy = aligned\n", "  next polcy = aligned\n"), ["0608 18:9", "0101 37:8"]);
    assert_eq!(with("next policy = aligned", "next policy = aligne"), ["0101 37:17"]);
    assert_eq!(with("  mix instruct", "  mix seen"), ["0012 21:7", "0101 29:13"]);
}

#[test]
fn like_copies_into_and_out_of_rounds() {
    let more = format!(
        "{ROUNDS}pretrain late like post.tuned {{ from = core, steps = 3 }}\nrelease r2 {{ model = late }}\n"
    );
    assert_eq!(said(&more), Vec::<String>::new());
    let plan = planned(&more);
    assert_eq!(plan.named("late").unwrap().args["steps"].to_string(), "3 steps");
    let family =
        format!("{ROUNDS}model m[k in 2..3] like tiny {{ layers = k }}\nmodel n like m {{ heads = 4 }}\n");
    assert_eq!(said(&family), ["0201 54:14"]);
}

#[test]
fn presets_are_copied_and_nothing_else() {
    let text = NEWCOMER
        .replace("model tiny {\n  tokenizer = tok\n", "@preset\nmodel shape {\n")
        .replace("\npretrain", "\nmodel tiny like shape { tokenizer = tok }\n\npretrain");
    assert_eq!(said(&text), Vec::<String>::new());
    assert_eq!(planned(&text).hash(), planned(NEWCOMER).hash());
    assert_eq!(said(&text.replace("model  = tiny", "model  = shape")), ["0201 21:12"]);
    assert_eq!(
        said(&text.replace("heads     = 6", "hads     = 6")),
        ["0102 13:3", "0103 18:7"][..1].to_vec()
    );
    let keep = NEWCOMER.replace("pretrain run", "@keep\npretrain run");
    assert_eq!(planned(&keep).kept, ["run"]);
    assert_eq!(planned(&keep).hash(), planned(NEWCOMER).hash());
}

#[test]
fn optional_values_need_a_default_where_they_are_used() {
    let with = |ty: &str, use_: &str| {
        let text = NEWCOMER.replace("layers    = 4", &format!("layers    = {use_}"));
        said(&format!("{text}param depth: {ty}\n"))
    };
    assert_eq!(with("Int? = none", "depth"), ["0211 11:15"]);
    assert_eq!(with("Int? = 4", "depth"), Vec::<String>::new());
    assert_eq!(with("Int? = none", "if depth == none then 4 else depth"), Vec::<String>::new());
    assert_eq!(with("Int? = none", "if depth == none then 4 else depth + 1"), Vec::<String>::new());
    assert_eq!(with("Int? = none", "depth + 1"), ["0211 11:15"]);
}

#[test]
fn checks_look_at_the_ends_of_ranges() {
    let text = format!("{NEWCOMER}param depth: Int in 1..8 = 4\ncheck tiny.layers < 8 else \"shallow\"\n")
        .replace("layers    = 4", "layers    = depth");
    let checked = checked(&[("main.llmp", &text)], &Options::default());
    assert_eq!(super::places(&checked, false), ["0805 27:7"]);
    assert!(checked.diags.iter().all(|d| !d.is_error()), "a warning: {:?}", checked.diags);
    assert_eq!(said(&text.replace("< 8", "< 9")), Vec::<String>::new());
}

#[test]
fn what_the_run_decides_becomes_a_guard() {
    let text =
        format!("{NEWCOMER}check clean.documents > 1000 and tiny.layers == 4 else \"too little text\"\n");
    let plan = planned(&text);
    let [guard] = plan.guards.as_slice() else { panic!("{:?}", plan.guards) };
    assert_eq!(guard.condition, "clean.documents > 1000 and tiny.layers == 4");
    assert_eq!(guard.words, "too little text");
    assert_eq!(guard.formula, "(({0} > \"1000\") and true)");
    assert_eq!(guard.reads[0].1.step, plan.named("clean").unwrap().id);
    assert_ne!(plan.hash(), planned(NEWCOMER).hash());
    let renamed = text.replace("clean", "tidy").replace("tiny", "small");
    assert_eq!(planned(&renamed).hash(), plan.hash());
    let named = text.replace("check clean.documents > 1000", "let most = 1000\ncheck clean.documents > most");
    assert_eq!(planned(&named).hash(), plan.hash());
    assert_ne!(planned(&text.replace("> 1000", "> 1001")).hash(), plan.hash());
}

#[test]
fn revisions_of_nested_constructors_are_part_of_a_step() {
    let plan = planned(NEWCOMER);
    let run = plan.named("run").unwrap();
    assert_eq!(run.revs.get("swiglu"), None);
    assert_eq!(run.revs.get("rope"), Some(&2), "{:?}", run.revs);
    let without = llmp_stdlib::Step::new(&run.op, run.rev, run.args.clone(), run.inputs.clone());
    assert_ne!(without.id, run.id);
}
