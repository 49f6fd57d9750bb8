//! Removing hidden units of the feed-forwards: those with the smallest weights, or those that a mask learns to do without.

use std::path::Path;

use llmp_nn::{Architecture, SaveOptions, weights};

use crate::error::{Result, TrainError};

/// Writes the model of a folder with `kept` hidden units in every feed-forward, chosen by their weights.
pub fn magnitude(from: &Path, kept: usize, to: &Path) -> Result<()> {
    let (sizes, flat) = weights::load(from)?;
    let units = largest(&sizes, &flat, kept)?;
    let (smaller, values) = cut(&sizes, &flat, &units)?;
    Ok(weights::save(to, &smaller, &values, &SaveOptions::default())?)
}

/// For every block the `kept` hidden units whose weights are largest ([`sizes_of`]). Of equal ones the first.
pub fn largest(sizes: &Architecture, flat: &[f32], kept: usize) -> Result<Vec<Vec<usize>>> {
    check(sizes, kept)?;
    Ok(sizes_of(sizes, flat).iter().map(|scores| best(scores, kept)).collect())
}

/// For every block the size of each hidden unit: the log of the product of the norms of all that reads or writes it.
pub(crate) fn sizes_of(sizes: &Architecture, flat: &[f32]) -> Vec<Vec<f64>> {
    let hidden = sizes.ffn.hidden;
    let mut scores = vec![vec![0.0f64; hidden]; sizes.layers];
    each(sizes, flat, |block, place, values, shape| {
        for (unit, score) in scores[block].iter_mut().enumerate() {
            let own: f64 = match place {
                Place::Rows => {
                    let width = shape.iter().skip(1).product::<usize>().max(1);
                    values[unit * width..][..width].iter().map(|x| f64::from(*x).powi(2)).sum()
                }
                Place::Columns => {
                    values.iter().skip(unit).step_by(hidden).map(|x| f64::from(*x).powi(2)).sum()
                }
                Place::Elsewhere => continue,
            };
            // Logs, or products of many small norms would leave the numbers of a float.
            if shape.len() > 1 {
                *score += own.max(f64::MIN_POSITIVE).ln();
            }
        }
    });
    scores
}

/// The `kept` units of the largest scores, in rising order; of equal ones the first.
pub(crate) fn best(scores: &[f64], kept: usize) -> Vec<usize> {
    let mut units: Vec<usize> = (0..scores.len()).collect();
    units.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    units.truncate(kept);
    units.sort_unstable();
    units
}

/// The model with these hidden units of every block, in rising order and as many in each; the others are gone.
pub fn cut(sizes: &Architecture, flat: &[f32], units: &[Vec<usize>]) -> Result<(Architecture, Vec<f32>)> {
    let kept = units.first().map_or(0, Vec::len);
    let hidden = check(sizes, kept)?;
    let fits = |units: &Vec<usize>| units.len() == kept && units.iter().all(|u| *u < hidden);
    if units.len() != sizes.layers || !units.iter().all(fits) {
        return Err(TrainError::Settings("prune: the units to keep do not fit the model".to_owned()));
    }
    let mut smaller = sizes.clone();
    smaller.ffn.hidden = kept;
    let mut values = Vec::with_capacity(smaller.parameters() as usize);
    each(sizes, flat, |block, place, from, shape| match place {
        Place::Rows => {
            let width = shape.iter().skip(1).product::<usize>().max(1);
            units[block].iter().for_each(|u| values.extend_from_slice(&from[u * width..][..width]));
        }
        Place::Columns => {
            let rows = from.chunks_exact(hidden);
            rows.for_each(|row| values.extend(units[block].iter().map(|u| row[*u])));
        }
        Place::Elsewhere => values.extend_from_slice(from),
    });
    Ok((smaller, values))
}

/// The hidden units of a model of which `kept` can be kept.
pub(crate) fn check(sizes: &Architecture, kept: usize) -> Result<usize> {
    let hidden = sizes.ffn.hidden;
    if sizes.experts.is_some() {
        return Err(TrainError::Settings("prune: the hidden units of experts cannot be removed".to_owned()));
    }
    if kept == 0 || kept > hidden {
        let message = format!("prune: {kept} of {hidden} hidden units cannot be kept");
        return Err(TrainError::Settings(message));
    }
    Ok(hidden)
}

/// How a parameter holds the hidden units.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A row, or one number, for each.
    Rows,
    /// A column for each.
    Columns,
    /// It does not.
    Elsewhere,
}

/// Visits every parameter in canonical order with its block.
fn each(sizes: &Architecture, flat: &[f32], mut visit: impl FnMut(usize, Place, &[f32], &[usize])) {
    let mut rest = flat;
    for info in sizes.params() {
        let (values, tail) = rest.split_at(info.count().min(rest.len()));
        rest = tail;
        let inside = info.name.strip_prefix("blocks.").and_then(|name| name.split_once('.'));
        let (block, place) = match inside {
            Some((block, leaf)) => (block.parse().unwrap_or(0), place(leaf)),
            None => (0, Place::Elsewhere),
        };
        visit(block, place, values, &info.shape);
    }
}

fn place(leaf: &str) -> Place {
    match leaf {
        "ffn.down" => Place::Columns,
        "ffn.gate" | "ffn.up" | "ffn.gate.bias" | "ffn.up.bias" => Place::Rows,
        _ => Place::Elsewhere,
    }
}
