//! The plan: steps with canonical arguments, wired by inputs; plain data shared by all crates.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::value::{Record, Value, canonical_record};

/// Identity of a step: a hash of its definition (op, rev, arguments, inputs), 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub String);

/// One result of a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The step.
    pub step: StepId,
    /// The part of its result; `None` is the main one.
    pub part: Option<String>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Identity.
    pub id: StepId,
    /// What is done: the name of a built-in.
    pub op: String,
    /// Revision of the built-in.
    pub rev: u32,
    /// Arguments; `Value::Input(n)` stands for the n-th input.
    pub args: Record,
    /// Results of other steps that it reads.
    pub inputs: Vec<Port>,
    /// Revisions of the constructors among the arguments, where they are above one.
    pub revs: BTreeMap<String, u32>,
}

impl Step {
    /// A step with its identity computed.
    pub fn new(op: &str, rev: u32, args: Record, inputs: Vec<Port>) -> Step {
        Step::with_revs(op, rev, args, inputs, BTreeMap::new())
    }

    /// A step whose arguments hold constructors of these revisions, its identity computed.
    pub fn with_revs(
        op: &str,
        rev: u32,
        args: Record,
        inputs: Vec<Port>,
        revs: BTreeMap<String, u32>,
    ) -> Step {
        let mut step = Step { id: StepId(String::new()), op: op.to_owned(), rev, args, inputs, revs };
        let hash = blake3::hash(step.canonical().to_string().as_bytes());
        step.id = StepId(hash.to_hex().as_str()[..16].to_owned());
        step
    }

    /// Canonical JSON of the definition.
    pub fn canonical(&self) -> Json {
        let input = |port: &Port| match &port.part {
            Some(part) => json!(format!("{}.{part}", port.step.0)),
            None => json!(port.step.0),
        };
        let mut canonical = json!({
            "args": canonical_record(&self.args),
            "inputs": self.inputs.iter().map(input).collect::<Vec<_>>(),
            "op": self.op,
            "rev": self.rev,
        });
        if let (Some(fields), false) = (canonical.as_object_mut(), self.revs.is_empty()) {
            fields.insert("revs".into(), json!(self.revs));
        }
        canonical
    }
}

/// Size of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct ModelCost {
    /// All parameters (a tied matrix counts once).
    pub parameters: u64,
    /// Without the input embedding and an untied head.
    pub non_embedding: u64,
    /// Parameters used for one token.
    pub active: u64,
}

/// Size of a training stage.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct StageCost {
    /// Tokens consumed.
    pub tokens: u64,
    /// Optimizer steps.
    pub steps: u64,
    /// Floating-point operations of forward and backward.
    pub flops: f64,
    /// Estimated peak memory in bytes: all that follows together.
    pub memory_bytes: u64,
    /// Weights and gradients.
    pub weight_bytes: u64,
    /// State of the optimizer.
    pub optimizer_bytes: u64,
    /// What the forward pass keeps for the backward pass.
    pub activation_bytes: u64,
    /// Checkpoints that are on disk at once, the result among them.
    pub checkpoint_bytes: u64,
}

/// A condition that the run decides before it spends anything behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// As written.
    pub condition: String,
    /// What to say where it does not hold.
    pub words: String,
    /// The condition without names: the column `0` stands for the first of `reads`. `None` where a run cannot decide it.
    pub formula: Option<crate::Formula>,
    /// What the run gives: the item as people call it, its result, and what is read of it.
    pub reads: Vec<(String, Port, String)>,
    /// Where it is written; not part of the hash.
    pub span: llmp_grammar::Span,
}

impl Guard {
    /// What counts of it: the formula and what it reads, names left out.
    fn canonical(&self) -> String {
        let read = |(_, port, field): &(String, Port, String)| {
            format!("{}.{}.{field}", port.step.0, port.part.as_deref().unwrap_or_default())
        };
        let formula = self.formula.as_ref().map_or_else(|| json!(self.condition), crate::Formula::canonical);
        json!({ "guard": formula, "reads": self.reads.iter().map(read).collect::<Vec<_>>() }).to_string()
    }
}

/// A whole plan, in topological order (inputs before the steps that read them).
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Steps in topological order, each definition once.
    pub steps: Vec<Step>,
    /// Where each step stands among them; steps that are not in it are looked for one by one.
    pub order: BTreeMap<StepId, usize>,
    /// Names for people: `clean.gopher_quality`, `run`. One step may have several.
    pub names: BTreeMap<StepId, Vec<String>>,
    /// Where the step's item is written; not part of the hash.
    pub spans: BTreeMap<StepId, llmp_grammar::Span>,
    /// Items that are wanted for themselves: what is trained, evaluated and released.
    pub roots: Vec<String>,
    /// Items and the port that holds their result.
    pub items: BTreeMap<String, Port>,
    /// What the runtime of this version cannot do (LLMP0703), at its places: a run is refused; not part of the hash.
    pub lacks: Vec<llmp_grammar::Diag>,
    /// What sources say of their data (size, license, …), by the step that reads them; not part of the hash.
    pub attributes: BTreeMap<StepId, Record>,
    /// Items whose results are never cleaned up (`@keep`).
    pub kept: Vec<String>,
    /// Conditions that the run decides.
    pub guards: Vec<Guard>,
    /// Costs of models by item.
    pub models: BTreeMap<String, ModelCost>,
    /// Comparisons by item: arms, runs, how much they share.
    pub comparisons: BTreeMap<String, crate::compare::Comparison>,
    /// Costs of stages by item.
    pub stages: BTreeMap<String, StageCost>,
}

impl Plan {
    /// The plan hash: over the definitions of all steps and guards, names and order left out.
    pub fn hash(&self) -> String {
        let mut ids: Vec<String> = self.steps.iter().map(|s| s.id.0.clone()).collect();
        ids.extend(self.guards.iter().map(Guard::canonical));
        ids.sort_unstable();
        ids.dedup();
        blake3::hash(ids.join("\n").as_bytes()).to_hex().to_string()
    }

    /// The step with this identity.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        let known = self.order.get(id).and_then(|at| self.steps.get(*at)).filter(|step| step.id == *id);
        known.or_else(|| self.steps.iter().find(|step| step.id == *id))
    }

    /// The step that people call `name`, or whose identity starts with it.
    pub fn named(&self, name: &str) -> Option<&Step> {
        let by_name = self.names.iter().find(|(_, names)| names.iter().any(|n| n == name)).map(|(id, _)| id);
        match by_name {
            Some(id) => self.step(id),
            None => self.steps.iter().find(|s| !name.is_empty() && s.id.0.starts_with(name)),
        }
    }

    /// What people call a step: its first name, else its op.
    pub fn name(&self, id: &StepId) -> String {
        let named = self.names.get(id).and_then(|names| names.first().cloned());
        named.or_else(|| self.step(id).map(|s| s.op.clone())).unwrap_or_default()
    }
}

/// Replaces every port in `args` by an input, collecting the ports in order of first use.
pub fn wire(args: Record, before: &[Port]) -> (Record, Vec<Port>) {
    let mut inputs: Vec<Port> = before.to_vec();
    let wired = crate::value::map_record(args, &mut |value| match value {
        Value::Port(port) => {
            let index = inputs.iter().position(|p| *p == port).unwrap_or_else(|| {
                inputs.push(port);
                inputs.len() - 1
            });
            Value::Input(index)
        }
        other => other,
    });
    (wired, inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_definitions_have_equal_identity() {
        let args = |pairs: &[(&str, i128)]| -> Record {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), Value::number(*v))).collect()
        };
        let a = Step::new("f", 1, args(&[("x", 1), ("y", 2)]), vec![]);
        let b = Step::new("f", 1, args(&[("y", 2), ("x", 1)]), vec![]);
        assert_eq!(a.id, b.id);
        assert_ne!(a.id, Step::new("f", 2, args(&[("x", 1), ("y", 2)]), vec![]).id);
    }

    #[test]
    fn ports_become_inputs_once() {
        let port = Port { step: StepId("a".into()), part: None };
        let args: Record =
            [("p", Value::Port(port.clone())), ("q", Value::List(vec![Value::Port(port.clone())]))]
                .map(|(k, v)| (k.to_owned(), v))
                .into();
        let (args, inputs) = wire(args, &[]);
        assert_eq!(inputs, vec![port]);
        assert_eq!(args["q"], Value::List(vec![Value::Input(0)]));
    }
}
