//! Amounts that are known within bounds: `about(8T tokens)` is the interval from 8T/1.5 to 8T·1.5.

use crate::arg::Arg;
use crate::number::{self, Rational};
use crate::ty::Ty;
use crate::unit::{Dim, Quantity};
use crate::value::Value;

/// An amount between two bounds, both included; equal bounds are an exact amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Estimate {
    /// Least amount, in base units.
    pub low: Rational,
    /// Greatest amount, in base units.
    pub high: Rational,
    /// The dimension of both.
    pub dim: Dim,
}

impl Estimate {
    /// An exact amount.
    pub fn exact(quantity: Quantity) -> Estimate {
        Estimate { low: quantity.amount, high: quantity.amount, dim: quantity.dim }
    }

    /// `about(x)`: a factor of one and a half to either side. `None` when a bound does not fit 128 bits.
    pub fn about(quantity: Quantity) -> Option<Estimate> {
        let factor = Rational::new(3, 2);
        let (a, b) = (
            number::arithmetic(quantity.amount, '/', factor)?,
            number::arithmetic(quantity.amount, '*', factor)?,
        );
        Some(Estimate { low: a.min(b), high: a.max(b), dim: quantity.dim })
    }

    /// `left op right` for `+ - * /`: all results that amounts within the bounds can give.
    ///
    /// `None`: the bounds do not fit 128 bits, a divisor may be zero, or there is no such operator.
    pub fn arithmetic(self, operator: char, right: Estimate) -> Option<Estimate> {
        let zero = Rational::from(0);
        if operator == '/' && right.low <= zero && zero <= right.high {
            return None;
        }
        if !matches!(operator, '+' | '-' | '*' | '/') {
            return None;
        }
        let ends =
            [(self.low, right.low), (self.low, right.high), (self.high, right.low), (self.high, right.high)];
        let all: Option<Vec<Rational>> =
            ends.into_iter().map(|(a, b)| number::arithmetic(a, operator, b)).collect();
        let all = all?;
        let dim = match operator {
            '*' => self.dim.times(right.dim),
            '/' => self.dim.over(right.dim),
            _ => self.dim,
        };
        Some(Estimate { low: *all.iter().min()?, high: *all.iter().max()?, dim })
    }

    /// Whether every amount within the bounds is below every one within the others; `None`: it depends.
    pub fn less(self, right: Estimate) -> Option<bool> {
        if self.high < right.low {
            Some(true)
        } else if self.low >= right.high {
            Some(false)
        } else {
            None
        }
    }

    /// Whether the amounts are equal; `None`: it depends.
    pub fn equal(self, right: Estimate) -> Option<bool> {
        if self.high < right.low || right.high < self.low {
            return Some(false);
        }
        (self.low == self.high && right.low == right.high).then_some(true)
    }

    /// Is it one amount?
    pub fn is_exact(self) -> bool {
        self.low == self.high
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = (Quantity::new(self.low, self.dim), Quantity::new(self.high, self.dim));
        if self.is_exact() {
            return f.write_str(&low.show());
        }
        let human = |q: Quantity| number::human(number::to_f64(q.amount));
        let unit = if self.dim == Dim::NONE { String::new() } else { format!(" {}", self.dim.show()) };
        write!(f, "{} to {}{unit}", human(low), human(high))
    }
}

impl Arg for Estimate {
    const TY: Ty = Ty::Estimate(&[Dim::TOKENS, Dim::BYTES, Dim::DOCS]);
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Number(quantity) => Ok(Estimate::exact(*quantity)),
            Value::About(estimate) => Ok(*estimate),
            _ => Err(format!("expected {}, found {value}", Self::TY.show())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(n: i128) -> Estimate {
        Estimate::about(Quantity::new(Rational::from(n), Dim::TOKENS)).unwrap()
    }

    #[test]
    fn about_is_a_factor_to_either_side() {
        let nine = about(9);
        assert_eq!((nine.low, nine.high), (Rational::from(6), Rational::new(27, 2)));
        assert_eq!(Estimate::read(&Value::number(3)).unwrap().low, Rational::from(3));
        assert_eq!(nine.to_string(), "6 to 13.5 tokens");
    }

    #[test]
    fn comparisons_have_three_values() {
        assert_eq!(about(9).less(about(90)), Some(true));
        assert_eq!(about(90).less(about(9)), Some(false));
        assert_eq!(about(9).less(about(10)), None);
        assert_eq!(about(9).equal(about(9)), None);
        assert_eq!(about(9).equal(about(90)), Some(false));
        let three = Estimate::exact(Quantity::new(Rational::from(3), Dim::TOKENS));
        assert_eq!(three.equal(three), Some(true));
    }

    #[test]
    fn arithmetic_keeps_all_results() {
        let plain = |n: i128| Estimate::exact(Quantity::new(Rational::from(n), Dim::NONE));
        let minus = about(9).arithmetic('*', plain(-1)).unwrap();
        assert_eq!((minus.low, minus.high), (Rational::new(-27, 2), Rational::from(-6)));
        assert_eq!(about(9).arithmetic('/', about(6)).unwrap().dim, Dim::NONE);
        assert_eq!(about(9).arithmetic('/', plain(0)), None);
        assert_eq!(about(9).arithmetic('%', plain(2)), None);
    }
}
