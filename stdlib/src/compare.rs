//! What a comparison of recipes is made of: varied params, what is held, its runs.

use crate::arg::Arg;
use crate::kind::Output;
use crate::number::Rational;
use crate::ty::Ty;
use crate::unit::Dim;
use crate::value::{Record, Value};

/// Most runs of one comparison.
pub const MOST_RUNS: usize = 256;

crate::choices! {
    /// What is equal in all arms.
    Hold = "hold" {
        /// Floating-point operations of the stage.
        Flops = "flops",
        /// Tokens that it consumes.
        Tokens = "tokens",
        /// Passes over its data.
        Epochs = "epochs",
    }
}

/// Params with the values that they take, `{ edu = [true, false] }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Vary(pub Vec<(String, Vec<Value>)>);

const DIMS: &[Dim] =
    &[Dim::TOKENS, Dim::SEQUENCES, Dim::DOCS, Dim::STEPS, Dim::EPOCHS, Dim::BYTES, Dim::SECONDS, Dim::FLOPS];
const ANY: Ty = Ty::OneOf(&[Ty::Bool, Ty::Num, Ty::Quantity(DIMS), Ty::Text]);

impl Arg for Vary {
    const TY: Ty = Ty::Map(&Ty::List(&ANY));
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else {
            return Err(format!("expected {}, found {value}", Self::TY.show()));
        };
        let one = |(name, value): (&String, &Value)| match value {
            Value::List(values) => Ok((name.clone(), values.clone())),
            other => Err(format!("expected a list of values of `{name}`, found {other}")),
        };
        record.iter().map(one).collect::<Result<_, _>>().map(Vary)
    }
}

impl Vary {
    /// The cross product: each arm as its params with their values. `None` where there would be too many.
    pub fn arms(&self) -> Option<Vec<Record>> {
        let mut arms = vec![Record::new()];
        for (name, values) in &self.0 {
            if arms.len().checked_mul(values.len())? > MOST_RUNS {
                return None;
            }
            let with = |arm: &Record, value: &Value| {
                let mut arm = arm.clone();
                arm.insert(name.clone(), value.clone());
                arm
            };
            arms = arms.iter().flat_map(|arm| values.iter().map(move |value| with(arm, value))).collect();
        }
        Some(arms)
    }
}

/// An arm in words: `edu = true, strict = 3`.
pub fn words(arm: &Record) -> String {
    arm.iter().map(|(name, value)| format!("{name} = {}", short(value))).collect::<Vec<_>>().join(", ")
}

/// A value as people write it: `300B flops`, where that says exactly the same.
fn short(value: &Value) -> String {
    let plain = value.to_string();
    let Value::Number(q) = value else { return plain };
    let unit = plain.split_once(' ').map(|(_, unit)| format!(" {unit}")).unwrap_or_default();
    let short = format!("{}{unit}", crate::number::human(crate::number::to_f64(q.amount)));
    if crate::literal::parse(&short).is_ok_and(|read| read == *value) { short } else { plain }
}

/// A choice of values for params, `{ edu = true }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen(pub Value);

impl Arg for Chosen {
    const TY: Ty = Ty::Map(&ANY);
    fn read(value: &Value) -> Result<Self, String> {
        Ok(Chosen(value.clone()))
    }
}

crate::def! {
    /// Arms with these values are expected to measure better than the others.
    Better = "better", rev 1 {
        /// Values of varied params.
        arm: Chosen,
        /// By how many standard errors of the paired difference.
        by: Rational = "2 stderr",
    }
}

crate::def! {
    /// Arms are expected to measure alike.
    Alike = "alike", rev 1 {
        /// Within how many standard errors of the paired difference.
        within: Rational = "2 stderr",
    }
}

crate::family! {
    /// What a comparison is expected to show.
    Expectation = "expectation" { Alike, Better }
}

/// One run of a comparison: an arm with one seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Values of the varied params.
    pub arm: Record,
    /// Which of the seeds: added to `replicate` of every step.
    pub seed: u64,
    /// The model that it trains.
    pub model: Output,
}

/// Size of a comparison.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// Arms in words, with tokens and FLOPs of the compared stage.
    pub arms: Vec<(String, u64, f64)>,
    /// Runs: arms times seeds.
    pub runs: u64,
    /// Steps of all runs if none was shared.
    pub steps: u64,
    /// Steps that are made.
    pub distinct: u64,
}

impl Comparison {
    /// Share of the steps that several runs have in common, in percent.
    pub fn shared(&self) -> u64 {
        let saved = self.steps.saturating_sub(self.distinct);
        saved.saturating_mul(100).checked_div(self.steps).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_the_cross_product() {
        let values = |n: i128| (0..n).map(Value::number).collect::<Vec<_>>();
        let vary = Vary(vec![("a".into(), values(2)), ("b".into(), values(3))]);
        let arms = vary.arms().unwrap();
        assert_eq!((arms.len(), words(&arms[5])), (6, "a = 1, b = 2".to_owned()));
        let flops =
            |n: i128| [("c".to_owned(), crate::literal::parse(&format!("{n} flops")).unwrap())].into();
        assert_eq!(words(&flops(300_000_000_000)), "c = 300B flops");
        assert_eq!(words(&flops(300_000_000_001)), "c = 300000000001 flops");
        assert_eq!(Vary(vec![("a".into(), values(200)), ("b".into(), values(3))]).arms(), None);
        let six = Comparison { runs: 6, steps: 42, distinct: 12, ..Comparison::default() };
        assert_eq!(six.shared(), 71);
    }
}
