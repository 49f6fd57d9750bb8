//! Estimates of a plan: what stages consume, what they cost, how long they take on declared hardware.

use std::collections::BTreeMap;

use llmp_stdlib::hardware::{Bytes, Dollars, Hours};
use llmp_stdlib::number::to_f64;
use llmp_stdlib::{Estimate, ModelCost, Plan, Rational, Registry, StageCost, View, Yields};
use serde_json::{Value as Json, json};

use crate::lineage::{Consumed, Lineage, Share};
use crate::program::Program;

/// Seconds of an hour.
const HOUR: f64 = 3600.0;

/// What one stage costs.
#[derive(Debug, Clone)]
pub struct StageEstimate {
    /// Its item.
    pub name: String,
    /// Size of the model that it trains.
    pub model: Option<ModelCost>,
    /// Tokens, steps, FLOPs and memory.
    pub cost: StageCost,
    /// What it reads.
    pub parts: Vec<Consumed>,
    /// Text of models in it.
    pub synthetic: Option<Share>,
    /// On each declared machine.
    pub on: Vec<OnHardware>,
}

/// One stage on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct OnHardware {
    /// The item.
    pub hardware: String,
    /// What people call it.
    pub title: String,
    /// Devices.
    pub devices: u64,
    /// Seconds that the stage takes.
    pub seconds: f64,
    /// Hours of one device.
    pub device_hours: f64,
    /// Dollars, where a price is given.
    pub price: Option<f64>,
    /// How the time was computed.
    pub formula: String,
    /// Where hours are published: those, and the utilisation that they imply by 6·P·tokens and by our own count.
    pub published: Option<(f64, f64, f64)>,
}

impl StageEstimate {
    /// 6·P·tokens, which papers quote.
    pub fn six_pt(&self) -> Option<f64> {
        Some(6.0 * self.model?.parameters as f64 * self.cost.tokens as f64)
    }
}

/// Estimates of every stage of a plan, in the order of the program.
pub fn estimates(program: &Program, registry: &Registry, plan: &Plan) -> Vec<StageEstimate> {
    let lineage = Lineage::new(program, registry, &program.locked);
    let machines: Vec<View<'_>> = program
        .items
        .values()
        .filter(|item| item.kind.yields == Yields::Hardware && item.complete && !item.preset)
        .map(|item| item.view(program))
        .collect();
    let one = |name: &String| {
        let cost = *plan.stages.get(name)?;
        let stage = lineage.stage(&llmp_stdlib::Program::view(program, name)?)?;
        let model = lineage.ancestors(name).iter().find_map(|name| plan.models.get(name)).copied();
        let mut estimate = StageEstimate {
            name: name.clone(),
            model,
            cost,
            parts: lineage.consumed(&stage),
            synthetic: lineage.synthetic(&stage),
            on: Vec::new(),
        };
        estimate.on = machines.iter().filter_map(|view| on(view, &estimate, program, plan)).collect();
        Some(estimate)
    };
    program.items.keys().filter_map(one).collect()
}

/// Time in seconds of a stage on a machine: FLOPs / (devices · peak · utilisation).
pub(crate) fn seconds(view: &View<'_>, flops: f64) -> Option<f64> {
    let devices = view.read::<u64>("devices")? as f64;
    let peak = to_f64(view.read::<Rational>("flops")?);
    let share = to_f64(view.read::<Rational>("utilisation")?);
    let rate = devices * peak * share;
    (rate > 0.0).then(|| flops / rate)
}

fn on(view: &View<'_>, stage: &StageEstimate, program: &Program, plan: &Plan) -> Option<OnHardware> {
    let devices = view.read::<u64>("devices")?;
    let peak = to_f64(view.read::<Rational>("flops")?);
    let share = to_f64(view.read::<Rational>("utilisation")?);
    let seconds = seconds(view, stage.cost.flops)?;
    let device_hours = seconds * devices as f64 / HOUR;
    let price = view.read::<Dollars>("price_per_hour").map(|d| device_hours * to_f64(d.0));
    let hours: BTreeMap<String, Rational> =
        view.read::<Hours>("hours").map(|h| h.0.into_iter().collect()).unwrap_or_default();
    let published = hours.get(&stage.name).map(|h| to_f64(*h)).filter(|h| *h > 0.0).map(|h| {
        let all = h * HOUR * peak;
        let (tokens, flops) = up_to(stage, &hours, program, plan);
        let six = stage.model.map_or(flops, |model| 6.0 * model.parameters as f64 * tokens);
        (h, six / all, flops / all)
    });
    Some(OnHardware {
        hardware: view.name.to_owned(),
        title: view.read::<String>("name").unwrap_or_else(|| view.name.to_owned()),
        devices,
        seconds,
        device_hours,
        price,
        formula: format!("{:.2e} FLOPs / ({devices} · {peak:.3e} · {:.0}%)", stage.cost.flops, share * 100.0),
        published,
    })
}

/// Tokens and FLOPs of a stage and of those that it goes on from, back to one whose hours are given besides.
fn up_to(
    stage: &StageEstimate,
    hours: &BTreeMap<String, Rational>,
    program: &Program,
    plan: &Plan,
) -> (f64, f64) {
    let first = llmp_stdlib::Program::view(program, &stage.name);
    let before = std::iter::successors(first, |view| view.follow("from")).take(plan.stages.len());
    let own = before.take_while(|view| view.name == stage.name || !hours.contains_key(view.name));
    let costs = own.filter_map(|view| plan.stages.get(view.name));
    costs.fold((0.0, 0.0), |(tokens, flops), cost| (tokens + cost.tokens as f64, flops + cost.flops))
}

/// Memory of all devices of a machine.
pub(crate) fn memory(view: &View<'_>) -> Option<u64> {
    view.read::<u64>("devices")?.checked_mul(view.read::<Bytes>("memory")?.0)
}

fn range(estimate: Option<Estimate>) -> Json {
    estimate.map_or(Json::Null, |e| json!([to_f64(e.low), to_f64(e.high)]))
}

/// Estimates as JSON, by stage.
pub fn json(estimates: &[StageEstimate]) -> Json {
    let mut out = BTreeMap::new();
    for stage in estimates {
        let part = |part: &Consumed| {
            let epochs =
                part.repeat.map(|r| json!([to_f64(r.least), r.most.map(to_f64)])).unwrap_or(Json::Null);
            json!({
                "name": part.name,
                "sources": part.sources,
                "share": part.share.map(to_f64),
                "tokens": part.repeat.map(|r| to_f64(r.tokens)),
                "available": range(part.available),
                "epochs": epochs,
            })
        };
        let machine = |on: &OnHardware| {
            let published = on.published.map(|(hours, six, own)| {
                json!({ "device_hours": hours, "utilisation_6pt": six, "utilisation": own })
            });
            json!({
                "hardware": on.hardware, "devices": on.devices, "seconds": on.seconds,
                "device_hours": on.device_hours, "price": on.price, "formula": on.formula, "published": published,
            })
        };
        let synthetic = stage
            .synthetic
            .map(|s| json!({ "share": [to_f64(s.low), to_f64(s.high)], "generation": s.generation }));
        let value = json!({
            "tokens": stage.cost.tokens,
            "flops": stage.cost.flops,
            "flops_6pt": stage.six_pt(),
            "memory": {
                "weights_and_gradients": stage.cost.weight_bytes,
                "optimizer": stage.cost.optimizer_bytes,
                "activations": stage.cost.activation_bytes,
            },
            "checkpoint_bytes": stage.cost.checkpoint_bytes,
            "parts": stage.parts.iter().map(part).collect::<Vec<_>>(),
            "synthetic": synthetic,
            "on": stage.on.iter().map(machine).collect::<Vec<_>>(),
        });
        out.insert(stage.name.clone(), value);
    }
    json!(out)
}
