//! What comes from outside of an item: `--set`, `--variant`, and the paths of variants.

use std::collections::BTreeMap;
use std::rc::Rc;

use llmp_grammar::ast::{Expr, Member, Segment};
use llmp_grammar::{Diag, Sources, Span, nearest};
use llmp_stdlib::Registry;

use super::layers::path_of;
use super::{Checker, Options, Val};
use crate::codes::{BadOverride, UnknownParam, UnknownPath, UnknownVariant};
use crate::load::Loaded;
use crate::resolve::{Def, Names, Template, What, suggest};

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
                let known = names.scopes.first().into_iter().flat_map(|scope| &scope.names);
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

/// `@only(name)` names variants that exist, or `base`.
pub(crate) fn only(loaded: &Loaded, names: &Names<'_>, diags: &mut Vec<Diag>) {
    let attrs = loaded.units.iter().flat_map(|unit| &unit.ast.items).flat_map(|item| &item.attrs);
    for arg in attrs.filter(|attr| attr.name.text == "only").flat_map(|attr| &attr.args) {
        let Some(name) = arg.value.as_name() else { continue };
        if name != "base" && !names.variants.contains_key(name) {
            let diag = Diag::from(UnknownVariant { name: name.to_owned(), at: arg.span });
            let known = names.variants.keys().map(String::as_str).chain(["base"]);
            diags.push(suggest(diag, nearest(name, known), arg.span));
        }
    }
}

/// Checks each variant that was not chosen, alone; what is wrong inside of it is reported, and what it breaks elsewhere if
/// nothing is wrong without it or in it. Checks that fail are left to `llmp test`.
pub(crate) fn others(
    loaded: &Loaded,
    registry: &Registry,
    names: &Rc<Names<'_>>,
    chosen: &[String],
    sets: &BTreeMap<String, Expr>,
    diags: &mut Vec<Diag>,
) {
    let whole = !diags.iter().any(Diag::is_error);
    for (name, files) in &names.variants {
        if chosen.contains(name) {
            continue;
        }
        let mut checker =
            Checker::new(loaded, registry, Rc::clone(names), vec![name.clone()], sets, Vec::new());
        checker.for_editors = false;
        checker.run();
        let inside = |d: &Diag| d.span().is_some_and(|at| files.iter().any(|(_, v)| v.span.contains(at)));
        // A mistake in the variant has said enough of what follows from it.
        let sound = whole && !checker.diags.iter().any(|diag| diag.is_error() && inside(diag));
        for diag in checker.diags {
            if inside(&diag) {
                // Rules over values are not judged by values that are wrong without the variant.
                if whole || diag.code < "LLMP0400" || diag.code == "LLMP0803" {
                    diags.push(diag);
                }
            } else if sound && diag.is_error() && diag.code != "LLMP0805" {
                let place = files.first().map_or_else(Span::default, |(_, variant)| variant.name.span);
                diags.push(diag.label(place, format!("with the variant `{name}`")));
            }
        }
    }
}

/// A member of a chosen variant and the item that it sets.
#[derive(Clone)]
pub(crate) struct Target<'a> {
    pub(crate) variant: String,
    /// The scope whose names its value uses.
    pub(crate) scope: usize,
    pub(crate) member: &'a Member,
    /// The segments of its path that name the item.
    pub(crate) start: usize,
    /// Whether it speaks of all instances of a template.
    pub(crate) broad: bool,
}

/// Items that a path names: each with the segments that name it, and whether the path means all instances.
type Named = Vec<(String, usize, bool)>;

impl<'a> Checker<'a> {
    /// Sorts the members of chosen variants to the items that they set; what they set must be there.
    pub(crate) fn settle(&mut self) {
        let names = Rc::clone(&self.names);
        let mut targets: BTreeMap<String, Vec<Target<'a>>> = BTreeMap::new();
        for chosen in self.variants.clone() {
            let files = names.variants.get(&chosen).into_iter().flatten();
            let members = files.flat_map(|(scope, v)| v.block.members.iter().map(|m| (*scope, m)));
            for (scope, member) in members {
                let Some(Segment::Name(first)) = member.target.first() else { continue };
                let mut named = Named::new();
                match self.named(scope, &member.target, 0, false, &mut named) {
                    Ok(()) => {}
                    Err(why) => {
                        let path = path_of(&member.target).join(".");
                        let facts =
                            UnknownPath { variant: chosen.clone(), path, why: why.into(), at: first.span };
                        let absent = names.get(scope, &first.text).is_none();
                        let near = nearest(&first.text, names.known(scope)).filter(|_| absent);
                        self.diags.push(suggest(facts.into(), near, first.span));
                        continue;
                    }
                }
                for (item, start, broad) in named {
                    self.mention(&item, first.span);
                    // The value may speak of the index and of siblings where it stands in the file of the item.
                    let inner = names.decls.get(&item).map(|decl| decl.scope);
                    let inner = inner.filter(|inner| names.unit(*inner) == names.unit(scope));
                    let scope = inner.unwrap_or(scope);
                    let target = Target { variant: chosen.clone(), scope, member, start, broad };
                    targets.entry(item).or_default().push(target);
                }
            }
        }
        for (name, list) in &mut targets {
            list.sort_by_key(|target| !target.broad);
            if names.params.contains_key(name) {
                let sets = list.iter().map(|target| (target.variant.as_str(), target.member));
                self.diags.extend(overlaps(&sets.collect::<Vec<_>>()));
            }
        }
        self.targets = targets;
    }

    /// The items that a path of a variant names.
    fn named(
        &mut self,
        scope: usize,
        target: &'a [Segment],
        at: usize,
        broad: bool,
        found: &mut Named,
    ) -> Result<(), &'static str> {
        let Some(Segment::Name(name)) = target.get(at) else { return Err("which is not an item") };
        let names = Rc::clone(&self.names);
        let def = match at {
            0 => names.get(scope, &name.text),
            _ => names.scopes.get(scope).and_then(|scope| scope.names.get(&name.text)),
        };
        let template = match def.map(|(def, _)| def) {
            Some(Def::Item(item)) => {
                found.push((item.clone(), at + 1, broad));
                return Ok(());
            }
            Some(Def::Param(param)) if target.len() == at + 1 => {
                found.push((param.clone(), at + 1, broad));
                return Ok(());
            }
            Some(Def::Template(template)) => template,
            Some(Def::Broken) => return Ok(()),
            Some(_) if at > 0 => return Err("which is not an item of the rounds"),
            Some(_) => return Err("which is not an item or a param"),
            None if at > 0 => return Err("which the rounds do not have"),
            None => return Err("which is not defined"),
        };
        let Some(of) = names.templates.get(template) else { return Ok(()) };
        let (next, rounds) = (target.get(at + 1), matches!(of.what, What::Rounds(_)));
        let chosen: Vec<(String, usize)> = match next {
            Some(Segment::Name(next)) if next.text == of.setting() && target.len() == at + 2 => return Ok(()),
            Some(Segment::Index(index, span)) => {
                let key = self.within(|ctx| ctx.scope = Some(scope), |c| c.infer(index));
                let Val::Known(key) = key else { return Ok(()) };
                self.instance_of(template, &key, *span).into_iter().collect()
            }
            _ => of.instances.iter().map(|i| (i.name.clone(), i.scope)).collect(),
        };
        let indexed = matches!(next, Some(Segment::Index(..)));
        let start = at + 1 + usize::from(indexed);
        for (instance, inner) in chosen {
            if rounds {
                self.named(inner, target, start, broad || !indexed, found)?;
            } else {
                found.push((instance, start, broad || !indexed));
            }
        }
        Ok(())
    }

    /// What a chosen variant makes of a param.
    pub(crate) fn param_set(&self, name: &str) -> Option<(usize, &'a Member)> {
        let mut found = None;
        let chosen = self.variants.iter().filter_map(|variant| self.names.variants.get(variant));
        for (scope, variant) in chosen.flatten().copied() {
            let named = |member: &&Member| {
                let [Segment::Name(first)] = member.target.as_slice() else { return false };
                let def = self.names.get(scope, &first.text).map(|(def, _)| def);
                matches!(def, Some(Def::Param(param)) if param == name)
            };
            found = variant.block.members.iter().rfind(named).map(|member| (scope, member)).or(found);
        }
        found
    }

    /// What chosen variants make of the index of a template (`crawl.dump = […]`, `post.wiki.lang = […]`) or of a number
    /// of rounds (`post.count = 2`). What names one round is stronger than what names all.
    pub(crate) fn index_set(&mut self, name: &str, template: &Template<'a>) -> Option<(usize, &'a Expr)> {
        let names = Rc::clone(&self.names);
        let mut sets: Vec<(bool, usize, &str, &'a Member)> = Vec::new();
        let chosen: Vec<String> = self.variants.clone();
        for variant in &chosen {
            for (scope, of) in names.variants.get(variant).into_iter().flatten() {
                for member in &of.block.members {
                    let Some((Segment::Name(last), path)) = member.target.split_last() else { continue };
                    if last.text == template.setting()
                        && let Some(broad) = self.names_template(*scope, path, name)
                    {
                        sets.push((!broad, *scope, variant, member));
                    }
                }
            }
        }
        let written: Vec<(&str, &Member)> = sets.iter().map(|set| (set.2, set.3)).collect();
        self.diags.extend(overlaps(&written));
        sets.sort_by_key(|set| set.0);
        let (_, scope, _, member) = sets.pop()?;
        // The value may speak of the round where it stands in the file of the rounds.
        let inner = names.unit(template.scope) == names.unit(scope);
        Some((if inner { template.scope } else { scope }, &member.value))
    }

    /// Whether a path names a template, and then whether it names it in all rounds.
    fn names_template(&mut self, scope: usize, path: &[Segment], name: &str) -> Option<bool> {
        let names = Rc::clone(&self.names);
        let mut known = vec![scope];
        let mut broad = false;
        let mut rest = path;
        while let Some((Segment::Name(first), after)) = rest.split_first() {
            let outermost = rest.len() == path.len();
            let defs = known.iter().filter_map(|scope| match outermost {
                true => names.get(*scope, &first.text),
                false => names.scopes.get(*scope)?.names.get(&first.text),
            });
            let templates: Vec<&String> = defs
                .filter_map(|(def, _)| if let Def::Template(template) = def { Some(template) } else { None })
                .collect();
            if after.is_empty() {
                return templates.into_iter().any(|template| template == name).then_some(broad);
            }
            let rounds = templates.into_iter().filter_map(|template| names.templates.get(template));
            let rounds: Vec<&Template<'a>> =
                rounds.filter(|template| matches!(template.what, What::Rounds(_))).collect();
            let all = || rounds.iter().flat_map(|of| of.instances.iter().map(|i| i.scope)).collect();
            (known, rest) = match after.split_first() {
                Some((Segment::Index(index, _), after)) => {
                    let look = |c: &mut Self| c.within(|ctx| ctx.scope = Some(scope), |c| c.infer(index));
                    let (Val::Known(key), _) = self.silently(look) else { return None };
                    let one = rounds.iter().filter_map(|of| of.instance(&key)).map(|i| i.scope);
                    (one.collect(), after)
                }
                _ => {
                    broad = true;
                    (all(), after)
                }
            };
        }
        None
    }
}

/// Variants that set the same as one before them.
fn overlaps(sets: &[(&str, &Member)]) -> Vec<Diag> {
    let clash = |index: usize| {
        let (variant, member) = sets.get(index)?;
        let (other, _) = sets.iter().take(index).find(|(other, _)| other != variant)?;
        Some((*variant, *member, *other))
    };
    let said = (0..sets.len()).filter_map(clash).map(|(variant, member, other)| {
        let why = format!("which variant `{other}` sets too");
        let path = path_of(&member.target).join(".");
        UnknownPath { variant: variant.to_owned(), path, why, at: member.target_span }.into()
    });
    said.collect()
}
