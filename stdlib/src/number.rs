//! Exact numbers: rationals over 128-bit integers, with checked arithmetic and decimal text in and out.

use num_rational::Ratio;
use num_traits::{CheckedAdd, CheckedDiv, CheckedMul, CheckedSub, ToPrimitive, Zero};

/// An exact rational number. `0.1 + 0.2 == 0.3` holds.
pub type Rational = Ratio<i128>;

/// Reads a decimal literal (`14_336`, `0.1`, `3e-4`) exactly.
///
/// Returns `None` when the text is not a literal or the number does not fit 128 bits.
pub fn parse_decimal(text: &str) -> Option<Rational> {
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    let (mantissa, exponent) = match clean.split_once(['e', 'E']) {
        Some((m, e)) => (m.to_owned(), e.parse::<i32>().ok()?),
        None => (clean, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    if whole.is_empty() || !whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let power = 10i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 {
        Some(Rational::from(digits.checked_mul(power)?))
    } else {
        Some(Rational::new(digits, power))
    }
}

/// Checked arithmetic: `None` on overflow or division by zero.
pub fn arithmetic(left: Rational, operator: char, right: Rational) -> Option<Rational> {
    match operator {
        '+' => left.checked_add(&right),
        '-' => left.checked_sub(&right),
        '*' => left.checked_mul(&right),
        '/' if !right.is_zero() => left.checked_div(&right),
        '%' if !right.is_zero() => {
            let quotient = left.checked_div(&right)?.floor();
            left.checked_sub(&quotient.checked_mul(&right)?)
        }
        _ => None,
    }
}

/// The nearest `f64`.
pub fn to_f64(number: Rational) -> f64 {
    number.to_f64().unwrap_or(f64::NAN)
}

/// The number as an unsigned integer, if it is one.
pub fn to_u64(number: Rational) -> Option<u64> {
    if number.is_integer() { u64::try_from(*number.numer()).ok() } else { None }
}

/// Shortest plain text: an integer, a finite decimal, or `n/d`.
pub fn show(number: Rational) -> String {
    if number.is_integer() {
        return number.numer().to_string();
    }
    let mut rest = *number.denom();
    let (mut twos, mut fives) = (0u32, 0u32);
    while rest % 2 == 0 {
        rest /= 2;
        twos += 1;
    }
    while rest % 5 == 0 {
        rest /= 5;
        fives += 1;
    }
    let places = twos.max(fives);
    let scaled = 10i128.checked_pow(places).and_then(|p| number.checked_mul(&Rational::from(p)));
    match scaled {
        Some(scaled) if rest == 1 && places <= 18 => {
            let digits = format!("{:0>width$}", scaled.numer().abs(), width = places as usize + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places as usize);
            format!("{}{whole}.{fraction}", if *number.numer() < 0 { "-" } else { "" })
        }
        _ => format!("{}/{}", number.numer(), number.denom()),
    }
}

/// A count for people: `14.8T`, `4.19M`, `812`.
pub fn human(number: f64) -> String {
    for (limit, suffix) in [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")] {
        if number.abs() >= limit {
            let text = format!("{:.2}", number / limit);
            return format!("{}{suffix}", text.trim_end_matches('0').trim_end_matches('.'));
        }
    }
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let sum = ["0.1", "0.2", "0.7"].map(|t| parse_decimal(t).unwrap()).into_iter().sum::<Rational>();
        assert_eq!(sum, Rational::from(1));
        assert_eq!(parse_decimal("3e-4"), Some(Rational::new(3, 10_000)));
        assert_eq!(parse_decimal("14_336"), Some(Rational::from(14_336)));
        assert_eq!(parse_decimal("1e400"), None);
        assert_eq!(parse_decimal("x"), None);
    }

    #[test]
    fn shows_decimals_and_fractions() {
        assert_eq!(show(Rational::new(-1, 8)), "-0.125");
        assert_eq!(show(Rational::new(8, 3)), "8/3");
        assert_eq!(show(Rational::new(65, 100)), "0.65");
        assert_eq!(human(14.8e12), "14.8T");
        assert_eq!(human(100.0), "100");
    }

    #[test]
    fn arithmetic_is_checked() {
        let two = Rational::from(2);
        assert_eq!(arithmetic(two, '/', Rational::zero()), None);
        assert_eq!(arithmetic(Rational::from(7), '%', two), Some(Rational::from(1)));
        assert_eq!(arithmetic(Rational::from(i128::MAX), '*', two), None);
    }
}
