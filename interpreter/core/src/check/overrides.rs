//! What comes from outside of an item: `--set`, `--variant`, and the paths of variants.

use std::collections::BTreeMap;

use llmp_grammar::ast::{Expr, Segment};
use llmp_grammar::{Diag, Sources, Span, nearest};
use llmp_stdlib::Registry;

use super::layers::path_of;
use super::{Checker, Options};
use crate::codes::{BadOverride, UnknownParam, UnknownPath, UnknownVariant};
use crate::load::Loaded;
use crate::resolve::{Def, Names, suggest};

/// Values given by `--set`, each a text of its own so that messages can show it.
pub(crate) fn sets(
    names: &Names<'_>,
    options: &Options,
    sources: &mut Sources,
    diags: &mut Vec<Diag>,
) -> BTreeMap<String, Expr> {
    let mut found = BTreeMap::new();
    for (name, text) in &options.sets {
        let file = sources.add(format!("--set {name}"), text.clone());
        let whole = Span::new(file, 0, text.len());
        let param = match names.get(0, name) {
            Some((Def::Param(param), _)) => param.clone(),
            _ => {
                let known = names.scopes.first().into_iter().flatten();
                let params =
                    known.filter(|(_, (def, _))| matches!(def, Def::Param(_))).map(|(n, _)| n.as_str());
                let mut diag = Diag::from(UnknownParam { name: name.clone(), at: whole });
                if let Some(near) = nearest(name, params) {
                    diag = diag.help(format!("did you mean `{near}`?"));
                }
                diags.push(diag);
                continue;
            }
        };
        match llmp_grammar::parse_expr(file, text) {
            (Some(expr), sink) if !sink.has_errors() => {
                found.insert(param, expr);
            }
            (_, sink) => {
                let why = sink.iter().next().map_or_else(|| "not a value".to_owned(), |d| d.message.clone());
                diags.push(BadOverride { name: name.clone(), why, at: whole }.into());
            }
        }
    }
    found
}

/// The variants that are known.
pub(crate) fn variants(names: &Names<'_>, options: &Options, diags: &mut Vec<Diag>) -> Vec<String> {
    let mut known = Vec::new();
    for name in &options.variants {
        if names.variants.contains_key(name) {
            if !known.contains(name) {
                known.push(name.clone());
            }
            continue;
        }
        let at = Span::default();
        let mut diag = Diag::from(UnknownVariant { name: name.clone(), at });
        if let Some(near) = nearest(name, names.variants.keys()) {
            diag = diag.help(format!("did you mean `{near}`?"));
        } else if !names.variants.is_empty() {
            let all: Vec<&str> = names.variants.keys().map(String::as_str).collect();
            diag = diag.help(format!("there are: {}", all.join(", ")));
        }
        diags.push(diag);
    }
    known
}

/// Checks each variant that was not chosen, alone; what is wrong inside of it is reported.
pub(crate) fn others(
    loaded: &Loaded,
    registry: &Registry,
    names: &Names<'_>,
    chosen: &[String],
    sets: &BTreeMap<String, Expr>,
    diags: &mut Vec<Diag>,
) {
    for (name, (_, variant)) in &names.variants {
        if chosen.contains(name) {
            continue;
        }
        let mut checker = Checker::new(loaded, registry, names, vec![name.clone()], sets, Vec::new());
        checker.run();
        let inside = |d: &Diag| d.span().is_some_and(|at| variant.span.contains(at));
        diags.extend(checker.diags.into_iter().filter(inside));
    }
}

impl<'a> Checker<'a> {
    /// Paths of the chosen variants whose item does not exist.
    pub(crate) fn variant_paths(&mut self) {
        let names = self.names;
        for chosen in self.variants.clone() {
            let Some((unit, variant)) = names.variants.get(&chosen) else { continue };
            for member in &variant.block.members {
                let Some(Segment::Name(first)) = member.target.first() else { continue };
                let why = match names.get(*unit, &first.text).map(|(def, _)| def) {
                    Some(Def::Item(name)) => {
                        self.mention(name, first.span);
                        continue;
                    }
                    Some(Def::Param(name)) if member.target.len() == 1 => {
                        self.mention(name, first.span);
                        continue;
                    }
                    Some(Def::Broken) => continue,
                    Some(_) => "which is not an item or a param",
                    None => "which is not defined",
                };
                let path = path_of(&member.target).join(".");
                let facts = UnknownPath { variant: chosen.clone(), path, why: why.into(), at: first.span };
                let near = nearest(&first.text, names.known(*unit));
                self.diags.push(suggest(facts.into(), near, first.span));
            }
        }
    }
}
