//! `hardware name { … }`: machines for which `llmp plan` estimates time and price. Nothing runs on them.

use crate::arg::{Arg, Seconds};
use crate::kind::{Form, Kind, Output, View, Yields};
use crate::number::{self, Rational};
use crate::problem::Problem;
use crate::signature::Settings;
use crate::ty::Ty;
use crate::unit::Dim;
use crate::value::Value;

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Arg for Bytes {
    const TY: Ty = Ty::Quantity(&[Dim::BYTES]);
    fn read(value: &Value) -> Result<Self, String> {
        u64::read(value).map(Bytes)
    }
}

/// A price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dollars(pub Rational);

impl Arg for Dollars {
    const TY: Ty = Ty::Quantity(&[Dim::DOLLARS]);
    fn read(value: &Value) -> Result<Self, String> {
        Rational::read(value).map(Dollars)
    }
}

/// Hours of one device that stages took, by stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours(pub Vec<(String, Rational)>);

impl Arg for Hours {
    const TY: Ty = Ty::Map(&Ty::Num);
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else {
            return Err(format!("expected {}, found {value}", Self::TY.show()));
        };
        let one = |(name, value): (&String, &Value)| Rational::read(value).map(|hours| (name.clone(), hours));
        record.iter().map(one).collect::<Result<_, _>>().map(Hours)
    }
}

crate::def! {
    /// Machines for which `llmp plan` estimates time and price, and checks that every stage fits. Nothing runs on them.
    ///
    /// Time is FLOPs / (devices · flops · utilisation); the price is time · devices · price per hour. Where a paper gives the
    /// hours that a stage took, `hours` turns the formula around and shows the utilisation that they imply.
    ///
    /// ```llmp
    /// hardware cluster {
    ///   devices        = 16384
    ///   flops          = 989T
    ///   memory         = 80 GB
    ///   price_per_hour = 2.5 dollar
    /// }
    /// ```
    Hardware = "hardware", rev 1 {
        /// What it is called in the output; without it the item's name.
        name: Option<String> = "none",
        /// How many devices work together.
        devices: u64 = "1",
        /// Peak floating-point operations of one device in a second, in the format that is used: 989T for an H100 in bf16.
        flops: Rational,
        /// Memory of one device.
        memory: Bytes,
        /// Price of one device for an hour.
        price_per_hour: Option<Dollars> = "none",
        /// Share of the peak that training reaches. 40% is usual; large clusters report 25% to 45%.
        utilisation: Rational = "40%",
        /// Hours of one device that training is known to have taken up to the end of a stage: `{ core = 30.84M }`. They count
        /// from the start, or from the end of a stage before it whose hours are given as well.
        hours: Option<Hours> = "none",
        /// Room for checkpoints.
        disk: Option<Bytes> = "none",
        /// The longest time that a stage may take.
        limit: Option<Seconds> = "none",
    }
}

/// The kind.
pub static KIND: Kind = Kind {
    check,
    ..Kind::new(Hardware::SIGNATURE, Form::Block, Yields::Hardware, |_, _| Ok(Output::Nothing))
};

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let zero = Rational::from(0);
    for name in ["devices", "flops", "utilisation", "memory"] {
        let amount = if let Some(Value::Number(q)) = view.get(name) { Some(q.amount) } else { None };
        if amount.is_some_and(|n| n <= zero) {
            problems.push(Problem::error("LLMP0209", name, format!("`{name}` must be above 0")));
        }
    }
    if view.read::<Rational>("utilisation").is_some_and(|u| u > Rational::from(1)) {
        let shown = view.read::<Rational>("utilisation").map_or_else(String::new, number::show);
        let message = format!("a utilisation of {shown} is more than all of it");
        problems.push(Problem::error("LLMP0209", "utilisation", message).fix(
            "use 40%",
            "utilisation",
            "40%",
        ));
    }
    for (stage, _) in view.read::<Hours>("hours").map(|h| h.0).unwrap_or_default() {
        if view.program.view(&stage).is_none() {
            let message = format!("there is no stage `{stage}`");
            problems.push(Problem::error("LLMP0101", &format!("hours.{stage}"), message));
        }
    }
    problems
}
