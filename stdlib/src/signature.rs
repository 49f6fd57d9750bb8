//! Signatures: what a built-in is called, what it takes, what it does to data.

use std::collections::BTreeMap;

use crate::problem::Problem;
use crate::ty::Ty;
use crate::value::Record;

/// One parameter of a step or constructor, or one member of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name in the language.
    pub name: &'static str,
    /// What it is for, with units.
    pub doc: &'static str,
    /// What it accepts.
    pub ty: Ty,
    /// Default as a literal of the language; `None` when it must be written.
    pub default: Option<&'static str>,
    /// Its values are usually powers of two (context, vocabulary): `8k` is then a warning.
    pub binary: bool,
    /// A list that takes all further positional arguments: `committee(a, b, c)`.
    pub many: bool,
    /// The models that it names write the text of the result, which is synthetic.
    pub writes: bool,
}

/// The state of data: what one record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A web page as fetched.
    Html,
    /// Plain documents.
    Docs,
    /// Conversations.
    Chat,
    /// Prompts without answers.
    Prompt,
    /// Prompts with sampled answers.
    Answers,
    /// Chosen and rejected answers.
    Preference,
    /// Texts with labels.
    Labelled,
}

impl State {
    /// All states.
    pub const ALL: &'static [State] = &[
        State::Html,
        State::Docs,
        State::Chat,
        State::Prompt,
        State::Answers,
        State::Preference,
        State::Labelled,
    ];

    /// Its name in the language.
    pub fn show(self) -> &'static str {
        match self {
            State::Html => "Html",
            State::Docs => "Docs",
            State::Chat => "Chat",
            State::Prompt => "Prompt",
            State::Answers => "Answers",
            State::Preference => "Preference",
            State::Labelled => "Labelled",
        }
    }

    /// Columns that every record of the state has, and those that it may have and the language knows by name
    /// (`edited` and `strength` of a preference). Lists are columns of JSON text.
    pub fn columns(self) -> &'static [(&'static str, Column)] {
        use Column::Text;
        match self {
            State::Html => &[],
            State::Docs => &[("text", Text)],
            State::Chat => &[("messages", Text)],
            State::Prompt => &[("prompt", Text)],
            State::Answers => &[("prompt", Text), ("answer", Text)],
            State::Preference => &[
                ("prompt", Text),
                ("chosen", Text),
                ("rejected", Text),
                ("edited", Text),
                ("strength", Text),
            ],
            State::Labelled => &[("text", Text), ("label", Text)],
        }
    }
}

/// Columns by name.
pub type Columns = BTreeMap<String, Column>;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Text.
    Text,
    /// A number.
    Num,
    /// A truth value.
    Bool,
}

/// What a step does to data.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// States it takes; none for a source.
    pub from: &'static [State],
    /// State it gives, from its arguments; `None`: the state that it is given.
    pub to: Option<fn(&Record) -> State>,
    /// Columns it reads besides those in its arguments.
    pub needs: &'static [&'static str],
    /// Columns it reads because its arguments say so: `as_chat(user = "question")`.
    pub reads: fn(&Record) -> Vec<String>,
    /// Columns it adds: name and type.
    pub adds: &'static [(&'static str, Column)],
    /// Columns it adds because its arguments say so: `classify(educational)` adds `.educational`.
    pub gains: fn(&Record) -> Vec<(String, Column)>,
    /// Parts of its result besides the data itself: `heldout`.
    pub parts: &'static [&'static str],
    /// A row-wise step: it can run fused with its neighbours over one read.
    pub row_wise: bool,
}

impl Flow {
    /// Whether it makes data out of nothing.
    pub fn is_source(&self) -> bool {
        self.from.is_empty()
    }

    /// The state that comes out when `given` goes in; `None` when that is not known.
    pub fn gives(&self, args: &Record, given: Option<State>) -> Option<State> {
        match self.to {
            Some(to) => Some(to(args)),
            None => given,
        }
    }

    /// Every column that it adds, for these arguments.
    pub fn added(&self, args: &Record) -> Vec<(String, Column)> {
        let mut all: Vec<_> = self.adds.iter().map(|(name, column)| ((*name).to_owned(), *column)).collect();
        all.extend((self.gains)(args));
        all
    }
}

/// A built-in as the language sees it.
#[derive(Debug)]
pub struct Signature {
    /// Its name in the language.
    pub name: &'static str,
    /// Documentation, Markdown; the first line is the summary.
    pub doc: &'static str,
    /// Raised by hand when its output changes for equal input.
    pub rev: u32,
    /// The runtime of this version does not have it yet: it is checked and planned, and `llmp run` refuses it at once.
    pub planned: bool,
    /// Parameters in positional order.
    pub params: &'static [Param],
    /// For data steps and sources.
    pub flow: Option<Flow>,
    /// Cross-argument rules, called once every argument has its type.
    pub check: fn(&Record) -> Vec<Problem>,
    /// What its arguments ask for that the runtime of this version cannot do (LLMP0703): said by `llmp run` before anything starts.
    pub lacks: fn(&Record) -> Vec<Problem>,
    /// Where it is declared, for people who read the code.
    pub site: (&'static str, u32),
}

impl Signature {
    /// The parameter called `name`.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|p| p.name == name)
    }

    /// First line of the documentation.
    pub fn summary(&self) -> &'static str {
        self.doc.trim().lines().next().unwrap_or("").trim()
    }
}

/// A settings struct made by `def!`: typed arguments of one built-in.
pub trait Settings: Sized {
    /// Its signature.
    const SIGNATURE: &'static Signature;

    /// Reads the arguments, which must be complete (defaults filled in).
    ///
    /// Errors: one problem for each argument that is missing or has the wrong form.
    fn read(args: &Record) -> Result<Self, Vec<Problem>>;
}

/// `r#as` is the parameter `as`.
#[doc(hidden)]
pub const fn plain_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}
