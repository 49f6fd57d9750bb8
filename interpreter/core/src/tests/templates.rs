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
dataset few = wiki["de"] |> gopher_quality(min_doc_words = 20)

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
    assert_eq!(said(&text.replace("heads     = 6", "hads     = 6")), ["0102 13:3"]);
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
    assert_eq!(guard.formula.as_ref().map(ToString::to_string).as_deref(), Some("(.0 > 1000) and true"));
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

#[test]
fn any_kind_may_be_a_family_and_files_share_them() {
    let data = "llmp 1\nsource wiki[lang in [\"de\", \"fr\"]] = text(\"w/{lang}/*.txt\")\nchain pick[n in 1..3] = gopher_quality(min_doc_words = n) |> dedup_minhash()\nrounds clean for r in 1..2 {\n  carry best = wiki[\"de\"]\n  source part[k in [\"a\", \"b\"]] = text(\"p/{r}/{k}.txt\")\n  dataset kept = concat([best, part[\"a\"], part[\"b\"]]) |> dedup_minhash(bands = r)\n  next best = kept\n}\n";
    let main = "llmp 1\nuse { wiki as pages, pick } from \"./lib/data.llmp\"\nuse data from \"./lib/data.llmp\"\nsource books = text(\"books/*.txt\")\ntokenizer tok = bpe(train_on = books, vocab = 4096)\nmodel m[layers in [2, 4]] { tokenizer = tok, layers = layers, width = 192, heads = 6, context = 256 }\nmix blend { pages[\"de\"] = 1, data.wiki[\"fr\"] = 1, picked = 2, data.clean[1].part[\"a\"] = 1 }\ndataset picked = concat([all(pages), data.clean.best]) |> pick[2]\npretrain run[layers in [2, 4]] { model = m[layers], data = blend, tokens = 4M }\ncheck data.clean.count == 2 and m[4].layers == 4 else \"two\"\n";
    let files = [("main.llmp", main), ("lib/data.llmp", data)];
    let checked = checked(&files, &Options::default());
    assert_eq!(super::places(&checked, false), Vec::<String>::new(), "{:#?}", checked.diags);
    let (plan, sink) = crate::plan(&checked.program, &crate::test_registry::registry());
    assert!(sink.is_empty(), "{sink:?}");
    assert_eq!(plan.roots, ["run[2]", "run[4]"]);
    assert!(plan.named("wiki[\"de\"]").is_some(), "{:?}", plan.names);
    assert_eq!(plan.named("picked.gopher_quality").unwrap().args["min_doc_words"].to_string(), "2");
    assert_eq!(plan.named("clean[2].kept").unwrap().args["bands"].to_string(), "2");
    let glob = |name: &str| plan.named(name).unwrap().args["glob"].to_string();
    assert_eq!(glob("clean[1].part[\"a\"]"), "\"lib/p/1/a.txt\"");
    assert_eq!(plan.models["m[4]"].parameters, 4 * 12 * 192 * 192 + 4096 * 192);
}

#[test]
fn a_part_of_an_instance_may_be_a_key() {
    let text = NEWCOMER
        .replace("dataset clean = books", "dataset clean[k in [1, 2]] = books")
        .replace("split(heldout = 2%)", "split(heldout = 2% * k)")
        .replace("train_on = clean", "train_on = books")
        .replace("data   = clean", "data   = blend")
        .replace("clean.heldout", "other");
    let text = format!(
        "{text}source other = text(\"other/*.txt\")\nmix blend {{ clean[1] = 3, clean[1].heldout = 1 }}\n"
    );
    let plan = planned(&text);
    let parts: Vec<_> = plan.steps.iter().filter(|s| s.op == "tokenize").map(|s| &s.inputs[0].part).collect();
    assert_eq!(parts.iter().filter(|part| part.is_some()).count(), 1, "{parts:?}");
}

#[test]
fn lets_that_double_and_indices_without_end_are_stopped() {
    let mut text = String::from("let a0: Num = 1\n");
    for n in 1..60 {
        text.push_str(&format!("let a{n} = a{} + a{}\n", n - 1, n - 1));
    }
    assert_eq!(said(&format!("{text}check a59 > 1 else \"small\"\n")), Vec::<String>::new());
    let together = "source b[i in 1..6000] = text(\"b\")\nsource c[i in 1..6000] = text(\"c\")\n";
    assert_eq!(said(together), ["0209 3:10"]);
    assert_eq!(said("let n = [[i for i in 1..999_000] for j in 1..2000]\n"), ["0209 2:22"]);
}

#[test]
fn no_edit_makes_the_checker_panic_or_pass_over_an_error() {
    let words: Vec<&str> = ROUNDS.split_inclusive([' ', '\n', '(', ')', '=', '.', ',', '[', ']']).collect();
    for (options, replacements) in [(Options::default(), ["", "wiki"]), (laptop(), ["post.", "r"])] {
        for index in (0..words.len()).step_by(2) {
            for replacement in replacements {
                let mut text = words[..index].concat();
                text.push_str(replacement);
                text.push_str(&words[index + 1..].concat());
                let checked = checked(&[("main.llmp", &text)], &options);
                let (plan, sink) = crate::plan(&checked.program, &crate::test_registry::registry());
                if !checked.diags.iter().any(llmp_grammar::Diag::is_error) {
                    assert!(sink.is_empty(), "{text}\n{sink:?}");
                    assert!(plan.roots.iter().all(|root| plan.items.contains_key(root)), "{text}");
                }
            }
        }
    }
}

#[test]
fn variants_of_one_name_in_several_files_are_one() {
    let sizes = "llmp 1\nparam budget: Tokens = 4M\nvariant laptop { budget = 1M }\n";
    let main = super::NEWCOMER
        .replace("llmp 1\n", "llmp 1\nuse { budget } from \"./sizes.llmp\"\n")
        .replace("tokens = 4M", "tokens = budget");
    let main = format!("{main}\nvariant laptop {{ tiny.layers = 2 }}\n");
    let options = Options { variants: vec!["laptop".into()], sets: vec![] };
    let checked = super::checked(&[("main.llmp", &main), ("sizes.llmp", sizes)], &options);
    assert_eq!(super::places(&checked, false), Vec::<String>::new());
    let (layers, budget) =
        (&checked.program.items["tiny"].members["layers"], &checked.program.params["budget"]);
    assert_eq!((layers.to_string(), budget.to_string()), ("2".to_owned(), "1000000 tokens".to_owned()));
}

#[test]
fn an_index_inside_of_rounds_can_be_set() {
    let text = |variants: &str| {
        format!(
            "llmp 1\nrounds post for r in 1..3 {{\n  source part[k in [\"a\", \"b\"]] = text(\"p/{{r}}/{{k}}.txt\")\n  dataset kept = all(part) |> dedup_minhash()\n}}\ntokenizer tok = bpe(train_on = post[2].kept, vocab = 4096)\n{variants}\n"
        )
    };
    let with = |variants: &str, chosen: &[&str]| {
        let variants_chosen = chosen.iter().map(|v| (*v).to_owned()).collect();
        let options = Options { variants: variants_chosen, sets: vec![] };
        let checked = checked(&[("main.llmp", &text(variants))], &options);
        let parts = checked.program.items.keys().filter(|name| name.contains("part"));
        let parts: Vec<String> = parts.map(|name| name.replace("post", "").replace(".part", "")).collect();
        (super::places(&checked, false), parts.join(" "))
    };
    let none = Vec::<String>::new;
    let all = "variant small { post.part.k = [\"c\"] }";
    assert_eq!(with(all, &["small"]), (none(), "[1][\"c\"] [2][\"c\"] [3][\"c\"]".to_owned()));
    let one = "variant small {\n  post[2].part.k = [\"d\"]\n  post.part.k = [\"c\"]\n  post.count = 2\n}";
    assert_eq!(with(one, &["small"]), (none(), "[1][\"c\"] [2][\"d\"]".to_owned()));
    let round = "variant small { post.part.k = [\"x{r}\"] }";
    assert_eq!(with(round, &["small"]), (none(), "[1][\"x1\"] [2][\"x2\"] [3][\"x3\"]".to_owned()));
    assert_eq!(with("variant small { post.part.q = [\"c\"] }", &["small"]).0, ["0803 7:17"]);
    assert_eq!(with("variant small { post[4].part.k = [\"c\"] }", &["small"]).0, ["0209 7:21"]);
}

#[test]
fn two_variants_may_not_set_one_index() {
    let text = "llmp 1\nparam budget: Int = 3\nsource crawl[dump in [1, 2]] = text(\"c/{dump}\")\nrounds post for r in 1..3 {\n  source part[k in [budget]] = text(\"{r}/{k}\")\n}\nvariant a { crawl.dump = [1] }\nvariant b { crawl.dump = [2] }\nvariant c { post.count = 2 }\nvariant d { post.count = 1 }\nvariant e { post.part.k = [1] }\nvariant f { post[1].part.k = [2] }\nvariant g { budget = 1 }\nvariant h { budget = 2 }\n";
    let with = |one: &str, two: &str| {
        said_with(text, &Options { variants: vec![one.into(), two.into()], sets: vec![] })
    };
    assert_eq!(with("a", "b"), ["0803 8:13"]);
    assert_eq!(with("b", "a"), ["0803 7:13"]);
    assert_eq!(with("c", "d"), ["0803 10:13"]);
    assert_eq!(with("e", "f"), ["0803 12:13"]);
    assert_eq!(with("g", "h"), ["0803 14:13"]);
    assert_eq!(with("a", "c"), Vec::<String>::new());
}

#[test]
fn lists_that_double_are_stopped() {
    let mut text = String::from("let b0 = [i for i in 1..1000]\n");
    for n in 1..40 {
        text.push_str(&format!("let b{n} = [b{0}, b{0}]\n", n - 1));
    }
    let said_of = |text: &str| {
        let codes: Vec<String> = said(text).iter().map(|s| s[..4].to_owned()).collect();
        assert!(codes.iter().all(|code| code == "0209"), "{codes:?}");
        codes.len()
    };
    assert_eq!(said_of(&format!("{text}check b39 == [] else \"b\"\n")), 1);
    // Typed ones, and one large list that is written many times.
    assert_eq!(said_of(&text.replace(" = [i for", ": List[Int] = [i for")), 1);
    let many = ["all"; 5000].join(", ");
    assert_eq!(said_of(&format!("let all = [i for i in 1..900_000]\nlet b = [{many}]\n")), 1);
    // What is only looked at does not count.
    let table = "let table = [i for i in 0..50_000]\nlet found = [table[i] for i in 1..100]\ncheck 7 in found and 9 in table else \"t\"\n";
    assert_eq!(said(table), Vec::<String>::new());
}
