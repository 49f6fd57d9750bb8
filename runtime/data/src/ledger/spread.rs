//! How numbers are spread: counts of values rounded to about 1%, which merge exactly in any order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts of numbers.
///
/// A number is counted under its first 16 bits as a 32-bit float (sign, exponent, 7 bits of mantissa), so that any range
/// fits and two ledgers merge by adding. Numbers that are none (NaN) are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many numbers.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Their sum.
    pub sum: f64,
    /// Counts by rounded value, in the order of the values.
    bins: BTreeMap<u16, u64>,
}

/// Part of a range with its count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// Least value.
    pub low: f64,
    /// Value at which the next part begins.
    pub high: f64,
    /// Numbers in it.
    pub count: u64,
}

impl Spread {
    /// Counts a number.
    pub fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        let first = self.count == 0;
        self.min = if first { value } else { self.min.min(value) };
        self.max = if first { value } else { self.max.max(value) };
        self.count += 1;
        self.sum += value;
        *self.bins.entry(key(value)).or_default() += 1;
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Spread) {
        if other.count == 0 {
            return;
        }
        let first = self.count == 0;
        self.min = if first { other.min } else { self.min.min(other.min) };
        self.max = if first { other.max } else { self.max.max(other.max) };
        self.count += other.count;
        self.sum += other.sum;
        for (key, count) in &other.bins {
            *self.bins.entry(*key).or_default() += count;
        }
    }

    /// The mean; 0 of nothing.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }

    /// The value below which this share of the numbers lies, to about 1%.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (key, count) in &self.bins {
            seen += count;
            if seen >= wanted {
                return value(*key).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// At most `parts` bars over the whole range; over powers where the numbers span more than two of ten.
    pub fn bars(&self, parts: usize) -> (Vec<Bar>, bool) {
        if self.count == 0 || parts == 0 {
            return (Vec::new(), false);
        }
        let low = self.quantile(0.001);
        let powers = low > 0.0 && self.max / low.max(1e-300) > 100.0;
        let begin = if powers { self.min.max(1e-9) } else { self.min };
        let place = |x: f64| if powers { x.max(begin).ln() } else { x };
        let back = |x: f64| if powers { x.exp() } else { x };
        let (from, to) = (place(begin), place(self.max));
        let step = (to - from) / parts as f64;
        if step <= 0.0 || !step.is_finite() {
            return (vec![Bar { low: self.min, high: self.max, count: self.count }], powers);
        }
        let edge = |k: usize| if k == parts { self.max } else { back(from + step * k as f64) };
        let mut bars: Vec<Bar> =
            (0..parts).map(|k| Bar { low: edge(k), high: edge(k + 1), count: 0 }).collect();
        let counts = self.counts(&bars);
        bars.iter_mut().zip(counts).for_each(|(bar, count)| bar.count = count);
        (bars, powers)
    }

    /// How many of the numbers lie in each bar; those outside count for the nearest.
    pub fn counts(&self, bars: &[Bar]) -> Vec<u64> {
        let mut counts = vec![0; bars.len()];
        for (key, count) in &self.bins {
            let value = value(*key).clamp(self.min, self.max);
            let at = bars.partition_point(|bar| bar.high <= value).min(bars.len().max(1) - 1);
            if let Some(own) = counts.get_mut(at) {
                *own += count;
            }
        }
        counts
    }
}

/// The rounded value in an order-preserving form.
fn key(value: f64) -> u16 {
    // Half of the dropped bits, so that values are rounded and not cut.
    let bits = (value as f32).to_bits();
    let bits = bits.saturating_add(0x8000);
    let top = (bits >> 16) as u16;
    if top & 0x8000 == 0 { top | 0x8000 } else { !top }
}

/// The value that a key stands for.
fn value(key: u16) -> f64 {
    let top = if key & 0x8000 != 0 { key & 0x7fff } else { !key };
    f64::from(f32::from_bits(u32::from(top) << 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Spread {
        let mut spread = Spread::default();
        values.iter().for_each(|x| spread.add(*x));
        spread
    }

    #[test]
    fn values_keep_their_order_and_two_digits() {
        let all = [-1e9, -3.0, -0.02, 0.0, 1e-6, 0.31, 0.315, 1.0, 2.5, 50.0, 1e12];
        for pair in all.windows(2) {
            assert!(key(pair[0]) <= key(pair[1]), "{pair:?}");
        }
        for x in all {
            assert!((value(key(x)) - x).abs() <= x.abs() * 0.004, "{x} {}", value(key(x)));
        }
    }

    #[test]
    fn merging_is_the_same_as_counting_together() {
        let mut a = of(&[1.0, 2.0, 3.0]);
        a.merge(&of(&[0.5, 400.0]));
        assert_eq!(a, of(&[1.0, 2.0, 3.0, 0.5, 400.0]));
        assert_eq!((a.min, a.max, a.count), (0.5, 400.0, 5));
        assert_eq!(a.quantile(0.5), 2.0);
        let text = serde_json::to_string(&a).unwrap();
        assert_eq!(serde_json::from_str::<Spread>(&text).unwrap(), a);
    }

    #[test]
    fn bars_cover_every_number() {
        let wide: Vec<f64> = (1..=1000).map(f64::from).collect();
        let (bars, powers) = of(&wide).bars(12);
        assert!(powers);
        assert_eq!(bars.iter().map(|b| b.count).sum::<u64>(), 1000);
        assert_eq!((bars[0].low, bars[11].high), (1.0, 1000.0));
        let (bars, powers) = of(&[0.1, 0.2, 0.9]).bars(4);
        assert!(!powers);
        assert_eq!(bars.iter().map(|b| b.count).collect::<Vec<_>>(), [2, 0, 0, 1]);
        assert_eq!(of(&[7.0, 7.0]).bars(4).0.len(), 1);
        assert!(of(&[]).bars(4).0.is_empty());
    }
}
