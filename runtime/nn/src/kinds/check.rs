//! What can be wrong with a model before anything runs.

use llmp_stdlib::{Arg, Problem, Rational, Value, View, number};

use super::families::{AttentionReach, Experts, Ffn, Init, LayerNorm, Norm, Position, Rms};
use super::sizes::{feed_forward, padded, tokenizer_size};

/// Sizes that are multiples of this keep matrix products on their fast paths.
const STEP: usize = 64;

/// How far from a wrong number a better one is looked for.
const SEARCH: usize = 4096;

/// All rules over one model.
pub(super) fn check(view: &View<'_>) -> Vec<Problem> {
    if view.value.is_some() {
        return Vec::new();
    }
    let mut problems = positive(view);
    problems.extend(width_and_heads(view));
    problems.extend(kv_heads(view));
    problems.extend(head_dim(view));
    problems.extend(vocab(view));
    problems.extend(multiples(view));
    problems.extend(wide_feed_forward(view));
    problems.extend(experts(view));
    problems.extend(reaches(view));
    problems
}

fn positive(view: &View<'_>) -> Vec<Problem> {
    let names = ["layers", "width", "heads", "kv_heads", "head_dim", "context", "vocab"];
    let zero = |name: &&str| view.read::<usize>(name) == Some(0);
    let problem = |name| Problem::error("LLMP0209", name, format!("`{name}` is 0, a model needs at least 1"));
    let mut problems: Vec<Problem> = names.into_iter().filter(zero).map(problem).collect();
    if hidden_units(view) == Some(0) {
        problems.push(Problem::error("LLMP0209", "ffn", "the feed-forward has 0 hidden units"));
    }
    if let Some(Position::Rope(rope)) = view.read("position")
        && rope.base <= Rational::from(1)
    {
        let message =
            format!("the base of rotary positions is {}, it must be above 1", number::show(rope.base));
        problems.push(Problem::error("LLMP0209", "position.base", message));
    }
    for member in ["norm", "qk_norm"] {
        let Some(norm) = view.read::<Norm>(member) else { continue };
        let (Norm::Rms(Rms { eps, .. }) | Norm::LayerNorm(LayerNorm { eps, .. })) = norm;
        if eps <= Rational::from(0) {
            let message = format!("`eps` is {}, it must be above 0", number::show(eps));
            problems.push(Problem::error("LLMP0209", &format!("{member}.eps"), message));
        }
    }
    if view.read::<Rational>("dropout").is_some_and(|d| d >= Rational::from(1)) {
        problems.push(Problem::error("LLMP0209", "dropout", "dropout leaves nothing: it must be below 100%"));
    }
    for member in ["attention_cap", "logit_cap", "score_scale", "embedding_scale"] {
        if view.read::<Rational>(member).is_some_and(|n| n <= Rational::from(0)) {
            problems.push(Problem::error("LLMP0209", member, format!("`{member}` must be above 0")));
        }
    }
    problems
}

/// Hidden units of the feed-forward, when they are known.
fn hidden_units(view: &View<'_>) -> Option<usize> {
    let width = view.read("width").filter(|w: &usize| *w > 0)?;
    feed_forward(&view.read("ffn")?, width).2
}

/// Reports often count gate and up together: Gemma 2's "feedforward dim" is twice the width of either.
fn wide_feed_forward(view: &View<'_>) -> Option<Problem> {
    let (ffn, width): (Ffn, usize) = (view.read("ffn")?, view.read("width")?);
    let (_, gated, hidden) = feed_forward(&ffn, width);
    let hidden = hidden.filter(|h| gated && width > 0 && *h > width.saturating_mul(8))?;
    let message = format!(
        "{hidden} hidden units at width {width} are {} times the width, more than gated models have",
        hidden / width
    );
    let problem = Problem::warning("LLMP0511", "ffn.hidden", message);
    let help = "`hidden` is the width of one of the two matrices; some reports add gate and up together \
                (Gemma 2, table 1: 73,728 for 36,864)";
    Some(problem.help(help).fix(format!("use {}", hidden / 2), "ffn.hidden", (hidden / 2).to_string()))
}

fn experts(view: &View<'_>) -> Vec<Problem> {
    let Some(Experts::Moe(moe)) = view.read("experts") else { return Vec::new() };
    let mut problems = Vec::new();
    if moe.experts == 0 || moe.active == 0 {
        problems.push(Problem::error("LLMP0209", "experts", "a token uses at least 1 of at least 1 expert"));
    } else if moe.active > moe.experts {
        let message = format!("{} active experts of {}", moe.active, moe.experts);
        let problem = Problem::error("LLMP0209", "experts.active", message);
        problems.push(problem.fix("use all", "experts.active", moe.experts.to_string()));
    }
    if moe.hidden == Some(0) {
        problems.push(Problem::error("LLMP0209", "experts.hidden", "an expert has at least 1 hidden unit"));
    }
    if let Some(Init::Upcycle(upcycle)) = view.read("init")
        && !(Rational::from(0)..=Rational::from(1)).contains(&upcycle.reinit)
    {
        problems.push(Problem::error("LLMP0209", "init.reinit", "a share lies between 0% and 100%"));
    }
    problems
}

fn reaches(view: &View<'_>) -> Vec<Problem> {
    let Some(pattern) = view.read::<Vec<AttentionReach>>("pattern") else { return Vec::new() };
    let mut problems = Vec::new();
    if pattern.is_empty() {
        let message = "a pattern names the reach of at least one block";
        problems.push(Problem::error("LLMP0209", "pattern", message).fix(
            "attend to everything",
            "pattern",
            "[global]",
        ));
    }
    if pattern.iter().any(|r| matches!(r, AttentionReach::Local(local) if local.window == 0)) {
        problems.push(Problem::error("LLMP0209", "pattern", "a window has at least 1 position"));
    }
    problems
}

/// The divisor of `of` that is nearest to `n`, the larger of two.
fn nearest_divisor(of: usize, n: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let around = (0..=of.max(n).min(SEARCH)).flat_map(|d| [n.checked_add(d), n.checked_sub(d)]);
    around.flatten().find(|&c| c > 0 && of.is_multiple_of(c) && fits(c))
}

fn width_and_heads(view: &View<'_>) -> Option<Problem> {
    let (width, heads) = sizes(view, "width", "heads")?;
    if view.members.get("head_dim") != Some(&Value::None) || width.is_multiple_of(heads) {
        return None;
    }
    let message = format!("width {width} is not a multiple of {heads} heads");
    let problem = Problem::error("LLMP0501", "heads", message)
        .label("width", format!("{width} / {heads} leaves {}", width % heads))
        .help("give a number of heads that divides the width, or a `head_dim` of your own");
    let kv: Option<usize> = view.read("kv_heads");
    let even = |h: usize| (width / h).is_multiple_of(2);
    let grouped = |h: usize| kv.is_none_or(|kv| kv == 0 || h.is_multiple_of(kv));
    let better = nearest_divisor(width, heads, |h| even(h) && grouped(h))
        .or_else(|| nearest_divisor(width, heads, even));
    Some(match better {
        Some(better) => {
            problem.fix(format!("use {better} heads of {}", width / better), "heads", better.to_string())
        }
        None => problem,
    })
}

fn kv_heads(view: &View<'_>) -> Option<Problem> {
    let (heads, kv) = sizes(view, "heads", "kv_heads")?;
    if heads.is_multiple_of(kv) {
        return None;
    }
    let message = format!("{kv} key and value heads do not divide {heads} query heads");
    let problem = Problem::error("LLMP0502", "kv_heads", message)
        .label("heads", format!("{heads} / {kv} leaves {}", heads % kv))
        .help("every key head serves the same number of query heads");
    let better = nearest_divisor(heads, kv, |_| true)?;
    Some(problem.fix(format!("use {better} key and value heads"), "kv_heads", better.to_string()))
}

fn head_dim(view: &View<'_>) -> Option<Problem> {
    if !matches!(view.read("position"), Some(Position::Rope(_))) {
        return None;
    }
    let message = |dim: usize| format!("heads of width {dim} cannot have rotary positions, which turn pairs");
    if let Some(dim) = view.read::<usize>("head_dim") {
        let odd = Problem::error("LLMP0507", "head_dim", message(dim));
        let fixed = odd.fix(format!("use {}", dim + 1), "head_dim", (dim + 1).to_string());
        return (!dim.is_multiple_of(2)).then_some(fixed);
    }
    let (width, heads) = sizes(view, "width", "heads")?;
    let dim = width / heads;
    if view.members.get("head_dim") != Some(&Value::None)
        || !width.is_multiple_of(heads)
        || dim.is_multiple_of(2)
    {
        return None;
    }
    let problem = Problem::error("LLMP0507", "heads", message(dim))
        .label("width", format!("{width} / {heads} is {dim}"));
    let problem =
        problem.help("give a number of heads that leaves an even width, or a `head_dim` of your own");
    let better = nearest_divisor(width, heads, |h| (width / h).is_multiple_of(2));
    Some(match better {
        Some(better) => {
            problem.fix(format!("use {better} heads of {}", width / better), "heads", better.to_string())
        }
        None => problem,
    })
}

fn vocab(view: &View<'_>) -> Option<Problem> {
    let vocab: usize = view.read("vocab")?;
    let size = tokenizer_size(view)?;
    if vocab >= size {
        return None;
    }
    let enough = padded(size);
    let message = format!("vocab {vocab} is smaller than the tokenizer's {size} tokens");
    let problem = Problem::error("LLMP0503", "vocab", message).label("tokenizer", format!("{size} tokens"));
    Some(problem.fix(format!("use {enough}"), "vocab", enough.to_string()))
}

fn multiples(view: &View<'_>) -> Vec<Problem> {
    let written = |ffn: Ffn| match ffn {
        Ffn::Swiglu(f) => f.hidden,
        Ffn::Geglu(f) => f.hidden,
        Ffn::Gelu(f) => f.hidden,
        Ffn::Relu2(f) => f.hidden,
    };
    let hidden = view.read("ffn").and_then(written);
    let sizes = [("width", view.read("width")), ("vocab", view.read("vocab")), ("ffn.hidden", hidden)];
    let mut problems = Vec::new();
    for (path, size) in sizes {
        let Some(size) = size.filter(|n: &usize| !n.is_multiple_of(STEP)) else { continue };
        let (name, better) = (path.rsplit('.').next().unwrap_or(path), padded(size));
        let message = format!("{name} {size} is not a multiple of {STEP}, which matrix products like");
        // A new width moves what heads divide; only a width that stays divisible is offered.
        let divides =
            path != "width" || view.read("heads").is_none_or(|h: usize| h > 0 && better.is_multiple_of(h));
        let problem = Problem::warning("LLMP0509", path, message);
        problems.push(if divides {
            problem.fix(format!("use {better}"), path, better.to_string())
        } else {
            problem
        });
    }
    problems
}

/// Members that the language has and this runtime does not: said before a run starts, never ignored.
pub(super) fn lacks(view: &View<'_>) -> Vec<Problem> {
    if view.value.is_some() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if view.read::<Experts>("experts").is_some() && view.read::<bool>("bias") == Some(true) {
        problems.push(unavailable("bias", "a mixture of experts with biases"));
    }
    problems
}

fn unavailable(path: &str, what: &str) -> Problem {
    Problem::error("LLMP0703", path, format!("{what} is not available in this version"))
}

/// Two members that are known and not 0.
fn sizes(view: &View<'_>, left: &str, right: &str) -> Option<(usize, usize)> {
    let read = |name| view.get(name).and_then(|v| usize::read(v).ok()).filter(|&n| n > 0);
    Some((read(left)?, read(right)?))
}
