//! What a mixture can give: refused with numbers before a stage begins, and shares out of sizes.

use super::{Packing, TokenStream, bad};
use crate::error::Result;

impl TokenStream {
    /// Whether the sources can give so many tokens within their `max_epochs`.
    ///
    /// Errors: they cannot; the words say what each gives at most and how much is missing. Sources whose rows are packed
    /// otherwise in each epoch are counted by their first.
    pub fn feasible(&self, tokens: u64) -> Result<()> {
        let mut most = 0u64;
        let mut gives = Vec::new();
        let used = |k: usize| self.phases.iter().any(|phase| phase.shares[k] > 0.0);
        for (_, source) in self.sources.iter().enumerate().filter(|(k, _)| used(*k)) {
            let Some(epochs) = source.max_epochs else { return Ok(()) };
            let rows = match self.packing {
                Packing::Concat => source.shard.tokens().div_ceil(self.length as u64),
                Packing::BestFit => source.epoch.rows() as u64,
            };
            let all = rows.saturating_mul(self.length as u64).saturating_mul(epochs);
            most = most.saturating_add(all);
            let size = spaced(source.shard.tokens());
            gives.push(format!("{} {} ({epochs} × {size})", source.name, spaced(all)));
        }
        if most >= tokens {
            return Ok(());
        }
        let (wanted, most, short) = (spaced(tokens), spaced(most), spaced(tokens - most));
        let gives = gives.join(", ");
        Err(bad(format!(
            "{wanted} tokens are wanted, within `max_epochs` the parts give {most}: {gives}; {short} are missing"
        )))
    }
}

/// `1234567` as `1,234,567`.
fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Shares in proportion to `size^(1 / temperature)`: 1 is in proportion to size, more gives small sources more (Conneau et al. 2020
/// write the exponent `1 / temperature` as 0.3). They add up to 1; a source of size 0 gets nothing.
///
/// Errors: a temperature that is not above 0, or no size above 0.
pub fn tempered(sizes: &[u64], temperature: f64) -> Result<Vec<f64>> {
    if temperature.is_nan() || temperature <= 0.0 {
        return Err(bad(format!("the temperature is {temperature}, must be above 0")));
    }
    let largest = sizes.iter().copied().max().unwrap_or(0);
    if largest == 0 {
        return Err(bad("no source has tokens".to_owned()));
    }
    // Relative to the largest, or low temperatures leave the numbers of a float.
    let weights: Vec<f64> =
        sizes.iter().map(|&n| (n as f64 / largest as f64).powf(1.0 / temperature)).collect();
    super::shares(&weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperature_levels_shares() {
        let plain = tempered(&[900, 100], 1.0).unwrap();
        assert!((plain[0] - 0.9).abs() < 1e-12 && (plain[1] - 0.1).abs() < 1e-12, "{plain:?}");
        let level = tempered(&[900, 100], 2.0).unwrap();
        assert!((level[0] - 0.75).abs() < 1e-12, "3 to 1: {level:?}");
        assert!((tempered(&[900, 100, 0], 1e9).unwrap()[1] - 0.5).abs() < 1e-6);
        assert!(tempered(&[1, 1], 0.0).is_err() && tempered(&[0], 1.0).is_err());
        assert_eq!(spaced(1_234_567), "1,234,567");
    }
}
