//! What may not reach training, what may not be released, and what models wrote.

use std::collections::BTreeSet;

use llmp_grammar::{Diag, Span};
use llmp_stdlib::source::License;
use llmp_stdlib::{Arg, Rational, Value, View, Yields};

use super::{Look, also};
use crate::codes::{EvaluationTrained, LicenseForbids, NotDecontaminated, OwnPairs, SyntheticOnly};
use crate::lineage::{Leaf, Stage};

/// Evaluation data in training: declared as such, or read by an evaluation.
pub(super) fn evaluation(look: &Look<'_>, stages: &[Stage], diags: &mut Vec<Diag>) {
    for stage in stages {
        for (member, portion) in &stage.portions {
            for leaf in portion.data.leaves.iter().filter(|leaf| leaf.rights.evaluation) {
                let facts = EvaluationTrained {
                    what: format!("`{}`, an evaluation set,", leaf.source),
                    stage: stage.name.clone(),
                    at: look.portion(&stage.name, member, portion),
                };
                diags.push(also(facts.into(), look.source(leaf), "declared for evaluation"));
            }
        }
    }
    let evals = look.views().filter(|view| view.kind.yields == Yields::Metrics || measures(view));
    for eval in evals {
        let measured = match eval.get(MEASURE).filter(|_| measures(&eval)) {
            Some(suites) => look.data_of(suites),
            None => look.measured(&eval),
        };
        let models = models(look, &eval);
        let mut said = BTreeSet::new();
        let mut unclean: Vec<(Stage, String, Leaf, Leaf)> = Vec::new();
        for (direct, stage) in &models {
            for (member, portion) in &stage.portions {
                for leaf in &portion.data.leaves {
                    for test in measured.iter().filter(|test| !leaf.clean_of.contains(&test.source)) {
                        if !leaf.overlaps(test) {
                            if test.rights.evaluation && test.source != leaf.source {
                                unclean.push((stage.clone(), member.clone(), leaf.clone(), test.clone()));
                            }
                        } else if !leaf.rights.evaluation
                            && said.insert((stage.name.clone(), leaf.source.clone()))
                        {
                            diags.push(overlap(look, &eval, (*direct, stage), member, leaf));
                        }
                    }
                }
            }
        }
        diags.extend(not_clean(look, &eval, &unclean));
    }
}

/// The member that names what a stage is measured on while it trains.
const MEASURE: &str = "measure";

/// Whether an item is a stage that is measured while it trains.
fn measures(view: &View<'_>) -> bool {
    view.kind.yields == Yields::Model
        && matches!(view.get(MEASURE), Some(Value::List(suites)) if !suites.is_empty())
}

/// Where an item names what is measured.
fn suites(look: &Look<'_>, eval: &View<'_>) -> Span {
    let member = if eval.members.contains_key("suites") { "suites" } else { MEASURE };
    look.place(eval.name, &[member])
}

/// Stages behind the models of an evaluation; true for those that it names itself.
fn models(look: &Look<'_>, eval: &View<'_>) -> Vec<(bool, Stage)> {
    let mut named = Vec::new();
    eval.members.values().for_each(|value| look.lineage.models(value, &mut named));
    named.extend(measures(eval).then(|| eval.name.to_owned()));
    let mut found: Vec<(bool, Stage)> = Vec::new();
    for name in &named {
        for stage in look.lineage.stages(name) {
            if !found.iter().any(|(_, known)| known.name == stage.name) {
                found.push((stage.name == *name, stage));
            }
        }
    }
    found
}

fn overlap(look: &Look<'_>, eval: &View<'_>, stage: (bool, &Stage), member: &str, leaf: &Leaf) -> Diag {
    let (direct, stage) = stage;
    let kind = look.items.0.get(&stage.name).map_or("", |item| item.kind.signature.name);
    let at = suites(look, eval);
    let trained = Some(look.place(&stage.name, &[member]));
    if direct && kind == "reward_model" {
        let facts = OwnPairs { model: stage.name.clone(), source: leaf.source.clone(), at };
        return also(facts.into(), trained, "trained on here");
    }
    let facts = EvaluationTrained {
        what: format!("`{}`, which `{}` measures on,", leaf.source, eval.name),
        stage: stage.name.clone(),
        at: look.place(&stage.name, &[member]),
    };
    also(facts.into(), Some(at), "measured here")
}

fn not_clean(look: &Look<'_>, eval: &View<'_>, unclean: &[(Stage, String, Leaf, Leaf)]) -> Option<Diag> {
    let (stage, member, leaf, test) = unclean.first()?;
    let sources: BTreeSet<&str> = unclean.iter().map(|(_, _, leaf, _)| leaf.source.as_str()).collect();
    let facts = NotDecontaminated {
        source: leaf.source.clone(),
        test: test.source.clone(),
        eval: eval.name.to_owned(),
        at: look.place(&stage.name, &[member]),
    };
    let mut diag = Diag::from(facts);
    if sources.len() > 1 {
        let names: Vec<&str> = sources.into_iter().collect();
        diag = diag.note(format!("sources without it: {}", names.join(", ")));
    }
    let diag = also(diag, look.source(test), "the evaluation set");
    Some(also(diag, Some(suites(look, eval)), "measured here"))
}

/// Sources that a release may not hold.
pub(super) fn licenses(look: &Look<'_>, diags: &mut Vec<Diag>) {
    for release in look.views().filter(|view| view.kind.yields == Yields::Release) {
        let Some(Value::List(allowed)) = release.get("allow_licenses") else { continue };
        let allowed: Vec<License> = allowed.iter().filter_map(|v| License::read(v).ok()).collect();
        if allowed.is_empty() {
            continue;
        }
        let words = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut said = BTreeSet::new();
        for (_, stage) in models(look, &release) {
            let leaves = stage.portions.iter().flat_map(|(_, p)| &p.data.leaves);
            for leaf in leaves {
                let fits = leaf.rights.license.as_ref().is_some_and(|l| allowed.iter().any(|a| a.allows(l)));
                if fits || !said.insert(leaf.source.clone()) {
                    continue;
                }
                let has = match &leaf.rights.license {
                    Some(license) => format!("is under {license}"),
                    None => "states no license".to_owned(),
                };
                let facts = LicenseForbids {
                    source: leaf.source.clone(),
                    has,
                    stage: stage.name.clone(),
                    allowed: words.clone(),
                    at: look.place(release.name, &["allow_licenses"]),
                };
                diags.push(also(facts.into(), look.source(leaf), "this source"));
            }
        }
    }
}

/// Stages that see nothing but what models wrote that learned from models.
pub(super) fn synthetic(look: &Look<'_>, stages: &[Stage], diags: &mut Vec<Diag>) {
    for stage in stages {
        let Some(share) = look.lineage.synthetic(stage) else { continue };
        let Some((member, portion)) = stage.portions.first() else { continue };
        if share.generation >= 2 && share.low >= Rational::from(1) {
            let facts = SyntheticOnly {
                stage: stage.name.clone(),
                generation: share.generation.to_string(),
                at: look.place(&stage.name, &[member]),
            };
            let deepest = portion.data.leaves.iter().max_by_key(|leaf| leaf.generation);
            diags.push(also(facts.into(), deepest.and_then(|leaf| look.source(leaf)), "written by a model"));
        }
    }
}
