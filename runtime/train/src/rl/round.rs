//! One round: the answers of the policy as it is, as rows with what the update needs of them.

use llmp_nn::MicroBatch;

use crate::budget::micro_rows;
use crate::sample::Answer;
use crate::training::{Batch, Placed, Sequence};

/// What an update knows of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Play {
    /// Log-probabilities of its tokens under the policy that sampled.
    pub(super) then: Vec<f32>,
    /// Those under the model that the stage starts from, where the loss asks for them.
    pub(super) reference: Vec<f32>,
    /// How much better it is than expected.
    pub(super) advantage: f64,
}

/// The answers of a round.
#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    /// Their rows; an example is the number of an answer.
    pub(super) batch: Batch,
    /// What updates know of them, by number.
    pub(super) plays: Vec<Play>,
}

/// Prompts with their answers as rows of micro-batches. The tokens of an answer are what counts, with the one that ended it.
pub(super) fn rows<'a>(said: impl Iterator<Item = (&'a [u32], &'a Answer)>) -> Batch {
    let sequence = |(prompt, answer): (&[u32], &Answer)| {
        let ids = [prompt, answer.ids.as_slice()].concat();
        Sequence::behind(ids, prompt.len())
    };
    let all: Vec<Sequence> = said.map(sequence).collect();
    // Rows of a length stand together, so that little is padding; numbers decide among equal ones.
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|number| (std::cmp::Reverse(all[*number].positions()), *number));
    let longest = order.first().map_or(1, |number| all[*number].positions()).max(1);
    let together = micro_rows(all.len() as u64, longest as u64).max(1) as usize;
    let rows: Vec<_> = order.into_iter().map(|number| vec![(number, 0, &all[number])]).collect();
    Batch::of(rows.chunks(together))
}

/// The positions of a micro-batch that predict the tokens of the answer of a row.
pub(super) fn answer(micro: &MicroBatch, placed: &Placed) -> std::ops::Range<usize> {
    let place = placed.positions(micro);
    let counts = |at: &usize| micro.targets[*at] != llmp_nn::IGNORE;
    place.clone().find(counts).unwrap_or(place.end)..place.end
}

/// Numbers of positions as those of the answers they belong to, by the number of the answer.
pub(super) fn by_answer(batch: &Batch, numbers: &[Vec<f32>], count: usize) -> Vec<Vec<f32>> {
    let mut all = vec![Vec::new(); count];
    for ((micro, placed), numbers) in batch.micros.iter().zip(&batch.placed).zip(numbers) {
        for one in placed {
            all[one.example] = numbers[answer(micro, one)].to_vec();
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_answers_come_back_by_their_number() {
        let answer = |ids: &[u32]| Answer { ids: ids.to_vec(), ..Answer::default() };
        let answers = [answer(&[7]), answer(&[7, 8, 9]), answer(&[]), answer(&[5, 6])];
        let prompts: [&[u32]; 4] = [&[1, 2], &[1, 2], &[1, 2], &[3]];
        let batch = rows(prompts.into_iter().zip(&answers));
        assert_eq!(batch.targets(), 6);
        // Every position tells the token that it predicts.
        let told: Vec<Vec<f32>> =
            batch.micros.iter().map(|micro| micro.targets.iter().map(|t| *t as f32).collect()).collect();
        let found = by_answer(&batch, &told, answers.len());
        for (found, answer) in found.iter().zip(&answers) {
            assert_eq!(found, &answer.ids.iter().map(|id| *id as f32).collect::<Vec<_>>());
        }
    }
}
