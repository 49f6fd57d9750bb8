//! How often data are seen: budgets against sizes.

use std::collections::BTreeSet;

use llmp_grammar::{Diag, Severity};
use llmp_stdlib::{ItemRef, Program as _, Rational, Value, number};

use super::{Look, also};
use crate::codes::{Repeated, SizeUnknown};
use crate::lineage::{Portion, Repeat, Stage};

/// Passes over the same text that are worth nearly as much as new text (Muennighoff et al., 2023).
const GOOD: i128 = 4;
/// Passes after which the same source finds that more of them give nothing.
const USELESS: i128 = 40;

/// Sources that a stage repeats too often, and those of which that cannot be said.
pub(super) fn repeated(look: &Look<'_>, stages: &[Stage], diags: &mut Vec<Diag>) {
    let mut unknown = BTreeSet::new();
    for stage in stages.iter().filter(|s| s.tokens.is_some()) {
        let capped = stage.portions.iter().all(|(_, p)| p.max_epochs.is_some());
        // A program that says nothing of sizes is left alone.
        let sized = stage.portions.iter().flat_map(|(_, p)| &p.data.leaves).any(|leaf| leaf.size.is_some());
        for (member, portion) in &stage.portions {
            let matters = sized || portion.max_epochs.is_some();
            for leaf in portion.data.leaves.iter().filter(|l| l.size.is_none() && !l.rights.evaluation) {
                let at = look.source(leaf).unwrap_or_else(|| look.portion(&stage.name, member, portion));
                if matters && unknown.insert(leaf.source.clone()) {
                    diags.push(
                        SizeUnknown { name: leaf.source.clone(), stage: stage.name.clone(), at }.into(),
                    );
                }
            }
            let Some(repeat) = look.lineage.repeat(stage, portion) else { continue };
            let limit = portion.max_epochs.unwrap_or(Rational::from(GOOD));
            if repeat.least <= limit {
                continue;
            }
            let diag = one(look, stage, member, portion, repeat, limit);
            diags.push(match portion.max_epochs {
                Some(_) if capped => diag.severity(Severity::Error),
                // Parts with a limit give what they exceed it by to those without one.
                Some(_) => diag
                    .note("the run ends it at its limit, and what is left of its share goes to the others"),
                None if repeat.least >= Rational::from(USELESS) => diag.severity(Severity::Error),
                None => diag,
            });
        }
    }
}

fn one(
    look: &Look<'_>,
    stage: &Stage,
    member: &str,
    portion: &Portion,
    repeat: Repeat,
    limit: Rational,
) -> Diag {
    let human = |n: Rational| number::human(number::to_f64(n));
    let high = portion.data.tokens.map_or_else(String::new, |t| human(t.high));
    let facts = Repeated {
        name: named(look, &stage.name, member, portion),
        stage: stage.name.clone(),
        epochs: human(repeat.least),
        limit: human(limit),
        wanted: human(repeat.tokens),
        available: high,
        at: look.portion(&stage.name, member, portion),
    };
    let mut diag = Diag::from(facts);
    if portion.max_epochs.is_none() {
        diag = diag.note(
            "up to 4 passes are worth nearly as much as new text, 40 give nothing more (arXiv:2305.16264)",
        );
    }
    let budget = ["tokens", "steps", "flops"]
        .into_iter()
        .find(|name| look.items.0.get(&stage.name).is_some_and(|item| item.written.contains(*name)));
    if let Some(budget) = budget {
        diag = also(diag, Some(look.place(&stage.name, &[budget])), "the length of the stage");
    }
    let sources: BTreeSet<&str> = portion.data.leaves.iter().map(|leaf| leaf.source.as_str()).collect();
    let source = portion.data.leaves.first().filter(|_| sources.len() == 1);
    also(diag, source.and_then(|leaf| look.source(leaf)), "the size of this source")
}

/// Most sources that are named one by one.
const FEW: usize = 3;

/// What a part is called: its name, or for data without one the sources that they come from.
fn named(look: &Look<'_>, stage: &str, member: &str, portion: &Portion) -> String {
    let value = look.items.view(stage).and_then(|view| view.get(member).cloned());
    match value {
        Some(Value::Item(ItemRef { item, part: Some(part) })) => format!("`{item}.{part}`"),
        Some(Value::Pipe(..) | Value::Call(_)) => {
            let sources: BTreeSet<String> =
                portion.data.leaves.iter().map(|leaf| format!("`{}`", leaf.source)).collect();
            let all: Vec<String> = sources.into_iter().collect();
            match all.split_last() {
                Some((last, [])) => last.clone(),
                Some((last, others)) if all.len() <= FEW => {
                    format!("{} and {last} together", others.join(", "))
                }
                _ => format!("the joined data of {} sources", all.len()),
            }
        }
        _ => format!("`{}`", portion.name),
    }
}
