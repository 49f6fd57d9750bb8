//! Comparisons: every arm is the program under other params.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use llmp_grammar::ast::Expr;
use llmp_grammar::{Diag, Sources, Span};
use llmp_stdlib::compare::{Hold, Vary, words};
use llmp_stdlib::kind::Cost;
use llmp_stdlib::{Arg, Record, Registry, StageCost, Value};

use super::Checker;
use crate::codes::{ArmsEqual, BadOverride, HeldOutVaries, NotHeld, OutOfRange, UnknownParam};
use crate::load::Loaded;
use crate::program::{Arm, Item, Program};
use crate::resolve::{Def, Names};

/// The kind whose arms are evaluated here.
const KIND: &str = "compare";

/// The program and its tables.
pub(crate) struct Base<'b, 'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) registry: &'a Registry,
    pub(crate) names: &'b Rc<Names<'a>>,
    pub(crate) variants: &'b [String],
    pub(crate) sets: &'b BTreeMap<String, Expr>,
}

impl Base<'_, '_> {
    /// Evaluates the arms of every comparison and checks what they share.
    pub(crate) fn arms(&self, program: &mut Program, diags: &mut Vec<Diag>) {
        let compares: Vec<Item> = program
            .items
            .values()
            .filter(|item| item.kind.signature.name == KIND && item.complete && !item.preset)
            .cloned()
            .collect();
        for item in compares {
            held_out(program, &item, diags);
            let arms = self.evaluate(&item, program, diags);
            if let Some(arms) = arms {
                self.equal(&item, &arms, diags);
                held(&item, &arms, diags);
                program.arms.insert(item.name.clone(), arms);
            }
        }
    }

    fn evaluate(&self, item: &Item, program: &Program, diags: &mut Vec<Diag>) -> Option<Vec<Arm>> {
        let vary = Vary::read(item.members.get("vary")?).ok()?;
        let mut params = BTreeMap::new();
        for (name, _) in &vary.0 {
            match self.names.get(0, name) {
                Some((Def::Param(param), _)) => params.insert(name.clone(), param.clone()),
                _ => {
                    let at = place(item, &["vary", name]);
                    diags.push(UnknownParam { name: name.clone(), at }.into());
                    return None;
                }
            };
        }
        let Some(records) = vary.arms().filter(|arms| !arms.is_empty()) else {
            let message = "a comparison has between 1 and 256 arms".to_owned();
            diags.push(OutOfRange { message, at: place(item, &["vary"]) }.into());
            return None;
        };
        let mut arms = Vec::new();
        for values in records {
            let mut sources = program.sources.clone();
            let mut sets = self.sets.clone();
            for (name, value) in &values {
                sets.insert(params.get(name)?.clone(), literal(value, name, &mut sources)?);
            }
            let mut checker = Checker::new(
                self.loaded,
                self.registry,
                Rc::clone(self.names),
                self.variants.to_vec(),
                &sets,
                Vec::new(),
            );
            checker.for_editors = false;
            checker.run();
            let here = self.loaded.sources.files().count();
            let wrong = checker.diags.iter().find(|d| d.is_error() && !diags.contains(d));
            if let Some(wrong) = wrong {
                let outside = wrong.span().is_none_or(|at| at.file.0 as usize >= here);
                let at = place(item, &["vary"]);
                diags.push(if outside {
                    BadOverride { name: words(&values), why: wrong.message.clone(), at }.into()
                } else {
                    wrong.clone().label(at, format!("in the arm `{}`", words(&values)))
                });
                return None;
            }
            arms.push(Arm { values, program: checker.program(sources) });
        }
        Some(arms)
    }

    /// Arms that would run the same steps.
    fn equal(&self, item: &Item, arms: &[Arm], diags: &mut Vec<Diag>) {
        let Some(Value::Item(of)) = item.members.get("of") else { return };
        let mut seen: BTreeMap<String, &Record> = BTreeMap::new();
        for arm in arms {
            let hash = crate::plan::plan_of(&arm.program, self.registry, &of.item).hash();
            if let Some(first) = seen.insert(hash, &arm.values) {
                let facts = ArmsEqual {
                    first: words(first),
                    second: words(&arm.values),
                    of: of.item.clone(),
                    at: place(item, &["vary"]),
                    stage: place(item, &["of"]),
                };
                diags.push(facts.into());
                return;
            }
        }
    }
}

fn place(item: &Item, path: &[&str]) -> Span {
    item.place(&path.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
}

/// A value as the literal that a `--set` would hold.
fn literal(value: &Value, name: &str, sources: &mut Sources) -> Option<Expr> {
    let text = value.to_string();
    let file = sources.add(format!("vary {name}"), text.clone());
    llmp_grammar::parse_expr(file, &text).0
}

/// Held-out data that change with a varied param grade their own homework.
fn held_out(program: &Program, item: &Item, diags: &mut Vec<Diag>) {
    let Some(vary) = item.members.get("vary").and_then(|v| Vary::read(v).ok()) else { return };
    let mut open = Vec::new();
    item.members.get("measure").into_iter().for_each(|value| items_in(value, &mut open));
    let mut seen: BTreeSet<String> = BTreeSet::new();
    while let Some((root, name)) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(found) = program.items.get(&name) else { continue };
        if let Some((param, _)) = vary.0.iter().find(|(param, _)| found.mentions.contains(param)) {
            let at = place(item, &["measure"]);
            let varied = place(item, &["vary", param]);
            diags.push(HeldOutVaries { data: root, param: param.clone(), at, varied }.into());
            return;
        }
        open.extend(found.mentions.iter().map(|next| (root.clone(), next.clone())));
    }
}

fn items_in(value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Item(item) => found.push((value.to_string(), item.item.clone())),
        Value::List(items) => items.iter().for_each(|v| items_in(v, found)),
        Value::Call(call) => call.args.values().for_each(|v| items_in(v, found)),
        Value::Pipe(head, calls) => {
            items_in(head, found);
            calls.iter().flat_map(|call| call.args.values()).for_each(|v| items_in(v, found));
        }
        _ => {}
    }
}

/// The cost of the compared stage in an arm.
pub(crate) fn cost(arm: &Arm, of: &str) -> Option<StageCost> {
    let item = arm.program.items.get(of)?;
    match (item.kind.cost)(&item.view(&arm.program))? {
        Cost::Stage(cost) => Some(cost),
        Cost::Model(_) => None,
    }
}

/// What is said to be held and is not.
fn held(item: &Item, arms: &[Arm], diags: &mut Vec<Diag>) {
    let Some(Value::Item(of)) = item.members.get("of") else { return };
    let Some(hold) = item.members.get("hold").and_then(|v| Hold::read(v).ok()) else { return };
    let amount = |arm: &Arm| {
        let cost = cost(arm, &of.item)?;
        match hold {
            Hold::Flops => Some(cost.flops),
            Hold::Tokens => Some(cost.tokens as f64),
            Hold::Epochs => None,
        }
    };
    let amounts: Option<Vec<f64>> = arms.iter().map(amount).collect();
    let Some(amounts) = amounts else { return };
    let (low, high) = amounts.iter().fold((f64::MAX, 0.0_f64), |(l, h), n| (l.min(*n), h.max(*n)));
    // Batches are rounded to whole sequences: a hundredth is no difference of the recipe.
    if high > low * 1.01 {
        let what = hold.name().to_owned();
        let at = place(item, &["hold"]);
        let facts =
            NotHeld { what, low: format!("{low:.3e}"), high: format!("{high:.3e}"), of: of.item.clone(), at };
        diags.push(Diag::from(facts).label(place(item, &["vary"]), "these arms differ in it"));
    }
}
