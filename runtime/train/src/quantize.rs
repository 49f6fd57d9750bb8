//! Weights rounded to values that few bits can name: per row with one scale, or by tables of values (AFM, section 5).

use std::path::Path;

use llmp_nn::ParamInfo;
use llmp_nn::weights::{load, save};
use llmp_nn::{Architecture, SaveOptions};

use crate::error::Result;
use crate::kinds::{LinearBits, Palette, QuantizeMethod, Quantizing};

/// What was done to a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounded {
    /// Mean bits of a weight that was rounded, tables and scales (16 bits each) included.
    pub bits: f64,
    /// Root of the sum of squared errors over the sum of squares.
    pub error: f64,
}

/// Bits in the layers that bear it.
const FEW: u64 = 2;
/// Most rounds of k-means; it has settled long before.
const ROUNDS: usize = 50;

/// Writes the model in folder `from` with its matrices rounded to folder `out`.
pub fn quantize(from: &Path, settings: &Quantizing, out: &Path) -> Result<Rounded> {
    let (sizes, mut flat) = load(from)?;
    let rounded = round(&sizes, &mut flat, settings);
    save(out, &sizes, &flat, &SaveOptions::default())?;
    Ok(rounded)
}

/// How one tensor is rounded; `None`: not at all.
#[derive(Clone, Copy)]
enum Way {
    Rows { bits: u64 },
    Table { bits: u64, group: usize },
}

fn way(info: &ParamInfo, settings: &Quantizing) -> Option<Way> {
    let name = info.name.as_str();
    if info.shape.len() != 2 || name.ends_with("router") || name.ends_with("shared_gate") {
        return None;
    }
    if ["embedding", "positions", "head"].contains(&name) {
        return Some(Way::Rows { bits: settings.embedding_bits });
    }
    Some(match settings.method {
        QuantizeMethod::LinearBits(LinearBits { bits }) => Way::Rows { bits },
        QuantizeMethod::Palette(Palette { bits, group, .. }) => Way::Table { bits, group: group as usize },
    })
}

/// Rounds all numbers of a model.
fn round(sizes: &Architecture, flat: &mut [f32], settings: &Quantizing) -> Rounded {
    let mut rest = flat;
    let mut tensors = Vec::new();
    for info in sizes.params() {
        let (values, tail) = rest.split_at_mut(info.count());
        rest = tail;
        if let Some(way) = way(&info, settings) {
            tensors.push((way, info.shape[1], values));
        }
    }
    if let QuantizeMethod::Palette(Palette { average: Some(average), .. }) = settings.method {
        few_where_borne(&mut tensors, average);
    }
    let (mut count, mut bits, mut error, mut square) = (0.0, 0.0, 0.0, 0.0);
    for (way, columns, values) in tensors {
        let new = rounded(way, values, columns);
        count += values.len() as f64;
        bits += stored_bits(way, values.len(), columns);
        square += squares(values.iter().map(|x| f64::from(*x)));
        error += distance(values, &new);
        values.copy_from_slice(&new);
    }
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    Rounded { bits: share(bits, count), error: share(error, square).sqrt() }
}

/// Gives tensors few bits, those with the smallest relative error first, until the mean bits of a place in a table
/// have come down to `average`.
fn few_where_borne(tensors: &mut [(Way, usize, &mut [f32])], average: f64) {
    let mut order = Vec::new();
    let (mut places, mut bits) = (0.0, 0.0);
    for (at, (way, columns, values)) in tensors.iter().enumerate() {
        let Way::Table { bits: each, group } = *way else { continue };
        let few = rounded(Way::Table { bits: FEW, group }, values, *columns);
        let error =
            distance(values, &few) / squares(values.iter().map(|x| f64::from(*x))).max(f64::MIN_POSITIVE);
        order.push((error, at));
        places += values.len() as f64;
        bits += (values.len() as u64 * each) as f64;
    }
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (_, at) in order {
        if bits <= average * places {
            return;
        }
        let (Way::Table { bits: each, .. }, _, values) = &mut tensors[at] else { continue };
        bits -= (values.len() as u64 * each.saturating_sub(FEW)) as f64;
        *each = FEW.min(*each);
    }
}

fn squares(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum()
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    squares(a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)))
}

fn stored_bits(way: Way, count: usize, columns: usize) -> f64 {
    match way {
        Way::Rows { bits } => count as f64 * bits as f64 + 16.0 * (count / columns.max(1)) as f64,
        Way::Table { bits, group } => {
            count as f64 * bits as f64 + 16.0 * columns.div_ceil(group) as f64 * (1u64 << bits) as f64
        }
    }
}

fn rounded(way: Way, values: &[f32], columns: usize) -> Vec<f32> {
    match way {
        Way::Rows { bits } => values.chunks(columns).flat_map(|row| row_of_bits(row, bits)).collect(),
        Way::Table { bits, group } => tables(values, columns, bits, group),
    }
}

/// Whole numbers with one scale; of one bit only the sign, times the mean size.
fn row_of_bits(row: &[f32], bits: u64) -> Vec<f32> {
    if bits == 1 {
        let mean = row.iter().map(|x| x.abs()).sum::<f32>() / row.len() as f32;
        return row.iter().map(|x| mean.copysign(*x)).collect();
    }
    let largest = row.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let scale = largest / ((1u64 << (bits - 1)) - 1) as f32;
    row.iter().map(|x| if scale > 0.0 { (x / scale).round() * scale } else { 0.0 }).collect()
}

/// Each group of columns has a table of its own.
fn tables(values: &[f32], columns: usize, bits: u64, group: usize) -> Vec<f32> {
    let mut out = values.to_vec();
    for start in (0..columns).step_by(group) {
        let these = start..(start + group).min(columns);
        let mut sorted: Vec<f32> =
            values.chunks(columns).flat_map(|row| &row[these.clone()]).copied().collect();
        sorted.sort_by(f32::total_cmp);
        let table = means(&sorted, 1 << bits);
        for row in out.chunks_mut(columns) {
            for x in &mut row[these.clone()] {
                *x = nearest(&table, *x);
            }
        }
    }
    out
}

/// k-means of sorted numbers, from equal shares of them.
fn means(sorted: &[f32], k: usize) -> Vec<f32> {
    let n = sorted.len();
    let mut sums = vec![0.0f64];
    for x in sorted {
        sums.push(sums[sums.len() - 1] + f64::from(*x));
    }
    let mean = |from: usize, to: usize| (sums[to] - sums[from]) / (to - from) as f64;
    let mut borders: Vec<usize> = (0..=k).map(|i| i * n / k).collect();
    let mut table = Vec::new();
    for _ in 0..ROUNDS {
        let filled = borders.windows(2).filter(|b| b[0] < b[1]);
        table = filled.map(|b| mean(b[0], b[1]) as f32).collect();
        table.dedup();
        let inner = table.windows(2).map(|pair| {
            let middle = 0.5 * (f64::from(pair[0]) + f64::from(pair[1]));
            sorted.partition_point(|x| f64::from(*x) <= middle)
        });
        let next: Vec<usize> = [0].into_iter().chain(inner).chain([n]).collect();
        if next == borders {
            break;
        }
        borders = next;
    }
    table
}

fn nearest(table: &[f32], x: f32) -> f32 {
    let above = table.partition_point(|value| *value < x);
    let near = [above.checked_sub(1), Some(above)].into_iter().flatten().filter_map(|at| table.get(at));
    near.copied().min_by(|a, b| (a - x).abs().total_cmp(&(b - x).abs())).unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_nn::spec::FeedForward;

    fn sizes() -> Architecture {
        let plain = Architecture::default();
        Architecture {
            vocab: 64,
            layers: 2,
            width: 32,
            heads: 2,
            kv_heads: 1,
            head_dim: 16,
            ffn: FeedForward { hidden: 48, ..plain.ffn },
            tied: true,
            context: 16,
            ..plain
        }
    }

    fn numbers(sizes: &Architecture) -> Vec<f32> {
        (0..sizes.parameters()).map(|i| ((i * 7919 % 10_007) as f32 / 10_007.0 - 0.5).powi(3)).collect()
    }

    fn settings(method: QuantizeMethod) -> Quantizing {
        Quantizing { from: 0, method, embedding_bits: 8, recover: None }
    }

    fn palette(bits: u64, average: Option<f64>) -> QuantizeMethod {
        QuantizeMethod::Palette(Palette { bits, group: 16, average })
    }

    #[test]
    fn a_group_of_columns_has_no_more_values_than_its_table() {
        let (sizes, mut flat) = (sizes(), numbers(&sizes()));
        let before = flat.clone();
        let done = round(&sizes, &mut flat, &settings(palette(3, None)));
        let mut start = 0;
        for info in sizes.params() {
            let (old, new) = (&before[start..start + info.count()], &flat[start..start + info.count()]);
            start += info.count();
            if info.shape.len() == 1 {
                assert_eq!(old, new, "{} is no matrix", info.name);
            } else if info.name != "embedding" {
                let mut first: Vec<u32> =
                    new.chunks(info.shape[1]).flat_map(|row| &row[..16]).map(|x| x.to_bits()).collect();
                first.sort_unstable();
                first.dedup();
                assert!(first.len() <= 8 && first.len() > 4, "{}: {} values", info.name, first.len());
            }
        }
        assert!(done.error > 0.01 && done.error < 0.2, "{done:?}");
    }

    #[test]
    fn more_bits_err_less_and_a_mean_is_kept() {
        let error = |method| {
            let (sizes, mut flat) = (sizes(), numbers(&sizes()));
            round(&sizes, &mut flat, &settings(method))
        };
        let all: Vec<Rounded> = [2, 3, 4, 8].map(|bits| error(palette(bits, None))).into();
        assert!(all.windows(2).all(|pair| pair[0].error > 1.5 * pair[1].error), "{all:?}");
        let linear = |bits| error(QuantizeMethod::LinearBits(LinearBits { bits })).error;
        assert!(linear(4) > linear(6) && linear(6) > linear(8) && linear(8) > linear(16));
        let mixed = error(palette(4, Some(3.0)));
        assert!(all[0].error > mixed.error && mixed.error > all[2].error, "{mixed:?}");
        assert!(mixed.bits < all[2].bits - 0.5, "{mixed:?}");
    }

    #[test]
    fn means_of_a_few_values_are_these_values() {
        assert_eq!(means(&[1.0, 1.0, 5.0, 5.0, 5.0], 4), [1.0, 5.0]);
        assert_eq!(nearest(&[1.0, 5.0], 2.9), 1.0);
        assert_eq!(nearest(&[1.0, 5.0], 9.0), 5.0);
        assert_eq!(row_of_bits(&[0.0; 3], 8), [0.0; 3]);
    }
}
