//! Data steps, post-training and suites in whole programs, with the real registry.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use llmp_grammar::Diag;
use llmp_grammar::diag::Severity;
use llmp_interpreter::{Options, check, load};

const BASE: &str = "llmp 1
source books = text(\"books/*.txt\")
source web = warc(\"crawl/*.warc.gz\")
source chats = jsonl(\"chats.jsonl\", as = Chat)
source pairs = jsonl(\"pairs.jsonl\", as = Preference)
source asks = jsonl(\"asks.jsonl\", as = Prompt)
tokenizer tok = bpe(train_on = books, vocab = 4096, template = chatml)
model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
pretrain base { model = m, data = books, tokens = 4M }
";

const TUNED: &str = "sft tuned { from = base, data = chats, epochs = 1 }
reward_model judge_model { from = base, data = pairs }
";

/// What is said of a program, information left out.
fn said(text: &str) -> Vec<Diag> {
    let registry = llmp_exec::registry();
    let mut files: BTreeMap<String, String> = llmp_interpreter::codes::EXAMPLE_FILES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    files.insert("example.llmp".into(), text.to_owned());
    let (loaded, mut sink) = load(&files, "example.llmp");
    let (program, more) = check(&loaded, &registry, &Options::default());
    let failed = more.has_errors() || sink.has_errors();
    sink.extend(more.into_sorted());
    if !failed {
        let (_, planned) = llmp_interpreter::plan(&program, &registry);
        sink.extend(planned.into_sorted());
    }
    let all = sink.into_sorted();
    // Each case uses some of the base's items only.
    all.into_iter().filter(|d| d.severity != Severity::Info && d.code != "LLMP0609").collect()
}

fn words(diags: &[Diag]) -> Vec<String> {
    diags
        .iter()
        .map(|d| format!("{} {} {}", d.code, d.message, d.help.as_deref().unwrap_or_default()))
        .collect()
}

fn clean(rest: &str) {
    let text = format!("{BASE}{TUNED}{rest}");
    assert_eq!(words(&said(&text)), Vec::<String>::new(), "{rest}");
}

fn gives(rest: &str, code: &str, part: &str) {
    let text = format!("{BASE}{TUNED}{rest}");
    let found = words(&said(&text));
    assert!(found.len() == 1 && found[0].contains(code) && found[0].contains(part), "{rest}\n{found:?}");
}

#[test]
fn the_codes_of_post_training_do_what_their_pages_say() {
    for code in ["0208", "0410", "0504", "0606", "0607", "0612", "0616", "0617", "0618"] {
        let info = llmp_interpreter::codes::explain(code).unwrap();
        for example in info.examples() {
            let found = said(&example);
            let failing = example.contains(&format!("[{}]", info.code));
            let codes: Vec<&str> = found.iter().map(|d| d.code).collect();
            let expected: &[&str] = if failing { &[info.code] } else { &[] };
            assert_eq!(codes, expected, "{example}\n{:?}", words(&found));
        }
    }
}

#[test]
fn the_data_pipelines_of_the_papers_can_be_written() {
    // Llama 3.1, section 3.1.1, in its order.
    clean(
        "classifier educational { labels = jsonl(\"labels.jsonl\", as = Labelled) }
dataset english = web
  |> block_urls(domains = \"ut1:*/domains\", words = ldnoobw)
  |> extract_text(keep = [math, code, alt_text])
  |> strip_markdown()
  |> redact_pii()
  |> dedup_url(keep = newest)
  |> dedup_minhash()
  |> dedup_lines(bucket = 30M docs, more_than = 6)
  |> bad_words(more_than = 3)
  |> detect_language()
  |> keep_if(.lang == \"en\" and .lang_score >= 65%)
  |> score_token_kl()
  |> drop_if(.token_kl > 3.5)
  |> classify(educational)
  |> keep_if(.educational >= 0.5)
pretrain english_base { model = m, data = english, tokens = 4M }",
    );
    // AFM, section 3.1.1, and its mathematics; Qwen 2's decontamination.
    clean(
        "classifier math_quality { backbone = hf(\"encoder\"), labels = jsonl(\"labels.jsonl\", as = Labelled) }
let suites = benchmarks([\"mmlu\", \"gsm8k\"])
dataset applebot = web
  |> robots(agent = \"Applebot\")
  |> drop_profanity()
  |> redact_pii()
  |> extract_text()
  |> dedup_minhash()
  |> quality_filter()
  |> decontaminate(against = suites, ngrams = 4..13, common_above = 1000)
dataset maths = applebot |> score_math() |> keep_if(.math_symbols > 40 or .math_tags) |> classify(math_quality) |> keep_if(.math_quality > 0.9)
dataset qwen = books |> decontaminate(against = suites, method = lcs)
dataset long_qa = books |> count_tokens(tok) |> keep_if(.tokens > 16Ki) |> synthesize_qa(per_doc = 4)
mix core { applebot = rest, maths = 3%, qwen = 10%, long_qa = 1% }
pretrain afm_core { model = m, data = core, tokens = 4M }",
    );
}

#[test]
fn the_post_training_of_the_papers_can_be_written() {
    // Llama 3.1, one round: rejection sampling, tuning, preferences.
    clean(
        "dataset sampled = asks |> generate(tuned, n = 20, temperature = 0.7, max_tokens = 2Ki) |> score(judge_model) |> keep_best(1, per = prompt)
mix instruct { sampled = 70%, chats = { weight = 30%, max_epochs = 4 } }
sft next { from = base, data = instruct, steps = 8500, batch = 256 sequences, schedule = constant(1e-5), loss_on = assistant }
prefer aligned { from = next, data = pairs, loss = dpo(beta = 0.1, nll = 0.2), loss_off = [header_tokens, end_tokens], schedule = constant(1e-5) }
release out { model = aligned }",
    );
    // Qwen 2: offline, then pairs of the policy's own answers.
    clean(
        "prefer offline { from = tuned, data = pairs, loss = dpo(beta = 0.1) }
prefer online_stage { from = offline, data = asks, online = sample(n = 8, by = judge_model) }
release out { model = online_stage }",
    );
    // AFM: a committee, soft labels, the better of two, MDLOO.
    clean(
        "dataset judged = pairs |> split(heldout = 5%)
reward_model rm { from = base, data = judged, loss = soft_labels(grades = 4) }
prefer other { from = tuned, data = judged, epochs = 1 }
dataset answers = asks |> generate(committee(base, tuned, other), n = 8, temperature = 0.9) |> score(rm) |> keep_best(2, per = prompt)
sft taught { from = tuned, data = answers, epochs = 1 }
rl mdloo {
  from      = pick(taught, other, by = accuracy(judged.heldout))
  prompts   = asks
  reward    = sum([rm, kl(weight = -0.05, to = other)])
  advantage = leave_one_out(samples = 8)
  update    = mirror_descent(inner_steps = 16, kl = 0.1)
  steps     = 2000
}
release out { model = mdloo }",
    );
    // Gemma 2: a policy gradient held to a moving average; rewards that a program verifies.
    clean(
        "rl gemma { from = tuned, prompts = asks, reward = sum([judge_model, kl(weight = -0.1, to = ema)]), update = policy_gradient(), steps = 100 }
rl verified { from = gemma, prompts = asks, reward = number(truth = \"key\"), advantage = group(samples = 16), update = clipped(low = 0.2, high = 0.28), steps = 100 }
release out { model = verified }",
    );
}

#[test]
fn what_cannot_be_meant_is_said_with_both_sides() {
    gives("prefer a { from = base, data = pairs }", "LLMP0208", "usually starts from");
    gives("prefer a { from = tuned, data = asks }", "LLMP0410", "online = sample");
    gives("prefer a { from = tuned, data = chats }", "LLMP0207", "Preference");
    gives("sft a { from = tuned, data = books, epochs = 1 }", "LLMP0410", "as_chat");
    gives("sft a { from = m, data = chats, epochs = 1 }", "LLMP0201", "no weights");
    gives("sft a { from = tuned, data = chats }", "LLMP0601", "epochs");
    gives(
        "source closed = jsonl(\"closed.jsonl\", as = Prompt, columns = { prompt = Text })\ndataset d = closed |> generate(tuned) |> keep_best(1)\nsft a { from = tuned, data = d, epochs = 1 }",
        "LLMP0105",
        "score()",
    );
    gives(
        "source closed = jsonl(\"closed.jsonl\", as = Prompt, columns = { prompt = Text, answer_key = Text })\ndataset d = closed |> generate(tuned) |> verify(number(truth = \"anser_key\")) |> keep_if(.verified) |> as_chat()\nsft a { from = tuned, data = d, epochs = 1 }",
        "LLMP0105",
        "answer_key",
    );
    gives(
        "source closed = jsonl(\"closed.jsonl\", as = Prompt, columns = { prompt = Text })\ndataset d = closed |> generate(tuned) |> verify(unit_tests()) |> as_chat()\nsft a { from = tuned, data = d, epochs = 1 }",
        "LLMP0105",
        "tests",
    );
    gives(
        "dataset d = asks |> generate(m) |> as_chat()\nsft a { from = tuned, data = d, epochs = 1 }",
        "LLMP0201",
        "no weights yet",
    );
    gives(
        "dataset d = asks |> generate(tuned, n = 8, temperature = 0)\nsft a { from = tuned, data = d, epochs = 1 }",
        "LLMP0209",
        "one answer 8 times",
    );
    gives(
        "dataset d = web |> as_chat(user = \"q\", assistant = \"a\")\nsft a { from = tuned, data = d, epochs = 1 }",
        "LLMP0207",
        "Html",
    );
    gives(
        "dataset d = books |> block_urls(domains = \"ut1:*/domains\")\npretrain a { model = m, data = d, tokens = 1M }",
        "LLMP0105",
        "url",
    );
    gives(
        "rl a { from = tuned, prompts = asks, reward = kl(), steps = 1 }",
        "LLMP0617",
        "asks for nothing else",
    );
    gives(
        "prefer a { from = tuned, data = pairs, loss = formula(.chosen - .rejectd) }",
        "LLMP0105",
        ".rejected",
    );
}

#[test]
fn columns_of_a_state_are_seen_by_conditions() {
    clean("dataset strong = pairs |> keep_if(.strength in [\"significantly\", \"better\"] and chars(.chosen) < 10_000)
prefer a { from = tuned, data = strong }");
    clean("dataset rated = books |> external([\"python3\", \"rate.py\"], adds = { toxicity = Num }) |> drop_if(.toxicity > 0.5)
pretrain a { model = m, data = rated, tokens = 1M }");
    clean("dataset right = asks |> generate(tuned, n = 4) |> verify(exact(truth = \"id\")) |> keep_if(.verified) |> as_chat()
sft a { from = tuned, data = right, epochs = 1 }");
    gives(
        "dataset rated = books |> external([\"x\"], adds = { toxicity = Num }) |> drop_if(.toxicty > 0.5)
pretrain a { model = m, data = rated, tokens = 1M }",
        "LLMP0105",
        ".toxicity",
    );
}

#[test]
fn text_of_models_is_counted_whoever_wrote_it() {
    let counted = |pipe: &str, generation: u64| {
        clean(&format!(
            "dataset made = {pipe}
pretrain more {{ model = m, data = made, tokens = 1M }}
check more.synthetic_generation == {generation} else \"counted\""
        ));
    };
    counted(r#"books |> synthesize(r"Explain: {text}", tuned)"#, 1);
    counted("books |> rephrase(tuned)", 1);
    counted("books |> synthesize_qa(model = tuned)", 1);
    counted("asks |> generate(committee(tuned, base)) |> as_docs()", 1);
    // A grade is not text that is trained on.
    counted("books |> judge(tuned, rubric = \"Is it clear?\") |> keep_if(.grade > 2)", 0);
}

#[test]
fn a_requirement_speaks_of_the_metrics_of_its_suites() {
    clean("eval gate { model = tuned, suites = [mmlu(shots = 5), gsm8k(shots = 8), humaneval()], require = .mmlu >= 65% and .gsm8k >= 80% }
release out { model = gate.model }");
    gives("eval gate { model = tuned, suites = [mmlu()], require = .mlu >= 65% }", "LLMP0105", ".mmlu");
    gives(
        "eval gate { model = tuned, suites = [mmlu()], require = .gsm8k >= 65% }",
        "LLMP0105",
        "add `gsm8k()`",
    );
    gives("eval gate { model = judge_model, suites = [mmlu()] }", "LLMP0201", "accuracy");
}

/// The program after the first fix of what is said with this code.
fn fixed(rest: &str, code: &str) -> String {
    let text = format!("{BASE}{TUNED}{rest}");
    let diags = said(&text);
    let diag = diags.iter().find(|d| d.code == code).unwrap_or_else(|| panic!("{code}: {diags:#?}"));
    let fix = diag.fixes.first().unwrap_or_else(|| panic!("no fix: {diag:#?}"));
    let mut fixed = text;
    let mut edits = fix.edits.clone();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
    for edit in edits {
        fixed.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.replacement);
    }
    assert_eq!(words(&said(&fixed)), Vec::<String>::new(), "{fixed}");
    fixed.split_off(BASE.len() + TUNED.len())
}

#[test]
fn a_fix_leaves_nothing_to_say() {
    let require =
        "eval gate { model = tuned, suites = [mmlu(shots = 5)], require = .mlu >= 65% and not (.mlu < 2%) }
release out { model = gate.model }";
    assert!(fixed(require, "LLMP0105").contains("require = .mmlu >= 65% and not (.mmlu < 2%)"));
    let columns =
        "source more = jsonl(\"m.jsonl\", as = Preference, columns = { prompt = Text, chosen = Text })
prefer a { from = tuned, data = more }";
    assert!(fixed(columns, "LLMP0410").contains("rejected = Text"));
    let online = "prefer a { from = tuned, data = pairs, online = sample(n = 8, by = judge_model) }";
    assert!(fixed(online, "LLMP0410").contains("online = none"));
    let labels = "source liked = jsonl(\"liked.jsonl\", as = Labelled)
prefer a { from = tuned, data = liked, loss = dpo() }";
    assert!(fixed(labels, "LLMP0410").contains("loss = kto()"));
}

#[test]
fn models_that_cannot_be_merged_are_both_shown() {
    let merge = "model wide like m { width = 384 }
pretrain other { model = wide, data = books, tokens = 4M }
merge x = linear([base, other])";
    let diags = said(&format!("{BASE}{merge}"));
    let diag = diags.iter().find(|d| d.code == "LLMP0508").unwrap();
    let text = format!("{BASE}{merge}");
    let labels: Vec<(&str, &str)> = diag
        .labels
        .iter()
        .map(|l| (&text[l.span.start as usize..l.span.end as usize], l.text.as_str()))
        .collect();
    assert_eq!(labels, [("other", "width 384"), ("base", "width 192")]);
}

#[test]
fn conversations_need_a_template_before_anything_runs() {
    let base = BASE.replace(", template = chatml", "");
    let said_of = |rest: &str| words(&said(&format!("{base}{rest}")));
    let found = said_of("sft a { from = base, data = chats, epochs = 1 }");
    assert!(
        found.len() == 1 && found[0].contains("LLMP0410") && found[0].contains("neither the stage nor `tok`"),
        "{found:?}"
    );
    for clean in [
        "sft a { from = base, data = chats, epochs = 1, template = plain }",
        "sft a { from = base, data = books, epochs = 1, loss_on = all }",
        "sft a { from = base, data = chats, epochs = 1, template = plain }\nsft b { from = a, data = chats, epochs = 1 }",
    ] {
        assert_eq!(said_of(clean), Vec::<String>::new(), "{clean}");
    }
}

#[test]
fn what_is_measured_in_a_stage_must_be_held_out() {
    gives(
        "sft a { from = base, data = chats, epochs = 1, evaluate = every(20%) }",
        "LLMP0103",
        "split(heldout",
    );
    clean(
        "dataset some = chats |> split(heldout = 5%)\nsft a { from = base, data = some, epochs = 1, evaluate = every(20%) }",
    );
}

#[test]
fn what_this_version_lacks_is_refused_by_a_run_and_not_before() {
    let registry = llmp_exec::registry();
    let text = format!(
        "{BASE}sft tuned {{ from = base, data = chats, epochs = 1, adapter = lora(dropout = 0.1) }}\nrelease out {{ model = tuned }}"
    );
    let files: BTreeMap<String, String> = [("example.llmp".to_owned(), text)].into();
    let (loaded, _) = load(&files, "example.llmp");
    let (program, said) = check(&loaded, &registry, &Options::default());
    assert!(!said.has_errors());
    let (plan, said) = llmp_interpreter::plan(&program, &registry);
    assert!(!said.has_errors());
    let lacks: Vec<String> = plan.lacks.iter().map(|d| d.message.clone()).collect();
    assert!(lacks.len() == 1 && lacks[0].contains("left out at random"), "{lacks:?}");
}
