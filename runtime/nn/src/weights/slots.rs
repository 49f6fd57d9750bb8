//! How the parameters of a model lie in the tensors of a file, one list for writing and for reading.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::Architecture;
use crate::spec::Family;

/// What is done to the rows of our parameters, laid below one another, before they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing.
    Plain,
    /// Stored as (inputs, outputs), as GPT-2's `Conv1D` has it.
    Transposed,
    /// The two halves of the rows of each head of so many rows take turns: llama.cpp turns neighbours.
    Paired(usize),
    /// One is added, as llama.cpp has the gains of Gemma.
    PlusOne,
}

/// One tensor of a file and the parameters that it holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slot {
    /// Its name in the file.
    pub(crate) name: String,
    /// Its shape in the file.
    pub(crate) shape: Vec<usize>,
    /// Where each of its parameters stands among all numbers of the model.
    pub(crate) places: Vec<Range<usize>>,
    form: Form,
}

/// The tensors of a folder of the family; with our own names where there is none.
pub(crate) fn folder(family: Option<Family>, sizes: &Architecture) -> Vec<Slot> {
    let Some(family) = family else { return slots(sizes, str::to_owned, |_| Form::Plain) };
    let gpt2 = |path: &str| {
        let matrix = path.starts_with("blocks.") && !path.ends_with(".bias") && !path.ends_with("norm");
        if matrix { Form::Transposed } else { Form::Plain }
    };
    let plain = |_: &str| Form::Plain;
    slots(sizes, |path| family.name(path), if family == Family::Gpt2 { gpt2 } else { plain })
}

/// The tensors of a folder in which the experts of a block are stacked, gate above up, as transformers 5 has them
/// in memory.
pub(crate) fn stacked(family: Family, sizes: &Architecture) -> Vec<Slot> {
    let routed = sizes.experts.map_or(0, |e| e.routed);
    let name = |path: &str| match path.split_once(".ffn.experts.") {
        Some((block, matrix)) => {
            let fused = if matrix.ends_with(".down") { "down_proj" } else { "gate_up_proj" };
            format!("model.layers.{}.mlp.experts.{fused}", block.trim_start_matches("blocks."))
        }
        None => family.name(path),
    };
    let mut all = slots(sizes, name, |_| Form::Plain);
    for slot in all.iter_mut().filter(|slot| slot.name.contains(".experts.")) {
        slot.shape[0] /= routed;
        slot.shape.insert(0, routed);
    }
    all
}

/// The tensors of a GGUF file.
pub(crate) fn gguf(family: Family, sizes: &Architecture) -> Vec<Slot> {
    let head_dim = sizes.head_dim;
    let form = |path: &str| {
        let leaf = path.strip_suffix(".bias").unwrap_or(path);
        let turned = leaf.ends_with("attention.q") || leaf.ends_with("attention.k");
        match family {
            Family::Llama if turned => Form::Paired(head_dim),
            Family::Gemma2 if leaf.ends_with("norm") => Form::PlusOne,
            _ => Form::Plain,
        }
    };
    slots(sizes, Family::gguf_name, form)
}

/// Parameters with one name share a tensor.
fn slots(sizes: &Architecture, name: impl Fn(&str) -> String, form: impl Fn(&str) -> Form) -> Vec<Slot> {
    let (mut all, mut at, mut start): (Vec<Slot>, BTreeMap<String, usize>, usize) = Default::default();
    for info in sizes.params() {
        let place = start..start + info.count();
        start = place.end;
        let name = name(&info.name);
        match at.get(&name) {
            Some(&at) => {
                let slot: &mut Slot = &mut all[at];
                slot.shape[0] += info.shape[0];
                slot.places.push(place);
            }
            None => {
                at.insert(name.clone(), all.len());
                all.push(Slot { name, shape: info.shape, places: vec![place], form: form(&info.name) });
            }
        }
    }
    for slot in all.iter_mut().filter(|slot| slot.form == Form::Transposed) {
        slot.shape.reverse();
    }
    all
}

impl Slot {
    /// A tensor that is stored as it is.
    pub(super) fn plain(name: String, shape: Vec<usize>, place: Range<usize>) -> Slot {
        Slot { name, shape, places: vec![place], form: Form::Plain }
    }

    /// How many numbers it holds.
    pub(crate) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// The numbers as the file has them, from all numbers of the model.
    pub(crate) fn pack<'a>(&self, flat: &'a [f32]) -> Cow<'a, [f32]> {
        self.stored(match self.places.as_slice() {
            [place] => Cow::Borrowed(&flat[place.clone()]),
            places => places.iter().flat_map(|place| &flat[place.clone()]).copied().collect(),
        })
    }

    /// The numbers as the file has them, from those of its parameters end to end.
    pub(crate) fn stored<'a>(&self, ours: Cow<'a, [f32]>) -> Cow<'a, [f32]> {
        match self.form {
            Form::Plain => ours,
            Form::Transposed => transposed(&ours, self.shape[1], self.shape[0]).into(),
            Form::Paired(head) => paired(&ours, head, self.row(), false).into(),
            Form::PlusOne => ours.iter().map(|x| x + 1.0).collect(),
        }
    }

    /// The numbers of its parameters end to end, from those of the file.
    pub(crate) fn ours(&self, stored: Vec<f32>) -> Vec<f32> {
        match self.form {
            Form::Plain => stored,
            Form::Transposed => transposed(&stored, self.shape[0], self.shape[1]),
            Form::Paired(head) => paired(&stored, head, self.row(), true),
            Form::PlusOne => stored.iter().map(|x| x - 1.0).collect(),
        }
    }

    /// Puts the numbers of the file at their places among all numbers of the model.
    pub(crate) fn unpack(&self, stored: Vec<f32>, flat: &mut [f32]) {
        let ours = self.ours(stored);
        let mut rest = ours.as_slice();
        for place in &self.places {
            let (these, tail) = rest.split_at(place.len());
            flat[place.clone()].copy_from_slice(these);
            rest = tail;
        }
    }

    /// Whether the numbers of each of its parameters lie in the file as they are, one parameter after the other.
    pub(crate) fn is_plain(&self) -> bool {
        self.form == Form::Plain
    }

    /// Numbers of a row: one for a bias.
    fn row(&self) -> usize {
        self.shape[1..].iter().product()
    }
}

/// (rows, columns) to (columns, rows).
fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for column in 0..columns {
        out.extend((0..rows).map(|row| x[row * columns + column]));
    }
    out
}

/// The rows of each head from halves to taking turns, or back.
fn paired(x: &[f32], head: usize, row: usize, back: bool) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for (out, x) in out.chunks_exact_mut(head * row).zip(x.chunks_exact(head * row)) {
        for at in 0..head {
            let (halves, turns) = (at % 2 * (head / 2) + at / 2, at);
            let (to, from) = if back { (halves, turns) } else { (turns, halves) };
            out[to * row..][..row].copy_from_slice(&x[from * row..][..row]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tiny;

    #[test]
    fn rows_of_a_head_take_turns_as_llama_cpp_permutes_them() {
        // Two heads of four rows of one number: reshape(2, 2, 2).swapaxes(1, 2) of 0..8.
        let x: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let turned = paired(&x, 4, 1, false);
        assert_eq!(turned, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
        assert_eq!(paired(&turned, 4, 1, true), x);
    }

    #[test]
    fn every_number_comes_back_from_every_form() {
        let sizes = tiny();
        let flat: Vec<f32> = (0..sizes.parameters()).map(|i| i as f32).collect();
        let all = [folder(Some(Family::Llama), &sizes), folder(None, &sizes), gguf(Family::Llama, &sizes)];
        for slots in all {
            let mut back = vec![-1.0; flat.len()];
            for slot in slots {
                let stored = slot.pack(&flat).into_owned();
                assert_eq!(stored.len(), slot.count(), "{}", slot.name);
                slot.unpack(stored, &mut back);
            }
            assert_eq!(back, flat);
        }
    }
}
