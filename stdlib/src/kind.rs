//! Kinds of items: members, checks, and how an item becomes steps of a plan.

use std::collections::BTreeSet;

use crate::plan::{ModelCost, Port, StageCost};
use crate::problem::Problem;
use crate::signature::Signature;
use crate::ty::Ty;
use crate::value::{Call, ItemRef, Record, Value};

/// What an item of a kind is, for those that refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Yields {
    /// Data in some state: sources and datasets.
    Data,
    /// A chain of steps without a head.
    Chain,
    /// A weighted mixture of data.
    Mix,
    /// A tokenizer.
    Tokenizer,
    /// A model: described, or the result of a training stage.
    Model,
    /// Metrics of an evaluation.
    Metrics,
    /// A released folder.
    Release,
    /// Machines to estimate for.
    Hardware,
    /// A classifier of documents.
    Classifier,
    /// A reward model: a number for a prompt with its answer.
    Reward,
}

impl Yields {
    /// Everything that an item can be.
    pub const ALL: &'static [Yields] = &[
        Yields::Data,
        Yields::Chain,
        Yields::Mix,
        Yields::Tokenizer,
        Yields::Model,
        Yields::Metrics,
        Yields::Release,
        Yields::Hardware,
        Yields::Classifier,
        Yields::Reward,
    ];

    /// Its name as a type: `tokenizer tok: Tokenizer = …`.
    pub fn name(self) -> &'static str {
        match self {
            Yields::Data => "Data",
            Yields::Chain => "Chain",
            Yields::Mix => "Mix",
            Yields::Tokenizer => "Tokenizer",
            Yields::Model => "Model",
            Yields::Metrics => "Metrics",
            Yields::Release => "Release",
            Yields::Hardware => "Hardware",
            Yields::Classifier => "Classifier",
            Yields::Reward => "Reward",
        }
    }

    /// Words for messages.
    pub fn show(self) -> &'static str {
        match self {
            Yields::Data => "data",
            Yields::Chain => "a chain",
            Yields::Mix => "a mix",
            Yields::Tokenizer => "a tokenizer",
            Yields::Model => "a model",
            Yields::Metrics => "metrics",
            Yields::Release => "a release",
            Yields::Hardware => "hardware",
            Yields::Classifier => "a classifier",
            Yields::Reward => "a reward model",
        }
    }
}

/// How an item of a kind is written.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// `kind name { member = value }`, with the members of the signature.
    Block,
    /// `kind name = expression` of this type.
    Value(Ty),
    /// Either of the two (`model m { … }`, `model m = hf("…")`).
    Either(Ty),
    /// `kind name { key = value }` with open keys: references to items, each with a value of this type.
    Open(Ty),
}

/// Members of which one (or at most one) is written.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The members.
    pub members: &'static [&'static str],
    /// Exactly one, not at most one.
    pub required: bool,
}

/// A value that can be read off an item: `llama.parameters`.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it is, with its unit.
    pub doc: &'static str,
    /// Reads it; `None` when it is not known before the run.
    pub read: fn(&View<'_>) -> Option<Value>,
}

/// What an item costs.
#[derive(Debug, Clone, PartialEq)]
pub enum Cost {
    /// A model.
    Model(ModelCost),
    /// A training stage.
    Stage(StageCost),
}

/// A kind of item.
pub struct Kind {
    /// Name, documentation and members.
    pub signature: &'static Signature,
    /// How it is written.
    pub form: Form,
    /// What it is for others.
    pub yields: Yields,
    /// Members that exclude each other.
    pub groups: &'static [Group],
    /// What can be read off it besides its members.
    pub fields: &'static [Field],
    /// Rules over the whole item; a member that is not known yet is skipped.
    pub check: fn(&View<'_>) -> Vec<Problem>,
    /// What it asks for that the runtime of this version cannot do (LLMP0703): said by `llmp run` before anything starts.
    pub lacks: fn(&View<'_>) -> Vec<Problem>,
    /// Turns it into steps.
    pub elaborate: fn(&View<'_>, &mut dyn Planner) -> Result<Output, Problem>,
    /// What it costs, when enough is known.
    pub cost: fn(&View<'_>) -> Option<Cost>,
}

impl Kind {
    /// A block kind without groups, fields, checks or costs: the base of a declaration
    /// (`Kind { groups: &[…], ..Kind::new(SIG, Form::Block, Yields::Model, elaborate) }`).
    pub const fn new(
        signature: &'static Signature,
        form: Form,
        yields: Yields,
        elaborate: fn(&View<'_>, &mut dyn Planner) -> Result<Output, Problem>,
    ) -> Kind {
        Kind {
            signature,
            form,
            yields,
            groups: &[],
            fields: &[],
            check: |_| Vec::new(),
            lacks: |_| Vec::new(),
            elaborate,
            cost: |_| None,
        }
    }
}

/// The items of a program, by name.
pub trait Program {
    /// The item called `name`, evaluated.
    fn view(&self, name: &str) -> Option<View<'_>>;
}

/// An evaluated item: what checks, fields, costs and elaboration see.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its kind.
    pub kind: &'static Kind,
    /// Members that are known, with defaults filled in; open keys as written.
    pub members: &'a Record,
    /// Names of the members that were written (in the item, its `like` base, or a variant).
    pub written: &'a BTreeSet<String>,
    /// The value of `kind name = value`.
    pub value: Option<&'a Value>,
    /// The program around it.
    pub program: &'a dyn Program,
}

impl<'a> View<'a> {
    /// A member's value; `None` when it is not known or `none`.
    pub fn get(&self, member: &str) -> Option<&'a Value> {
        self.members.get(member).filter(|v| **v != Value::None)
    }

    /// A member read as a Rust type.
    pub fn read<T: crate::Arg>(&self, member: &str) -> Option<T> {
        T::read(self.get(member)?).ok()
    }

    /// Was the member written (and not just defaulted)?
    pub fn written(&self, member: &str) -> bool {
        self.written.contains(member)
    }

    /// The item that a member refers to. A choice between items (`pick(a, b, …)`) stands for its first: they share
    /// their shape and tokenizer.
    pub fn follow(&self, member: &str) -> Option<View<'a>> {
        self.target(self.get(member)?)
    }

    /// The item that a value refers to, as in [`View::follow`].
    pub fn target(&self, value: &Value) -> Option<View<'a>> {
        match value {
            Value::Item(item) => self.program.view(&item.item),
            Value::Call(call) => match call.args.get("models")? {
                Value::List(items) => self.target(items.first()?),
                _ => None,
            },
            _ => None,
        }
    }
}

/// One part of a mixture.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its key in the mixture.
    pub name: String,
    /// Where the documents come from.
    pub port: Port,
    /// Its share of the consumed tokens; shares sum to one.
    pub share: crate::Rational,
    /// Most passes over it, if limited.
    pub max_epochs: Option<crate::Rational>,
    /// Its share from some number of tokens of a stage on; all parts of a mixture change at the same places.
    pub then: Vec<(u64, crate::Rational)>,
}

impl Part {
    /// Its later shares as an argument, where it has some: what a mixture is without them keeps its key.
    pub fn later(&self) -> Option<Value> {
        let change = |(after, share): &(u64, crate::Rational)| {
            let fields = [("after", Value::number(i128::from(*after))), ("share", Value::number(*share))];
            Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
        };
        (!self.then.is_empty()).then(|| Value::List(self.then.iter().map(change).collect()))
    }
}

/// What an item becomes in a plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Nothing that runs (a chain).
    Nothing,
    /// The result of a step: documents, a tokenizer, metrics, a release.
    Port(Port),
    /// A mixture: used by the stages that train on it.
    Mix(Vec<Part>),
    /// A model: its description (constructor arguments, defaults filled in), its tokenizer, and the step that trained it.
    Model {
        /// Members of the `model` item it goes back to.
        spec: Record,
        /// Its tokenizer.
        tokenizer: Option<Port>,
        /// The step that gives its weights; `None` for a description.
        weights: Option<Port>,
    },
}

/// Makes steps of a plan; implemented by the interpreter.
pub trait Planner {
    /// What an item became (each item once).
    fn item(&mut self, item: &ItemRef) -> Result<Output, Problem>;

    /// Data given as an item, a pipe or a source constructor.
    fn data(&mut self, value: &Value) -> Result<Output, Problem>;

    /// A built-in step or constructor with its own arguments; items, pipes and ports among them become inputs.
    fn call(&mut self, call: &Call, before: &[Port]) -> Result<Port, Problem>;

    /// A step of the runtime. `Value::Port` anywhere inside `args` becomes an input.
    fn step(&mut self, op: &str, rev: u32, args: Record) -> Port;

    /// The runs of a comparison: every arm with every seed.
    fn runs(&mut self, compare: &View<'_>) -> Result<Vec<crate::compare::Run>, Problem> {
        let _ = compare;
        Ok(Vec::new())
    }

    /// Gives a step the name by which people know it; steps without one are called by their operation.
    fn name(&mut self, step: &Port, name: String) {
        let _ = (step, name);
    }

    /// Documents as tokens of a tokenizer: one step for each pair, shared by stages.
    fn tokens(&mut self, docs: Port, tokenizer: Port) -> Port;
}
