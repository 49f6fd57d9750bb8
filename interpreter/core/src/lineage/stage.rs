//! Stages: what they train on, what they go on from, how often they see each part.

use std::collections::BTreeSet;

use llmp_stdlib::kind::Cost;
use llmp_stdlib::{Dim, Estimate, Kind, Rational, Ty, Value, View, Yields, number};

use super::{Lineage, Portion};

/// What a stage consumes.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its item.
    pub name: String,
    /// Parts of its data, each with the member that names it.
    pub portions: Vec<(String, Portion)>,
    /// Tokens that it consumes, if that is known.
    pub tokens: Option<u64>,
}

/// How often a part is seen: passes over it, as a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repeat {
    /// Tokens consumed out of it.
    pub tokens: Rational,
    /// Passes over it if all of it is there.
    pub least: Rational,
    /// Passes over it if as little as its bounds allow is there; `None`: no bound.
    pub most: Option<Rational>,
}

/// One part of a stage as `llmp plan` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Consumed {
    /// Its key.
    pub name: String,
    /// Its sources.
    pub sources: Vec<String>,
    /// Its share of the tokens.
    pub share: Option<Rational>,
    /// Tokens there are.
    pub available: Option<Estimate>,
    /// How often it is seen.
    pub repeat: Option<Repeat>,
}

/// A share between two bounds, with the greatest distance from people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Least share.
    pub low: Rational,
    /// Greatest share.
    pub high: Rational,
    /// Generations of models between the text and people.
    pub generation: u64,
}

fn holds(ty: &Ty, wanted: &dyn Fn(&Ty) -> bool) -> bool {
    wanted(ty)
        || match ty {
            Ty::Optional(ty) | Ty::List(ty) => holds(ty, wanted),
            Ty::OneOf(types) => types.iter().any(|ty| holds(ty, wanted)),
            _ => false,
        }
}

fn is_data(ty: &Ty) -> bool {
    match ty {
        Ty::Data(_) => true,
        Ty::Item(yields) => yields.contains(&Yields::Mix) || yields.contains(&Yields::Data),
        _ => false,
    }
}

/// Whether items of a kind learn from data.
pub(crate) fn learns(kind: &Kind) -> bool {
    weights(kind.yields) && kind.signature.params.iter().any(|p| holds(&p.ty, &is_data))
}

/// Whether it is something with weights.
fn weights(yields: Yields) -> bool {
    matches!(yields, Yields::Model | Yields::Reward | Yields::Classifier)
}

impl Lineage<'_> {
    /// What an item trains on; `None` for items that do not train.
    pub fn stage(&self, view: &View<'_>) -> Option<Stage> {
        if !learns(view.kind) {
            return None;
        }
        let mut portions = Vec::new();
        for param in view.kind.signature.params.iter().filter(|p| holds(&p.ty, &is_data)) {
            let Some(value) = view.get(param.name).filter(|v| self.is_data(v)) else { continue };
            let found = match value {
                Value::Item(item) if item.part.is_none() => self.portions(&item.item),
                other => vec![Portion {
                    name: param.name.to_owned(),
                    share: Some(Rational::from(1)),
                    max_epochs: None,
                    data: self.data(other),
                }],
            };
            portions.extend(found.into_iter().map(|p| (param.name.to_owned(), p)));
        }
        let tokens = match (view.kind.cost)(view) {
            Some(Cost::Stage(cost)) => Some(cost.tokens),
            _ => match view.get("tokens") {
                Some(Value::Number(q)) if q.dim == Dim::TOKENS => number::to_u64(q.amount),
                _ => None,
            },
        };
        Some(Stage { name: view.name.to_owned(), portions, tokens })
    }

    /// Models that an item goes back to, itself first.
    pub fn ancestors(&self, name: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut order = Vec::new();
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(view) = self.program.view(&name) {
                let values = view.members.values().chain(view.value);
                values.for_each(|value| self.models(value, &mut open));
            }
            order.push(name);
        }
        order
    }

    /// Models that a value names; data are not looked into.
    pub(crate) fn models(&self, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Item(item) if self.program.view(&item.item).is_some_and(|v| weights(v.kind.yields)) => {
                found.push(item.item.clone());
            }
            Value::List(items) => items.iter().for_each(|v| self.models(v, found)),
            Value::Record(record) => record.values().for_each(|v| self.models(v, found)),
            Value::Call(call) => call.args.values().for_each(|v| self.models(v, found)),
            _ => {}
        }
    }

    /// The stages that an item goes back to, itself among them.
    pub fn stages(&self, name: &str) -> Vec<Stage> {
        let names = self.ancestors(name);
        names.iter().filter_map(|name| self.stage(&self.program.view(name)?)).collect()
    }

    /// Generations of models between people and what a model was trained on.
    pub(crate) fn generation(&self, model: &str) -> u64 {
        // A model may write what it is trained on later: the circle through a name is cut.
        if !self.open.borrow_mut().insert(model.to_owned()) {
            return 0;
        }
        let stages = self.stages(model);
        let leaves = stages.iter().flat_map(|s| &s.portions).flat_map(|(_, p)| &p.data.leaves);
        let generation = leaves.map(|leaf| leaf.generation).max().unwrap_or(0);
        self.open.borrow_mut().remove(model);
        generation
    }

    /// How often a stage sees a part.
    pub fn repeat(&self, stage: &Stage, portion: &Portion) -> Option<Repeat> {
        let budget = Rational::from(i128::from(stage.tokens?));
        let tokens = number::arithmetic(portion.share?, '*', budget)?;
        let available = portion.data.tokens.filter(|t| t.high > Rational::from(0))?;
        let least = number::arithmetic(tokens, '/', available.high)?;
        let most = number::arithmetic(tokens, '/', available.low);
        Some(Repeat { tokens, least, most })
    }

    /// Parts of a stage with what is known of them.
    pub fn consumed(&self, stage: &Stage) -> Vec<Consumed> {
        let one = |(_, portion): &(String, Portion)| {
            let mut sources: Vec<String> = portion.data.leaves.iter().map(|l| l.source.clone()).collect();
            sources.sort();
            sources.dedup();
            Consumed {
                name: portion.name.clone(),
                sources,
                share: portion.share,
                available: portion.data.tokens,
                repeat: self.repeat(stage, portion),
            }
        };
        stage.portions.iter().map(one).collect()
    }

    /// The share of text that models wrote; `None` where shares are not known.
    pub fn synthetic(&self, stage: &Stage) -> Option<Share> {
        let zero = Rational::from(0);
        let mut share = Share { low: zero, high: zero, generation: 0 };
        for (_, portion) in &stage.portions {
            let all = portion.data.leaves.len();
            let written = portion.data.leaves.iter().filter(|l| l.generation > 0).count();
            let deepest = portion.data.leaves.iter().map(|l| l.generation).max().unwrap_or(0);
            share.generation = share.generation.max(deepest);
            if written == 0 {
                continue;
            }
            share.high = number::arithmetic(share.high, '+', portion.share?)?;
            if written == all {
                share.low = number::arithmetic(share.low, '+', portion.share?)?;
            }
        }
        Some(share)
    }
}
