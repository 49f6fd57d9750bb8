//! Lineage: which sources reach which stage, through which steps, under which rights, and how much of them there is.

mod data;
mod stage;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use llmp_stdlib::source::Rights;
use llmp_stdlib::{Estimate, Locked, Program, Rational, Registry};

pub(crate) use stage::learns;
pub use stage::{Consumed, Repeat, Share, Stage};

/// What can be read off everything that learns, besides the fields of its kind.
pub const FIELDS: &[(&str, &str)] = &[
    ("synthetic_share", "Share of the tokens that models wrote; a range where it is not known exactly."),
    ("synthetic_generation", "Generations of models between the text and people; 0: no text of models."),
];

/// A part of split data that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    Whole,
    /// What a split leaves for training.
    Train,
    /// A named part: `heldout`.
    Named(String),
}

/// One source as it arrives somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// Its item, or what an inline reader reads.
    pub source: String,
    /// Whether that is an item of the program.
    pub is_item: bool,
    /// What it states.
    pub rights: Rights,
    /// Its tokens, as declared or measured; `None`: not known.
    pub size: Option<Estimate>,
    /// Whether the size was measured.
    pub measured: bool,
    /// The part of it that arrives.
    pub part: Part,
    /// Steps that took out what it has in common with these sources or suites.
    pub clean_of: BTreeSet<String>,
    /// Generations of models between it and people; 0 is written by people.
    pub generation: u64,
}

impl Leaf {
    /// Whether documents of one can be documents of the other.
    pub fn overlaps(&self, other: &Leaf) -> bool {
        self.source == other.source
            && (self.part == Part::Whole || other.part == Part::Whole || self.part == other.part)
    }
}

/// Data as they arrive: their sources, and how many tokens there are after all steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    /// The sources.
    pub leaves: Vec<Leaf>,
    /// Tokens; filters leave an unknown share, so the low end may be zero.
    pub tokens: Option<Estimate>,
}

/// One part of what a stage trains on.
#[derive(Debug, Clone, PartialEq)]
pub struct Portion {
    /// Its key in the mixture, or the member that names it.
    pub name: String,
    /// Its share of the consumed tokens.
    pub share: Option<Rational>,
    /// Most passes over it.
    pub max_epochs: Option<Rational>,
    /// Its data.
    pub data: Data,
}

/// Looks through a program.
pub struct Lineage<'p> {
    pub(crate) program: &'p dyn Program,
    pub(crate) registry: &'p Registry,
    pub(crate) locked: &'p Locked,
    known: RefCell<BTreeMap<String, Data>>,
    /// Models whose lineage is being looked at.
    open: RefCell<BTreeSet<String>>,
}

impl<'p> Lineage<'p> {
    /// The lineage of a program, computed when it is asked for.
    pub fn new(program: &'p dyn Program, registry: &'p Registry, locked: &'p Locked) -> Lineage<'p> {
        Lineage { program, registry, locked, known: RefCell::default(), open: RefCell::default() }
    }
}
