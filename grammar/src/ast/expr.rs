//! Values, names and types as written. Numbers stay digits: their meaning belongs to the vocabulary.

use super::Block;
use crate::span::Span;
use std::fmt;

/// A word with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident {
    /// The word.
    pub text: String,
    /// Its place.
    pub span: Span,
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Words joined by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The words; never empty.
    pub segments: Vec<Ident>,
    /// All of it.
    pub span: Span,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.segments.iter().map(|segment| segment.text.as_str()).collect();
        f.write_str(&words.join("."))
    }
}

/// A type as written: `Num in 0..5`, `List[Str]?`, `{lang: Str}`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeRef {
    /// The type without marks.
    pub base: TypeBase,
    /// Whether `?` follows.
    pub optional: bool,
    /// The range or list after `in`.
    pub domain: Option<Expr>,
    /// All of it.
    pub span: Span,
}

/// The core of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeBase {
    /// `Name` or `Name[args]`.
    Named {
        /// The name.
        name: Ident,
        /// Types between brackets.
        args: Vec<TypeRef>,
    },
    /// `{name: Type, …}`.
    Record(Vec<TypeField>),
}

/// A field of a record type.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeField {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeRef,
}

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is, brackets around it included.
    pub span: Span,
}

/// The forms of values.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `4M tokens`.
    Number(Number),
    /// Text of any form.
    Text(Text),
    /// `true`, `false`.
    Bool(bool),
    /// `none`.
    None,
    /// A definition, or a value of an enum.
    Name(String),
    /// `.name`: a column of the row at hand.
    Column(Ident),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `[value for name in list if condition]`.
    Comprehension(Box<Comprehension>),
    /// `{ a = 1 }`.
    Record(Block),
    /// `callee(args)`.
    Call {
        /// What is called.
        callee: Box<Expr>,
        /// Arguments in order.
        args: Vec<Arg>,
        /// The brackets.
        args_span: Span,
    },
    /// `base { a = 1 }`: a constructor or a copy with changes.
    With {
        /// What is copied.
        base: Box<Expr>,
        /// The changes.
        block: Block,
    },
    /// `base.name`.
    Field {
        /// The value.
        base: Box<Expr>,
        /// The name.
        name: Ident,
    },
    /// `base[index]`.
    Index {
        /// The value.
        base: Box<Expr>,
        /// The index.
        index: Box<Expr>,
    },
    /// `-x`, `not x`.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its place.
        op_span: Span,
        /// The operand.
        operand: Box<Expr>,
    },
    /// `a + b`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Its place.
        op_span: Span,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `a < b < c` or `a..b..c`: legal to read, an error to mean (LLMP0205). One operand more than operators.
    Chained {
        /// Operators with their places.
        ops: Vec<(BinaryOp, Span)>,
        /// The values between them.
        operands: Vec<Expr>,
    },
    /// `if c then a else b`.
    If {
        /// Condition.
        condition: Box<Expr>,
        /// Value if true.
        then: Box<Expr>,
        /// Value if false.
        otherwise: Box<Expr>,
    },
    /// Text that could not be read and was already reported: say nothing more about it.
    Error,
}

impl Expr {
    /// A value that could not be read.
    pub fn error(span: Span) -> Expr {
        Expr { kind: ExprKind::Error, span }
    }

    /// The name, if the value is a single one.
    pub fn as_name(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The text, if it has no interpolation.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Text(text) => text.as_plain(),
            _ => None,
        }
    }

    /// Whether this could not be read.
    pub fn is_error(&self) -> bool {
        self.kind == ExprKind::Error
    }
}

/// A number as written: nothing is judged and no digit is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Digits with `.`, `_` and exponent, such as `14_336`, `1e-5`.
    pub digits: String,
    /// Attached letters or `%`, such as `M`, `GB`, `1h30m`'s `h30m`.
    pub suffix: Option<Ident>,
    /// The word after a blank, such as `tokens`.
    pub unit: Option<Ident>,
}

/// Text of any form: plain, raw, or `\\` lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The parts in order; without interpolation at most one.
    pub parts: Vec<TextPart>,
    /// Whether it is `r"…"` or `\\` lines, without escapes.
    pub raw: bool,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextPart {
    /// Characters, with escapes resolved.
    Plain(String),
    /// `{value}`.
    Value(Expr),
}

impl Text {
    /// The characters, if nothing is interpolated.
    pub fn as_plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [TextPart::Plain(text)] => Some(text),
            _ => None,
        }
    }
}

/// A list built from another.
#[derive(Clone, Debug, PartialEq)]
pub struct Comprehension {
    /// Each element.
    pub value: Expr,
    /// Name of the element of the other list.
    pub var: Ident,
    /// The other list.
    pub list: Expr,
    /// Which elements are taken.
    pub condition: Option<Expr>,
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// Its name, unless it is given by place.
    pub name: Option<Ident>,
    /// Its value.
    pub value: Expr,
    /// Both.
    pub span: Span,
}

/// Operators before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `not`
    Not,
}

impl UnaryOp {
    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Not => "not",
        }
    }
}

/// Operators between values, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BinaryOp {
    /// `|>`
    Pipe,
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `in`
    In,
    /// `..`, both ends included
    Range,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `mod`
    Mod,
}

impl BinaryOp {
    /// All operators.
    pub const ALL: [BinaryOp; 16] = [
        BinaryOp::Pipe,
        BinaryOp::Or,
        BinaryOp::And,
        BinaryOp::Eq,
        BinaryOp::Ne,
        BinaryOp::Lt,
        BinaryOp::Le,
        BinaryOp::Gt,
        BinaryOp::Ge,
        BinaryOp::In,
        BinaryOp::Range,
        BinaryOp::Add,
        BinaryOp::Sub,
        BinaryOp::Mul,
        BinaryOp::Div,
        BinaryOp::Mod,
    ];

    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Pipe => "|>",
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::In => "in",
            BinaryOp::Range => "..",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "mod",
        }
    }

    /// The operator of a symbol.
    pub fn from_symbol(symbol: &str) -> Option<BinaryOp> {
        BinaryOp::ALL.into_iter().find(|op| op.symbol() == symbol)
    }
}
