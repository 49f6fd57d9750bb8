//! The step that compares measured runs: a table, JSON and a page with plots.

use llmp_train::comparison::{Trial, compare as compared};
use llmp_train::kinds::Comparing;

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
    let mut trials = Vec::new();
    for run in settings.runs {
        let (model, measured) = (manifest(run.model)?, manifest(run.metrics)?);
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
        });
    }
    let found = compared(&trials, settings.expect.as_ref()).map_err(bad)?;
    let json = serde_json::to_string_pretty(&found).map_err(|e| bad(e.to_string()))?;
    let folder = work.folder.join("comparison");
    std::fs::create_dir_all(&folder).map_err(|e| Failure::io("create", &folder, &e))?;
    for (name, text) in [
        ("comparison.json", format!("{json}\n")),
        ("comparison.txt", found.table()),
        ("comparison.html", found.page(&work.name())),
    ] {
        durable::write(&folder.join(name), text.as_bytes(), work.options.hook)?;
    }
    let mut made =
        Made::whole("comparison", durable::hash_folder(&folder)?, &[("runs", trials.len() as u64)]);
    for (metric, arms) in &found.metrics {
        let differences = arms.iter().filter_map(|m| Some((m, m.difference?)));
        made.metrics.extend(differences.map(|(m, d)| (format!("{metric}: {}", m.arm), d.mean)));
    }
    Ok(made)
}
