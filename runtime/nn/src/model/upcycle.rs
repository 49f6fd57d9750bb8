//! Experts cut from the feed-forwards of a trained dense model ("diversified upcycling", Qwen 2, arXiv:2407.10671).

use std::collections::BTreeMap;

use super::init::Normal;
use crate::spec::ExpertForm;
use crate::{Architecture, NnError};

/// How far experts depart from what they were cut from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Redraw {
    /// Share of every routed expert's numbers that is drawn anew.
    pub share: f64,
    /// Standard deviation of what is drawn, of the router and of the gate of the shared part.
    pub std: f64,
    /// Seed of all that is drawn.
    pub seed: u64,
}

/// A model with experts from a dense one, whose numbers stand end to end in `flat`.
///
/// The hidden units of a block are repeated until they fill the experts, shuffled within each copy, and cut into
/// experts; what is left over is dropped. Then a share of every expert's numbers is drawn anew. The shared part is
/// filled with the units in their own order, repeated as often as it takes, and keeps them. All else is copied; with
/// another `vocab` rows of the tables that no token has are cut off or added.
pub fn upcycle(
    dense: &Architecture,
    flat: &[f32],
    form: ExpertForm,
    vocab: Option<usize>,
    redraw: Redraw,
) -> Result<(Architecture, Vec<f32>), NnError> {
    let vocab = vocab.unwrap_or(dense.vocab);
    let sizes = Architecture { experts: Some(form), vocab, ..dense.clone() };
    let problems = sizes.validate();
    if dense.experts.is_some() || dense.bias || !problems.is_empty() {
        let reason = if problems.is_empty() {
            "experts are cut from a dense model without biases".into()
        } else {
            problems.join("; ")
        };
        return Err(NnError::Input { op: "upcycle", reason });
    }
    let mut places = BTreeMap::new();
    let mut rest = flat;
    for info in dense.params() {
        let (these, tail) = rest.split_at_checked(info.count()).ok_or_else(|| too_few(flat.len(), dense))?;
        places.insert(info.name, these);
        rest = tail;
    }
    let mut out = Vec::with_capacity(sizes.parameters() as usize);
    let mut units: (usize, Vec<usize>) = (usize::MAX, Vec::new());
    for info in sizes.params() {
        let mut normal = Normal::new(redraw.seed, &info.name);
        if let Some(values) = places.get(&info.name) {
            // Rows that no token has may be cut off or added.
            let kept = values.len().min(info.count());
            out.extend_from_slice(&values[..kept]);
            out.extend((kept..info.count()).map(|_| (redraw.std * normal.next()) as f32));
            continue;
        }
        let (block, leaf) = block_of(&info.name);
        let matrix = leaf.rsplit('.').next().unwrap_or(leaf);
        let source = |matrix: &str| places.get(&format!("blocks.{block}.ffn.{matrix}")).copied();
        let (Some(source), Some(hidden)) = (source(matrix), Some(dense.ffn.hidden)) else {
            // The router and the gate of the shared part: nothing to copy from.
            out.extend((0..info.count()).map(|_| (redraw.std * normal.next()) as f32));
            continue;
        };
        let shape = (matrix == "down", dense.width, hidden);
        if let Some(expert) =
            leaf.strip_prefix("ffn.experts.").and_then(|l| l.split('.').next()?.parse::<usize>().ok())
        {
            if units.0 != block {
                units = (block, shuffled(redraw.seed, block, hidden, form.routed * form.hidden));
            }
            let mut values = cut(source, shape, &units.1[expert * form.hidden..][..form.hidden]);
            for value in &mut values {
                if normal.uniform() <= redraw.share {
                    *value = (redraw.std * normal.next()) as f32;
                }
            }
            out.extend(values);
        } else {
            let all: Vec<usize> = (0..hidden).cycle().take(form.shared).collect();
            out.extend(cut(source, shape, &all));
        }
    }
    Ok((sizes, out))
}

fn too_few(found: usize, dense: &Architecture) -> NnError {
    NnError::Mismatch {
        op: "upcycle",
        left_name: "the given data".into(),
        left: found,
        right_name: "the dense model".into(),
        right: dense.parameters() as usize,
    }
}

/// `blocks.3.ffn.router` as 3 and `ffn.router`.
fn block_of(name: &str) -> (usize, &str) {
    let rest = name.strip_prefix("blocks.").unwrap_or(name);
    let (block, leaf) = rest.split_once('.').unwrap_or(("", rest));
    (block.parse().unwrap_or(0), leaf)
}

/// Copies of the units of a block, each shuffled by itself, end to end.
fn shuffled(seed: u64, block: usize, hidden: usize, wanted: usize) -> Vec<usize> {
    let mut all = Vec::new();
    for copy in 0..wanted.div_ceil(hidden) {
        let mut random = Normal::new(seed, &format!("blocks.{block}.copy.{copy}"));
        let mut units: Vec<usize> = (0..hidden).collect();
        for at in (1..hidden).rev() {
            // Uniform in (0, 1]: the last place is as likely as the others.
            let other = (random.uniform() * (at + 1) as f64).ceil() as usize - 1;
            units.swap(at, other.min(at));
        }
        all.extend(units);
    }
    all
}

/// The rows of these units, or the columns where the matrix leads back from them.
fn cut(source: &[f32], (back, width, hidden): (bool, usize, usize), units: &[usize]) -> Vec<f32> {
    if back {
        return source.chunks_exact(hidden).flat_map(|row| units.iter().map(move |&u| row[u])).collect();
    }
    units.iter().flat_map(|&u| &source[u * width..][..width]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tiny;

    fn form() -> ExpertForm {
        ExpertForm {
            routed: 4,
            active: 2,
            hidden: 10,
            shared: 30,
            shared_gate: true,
            renormalise: false,
            balance: 0.0,
        }
    }

    fn numbers(sizes: &Architecture) -> Vec<f32> {
        (0..sizes.parameters()).map(|i| i as f32).collect()
    }

    type Named = BTreeMap<String, Vec<f32>>;

    fn made(share: f64) -> (Vec<f32>, Named, Named) {
        let dense = tiny();
        let flat = numbers(&dense);
        let redraw = Redraw { share, std: 0.02, seed: 3 };
        let (sizes, values) = upcycle(&dense, &flat, form(), Some(64), redraw).expect("dense");
        let named = |sizes: &Architecture, mut rest: &[f32]| {
            let mut all = BTreeMap::new();
            for info in sizes.params() {
                let (these, tail) = rest.split_at(info.count());
                all.insert(info.name, these.to_vec());
                rest = tail;
            }
            all
        };
        (values.clone(), named(&dense, &flat), named(&sizes, &values))
    }

    #[test]
    fn experts_hold_whole_units_and_all_else_is_copied() {
        let (_, dense, sparse) = made(0.0);
        let (width, hidden) = (tiny().width, tiny().ffn.hidden);
        assert_eq!(sparse["embedding"][..61 * width], dense["embedding"]);
        assert_eq!(sparse["embedding"].len(), 64 * width);
        for name in ["norm", "blocks.1.attention.q", "blocks.0.ffn.norm"] {
            assert_eq!(dense[name], sparse[name], "{name}");
        }
        let mut used = Vec::new();
        for expert in 0..4 {
            let of = |matrix: &str| &sparse[&format!("blocks.1.ffn.experts.{expert}.{matrix}")];
            for (unit, (gate, up)) in of("gate").chunks(width).zip(of("up").chunks(width)).enumerate() {
                let was = dense["blocks.1.ffn.gate"].chunks(width).position(|row| row == gate);
                let was = was.expect("a unit of the dense model");
                assert_eq!(up, &dense["blocks.1.ffn.up"][was * width..][..width]);
                let down: Vec<f32> = of("down").chunks(10).map(|row| row[unit]).collect();
                let column: Vec<f32> =
                    dense["blocks.1.ffn.down"].chunks(hidden).map(|row| row[was]).collect();
                assert_eq!(down, column);
                used.push(was);
            }
        }
        // 27 units fill 40 places: the first copy whole, the second in part, neither in order.
        let mut first = used[..27].to_vec();
        assert!(!first.is_sorted());
        first.sort_unstable();
        assert_eq!(first, (0..27).collect::<Vec<_>>());
        let shared = &sparse["blocks.0.ffn.shared.gate"];
        assert_eq!(shared[..27 * width], dense["blocks.0.ffn.gate"]);
        assert_eq!(shared[27 * width..], dense["blocks.0.ffn.gate"][..3 * width]);
        assert_eq!(sparse["blocks.0.ffn.router"].len(), 4 * width);
    }

    #[test]
    fn the_share_is_drawn_anew_and_the_seed_decides() {
        let (half, dense, sparse) = made(0.5);
        assert_eq!(half, made(0.5).0);
        let old: Vec<f32> = dense["blocks.0.ffn.gate"].clone();
        let new = &sparse["blocks.0.ffn.experts.2.gate"];
        let kept = new.iter().filter(|x| old.contains(x)).count() as f64 / new.len() as f64;
        assert!((kept - 0.5).abs() < 0.12, "{kept}");
        let all = made(1.0).2;
        assert!(all["blocks.0.ffn.experts.2.gate"].iter().all(|x| x.abs() < 0.2));
    }

    #[test]
    fn a_model_with_experts_is_refused() {
        let sparse = Architecture { experts: Some(form()), ..tiny() };
        let redraw = Redraw { share: 0.5, std: 0.02, seed: 0 };
        let error = upcycle(&sparse, &numbers(&sparse), form(), None, redraw).expect_err("not dense");
        assert!(error.to_string().contains("dense model"), "{error}");
    }
}
