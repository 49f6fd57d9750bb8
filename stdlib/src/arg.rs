//! From values to the types of settings structs.

use crate::formula::Formula;
use crate::number::{self, Rational};
use crate::ty::Ty;
use crate::unit::{Dim, Quantity};
use crate::value::Value;

/// A Rust type that a parameter can have.
pub trait Arg: Sized {
    /// What the language accepts for it.
    const TY: Ty;

    /// Reads a checked value. Errors: words that say what was expected.
    fn read(value: &Value) -> Result<Self, String>;
}

fn mismatch<T>(ty: &Ty, value: &Value) -> Result<T, String> {
    Err(format!("expected {}, found {value}", ty.show()))
}

impl Arg for bool {
    const TY: Ty = Ty::Bool;
    fn read(value: &Value) -> Result<Self, String> {
        if let Value::Bool(b) = value { Ok(*b) } else { mismatch(&Self::TY, value) }
    }
}

impl Arg for String {
    const TY: Ty = Ty::Text;
    fn read(value: &Value) -> Result<Self, String> {
        if let Value::Text(t) = value { Ok(t.clone()) } else { mismatch(&Self::TY, value) }
    }
}

/// A path or glob, as written relative to the program's main file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(pub String);

impl Arg for FilePath {
    const TY: Ty = Ty::Path;
    fn read(value: &Value) -> Result<Self, String> {
        String::read(value).map(FilePath)
    }
}

impl Arg for u64 {
    const TY: Ty = Ty::Int;
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Number(q) => {
                number::to_u64(q.amount).ok_or_else(|| format!("expected a whole number, found {value}"))
            }
            _ => mismatch(&Self::TY, value),
        }
    }
}

impl Arg for usize {
    const TY: Ty = Ty::Int;
    fn read(value: &Value) -> Result<Self, String> {
        let wide = u64::read(value)?;
        usize::try_from(wide).map_err(|_| format!("{wide} is too large for this machine"))
    }
}

impl Arg for Rational {
    const TY: Ty = Ty::Num;
    fn read(value: &Value) -> Result<Self, String> {
        if let Value::Number(q) = value { Ok(q.amount) } else { mismatch(&Self::TY, value) }
    }
}

impl Arg for f64 {
    const TY: Ty = Ty::Num;
    fn read(value: &Value) -> Result<Self, String> {
        Rational::read(value).map(number::to_f64)
    }
}

impl Arg for Formula {
    const TY: Ty = Ty::Predicate;
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Formula(f) => Ok(f.clone()),
            Value::Bool(b) => Ok(Formula::Bool(*b)),
            _ => mismatch(&Self::TY, value),
        }
    }
}

impl<T: Arg> Arg for Option<T> {
    const TY: Ty = Ty::Optional(&T::TY);
    fn read(value: &Value) -> Result<Self, String> {
        if *value == Value::None { Ok(None) } else { T::read(value).map(Some) }
    }
}

impl<T: Arg> Arg for Vec<T> {
    const TY: Ty = Ty::List(&T::TY);
    fn read(value: &Value) -> Result<Self, String> {
        if let Value::List(items) = value {
            items.iter().map(T::read).collect()
        } else {
            mismatch(&Self::TY, value)
        }
    }
}

/// A number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens(pub u64);

impl Arg for Tokens {
    const TY: Ty = Ty::Quantity(&[Dim::TOKENS]);
    fn read(value: &Value) -> Result<Self, String> {
        u64::read(value).map(Tokens)
    }
}

/// A length of training: tokens, steps, epochs or a share of the stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Tokens consumed.
    Tokens(u64),
    /// Optimizer steps.
    Steps(u64),
    /// Passes over the data.
    Epochs(f64),
    /// A fraction of the stage.
    Share(f64),
}

impl Arg for Length {
    const TY: Ty = Ty::Quantity(&[Dim::TOKENS, Dim::STEPS, Dim::EPOCHS, Dim::NONE]);
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Number(Quantity { dim: Dim::TOKENS, .. }) => u64::read(value).map(Length::Tokens),
            Value::Number(Quantity { dim: Dim::STEPS, .. }) => u64::read(value).map(Length::Steps),
            Value::Number(Quantity { dim: Dim::EPOCHS, amount }) => {
                Ok(Length::Epochs(number::to_f64(*amount)))
            }
            Value::Number(Quantity { dim: Dim::NONE, amount }) => Ok(Length::Share(number::to_f64(*amount))),
            _ => mismatch(&Self::TY, value),
        }
    }
}

/// The size of a batch: tokens or sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// Tokens, rounded to whole sequences.
    Tokens(u64),
    /// Sequences.
    Sequences(u64),
}

impl Arg for BatchSize {
    const TY: Ty = Ty::Quantity(&[Dim::TOKENS, Dim::SEQUENCES]);
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Number(Quantity { dim: Dim::TOKENS, .. }) => u64::read(value).map(BatchSize::Tokens),
            Value::Number(Quantity { dim: Dim::SEQUENCES, .. }) => u64::read(value).map(BatchSize::Sequences),
            _ => mismatch(&Self::TY, value),
        }
    }
}

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub f64);

impl Arg for Seconds {
    const TY: Ty = Ty::Quantity(&[Dim::SECONDS]);
    fn read(value: &Value) -> Result<Self, String> {
        f64::read(value).map(Seconds)
    }
}

/// Declares an argument that keeps its value as it is, with the type that it must have.
#[macro_export]
macro_rules! kept {
    ($(#[doc = $doc:literal])* $name:ident: $ty:expr) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(pub $crate::Value);
        impl $crate::Arg for $name {
            const TY: $crate::Ty = $ty;
            fn read(value: &$crate::Value) -> Result<Self, String> {
                Ok($name(value.clone()))
            }
        }
    };
}

kept! {
    /// A model: an item that describes or trains one, or a constructor such as `hf(…)`.
    ModelRef: Ty::Item(&[crate::kind::Yields::Model])
}
kept! {
    /// A tokenizer.
    TokenizerRef: Ty::Item(&[crate::kind::Yields::Tokenizer])
}
kept! {
    /// A classifier of documents.
    ClassifierRef: Ty::Item(&[crate::kind::Yields::Classifier])
}
kept! {
    /// A reward model.
    RewardRef: Ty::Item(&[crate::kind::Yields::Reward])
}
kept! {
    /// Documents: a source, a dataset, a part of one, or a pipe.
    DocsRef: Ty::Data(&[crate::signature::State::Docs])
}
kept! {
    /// Data in any state.
    AnyData: Ty::Data(crate::signature::State::ALL)
}
kept! {
    /// Documents or a mixture of them.
    TrainingData: Ty::OneOf(&[Ty::Item(&[crate::kind::Yields::Mix]), Ty::Data(&[crate::signature::State::Docs])])
}
