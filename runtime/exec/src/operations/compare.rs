//! The step that compares measured runs: a table, JSON and a page with plots.

use std::path::Path;

use llmp_stdlib::compare::words;
use llmp_train::comparison::{Trial, compare as compared, held};
use llmp_train::curve::{self, Curve};
use llmp_train::kinds::Comparing;
use serde_json::Value;

use super::{Made, Work};
use crate::failure::Failure;
use crate::store::durable;

/// Compares runs that were trained and measured by steps before this one.
pub(crate) fn compare(work: &Work<'_>) -> Result<Made, Failure> {
    let bad = |words: String| Failure::new("LLMP1003", format!("`{}`: {words}", work.name()));
    let settings = Comparing::from_args(&work.step().args).map_err(bad)?;
    work.started(None, "runs");
    let manifest = |input: usize| {
        let port = work.step().inputs.get(input);
        let found = port.and_then(|port| work.results.get(&port.step)).map(|found| &found.manifest);
        found.ok_or_else(|| bad(format!("input {input} is missing")))
    };
    let (mut trials, mut curves) = (Vec::new(), Vec::new());
    for run in settings.runs {
        let (model, measured) = (manifest(run.model)?, manifest(run.metrics)?);
        let arm = words(&run.arm);
        let folder = work.stored(work.step(), run.model)?;
        curves.push(Curve::read(format!("{arm}, seed {}", run.seed), arm, &folder));
        let named = |name: &str| settings.measure.iter().any(|m| name.split('.').next() == Some(m));
        trials.push(Trial {
            arm: run.arm,
            seed: run.seed,
            metrics: measured
                .metrics
                .iter()
                .filter(|(name, _)| named(name))
                .map(|(n, v)| (n.clone(), *v))
                .collect(),
            tokens: model.parts.get("").and_then(|c| c.counts.get("tokens")).copied().unwrap_or(0),
            flops: model.metrics.get("flops").copied().unwrap_or(0.0),
            epochs: passes(&folder),
        });
    }
    held(&trials, settings.hold).map_err(|words| {
        Failure::new("LLMP1204", format!("`{}`: {words}", work.name()))
            .help("give the arms equal budgets, or change `hold`: what was trained is kept")
    })?;
    let found = compared(&trials, settings.expect.as_ref(), settings.fit.as_ref()).map_err(bad)?;
    let json = serde_json::to_string_pretty(&found).map_err(|e| bad(e.to_string()))?;
    let folder = work.folder.join("comparison");
    std::fs::create_dir_all(&folder).map_err(|e| Failure::io("create", &folder, &e))?;
    for (name, text) in [
        ("comparison.json", format!("{json}\n")),
        ("comparison.txt", found.table()),
        ("comparison.html", found.page(&work.name(), &curve::figure("loss of all runs", &curves))),
    ] {
        durable::write(&folder.join(name), text.as_bytes(), work.options.hook)?;
    }
    let mut made =
        Made::whole("comparison", durable::hash_folder(&folder)?, &[("runs", trials.len() as u64)]);
    for (metric, arms) in &found.metrics {
        let differences = arms.iter().filter_map(|m| Some((m, m.difference?)));
        made.metrics.extend(differences.map(|(m, d)| (format!("{metric}: {}", m.arm), d.mean)));
    }
    for (metric, law) in &found.laws {
        let power = law.power.map(|[scale, exponent]| [("scale", scale), ("exponent", exponent)]);
        let forecast = law.forecast.map(|f| [("tokens", f.tokens), ("parameters", f.parameters)]);
        let numbers = power.into_iter().chain(forecast).flatten();
        made.metrics.extend(numbers.map(|(name, value)| (format!("{metric}: {name}"), value)));
    }
    Ok(made)
}

/// Passes of a stage over all of its sources together.
fn passes(folder: &Path) -> f64 {
    let summary = std::fs::read(folder.join("stage.json")).ok();
    let summary: Option<Value> = summary.and_then(|text| serde_json::from_slice(&text).ok());
    let list = |name: &str| -> Vec<f64> {
        let list = summary.as_ref().and_then(|s| s.get(name)?.as_array());
        list.map(|values| values.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
    };
    let (drawn, epochs) = (list("drawn"), list("epochs"));
    let there: f64 = drawn.iter().zip(&epochs).filter(|(_, e)| **e > 0.0).map(|(drawn, e)| drawn / e).sum();
    if there > 0.0 { drawn.iter().sum::<f64>() / there } else { 0.0 }
}
