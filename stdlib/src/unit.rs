//! Units: dimensions as exponents, the table of suffixes and unit words, quantities.

use crate::number::{self, Rational};

/// Names of the base dimensions, in the order of the exponents of [`Dim`].
pub const BASE: [&str; 11] = [
    "tokens",
    "sequences",
    "docs",
    "steps",
    "epochs",
    "bytes",
    "seconds",
    "parameters",
    "flops",
    "gpus",
    "dollars",
];

/// A dimension: one exponent for each entry of [`BASE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Dim(pub [i8; 11]);

impl Dim {
    /// A plain number.
    pub const NONE: Dim = Dim([0; 11]);
    /// Tokens.
    pub const TOKENS: Dim = Dim::base(0);
    /// Sequences (rows of a batch).
    pub const SEQUENCES: Dim = Dim::base(1);
    /// Documents.
    pub const DOCS: Dim = Dim::base(2);
    /// Optimizer steps.
    pub const STEPS: Dim = Dim::base(3);
    /// Passes over a source.
    pub const EPOCHS: Dim = Dim::base(4);
    /// Bytes.
    pub const BYTES: Dim = Dim::base(5);
    /// Seconds.
    pub const SECONDS: Dim = Dim::base(6);
    /// Parameters of a model.
    pub const PARAMETERS: Dim = Dim::base(7);
    /// Floating-point operations.
    pub const FLOPS: Dim = Dim::base(8);
    /// Accelerators.
    pub const GPUS: Dim = Dim::base(9);
    /// United States dollars.
    pub const DOLLARS: Dim = Dim::base(10);

    const fn base(index: usize) -> Dim {
        let mut exponents = [0; 11];
        exponents[index] = 1;
        Dim(exponents)
    }

    /// The dimension of a product.
    pub fn times(self, other: Dim) -> Dim {
        Dim(std::array::from_fn(|i| self.0[i].saturating_add(other.0[i])))
    }

    /// The dimension of a quotient.
    pub fn over(self, other: Dim) -> Dim {
        Dim(std::array::from_fn(|i| self.0[i].saturating_sub(other.0[i])))
    }

    /// Text such as `tokens`, `flops/seconds` or `plain number`.
    pub fn show(self) -> String {
        let side = |sign: i8| -> Vec<String> {
            let power = |e: i8| if e == 1 { String::new() } else { format!("^{e}") };
            let on_side = |(e, _): &(&i8, _)| **e * sign > 0;
            self.0
                .iter()
                .zip(BASE)
                .filter(on_side)
                .map(|(e, name)| format!("{name}{}", power(*e * sign)))
                .collect()
        };
        match (side(1), side(-1)) {
            (top, bottom) if top.is_empty() && bottom.is_empty() => "plain number".to_owned(),
            (top, bottom) if bottom.is_empty() => top.join(" "),
            (top, bottom) => format!(
                "{}/{}",
                if top.is_empty() { "1".to_owned() } else { top.join(" ") },
                bottom.join(" ")
            ),
        }
    }
}

/// A number with its dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    /// The exact amount, in base units (tokens, bytes, seconds…).
    pub amount: Rational,
    /// Its dimension.
    pub dim: Dim,
}

impl Quantity {
    /// A quantity of `amount` in dimension `dim`.
    pub fn new(amount: Rational, dim: Dim) -> Self {
        Quantity { amount, dim }
    }

    /// Text that the language reads back: `4000000 tokens`, `0.65`, `8/3`.
    pub fn show(self) -> String {
        if self.dim == Dim::NONE {
            number::show(self.amount)
        } else {
            format!("{} {}", number::show(self.amount), self.dim.show())
        }
    }
}

/// A word that may follow a number: its factor, its dimension, and whether it must be attached.
pub struct Word {
    /// As written.
    pub text: &'static str,
    /// Factor to the base unit, as numerator and denominator.
    pub factor: (i128, i128),
    /// Dimension it gives.
    pub dim: Dim,
}

const fn word(text: &'static str, factor: i128, dim: Dim) -> Word {
    Word { text, factor: (factor, 1), dim }
}

/// Suffixes attached to a number.
pub const SUFFIXES: &[Word] = &[
    Word { text: "%", factor: (1, 100), dim: Dim::NONE },
    word("k", 1_000, Dim::NONE),
    word("M", 1_000_000, Dim::NONE),
    word("B", 1_000_000_000, Dim::NONE),
    word("T", 1_000_000_000_000, Dim::NONE),
    word("Ki", 1 << 10, Dim::NONE),
    word("Mi", 1 << 20, Dim::NONE),
    word("Gi", 1 << 30, Dim::NONE),
    word("Ti", 1 << 40, Dim::NONE),
    word("kB", 1_000, Dim::BYTES),
    word("MB", 1_000_000, Dim::BYTES),
    word("GB", 1_000_000_000, Dim::BYTES),
    word("TB", 1_000_000_000_000, Dim::BYTES),
    word("KiB", 1 << 10, Dim::BYTES),
    word("MiB", 1 << 20, Dim::BYTES),
    word("GiB", 1 << 30, Dim::BYTES),
    word("TiB", 1 << 40, Dim::BYTES),
    word("s", 1, Dim::SECONDS),
    word("min", 60, Dim::SECONDS),
    word("m", 60, Dim::SECONDS),
    word("h", 3_600, Dim::SECONDS),
    word("d", 86_400, Dim::SECONDS),
];

/// Unit words after a space; singular and plural mean the same.
pub const WORDS: &[Word] = &[
    word("tokens", 1, Dim::TOKENS),
    word("token", 1, Dim::TOKENS),
    word("sequences", 1, Dim::SEQUENCES),
    word("sequence", 1, Dim::SEQUENCES),
    word("docs", 1, Dim::DOCS),
    word("doc", 1, Dim::DOCS),
    word("steps", 1, Dim::STEPS),
    word("step", 1, Dim::STEPS),
    word("epochs", 1, Dim::EPOCHS),
    word("epoch", 1, Dim::EPOCHS),
    word("bytes", 1, Dim::BYTES),
    word("byte", 1, Dim::BYTES),
    word("kB", 1_000, Dim::BYTES),
    word("MB", 1_000_000, Dim::BYTES),
    word("GB", 1_000_000_000, Dim::BYTES),
    word("TB", 1_000_000_000_000, Dim::BYTES),
    word("KiB", 1 << 10, Dim::BYTES),
    word("MiB", 1 << 20, Dim::BYTES),
    word("GiB", 1 << 30, Dim::BYTES),
    word("TiB", 1 << 40, Dim::BYTES),
    word("seconds", 1, Dim::SECONDS),
    word("second", 1, Dim::SECONDS),
    word("min", 60, Dim::SECONDS),
    word("minutes", 60, Dim::SECONDS),
    word("hours", 3_600, Dim::SECONDS),
    word("days", 86_400, Dim::SECONDS),
    word("parameters", 1, Dim::PARAMETERS),
    word("flops", 1, Dim::FLOPS),
    word("flop", 1, Dim::FLOPS),
    word("gpus", 1, Dim::GPUS),
    word("gpu", 1, Dim::GPUS),
    word("dollars", 1, Dim::DOLLARS),
    word("dollar", 1, Dim::DOLLARS),
    // Comparisons may ask for a distance in standard errors: a plain number with a name.
    word("stderr", 1, Dim::NONE),
];

/// What is wrong with a numeric literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiteralError {
    /// The suffix or unit is not known; the nearest known one, if any.
    Unknown { text: String, near: Option<&'static str> },
    /// The number does not fit 128 bits.
    TooLarge,
    /// A suffix with a unit and another unit follow each other.
    TwoUnits,
}

/// Judges a literal: digits, attached suffix, unit word.
///
/// `1h30m` is read as a sum of times. Errors: an unknown suffix or unit, a number that does not fit.
pub fn literal(digits: &str, suffix: Option<&str>, unit: Option<&str>) -> Result<Quantity, LiteralError> {
    let amount = number::parse_decimal(digits).ok_or(LiteralError::TooLarge)?;
    let mut quantity = Quantity::new(amount, Dim::NONE);
    if let Some(suffix) = suffix {
        quantity = match find(SUFFIXES, suffix) {
            Ok(word) => scale(quantity, word)?,
            Err(error) => clock(amount, suffix).ok_or(error)?,
        };
    }
    if let Some(unit) = unit {
        let word = find(WORDS, unit)?;
        if quantity.dim != Dim::NONE {
            return Err(LiteralError::TwoUnits);
        }
        quantity = scale(quantity, word)?;
    }
    Ok(quantity)
}

fn find(table: &'static [Word], text: &str) -> Result<&'static Word, LiteralError> {
    table.iter().find(|w| w.text == text).ok_or_else(|| {
        let same_letters = table.iter().find(|w| w.text.eq_ignore_ascii_case(text)).map(|w| w.text);
        let near = same_letters.or_else(|| llmp_grammar::diag::nearest(text, table.iter().map(|w| w.text)));
        LiteralError::Unknown { text: text.to_owned(), near }
    })
}

fn scale(quantity: Quantity, word: &Word) -> Result<Quantity, LiteralError> {
    let factor = Rational::new(word.factor.0, word.factor.1);
    let amount = number::arithmetic(quantity.amount, '*', factor).ok_or(LiteralError::TooLarge)?;
    Ok(Quantity::new(amount, word.dim))
}

/// `1h30m`: the digits `1` and the suffix `h30m`.
fn clock(first: Rational, suffix: &str) -> Option<Quantity> {
    let mut total = Rational::from(0);
    let mut amount = first;
    let mut rest = suffix;
    loop {
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let word = SUFFIXES.iter().find(|w| w.dim == Dim::SECONDS && w.text == &rest[..letters])?;
        total += amount * Rational::from(word.factor.0);
        rest = &rest[letters..];
        if rest.is_empty() {
            return Some(Quantity::new(total, Dim::SECONDS));
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        amount = number::parse_decimal(&rest[..digits])?;
        rest = &rest[digits..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_and_units() {
        assert_eq!(literal("4", Some("M"), Some("tokens")).unwrap().show(), "4000000 tokens");
        assert_eq!(literal("65", Some("%"), None).unwrap().show(), "0.65");
        assert_eq!(literal("8", Some("Ki"), None).unwrap().show(), "8192");
        assert_eq!(literal("1", Some("h30m"), None).unwrap().show(), "5400 seconds");
        assert_eq!(literal("512", Some("MiB"), None).unwrap().dim, Dim::BYTES);
    }

    #[test]
    fn unknown_words_get_a_suggestion() {
        let error = literal("4", None, Some("tokns")).unwrap_err();
        assert_eq!(error, LiteralError::Unknown { text: "tokns".into(), near: Some("tokens") });
        let error = literal("4", Some("ki"), None).unwrap_err();
        assert_eq!(error, LiteralError::Unknown { text: "ki".into(), near: Some("Ki") });
    }
}
