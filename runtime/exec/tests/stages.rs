//! Models and training stages of published pipelines, checked and planned with the real registry.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::collections::BTreeMap;

use llmp_grammar::{Diag, Severity};
use llmp_interpreter::{Options, check, load, plan};
use llmp_stdlib::{Plan, StageCost};

const DATA: &str = r#"llmp 1
source web = text("web/*.txt")
tokenizer tok = bpe(train_on = web, vocab = 128_256)
"#;

const LLAMA: &str = "
model llama_405b {
  tokenizer = tok
  layers    = 126
  width     = 16_384
  heads     = 128
  kv_heads  = 8
  ffn       = swiglu(hidden = 53_248)
  position  = rope(base = 500k)
  context   = 8Ki
}
pretrain core {
  model    = llama_405b
  data     = web
  tokens   = 15.6T
  batch    = ramp([
    { size = 4M tokens, context = 4Ki },
    { size = 8M tokens, context = 8Ki, after = 252M tokens },
    { size = 16M tokens, context = 8Ki, after = 2.87T tokens },
  ])
  optimizer = adamw(eps = 1e-5)
  schedule  = cosine(peak = 8e-5, warmup = 8000 steps, floor = 1%, over = 1.3M steps)
  precision = bf16
  recompute = blocks
}
pretrain long {
  from     = core
  data     = web
  tokens   = 800B
  batch    = 16M tokens
  context  = grow(from = 8Ki, to = 128Ki, stages = 6, gate = needle(score = 100%), on_fail = extend)
  schedule = continue_from(core)
}
pretrain anneal {
  from     = long
  data     = web
  tokens   = 40M
  batch    = 16M tokens
  context  = 128Ki
  schedule = linear()
  publish  = average(checkpoints(every = 16M tokens))
}
release out { model = anneal }
";

fn run(text: &str) -> (Plan, Vec<Diag>) {
    let registry = llmp_exec::registry();
    let files: BTreeMap<String, String> = [("main.llmp".to_owned(), text.to_owned())].into();
    let (loaded, mut sink) = load(&files, "main.llmp");
    let (checked, more) = check(&loaded, &registry, &Options::default());
    sink.extend(more.into_sorted());
    let (plan, more) = plan(&checked, &registry);
    sink.extend(more.into_sorted());
    let loud = sink.into_sorted().into_iter().filter(|d| d.severity != Severity::Info).collect();
    (plan, loud)
}

fn codes(diags: &[Diag]) -> Vec<&str> {
    diags.iter().map(|d| d.code).collect()
}

fn stage(plan: &Plan, name: &str) -> StageCost {
    *plan.stages.get(name).unwrap_or_else(|| panic!("no costs of {name}"))
}

fn near(found: f64, wanted: f64, within: f64) {
    assert!((found / wanted - 1.0).abs() < within, "{found:e} is not {wanted:e}");
}

#[test]
fn llama_3_1_at_true_scale_has_the_warnings_that_its_numbers_deserve() {
    let (plan, diags) = run(&format!("{DATA}{LLAMA}"));
    let words: Vec<_> = diags.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
    assert_eq!(codes(&diags), ["LLMP0621", "LLMP0622"], "{words:#?}");
    assert!(words[0].contains("after 63 steps") && words[0].contains("8_000"), "{}", words[0]);
    assert!(words[1].contains("2.5 batches"), "{}", words[1]);
    assert_eq!(plan.models["llama_405b"].parameters, 405_853_388_800);
    let core = stage(&plan, "core");
    assert_eq!((core.tokens, core.steps), (15_600_000_000_000, 1_154_407));
    // 6 P T is 3.80e25; with attention and without the look-up it is a little more.
    near(core.flops, 3.80e25, 0.05);
    let long = stage(&plan, "long");
    assert!(
        long.tokens.abs_diff(800_000_000_000) < 1_000_000 && long.steps.abs_diff(50_000) < 50,
        "{long:?}"
    );
    assert_eq!(stage(&plan, "anneal").steps, 3);
    // Every setting of these stages has a runtime.
    assert!(plan.lacks.is_empty(), "{:?}", plan.lacks);
    // Weights, gradients and two moments in 32 bits: 16 bytes a parameter at least.
    assert!(core.memory_bytes > 20 * 405_853_388_800 && core.memory_bytes < 24 * 405_853_388_800);
    let goes_on = plan.named("long").unwrap();
    assert_eq!(goes_on.args["schedule_done"].to_string(), "1154407");
    assert!(
        goes_on.args["schedule"].to_string().contains("over = 1300000 steps"),
        "{}",
        goes_on.args["schedule"]
    );
    let falls = plan.named("anneal").unwrap().args["schedule"].to_string();
    assert!(falls.starts_with("linear(peak = 0.000001864279,"), "it starts where the cosine stood: {falls}");
}

#[test]
fn afm_is_pruned_and_distilled_into_the_device_model() {
    let text = r#"llmp 1
source web = text("web/*.txt")
tokenizer device = bpe(train_on = web, vocab = 49_152)
let afm = rmsprop_momentum(betas = [0.95, 0.95], weight_decay = 3.16e-4, mup = simple(base_width = 768))
model big {
  tokenizer = device
  layers = 26
  width = 3072
  heads = 24
  kv_heads = 8
  ffn = swiglu(hidden = 23_552)
  qk_norm = rms(eps = 1e-5)
  qk_norm_place = after_rope
  position = rope(base = 500k)
  embedding = tied
  context = 4Ki
}
pretrain parent {
  model = big
  data = web
  tokens = 6.3T
  batch = 4096 sequences
  optimizer = afm
  schedule = cosine(peak = 0.01, warmup = 5000 steps, floor = 0.5%)
}
prune student { from = parent, keep = { ffn_hidden = 8064 }, data = web, tokens = 188B, batch = 4096 sequences, optimizer = afm }
check student.parameters_non_embedding in 2.58B..2.59B else "on-device budget"
check student.parameters - student.parameters_non_embedding in 0.15B..0.16B else "embedding"
check parent.parameters in 6.3B..6.7B else "6.4B"
distill core {
  from = student
  teacher = parent
  data = web
  tokens = 6.3T
  batch = 4096 sequences
  loss = top1(teacher = 90%, truth = 10%)
  optimizer = afm
  schedule = cosine(peak = 0.01, warmup = 5000 steps, floor = 0.5%)
}
pretrain continued { from = core, data = web, tokens = 1T, context = 8Ki, schedule = constant(3e-4) }
pretrain lengthened {
  from = continued
  data = web
  tokens = 100B
  context = 32Ki
  position = rope(base = 500k, scaling = base_law(from = 8Ki, to = 32Ki))
  schedule = constant(1e-5)
}
quantize shipped { from = lengthened, method = palette(bits = 4, group = 16, average = 3.7), recover = lora(rank = 16), data = web, tokens = 10B }
release out { model = shipped }
"#;
    let (plan, diags) = run(text);
    assert_eq!(codes(&diags), Vec::<&str>::new(), "{diags:#?}");
    let parent = stage(&plan, "parent");
    assert_eq!(parent.steps, 375_510);
    let core = stage(&plan, "core");
    assert_eq!((core.tokens, core.steps), (parent.tokens, parent.steps));
    let own = core.flops - parent.flops / 3.0;
    assert!(own > 0.35 * parent.flops && own < 0.55 * parent.flops, "student plus a forward of the teacher");
    assert!(
        stage(&plan, "student").flops > 0.029 * parent.flops,
        "the whole parent trains while it is pruned"
    );
    assert_eq!(plan.named("student").unwrap().op, "prune");
    assert_eq!(plan.named("core").unwrap().op, "distill");
    assert_eq!(plan.named("shipped").unwrap().op, "quantize");
    let shown = plan.named("core").unwrap().args["model"].to_string();
    assert!(shown.contains("hidden = 8064"), "the pruned sizes are distilled: {shown}");
}

#[test]
fn qwen2_experts_are_cut_from_the_dense_model() {
    let text = r#"llmp 1
source web = text("web/*.txt")
tokenizer tok = bpe(train_on = web, vocab = 151_646)
model qwen_7b {
  tokenizer = tok
  layers = 28
  width = 3584
  heads = 28
  kv_heads = 4
  ffn = swiglu(hidden = 18_944)
  norm = rms(eps = 1e-6)
  qkv_bias = true
  vocab = 152_064
  context = 4Ki
}
pretrain main { model = qwen_7b, data = web, tokens = 6.65T, batch = 4M tokens, schedule = cosine(peak = 3e-4) }
pretrain base_7b { from = main, data = web, tokens = 350B, context = 32Ki, position = rope(base = 1M), batch = 4M tokens, schedule = constant(3e-5) }
model moe like qwen_7b {
  vocab = 151_936
  context = 32Ki
  experts = moe(experts = 64, active = 8, hidden = 2560, shared = 8, renormalise = false, balance = 0.001)
  init = upcycle(from = base_7b, reinit = 50%)
}
pretrain base_57b { model = moe, data = web, tokens = 4.5T, batch = 4M tokens, schedule = constant(3e-5) }
check base_57b.parameters_active in 14.2B..14.3B else "A14B"
release out { model = base_57b }
"#;
    let (plan, diags) = run(text);
    assert_eq!(codes(&diags), Vec::<&str>::new(), "{diags:#?}");
    assert_eq!(plan.models["qwen_7b"].parameters, 7_615_616_512);
    assert_eq!(
        (plan.models["moe"].parameters, plan.models["moe"].active / 10_000_000),
        (57_408_658_944, 1424)
    );
    let step = plan.named("base_57b").unwrap();
    let cut = plan.steps.iter().find(|s| s.op == "upcycle").expect("a step that cuts the experts");
    assert!(step.inputs.iter().any(|p| p.step == cut.id), "it starts from the cut experts");
    let wide = text.replace("  vocab = 151_936\n", "  width = 4096\n  heads = 32\n");
    let wide = wide.replace("check base_57b.parameters_active in 14.2B..14.3B else \"A14B\"\n", "");
    let (_, diags) = run(&wide);
    assert_eq!(codes(&diags), ["LLMP0508"], "{diags:#?}");
}

#[test]
fn merges_distillations_and_orders_that_cannot_be_are_said() {
    let text = |rest: &str| {
        format!(
            r#"llmp 1
source web = text("web/*.txt")
tokenizer tok = bpe(train_on = web, vocab = 4096)
tokenizer same = bpe(train_on = web, vocab = 4096)
tokenizer other = bpe(train_on = web, vocab = 4096, seed_of_another = 1)
model m {{ tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }}
model wide like m {{ width = 384 }}
model twin like m {{ tokenizer = same }}
pretrain a {{ model = m, data = web, tokens = 4M }}
pretrain b {{ model = m, data = web, tokens = 4M, seed = 1 }}
pretrain w {{ model = wide, data = web, tokens = 4M }}
pretrain t {{ model = twin, data = web, tokens = 4M }}
{rest}
"#
        )
        .replace("tokenizer other = bpe(train_on = web, vocab = 4096, seed_of_another = 1)\n", "")
    };
    let of = |rest: &str| codes(&run(&text(rest)).1).iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
    assert_eq!(of("merge x = linear([a, b], weights = [1, 2])"), Vec::<String>::new());
    assert_eq!(of("merge x = slerp(a, t, t = 0.5)"), Vec::<String>::new(), "equal tokenizers are one");
    assert_eq!(of("merge x = linear([a, w])"), ["LLMP0508"]);
    assert_eq!(of("merge x = linear([a, m])"), ["LLMP0201"]);
    assert_eq!(of("merge x = ties([a, b], base = a, density = 20%)"), Vec::<String>::new());
    assert_eq!(of("merge x = warp([a, b], base = a)"), Vec::<String>::new());
    assert_eq!(of("distill x { model = wide, teacher = a, data = web, tokens = 1M }"), Vec::<String>::new());
    assert_eq!(
        of("distill x { model = wide, teacher = [a, b], data = web, tokens = 1M, loss = on_policy() }"),
        Vec::<String>::new()
    );
    assert_eq!(of("distill x { model = wide, teacher = m, data = web, tokens = 1M }"), ["LLMP0201"]);
    assert_eq!(
        of(
            "distill x { model = wide, teacher = a, data = web, tokens = 1M, loss = top1(teacher = 90%, truth = 20%) }"
        ),
        ["LLMP0209"]
    );
    assert_eq!(of("quantize x { from = a, recover = lora() }"), ["LLMP0103", "LLMP0103"]);
    assert_eq!(of("pretrain x { from = a, data = web, tokens = 4M, context = 2Ki }"), ["LLMP0506"]);
    let scaled =
        "pretrain x { from = a, data = web, tokens = 4M, context = 2Ki, position = rope(base = 1M) }";
    assert_eq!(of(scaled), Vec::<String>::new());
    let growing =
        "pretrain x { from = a, data = web, tokens = 4M, context = grow(from = 256, to = 2Ki, stages = 3) }";
    assert_eq!(of(growing), Vec::<String>::new());
    assert_eq!(of(&growing.replace("to = 2Ki", "to = 128")), ["LLMP0603"]);
}

/// The documentation of a code raises it in its first example, and nothing in its second.
#[test]
fn examples_of_the_codes_do_what_they_say() {
    let mine = [
        "LLMP0208", "LLMP0504", "LLMP0505", "LLMP0508", "LLMP0511", "LLMP0603", "LLMP0604", "LLMP0610",
        "LLMP0611", "LLMP0620", "LLMP0621", "LLMP0622",
    ];
    let mut wrong = Vec::new();
    for info in llmp_exec::codes().into_iter().filter(|info| mine.contains(&info.code)) {
        for (index, example) in info.examples().iter().enumerate() {
            let (_, diags) = run(example);
            let wanted: Vec<&str> = if index == 0 { vec![info.code] } else { Vec::new() };
            if codes(&diags) != wanted {
                wrong.push(format!("{example}{diags:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
