//! A plan as a drawing: boxes for steps, arrows for what they read; as Mermaid, DOT or SVG.

mod dot;
mod layout;
mod mermaid;
mod svg;

use std::collections::BTreeMap;

use llmp_stdlib::{Plan, Registry, StepId};

/// What a box stands for, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Files of the outside.
    Source,
    /// A step over documents.
    Data,
    /// Tokenizers and tokens.
    Tokens,
    /// Everything that makes or changes a model.
    Model,
    /// Evaluations and releases.
    Result,
}

impl Class {
    /// All classes, in order.
    pub const ALL: [Class; 5] = [Class::Source, Class::Data, Class::Tokens, Class::Model, Class::Result];

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Class::Source => "source",
            Class::Data => "data",
            Class::Tokens => "tokens",
            Class::Model => "model",
            Class::Result => "result",
        }
    }

    /// Fill and border of its boxes.
    pub fn colors(self) -> (&'static str, &'static str) {
        match self {
            Class::Source => ("#f1f3f5", "#868e96"),
            Class::Data => ("#e7f5ff", "#1c7ed6"),
            Class::Tokens => ("#fff4e6", "#e8590c"),
            Class::Model => ("#f3f0ff", "#7048e8"),
            Class::Result => ("#ebfbee", "#2f9e44"),
        }
    }
}

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Identity of the step.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its built-in, where that is not the name already, and sizes that are known.
    pub detail: String,
    /// What it stands for.
    pub class: Class,
}

/// One arrow between two boxes, by their places in the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The step that gives.
    pub from: usize,
    /// The step that reads.
    pub to: usize,
    /// The part that is read (`heldout`); empty for the whole result.
    pub part: String,
}

/// Boxes in the order of the plan, and arrows that point forwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Boxes.
    pub nodes: Vec<Node>,
    /// Arrows, sorted.
    pub edges: Vec<Edge>,
}

/// The drawing of a plan.
pub fn graph(plan: &Plan, registry: &Registry) -> Graph {
    let places: BTreeMap<&StepId, usize> = plan.steps.iter().enumerate().map(|(i, s)| (&s.id, i)).collect();
    let mut graph = Graph::default();
    for (to, step) in plan.steps.iter().enumerate() {
        let name = plan.name(&step.id);
        let mut details = Vec::new();
        if name != step.op && !name.ends_with(&format!(".{}", step.op)) {
            details.push(step.op.clone());
        }
        let stage = plan.names.get(&step.id).into_iter().flatten().find_map(|name| plan.stages.get(name));
        if let Some(stage) = stage {
            details.push(format!("{} tokens", llmp_stdlib::number::human(stage.tokens as f64)));
        }
        let class = class(step, registry);
        graph.nodes.push(Node { id: step.id.0.clone(), name, detail: details.join(", "), class });
        for port in &step.inputs {
            let Some(&from) = places.get(&port.step) else { continue };
            graph.edges.push(Edge { from, to, part: port.part.clone().unwrap_or_default() });
        }
    }
    graph.edges.sort();
    graph.edges.dedup();
    graph
}

fn class(step: &llmp_stdlib::Step, registry: &Registry) -> Class {
    let constructors = || registry.constructors(&step.op);
    let flow = registry
        .step(&step.op)
        .and_then(|s| s.flow)
        .or_else(|| constructors().iter().find_map(|(_, s)| s.flow));
    match flow {
        Some(flow) if !flow.is_source() || !step.inputs.is_empty() => Class::Data,
        Some(_) => Class::Source,
        None if step.op == "tokenize"
            || constructors().iter().any(|(family, _)| family.name == "tokenizer") =>
        {
            Class::Tokens
        }
        None if matches!(step.op.as_str(), "eval" | "release" | "export" | "compare" | "quantize") => {
            Class::Result
        }
        None => Class::Model,
    }
}

/// Text of XML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
