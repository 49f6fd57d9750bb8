//! Lengths of n-grams as an argument.

use llmp_stdlib::{Arg, Ty, Value, number};

/// Lengths of n-grams: one (`13`) or a range (`4..13`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// The shortest.
    pub low: u64,
    /// The longest.
    pub high: u64,
}

impl Arg for Lengths {
    const TY: Ty = Ty::OneOf(&[Ty::Range(&Ty::Int), Ty::Int]);
    fn read(value: &Value) -> Result<Self, String> {
        let whole = |v: &Value| match v {
            Value::Number(q) => number::to_u64(q.amount),
            _ => None,
        };
        let (low, high) = match value {
            Value::Range(low, high) => (whole(low), whole(high)),
            one => (whole(one), whole(one)),
        };
        match (low, high) {
            (Some(low), Some(high)) => Ok(Lengths { low, high }),
            _ => Err(format!("expected a length or a range of lengths, found {value}")),
        }
    }
}
