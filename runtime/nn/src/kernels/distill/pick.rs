//! Cutting a teacher's distribution down to a few tokens: the likeliest, or tokens drawn from it.

use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Targets, Taught};
use crate::IGNORE;
use crate::kernels::{Kernels, Res};
use crate::spec::head_rows;

/// Which tokens of a teacher's distribution are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This many of the likeliest; of equal ones the lower id.
    Likeliest(usize),
    /// Those that this many draws meet; each position has its own random stream.
    Drawn(usize),
}

/// Chosen tokens at every position that counts, with the mean teacher's probabilities renormalised on them. The logits
/// exist for one chunk of rows at a time. `streams` names the random stream of each position.
pub(crate) fn pick<D: Kernels>(
    teachers: &[Taught<'_, D>],
    truth: &[u32],
    pick: Pick,
    streams: &(dyn Fn(usize) -> u64 + Sync),
) -> Res<Targets, D> {
    let mut targets = Targets::default();
    let Some(v) = teachers.first().map(|(_, w, _)| w.shape().0) else { return Ok(targets) };
    let rows = head_rows(v);
    for (start, truth) in (0..).step_by(rows).zip(truth.chunks(rows)) {
        let probabilities = D::mean_probabilities(teachers, start..start + truth.len(), 1.0)?;
        let chosen = probabilities.par_chunks_exact(v).zip(truth).enumerate().map(|(at, (row, &own))| {
            let ids = match pick {
                _ if own == IGNORE => Vec::new(),
                Pick::Likeliest(n) => likeliest(row, n),
                Pick::Drawn(n) => drawn(row, n, streams(start + at)),
            };
            let p = |id: &u32| f64::from(row[*id as usize]);
            let total: f64 = ids.iter().map(p).sum();
            ids.iter().map(|id| (*id, (p(id) / total) as f32)).collect::<Vec<_>>()
        });
        chosen.collect::<Vec<_>>().into_iter().for_each(|row| targets.push(row));
    }
    Ok(targets)
}

/// Ids of the largest entries, in rising order.
fn likeliest(row: &[f32], n: usize) -> Vec<u32> {
    let n = n.clamp(1, row.len());
    let mut ids: Vec<u32> = (0..row.len() as u32).collect();
    let order = |a: &u32, b: &u32| row[*b as usize].total_cmp(&row[*a as usize]).then(a.cmp(b));
    if n < ids.len() {
        ids.select_nth_unstable_by(n - 1, order);
        ids.truncate(n);
    }
    ids.sort_unstable();
    ids
}

/// Ids that `n` draws meet, in rising order.
fn drawn(row: &[f32], n: usize, stream: u64) -> Vec<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(stream);
    let total: f64 = row.iter().map(|&p| f64::from(p)).sum();
    let mut places: Vec<f64> = (0..n.max(1)).map(|_| random.random_range(0.0..1.0) * total).collect();
    places.sort_unstable_by(f64::total_cmp);
    let mut ids = Vec::new();
    let (mut upto, mut next) = (0.0, places.into_iter().peekable());
    for (id, &p) in row.iter().enumerate() {
        upto += f64::from(p);
        let mut met = false;
        while next.next_if(|place| *place < upto).is_some() {
            met = true;
        }
        if met {
            ids.push(id as u32);
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_are_the_largest_and_the_lower_of_equals() {
        let row = [0.1, 0.3, 0.05, 0.3, 0.25];
        assert_eq!(likeliest(&row, 1), [1]);
        assert_eq!(likeliest(&row, 3), [1, 3, 4]);
        assert_eq!(likeliest(&row, 9), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn draws_follow_the_distribution_and_their_stream() {
        let row = [0.5, 0.0, 0.3, 0.2];
        let mut counts = [0u32; 4];
        for stream in 0..20_000 {
            let ids = drawn(&row, 1, stream);
            assert_eq!((ids.len(), &ids), (1, &drawn(&row, 1, stream)));
            counts[ids[0] as usize] += 1;
        }
        for (count, p) in counts.iter().zip(row) {
            assert!((f64::from(*count) / 20_000.0 - f64::from(p)).abs() < 0.012, "{counts:?}");
        }
        assert_eq!(drawn(&row, 500, 3), [0, 2, 3], "what cannot be is never met");
    }
}
