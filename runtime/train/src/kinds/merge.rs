//! `merge name = …`: one model out of several with the same shapes.

use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::{
    Arg, Call, Form, ItemRef, Kind, Output, Planner, Problem, Settings, Ty, Value, View, Yields,
};

use super::chain::{self, Known};

llmp_stdlib::def! {
    /// Models are merged by a formula over their weights, without training. All must have the same shapes and one tokenizer.
    ///
    /// ```llmp
    /// merge soup = linear([seed_1, seed_2, seed_3])
    /// ```
    Merge = "merge", rev 1 {}
}

llmp_stdlib::def! {
    /// The base plus what each model changed, most entries of it dropped at random and the rest scaled up by
    /// `1 / (1 - drop)`, so that their mean stays (Yu et al. 2023).
    Dare = "dare", rev 1, check check_dare {
        /// The models.
        models: Vec<ModelRef>,
        /// The model that all of them were trained from.
        base: ModelRef,
        /// Share of the entries that is dropped.
        drop: f64 = "90%",
        /// Weight of each change; empty: their mean.
        weights: Vec<f64> = "[]",
        /// Seed of what is dropped.
        seed: u64 = "0",
    }
}

fn check_dare(it: &Dare) -> Vec<Problem> {
    let all = (it.drop >= 1.0).then(|| {
        Problem::error(
            "LLMP0209",
            "drop",
            "`drop` lies from 0% to below 100%: something of each change must stay",
        )
    });
    all.or_else(|| share("drop", it.drop)).into_iter().chain(weights(&it.models, &it.weights)).collect()
}

llmp_stdlib::def! {
    /// The weighted mean (model soup, Wortsman et al. 2022; Llama 3.1 at every stage of post-training).
    Mean = "linear", rev 1, check check_mean {
        /// The models.
        models: Vec<ModelRef>,
        /// Weight of each; they are scaled to sum to one. Empty: all alike.
        weights: Vec<f64> = "[]",
    }
}

fn check_mean(it: &Mean) -> Vec<Problem> {
    let nothing = !it.weights.is_empty() && it.weights.iter().sum::<f64>().abs() < 1e-8;
    let message = "the weights sum to 0: nothing can be divided by them";
    let nothing = nothing.then(|| Problem::error("LLMP0209", "weights", message));
    weights(&it.models, &it.weights).into_iter().chain(nothing).collect()
}

llmp_stdlib::def! {
    /// Along the arc between two models, tensor by tensor (Shoemake 1985). With `base` the arc is that of what they changed
    /// of it. Tensors of two models whose cosine is above 0.9995 are joined by a straight line, as in mergekit.
    Slerp = "slerp", rev 1, check check_slerp {
        /// One model.
        a: ModelRef,
        /// The other.
        b: ModelRef,
        /// How far from the first to the second.
        t: f64 = "50%",
        /// The model that both were trained from.
        base: Option<ModelRef> = "none",
    }
}

fn check_slerp(it: &Slerp) -> Vec<Problem> {
    share("t", it.t).into_iter().collect()
}

llmp_stdlib::def! {
    /// The base plus the weighted sum of what each model changed (Ilharco et al. 2023).
    TaskArithmetic = "task_arithmetic", rev 1, check check_task {
        /// The models.
        models: Vec<ModelRef>,
        /// The model that all of them were trained from.
        base: ModelRef,
        /// Weight of each change; empty: 1 each.
        weights: Vec<f64> = "[]",
    }
}

fn check_task(it: &TaskArithmetic) -> Vec<Problem> {
    weights(&it.models, &it.weights)
}

llmp_stdlib::def! {
    /// What each model changed, cut to its largest entries, tensor by tensor; where signs differ, the heavier side wins and
    /// the mean is that of its models alone (Yadav et al. 2023).
    Ties = "ties", rev 1, check check_ties {
        /// The models.
        models: Vec<ModelRef>,
        /// The model that all of them were trained from.
        base: ModelRef,
        /// Share of the entries that is kept.
        density: f64 = "20%",
        /// Weight of each change; empty: all alike.
        weights: Vec<f64> = "[]",
    }
}

fn check_ties(it: &Ties) -> Vec<Problem> {
    share("density", it.density).into_iter().chain(weights(&it.models, &it.weights)).collect()
}

llmp_stdlib::def! {
    /// The arc between task vectors, then a part of the way from the base to it (WARP, Ramé et al. 2024; cited by Gemma 2).
    Warp = "warp", rev 1, check check_warp {
        /// The models.
        models: Vec<ModelRef>,
        /// The model that all of them were trained from.
        base: ModelRef,
        /// How far along the arc from the first to the second; more than two models have equal parts.
        slerp: f64 = "50%",
        /// How far from the base to the merged model; all of the way in the last round.
        toward: f64 = "30%",
    }
}

fn check_warp(it: &Warp) -> Vec<Problem> {
    let unequal = it.models.len() > 2 && it.slerp != 0.5;
    let message = format!("{} models have equal parts: `slerp` is that of two", it.models.len());
    let unequal =
        unequal.then(|| Problem::error("LLMP0209", "slerp", message).fix("leave it at 50%", "slerp", "50%"));
    let shares = [share("slerp", it.slerp), share("toward", it.toward), many(&it.models), unequal];
    shares.into_iter().flatten().collect()
}

llmp_stdlib::family! {
    /// How models become one.
    MergeMethod = "merge method" { Dare, Mean, Slerp, TaskArithmetic, Ties, Warp }
}

fn share(name: &str, value: f64) -> Option<Problem> {
    let message = || format!("`{name}` lies between 0% and 100%, not {value}");
    (!(0.0..=1.0).contains(&value)).then(|| Problem::error("LLMP0209", name, message()))
}

fn many(models: &[ModelRef]) -> Option<Problem> {
    models.is_empty().then(|| Problem::error("LLMP0209", "models", "at least one model is merged"))
}

fn weights(models: &[ModelRef], weights: &[f64]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = many(models).into_iter().collect();
    if !weights.is_empty() && weights.len() != models.len() {
        let message = format!("{} weights for {} models", weights.len(), models.len());
        problems.push(Problem::error("LLMP0209", "weights", message));
    }
    problems
}

/// Not the family itself: its constructors share names with those of other families (`linear`) and stand for models
/// only here.
const METHOD: Ty = Ty::OneOf(&[<MergeMethod as Arg>::TY]);

/// The kind.
pub(super) static KIND: Kind = Kind {
    fields: chain::FIELDS,
    check,
    ..Kind::new(Merge::SIGNATURE, Form::Value(METHOD), Yields::Model, elaborate)
};

/// Every item that the method names, with the path of its name.
fn named(call: &Call) -> Vec<(String, &ItemRef)> {
    let mut all = Vec::new();
    for (name, value) in &call.args {
        match value {
            Value::Item(item) => all.push((name.clone(), item)),
            Value::List(items) => {
                let indexed = items.iter().enumerate();
                all.extend(indexed.filter_map(|(i, v)| Some((format!("{name}.{i}"), super::item_name(v)?))));
            }
            _ => {}
        }
    }
    all
}

fn check(view: &View<'_>) -> Vec<Problem> {
    let Some(Value::Call(call)) = view.value else { return Vec::new() };
    let seen = |(at, item): (String, &ItemRef)| Some((at, view.program.view(&item.item)?));
    let views: Vec<_> = named(call).into_iter().filter_map(seen).collect();
    let mut problems: Vec<Problem> = half_adapted(&views).into_iter().collect();
    let mut first: Option<(String, View<'_>)> = None;
    for (at, model) in views {
        if model.kind.signature.name == "model" && model.value.is_none() {
            let message = format!("`{}` describes a model; it has no weights to merge", model.name);
            problems.push(Problem::error("LLMP0201", &at, message).help("name the stage that trains it"));
            continue;
        }
        let Some((there, one)) = &first else {
            first = Some((at, model));
            continue;
        };
        problems.extend(differ((there, one), (&at, &model)));
    }
    problems
}

/// An adapter beside a model whose weights were all trained. The model that an adapter was trained on may stand beside it.
fn half_adapted(views: &[(String, View<'_>)]) -> Option<Problem> {
    let merged = || views.iter().filter(|(at, _)| at != "base");
    let adapts = |view: &View<'_>| view.get("adapter").is_some();
    let (there, adapter) = merged().find(|(_, view)| adapts(view))?;
    let below = chain::ancestry(adapter);
    let whole = |view: &View<'_>| !adapts(view) && view.kind.signature.name != Merge::SIGNATURE.name;
    let (at, other) =
        merged().find(|(_, view)| whole(view) && below.iter().all(|beneath| beneath.name != view.name))?;
    let message = format!(
        "`{}` trained an adapter on frozen weights, `{}` all of its weights",
        adapter.name, other.name
    );
    Some(Problem::error("LLMP0508", at, message).label(at, "all weights").label(there, "an adapter").help(
        "merge adapters of one model with one another or with that model, and whole models with whole ones",
    ))
}

fn differ((there, one): (&str, &View<'_>), (at, other): (&str, &View<'_>)) -> Option<Problem> {
    if chain::same_tokenizer(one, other) == Some(false) {
        let (a, b) = chain::tokenizer_names(one, other);
        let message = format!(
            "`{}` reads tokens of `{a}`, `{}` tokens of `{b}`: their rows do not match",
            one.name, other.name
        );
        return Some(
            Problem::error("LLMP0504", at, message)
                .label(at, format!("tokens of `{b}`"))
                .label(there, format!("tokens of `{a}`"))
                .help("merge models that share a tokenizer"),
        );
    }
    let (a, b) = (Known::of(one)?.sizes?, Known::of(other)?.sizes?);
    let (what, left, right) = chain::difference(&a, &b)?;
    let message =
        format!("`{}` has {what} {left}, `{}` has {right}: they cannot be merged", one.name, other.name);
    Some(
        Problem::error("LLMP0508", at, message)
            .label(at, format!("{what} {right}"))
            .label(there, format!("{what} {left}"))
            .help("merge models with the same shapes"),
    )
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let missing = || Problem::error("LLMP0103", "", "no models to merge");
    let value = view.value.ok_or_else(missing)?;
    let first = chain::first_item(value).ok_or_else(missing)?;
    let Output::Model { spec, tokenizer, .. } = planner.item(first)? else {
        return Err(Problem::error("LLMP0201", "", "this is not a model"));
    };
    let mut tokenizers = Vec::new();
    let items = if let Value::Call(call) = value { named(call) } else { Vec::new() };
    for (_, item) in items {
        if let Output::Model { tokenizer: Some(tokenizer), .. } = planner.item(item)?
            && !tokenizers.contains(&Value::Port(tokenizer.clone()))
        {
            tokenizers.push(Value::Port(tokenizer));
        }
    }
    let method = super::ported(value, "", planner)?;
    let args = [("method".to_owned(), method), ("tokenizers".to_owned(), Value::List(tokenizers))].into();
    let weights = planner.step(Merge::SIGNATURE.name, Merge::SIGNATURE.rev, args);
    Ok(Output::Model { spec, tokenizer, weights: Some(weights) })
}
