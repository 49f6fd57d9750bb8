//! The data card: what sources state of themselves, what is left of them, what was planned and what came.

use std::collections::BTreeMap;

use llmp_interpreter::Program;
use llmp_interpreter::lineage::Lineage;
use llmp_stdlib::number::to_f64;
use llmp_stdlib::source::Rights;
use llmp_stdlib::unit::Dim;
use llmp_stdlib::{ItemRef, Plan, Registry, Value};
use serde::Serialize;

use super::sets::{Set, name};
use crate::ledger::{Done, Row, origins};
use crate::run::Options;
use crate::trace::portions;

/// One source.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Source {
    /// Its item.
    pub name: String,
    /// The reader.
    pub reader: String,
    /// Files as the program writes them.
    pub path: String,
    /// How many files.
    pub files: usize,
    /// The licence that it states.
    pub license: Option<String>,
    /// What it states about robots.txt.
    pub robots: Option<String>,
    /// What it states about rights holders who opted out.
    pub opt_out: Option<String>,
    /// Generations of models between it and people; 0: people wrote it.
    pub generation: u64,
    /// The model that wrote it.
    pub written_by: Option<String>,
    /// It is an evaluation set.
    pub evaluation: bool,
    /// Records read.
    pub records: u64,
    /// Documents that they gave.
    pub documents: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Documents that are left at the ends of the program, counted once for each end.
    pub kept: u64,
    /// Bytes of those.
    pub bytes_kept: u64,
    /// Tokens of those, where they were counted, by their bytes.
    pub tokens_kept: Option<f64>,
}

/// An amount of the plan and of the run.
#[derive(Debug, Clone, Serialize)]
pub struct Estimated {
    /// The item.
    pub item: String,
    /// Fewest and most tokens by the plan; `None`: the plan did not know.
    pub planned: Option<[f64; 2]>,
    /// Tokens by the run.
    pub measured: Option<f64>,
}

/// A stage with what it drew.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// Its item.
    pub name: String,
    /// Tokens that it trained on.
    pub tokens: u64,
    /// Its parts.
    pub parts: Vec<Portion>,
}

/// One part of a mixture.
#[derive(Debug, Clone, Serialize)]
pub struct Portion {
    /// The data.
    pub name: String,
    /// Share of the tokens by the plan.
    pub planned: f64,
    /// Share of the tokens drawn.
    pub drawn: f64,
    /// Tokens drawn.
    pub tokens: u64,
    /// Tokens that there are.
    pub available: u64,
    /// Passes over them.
    pub passes: f64,
}

pub(super) fn sources(
    plan: &Plan,
    options: &Options<'_>,
    done: &[Done<'_>],
    funnel: &[Row],
    sets: &[Set],
) -> Vec<Source> {
    let mut sources = Vec::new();
    for step in plan.steps.iter().filter(|step| step.inputs.is_empty()) {
        if !done.iter().any(|one| one.task.steps.iter().any(|s| s.id == step.id) && one.is_documents()) {
            continue;
        }
        let rights = plan.attributes.get(&step.id).map(Rights::of).unwrap_or_default();
        let own = plan.name(&step.id);
        let row = funnel.iter().find(|row| row.step == own);
        let path = step
            .args
            .values()
            .find_map(|v| if let Value::Text(text) = v { Some(text.clone()) } else { None });
        let mut source = Source {
            reader: step.op.clone(),
            path: path.unwrap_or_default(),
            files: origins(plan, step, options).iter().map(|(_, labels)| labels.len()).sum(),
            license: rights.license.as_ref().map(ToString::to_string),
            robots: rights.robots.map(|robots| format!("{robots:?}").to_lowercase()),
            opt_out: rights.opt_out.map(|opt_out| format!("{opt_out:?}").to_lowercase()),
            generation: rights.synthetic.as_ref().map_or(0, |s| s.generation.max(1)),
            written_by: rights.synthetic.as_ref().map(|s| s.by.0.to_string()),
            evaluation: rights.evaluation,
            records: row.map_or(0, |row| row.flow.input),
            documents: row.map_or(0, |row| row.flow.output),
            bytes: row.map_or(0, |row| row.flow.bytes_out),
            name: own,
            ..Source::default()
        };
        for set in sets {
            let Some(flow) = set.sources.get(&source.name) else { continue };
            source.kept += flow.output;
            source.bytes_kept += flow.bytes_out;
            if let Some(tokens) = set.tokens.filter(|_| set.bytes > 0.0) {
                let own = tokens as f64 * flow.bytes_out as f64 / set.bytes;
                source.tokens_kept = Some(source.tokens_kept.unwrap_or(0.0) + own);
            }
        }
        sources.push(source);
    }
    sources
}

pub(super) fn estimates(
    plan: &Plan,
    program: &Program,
    registry: &Registry,
    done: &[Done<'_>],
    sets: &[Set],
    all: bool,
) -> Vec<Estimated> {
    let lineage = Lineage::new(program, registry, &program.locked);
    let measured: BTreeMap<&str, f64> =
        sets.iter().filter_map(|set| Some((set.name.as_str(), set.tokens? as f64))).collect();
    let mut estimates = Vec::new();
    for (item, port) in &plan.items {
        let documents = done.iter().any(|one| one.task.last().id == port.step && one.is_documents());
        let counted = all && measured.contains_key(item.as_str());
        if !documents && !counted {
            continue;
        }
        let data = lineage.data(&Value::Item(ItemRef { item: item.clone(), part: None }));
        let planned = data.tokens.filter(|t| t.dim == Dim::TOKENS).map(|t| [to_f64(t.low), to_f64(t.high)]);
        let tokens = measured.get(item.as_str()).copied();
        if planned.is_some() || tokens.is_some() {
            estimates.push(Estimated { item: item.clone(), planned, measured: tokens });
        }
    }
    estimates
}

pub(super) fn stages(plan: &Plan, done: &[Done<'_>]) -> Vec<Stage> {
    let mut stages = Vec::new();
    for one in done.iter().filter(|one| matches!(one.task.last().op.as_str(), "pretrain" | "distill")) {
        let portions = portions(one);
        let total: u64 = portions.iter().map(|portion| portion.drawn).sum();
        let part = |portion: &crate::trace::Portion| {
            let shard = done.iter().find(|d| d.task.last().id == portion.tokens.id(one))?;
            let available = shard.finished.manifest.parts.get("")?.counts.get("tokens").copied();
            Some(Portion {
                name: name(plan, shard.task.last().inputs.first()?),
                planned: portion.share,
                drawn: portion.drawn as f64 / total.max(1) as f64,
                tokens: portion.drawn,
                available: available.unwrap_or(0),
                passes: portion.passes,
            })
        };
        let tokens = one.finished.manifest.parts.get("").and_then(|p| p.counts.get("tokens").copied());
        stages.push(Stage {
            name: one.task.name.clone(),
            tokens: tokens.unwrap_or(total),
            parts: portions.iter().filter_map(part).collect(),
        });
    }
    stages
}
