//! Checks and evaluates a program: every value gets its type from its place, and is computed when it is needed.

mod arms;
mod assert;
mod attributes;
mod call;
mod coerce;
mod estimate;
mod expand;
mod formula;
mod infer;
mod item;
mod kinds;
mod layers;
mod locked;
mod mix;
mod name;
mod number;
mod order;
mod overrides;
mod pipe;
mod report;
mod rows;
mod template;
mod value;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use llmp_grammar::ast::Expr;
use llmp_grammar::{Diag, Sink, Sources, Span};
use llmp_stdlib::{Registry, Value};

use crate::load::Loaded;
use crate::program::{Guard, Items, Layer, Meaning, Note, Places, Program, Row};
use crate::resolve::{Names, resolve};

use layers::Override;
use overrides::Target;

/// What a user chose on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Variants, applied together.
    pub variants: Vec<String>,
    /// `--set name=value`.
    pub sets: Vec<(String, String)>,
}

/// The outcome of looking at a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Val {
    /// A value.
    Known(Value),
    /// Right as far as one can see, and not known yet.
    Unknown,
    /// Wrong, and reported: nothing more is said about it.
    Error,
}

impl Val {
    pub(crate) fn and_then(self, then: impl FnOnce(Value) -> Val) -> Val {
        match self {
            Val::Known(value) => then(value),
            other => other,
        }
    }
}

/// Where the checker is.
#[derive(Clone, Default)]
pub(crate) struct Context<'a> {
    /// The names that are known; `None` inside a default.
    pub(crate) scope: Option<usize>,
    /// Parameters of a chain and names of comprehensions.
    pub(crate) locals: Vec<(String, Val)>,
    /// The definition at work, for the graph of mentions.
    pub(crate) node: String,
    /// Members and arguments around the value at hand.
    pub(crate) path: Vec<String>,
    /// Rows that a predicate can speak of; `None` where any column may be.
    pub(crate) row: Option<Rc<Row>>,
    /// The step at hand.
    pub(crate) step: Option<Span>,
    /// Inside a step that is switched off.
    pub(crate) off: bool,
    /// Usually a power of two.
    pub(crate) binary: bool,
    /// Where `let`s and chains are used that are being looked at.
    pub(crate) used_at: Option<Span>,
    /// Values of stronger layers, by path.
    pub(crate) overrides: Rc<BTreeMap<Vec<String>, Override<'a>>>,
}

/// Checks and evaluates.
pub(crate) struct Checker<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) registry: &'a Registry,
    pub(crate) names: Rc<Names<'a>>,
    pub(crate) variants: Vec<String>,
    pub(crate) sets: &'a BTreeMap<String, Expr>,
    pub(crate) diags: Vec<Diag>,
    pub(crate) items: Items,
    /// Definitions that are being evaluated.
    pub(crate) busy: BTreeSet<String>,
    pub(crate) ctx: Context<'a>,
    /// Mentions: from, to, where.
    pub(crate) mentions: BTreeMap<String, BTreeMap<String, Span>>,
    pub(crate) params: BTreeMap<String, Val>,
    pub(crate) places: Rc<Places>,
    pub(crate) consumed: Rc<BTreeSet<Vec<String>>>,
    pub(crate) unpublished: Vec<Note>,
    pub(crate) meanings: Vec<(Span, Meaning)>,
    /// Whether meanings are kept: not where a program is only tried under other values.
    pub(crate) for_editors: bool,
    /// What the first step of the chain at hand takes.
    pub(crate) takes: Option<llmp_stdlib::State>,
    /// Whether the numbers seen last were percentages.
    pub(crate) percent: bool,
    /// Imports of the main file that were used.
    pub(crate) used_names: BTreeSet<String>,
    /// What chosen variants set, by item.
    pub(crate) targets: BTreeMap<String, Vec<Target<'a>>>,
    /// Families and rounds are being expanded: no item may be evaluated.
    pub(crate) expanding: bool,
    /// An item would have been needed.
    pub(crate) dynamic: bool,
    /// Elements of families and rounds so far.
    pub(crate) made: usize,
    /// Definitions that families, and those that rounds have made.
    pub(crate) defined: [usize; 2],
    /// There would be too many of them.
    pub(crate) overfull: bool,
    /// Uses of `let`s and chains inside of others.
    pub(crate) followed: usize,
    /// Elements of lists that uses of `let`s gave.
    pub(crate) held: usize,
    /// Values with several possible types around the one at hand.
    pub(crate) choosing: usize,
    /// Tries of alternatives in deeply nested values.
    pub(crate) tries: usize,
    /// Items of which all that they need is evaluated too.
    pub(crate) deep: BTreeSet<String>,
    /// Conditions that only the run can decide.
    pub(crate) guards: Vec<Guard>,
    /// Plain values of `let`s, by name and expected type.
    pub(crate) plain: BTreeMap<(String, String), Val>,
}

/// Checks a program: its items evaluated, and everything that is wrong with it.
pub fn check(loaded: &Loaded, registry: &Registry, options: &Options) -> (Program, Sink) {
    let mut diags = Vec::new();
    let names = Rc::new(resolve(loaded, registry, &mut diags));
    let mut sources = loaded.sources.clone();
    let sets = overrides::sets(&names, options, &mut sources, &mut diags);
    let variants = overrides::variants(&names, options, &mut diags);
    let mut checker = Checker::new(loaded, registry, Rc::clone(&names), variants.clone(), &sets, diags);
    checker.run();
    let mut program = checker.program(sources);
    let mut diags = std::mem::take(&mut checker.diags);
    let base = arms::Base { loaded, registry, names: &names, variants: &variants, sets: &sets };
    base.arms(&mut program, &mut diags);
    overrides::only(loaded, &names, &mut diags);
    overrides::others(loaded, registry, &names, &variants, &sets, &mut diags);
    let diags = report::allowed(loaded, diags);
    let mut sink = Sink::new();
    sink.extend(diags);
    let sorted = sink.into_sorted();
    let mut sink = Sink::new();
    sink.extend(report::same_once(sorted));
    program.unpublished.sort_by_key(|note| note.at);
    program.unpublished.dedup();
    (program, sink)
}

impl<'a> Checker<'a> {
    pub(crate) fn new(
        loaded: &'a Loaded,
        registry: &'a Registry,
        names: Rc<Names<'a>>,
        variants: Vec<String>,
        sets: &'a BTreeMap<String, Expr>,
        diags: Vec<Diag>,
    ) -> Self {
        Checker {
            loaded,
            registry,
            names,
            variants,
            sets,
            diags,
            items: Items::default(),
            busy: BTreeSet::new(),
            ctx: Context::default(),
            mentions: BTreeMap::new(),
            params: BTreeMap::new(),
            places: Rc::default(),
            consumed: Rc::default(),
            unpublished: Vec::new(),
            meanings: Vec::new(),
            for_editors: true,
            takes: None,
            percent: false,
            used_names: BTreeSet::new(),
            targets: BTreeMap::new(),
            expanding: false,
            dynamic: false,
            made: 0,
            defined: [0; 2],
            overfull: false,
            followed: 0,
            held: 0,
            choosing: 0,
            tries: 0,
            deep: BTreeSet::new(),
            guards: Vec::new(),
            plain: BTreeMap::new(),
        }
    }

    /// Evaluates everything and applies all rules.
    pub(crate) fn run(&mut self) {
        if !self.expand() {
            return;
        }
        self.settle();
        let names = Rc::clone(&self.names);
        for name in names.params.keys() {
            self.param(name);
        }
        self.in_order();
        self.items.0.sort_by_cached_key(|name, _| names.decls.get_index_of(name));
        self.lets();
        self.kind_rules();
        self.checks();
        self.lints();
        self.cycles();
        self.unused();
    }

    fn program(&mut self, sources: Sources) -> Program {
        let mut items = std::mem::take(&mut self.items.0);
        for (name, item) in &mut items {
            item.mentions = self.needs_of(name);
        }
        let known = |(name, val): (&String, &Val)| match val {
            Val::Known(value) => Some((name.clone(), value.clone())),
            Val::Unknown | Val::Error => None,
        };
        Program {
            sources,
            items,
            params: self.params.iter().filter_map(known).collect(),
            guards: std::mem::take(&mut self.guards),
            unpublished: std::mem::take(&mut self.unpublished),
            meanings: std::mem::take(&mut self.meanings),
            locked: self.loaded.locked.clone(),
            arms: BTreeMap::new(),
            main: self.loaded.units.first().map(|u| u.path.clone()).unwrap_or_default(),
        }
    }

    /// What a definition mentions, by itself and through `let`s, params and indices.
    fn needs_of(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name];
        while let Some(node) = open.pop() {
            for next in self.mentions.get(node).into_iter().flat_map(BTreeMap::keys) {
                if found.insert(next.clone()) && !self.names.decls.contains_key(next) {
                    open.push(next);
                }
            }
        }
        found
    }

    /// Adds a diagnostic; inside a `let` or chain it says where that is used.
    pub(crate) fn report(&mut self, diag: impl Into<Diag>) {
        let mut diag: Diag = diag.into();
        if let Some(at) = self.ctx.used_at
            && diag.span() != Some(at)
        {
            diag = diag.label(at, "used here");
        }
        // What a `let` is used for many times is said once.
        if self.diags.last() != Some(&diag) {
            self.diags.push(diag);
        }
    }

    /// Runs `work` without letting it say anything; tells whether it found an error.
    pub(crate) fn silently<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, Vec<Diag>) {
        let before = self.diags.len();
        let (places, consumed) = (Rc::clone(&self.places), Rc::clone(&self.consumed));
        let meanings = self.meanings.len();
        let result = work(self);
        let said = self.diags.split_off(before);
        if said.iter().any(Diag::is_error) {
            self.places = places;
            self.consumed = consumed;
            self.meanings.truncate(meanings);
        }
        (result, said)
    }

    /// Runs `work` in a changed context.
    pub(crate) fn within<T>(
        &mut self,
        change: impl FnOnce(&mut Context<'a>),
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let saved = self.ctx.clone();
        change(&mut self.ctx);
        let result = work(self);
        self.ctx = saved;
        result
    }

    /// Remembers what a place means.
    pub(crate) fn mean(&mut self, at: Span, meaning: impl FnOnce() -> Meaning) {
        if self.for_editors && self.ctx.scope.is_some() {
            self.meanings.push((at, meaning()));
        }
    }
}

/// Defaults in the registry that are not values of their own type: must be empty.
pub fn registry_problems(registry: &Registry) -> Vec<String> {
    let loaded = Loaded::default();
    let sets = BTreeMap::new();
    let mut checker = Checker::new(&loaded, registry, Rc::default(), Vec::new(), &sets, Vec::new());
    let mut problems = registry.doubles().to_vec();
    let kinds = registry.all_kinds().map(|k| k.signature);
    let members = registry.all_families().flat_map(|f| f.members.iter().copied());
    for signature in kinds.chain(registry.all_steps()).chain(members) {
        for param in signature.params {
            let Some(default) = param.default else { continue };
            if let (Val::Error | Val::Unknown, said) = checker.silently(|c| c.default(param)) {
                let words: Vec<String> = said.into_iter().map(|d| d.message).collect();
                problems.push(format!(
                    "{}({} = {default}): {}",
                    signature.name,
                    param.name,
                    words.join("; ")
                ));
            }
        }
    }
    problems
}

/// History of the members of an item.
pub(crate) type Histories = BTreeMap<Vec<String>, Vec<Layer>>;

pub(crate) use arms::cost as arm_cost;
pub(crate) use call::parts;
pub(crate) use kinds::trains;
pub(crate) use layers::path_of;
pub(crate) use pipe::flatten;
pub(crate) use report::place_problem;
