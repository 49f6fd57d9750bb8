//! The program as plain structs with spans: items, blocks and members. Values are in [`expr`].

pub mod expr;

use crate::span::Span;

pub use expr::{
    Arg, BinaryOp, Comprehension, Expr, ExprKind, Ident, Number, Path, Text, TextPart, TypeBase, TypeField,
    TypeRef, UnaryOp,
};

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// `llmp 1`; absent if the line is missing.
    pub edition: Option<Edition>,
    /// Items in the order in which they are written. Items that could not be read at all are left out.
    pub items: Vec<Item>,
    /// The whole text.
    pub span: Span,
}

/// The edition line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Its number.
    pub number: u32,
    /// The line.
    pub span: Span,
}

/// One top-level definition, or one inside `rounds`.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// `@only(base)` and the like, before the item.
    pub attrs: Vec<Attr>,
    /// Text of the `##` lines before the item, without the marks; empty if there are none.
    pub doc: String,
    /// What it is.
    pub kind: ItemKind,
    /// From the first attribute to the end.
    pub span: Span,
}

/// The forms of items.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most items are the large ones, and a program has few")]
pub enum ItemKind {
    /// `use { a } from "…"`.
    Use(Use),
    /// `param name: Type = value`.
    Param(Param),
    /// `let name = value`.
    Let(Let),
    /// `check condition else "…"`.
    Check(Check),
    /// `variant name { path = value }`.
    Variant(Variant),
    /// `rounds name for r in 1..6 { … }`.
    Rounds(Rounds),
    /// `kind name { … }` or `kind name = value`.
    Decl(Decl),
}

impl Item {
    /// The name that the item defines; `use` and `check` define none by themselves.
    pub fn name(&self) -> Option<&Ident> {
        match &self.kind {
            ItemKind::Use(_) | ItemKind::Check(_) => None,
            ItemKind::Param(item) => Some(&item.name),
            ItemKind::Let(item) => Some(&item.name),
            ItemKind::Variant(item) => Some(&item.name),
            ItemKind::Rounds(item) => Some(&item.name),
            ItemKind::Decl(item) => Some(&item.name),
        }
    }
}

/// `@name(args)` before an item or a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Attr {
    /// Name without `@`.
    pub name: Ident,
    /// Arguments; empty without brackets.
    pub args: Vec<Arg>,
    /// From `@` to the end.
    pub span: Span,
}

/// An import.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// What is imported.
    pub names: UseNames,
    /// The path as written between the quotes.
    pub from: Ident,
    /// The item.
    pub span: Span,
}

/// What an import names.
#[derive(Clone, Debug, PartialEq)]
pub enum UseNames {
    /// `use { a, b as c } from …`.
    Names(Vec<UseName>),
    /// `use x from …`: the whole file under a name.
    Namespace(Ident),
}

/// One imported name.
#[derive(Clone, Debug, PartialEq)]
pub struct UseName {
    /// Its name in the other file.
    pub name: Ident,
    /// Its name here, after `as`.
    pub alias: Option<Ident>,
    /// Both.
    pub span: Span,
}

impl UseName {
    /// The name under which it is known here.
    pub fn local(&self) -> &Ident {
        self.alias.as_ref().unwrap_or(&self.name)
    }
}

/// A `param` item, or one parameter of a `chain`.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeRef,
    /// Value if none is given.
    pub default: Option<Expr>,
    /// All of it.
    pub span: Span,
}

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// Its name.
    pub name: Ident,
    /// Its type, if written.
    pub ty: Option<TypeRef>,
    /// Its value.
    pub value: Expr,
    /// The item.
    pub span: Span,
}

/// A condition that must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What must be true.
    pub condition: Expr,
    /// What to say if it is not.
    pub message: Text,
    /// Place of the message.
    pub message_span: Span,
    /// The item.
    pub span: Span,
}

/// A named set of overrides.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name.
    pub name: Ident,
    /// Paths and their values.
    pub block: Block,
    /// The item.
    pub span: Span,
}

/// A fold over a range: items that are repeated with values carried from round to round.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounds {
    /// Name of the whole.
    pub name: Ident,
    /// Name of the round's number.
    pub var: Ident,
    /// First round.
    pub from: Expr,
    /// Last round.
    pub to: Expr,
    /// What each round holds.
    pub members: Vec<RoundMember>,
    /// Whether a part of the body could not be read.
    pub broken: bool,
    /// The item.
    pub span: Span,
}

/// A line of `rounds`.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most items are the large ones, and a program has few")]
pub enum RoundMember {
    /// `carry name = first value`.
    Carry(Binding),
    /// `next name = value for the next round`.
    Next(Binding),
    /// An item of each round.
    Item(Item),
}

/// The name and value of `carry` and `next`.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Its name.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
    /// The line.
    pub span: Span,
}

/// A definition of some kind. The grammar knows no kinds: any word may stand first.
#[derive(Clone, Debug, PartialEq)]
pub struct Decl {
    /// The kind, such as `model`.
    pub kind: Ident,
    /// Its name.
    pub name: Ident,
    /// Parameters of a chain: `(min: Int = 50)`.
    pub params: Vec<Param>,
    /// Index of a family: `[lang in LANGS]`.
    pub index: Option<Index>,
    /// Its type, if written.
    pub ty: Option<TypeRef>,
    /// The item that it copies.
    pub like: Option<Path>,
    /// What it holds.
    pub body: Body,
    /// The item without its attributes.
    pub span: Span,
}

/// The index of a family of items.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// Name of the index.
    pub var: Ident,
    /// The values that it takes.
    pub domain: Expr,
    /// From `[` to `]`.
    pub span: Span,
}

/// What a definition holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `{ member = value }`.
    Block(Block),
    /// `= value`.
    Value(Expr),
}

/// Members between braces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Members in the order in which they are written. A member whose value could not be read has [`ExprKind::Error`].
    pub members: Vec<Member>,
    /// Whether a part could not be read: a member that seems absent may be in it, so nothing should be said of it.
    pub broken: bool,
    /// From `{` to `}`.
    pub span: Span,
}

/// `target = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Attributes before the member.
    pub attrs: Vec<Attr>,
    /// Text of the `##` lines before the member.
    pub doc: String,
    /// The path that is set; never empty, and the first segment is a name.
    pub target: Vec<Segment>,
    /// From the first segment to the last.
    pub target_span: Span,
    /// The value.
    pub value: Expr,
    /// From the first attribute to the end of the value.
    pub span: Span,
}

impl Member {
    /// The name, if the target is a single one.
    pub fn name(&self) -> Option<&Ident> {
        match self.target.as_slice() {
            [Segment::Name(name)] => Some(name),
            _ => None,
        }
    }
}

/// One step of a member's path.
#[derive(Clone, Debug, PartialEq)]
pub enum Segment {
    /// A name.
    Name(Ident),
    /// `[value]`, with the place of the brackets.
    Index(Expr, Span),
}

impl Segment {
    /// Place of the segment.
    pub fn span(&self) -> Span {
        match self {
            Segment::Name(name) => name.span,
            Segment::Index(_, span) => *span,
        }
    }
}
