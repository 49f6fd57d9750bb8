//! A checked program: evaluated items, where each value was written, and what is known about every place.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use llmp_grammar::{Sources, Span};
use llmp_stdlib::signature::Columns;
use llmp_stdlib::{ItemRef, Kind, Record, Signature, State, Value, View};

/// The type of data: its state, its columns and its parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// What one record is; `None` when that is not known.
    pub state: Option<State>,
    /// Columns that are known.
    pub columns: Columns,
    /// Whether there may be columns besides (a source whose columns are not declared).
    pub open: bool,
    /// Nothing is known, so nothing is said about columns.
    pub quiet: bool,
    /// Columns of steps that are switched off, usable by steps that are off as well.
    pub off: Columns,
    /// Parts besides the data itself: `heldout`.
    pub parts: &'static [&'static str],
}

/// Where one value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The value.
    pub value: Span,
    /// Where a further member or argument can be added, and whether that is a block of several lines, of one, or a call.
    pub insert: Option<(Span, Insert)>,
}

/// How a member or argument is added at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insert {
    /// On a line of its own.
    Line,
    /// After a comma.
    Comma,
    /// As the first one.
    First,
}

/// Places of members and arguments by path.
pub type Places = BTreeMap<Vec<String>, Place>;

/// Who gave a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Copied by `like` from this item.
    Like(String),
    /// Written in the item.
    Written,
    /// Set by this variant.
    Variant(String),
}

/// One value in the history of a member: the last one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Who gave it.
    pub origin: Origin,
    /// The value as written.
    pub at: Span,
}

/// A value that a paper does not give (`unpublished(…)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The value.
    pub at: Span,
    /// Why this value was taken.
    pub why: String,
}

/// What a place of the text means, for editors.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// A value.
    Value(Value),
    /// Data between two steps.
    Data(Row),
    /// A reference to a definition of the program, at that place.
    Definition(String, Span),
    /// The name of a built-in.
    BuiltIn(&'static Signature),
    /// The name of a parameter of a built-in.
    Parameter(&'static Signature, &'static str),
}

/// An evaluated item.
#[derive(Clone)]
pub struct Item {
    /// Unique name in the program.
    pub name: String,
    /// Its kind.
    pub kind: &'static Kind,
    /// Its documentation.
    pub doc: String,
    /// Members that are known, with defaults filled in.
    pub members: Record,
    /// Members that were written here, in the copied item, or in a variant.
    pub written: BTreeSet<String>,
    /// The value of `kind name = value`.
    pub value: Option<Value>,
    /// The type of its data, if it yields data or is a chain (then: what comes out).
    pub row: Option<Row>,
    /// What a chain takes.
    pub takes: Option<State>,
    /// Whether everything about it is known and right.
    pub complete: bool,
    /// Its name in the text.
    pub at: Span,
    /// All of it.
    pub span: Span,
    /// Where its values were written.
    pub places: Places,
    /// Who gave each member, weakest first.
    pub layers: BTreeMap<Vec<String>, Vec<Layer>>,
    /// Other definitions that it mentions.
    pub mentions: BTreeSet<String>,
    /// Only to be copied by `like`: required members may be absent, and nothing uses it (`@preset`).
    pub preset: bool,
    /// Its result is never cleaned up (`@keep`).
    pub keep: bool,
}

/// A condition that only the run can decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// As written.
    pub condition: String,
    /// What to say where it does not hold.
    pub words: String,
    /// The condition without names: the column `0` stands for the first of `reads`. `None` where a run cannot decide it.
    pub formula: Option<llmp_stdlib::Formula>,
    /// Values that the run gives: an item and what is read of it.
    pub reads: Vec<(ItemRef, String)>,
    /// Where.
    pub at: Span,
}

impl Item {
    /// What kinds and the planner see.
    pub(crate) fn view<'a>(&'a self, program: &'a dyn llmp_stdlib::Program) -> View<'a> {
        View {
            name: &self.name,
            kind: self.kind,
            members: &self.members,
            written: &self.written,
            value: self.value.as_ref(),
            program,
        }
    }

    /// Place of the value at a path, or of the nearest one around it that was written; the item's name if there is none.
    pub fn place(&self, path: &[String]) -> Span {
        let prefixes = (1..=path.len()).rev().map(|n| &path[..n]);
        prefixes.filter_map(|p| self.places.get(p)).map(|p| p.value).next().unwrap_or(self.at)
    }
}

/// One arm of a comparison: the program under other params.
#[derive(Clone)]
pub struct Arm {
    /// Values of the varied params.
    pub values: Record,
    /// The program.
    pub program: Program,
}

/// A checked program.
#[derive(Clone, Default)]
pub struct Program {
    /// All texts, those of `--set` among them.
    pub sources: Sources,
    /// Items by unique name: those of the main file under their own names.
    pub items: IndexMap<String, Item>,
    /// Conditions that only the run can decide.
    pub guards: Vec<Guard>,
    /// Values of params.
    pub params: BTreeMap<String, Value>,
    /// Marked values in the order in which they stand.
    pub unpublished: Vec<Note>,
    /// What places mean, for editors.
    pub meanings: Vec<(Span, Meaning)>,
    /// Arms of comparisons, by item.
    pub arms: BTreeMap<String, Vec<Arm>>,
    /// Measured facts of inputs.
    pub locked: llmp_stdlib::Locked,
    /// Path of the main file.
    pub main: String,
}

impl llmp_stdlib::Program for Program {
    fn view(&self, name: &str) -> Option<View<'_>> {
        self.items.get(name).map(|item| item.view(self))
    }
}

/// Items while they are evaluated.
#[derive(Default)]
pub(crate) struct Items(pub(crate) IndexMap<String, Item>);

impl llmp_stdlib::Program for Items {
    fn view(&self, name: &str) -> Option<View<'_>> {
        self.0.get(name).map(|item| item.view(self))
    }
}
