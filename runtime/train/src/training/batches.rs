//! From rows of a token stream to micro-batches.

use llmp_data::mix::{Row, TokenStream};
use llmp_nn::{IGNORE, MicroBatch};

use crate::budget::micro_rows;
use crate::course::Course;
use crate::error::{Result, TrainError};
use crate::settings::{Accumulate, Attention};
use crate::stage::Stage;

/// The micro-batches of the step that follows `done` steps. Errors: the data end before them.
pub(crate) fn next(
    stage: &Stage,
    course: &Course,
    stream: &mut TokenStream,
    done: u64,
    name: &str,
) -> Result<Vec<MicroBatch>> {
    let Some((leg, wanted)) = course.batch_at(done) else {
        return Err(TrainError::Settings("a step after the last".to_owned()));
    };
    stream.lengthen(leg.context as usize);
    let rows = draw(stream, wanted as usize)?;
    if (rows.len() as u64) < wanted {
        let drawn = course.tokens_after(done) + rows.len() as u64 * leg.context;
        return Err(TrainError::DataEnded { stage: name.to_owned(), drawn, wanted: course.drawn() });
    }
    let micro = match stage.accumulate {
        Accumulate::Auto => micro_rows(leg.rows(), leg.context),
        Accumulate::Parts(parts) => leg.rows().div_ceil(parts.max(1)),
    };
    Ok(rows.chunks(micro.max(1) as usize).map(|rows| pack(rows, stage.attention)).collect())
}

/// Micro-batches with the number of their first row in the batch.
pub(crate) fn numbered(batches: &[MicroBatch]) -> impl Iterator<Item = (&MicroBatch, u64)> {
    batches.iter().scan(0, |row, batch| {
        let first = *row;
        *row += batch.rows as u64;
        Some((batch, first))
    })
}

/// The next rows of a batch; fewer than `count` when the data end.
fn draw(stream: &mut TokenStream, count: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(count);
    while rows.len() < count
        && let Some(row) = stream.next_row()?
    {
        rows.push(row);
    }
    Ok(rows)
}

/// Rows of equal length as one micro-batch.
fn pack(rows: &[Row], attention: Attention) -> MicroBatch {
    let length = rows.first().map_or(0, |row| row.tokens.len().saturating_sub(1));
    let mut batch = MicroBatch { rows: rows.len(), length, ..MicroBatch::default() };
    for row in rows {
        batch.inputs.extend_from_slice(&row.tokens[..length]);
        let first = batch.targets.len();
        batch.targets.extend_from_slice(&row.tokens[1..]);
        // The first token of a row is never a target.
        for index in row.ignored.iter().filter_map(|index| (*index as usize).checked_sub(1)) {
            batch.targets[first + index] = IGNORE;
        }
        match attention {
            Attention::PerDocument => batch.doc_start.extend(document_starts(&row.doc_start)),
            Attention::Across => batch.doc_start.resize(batch.inputs.len(), 0),
        }
    }
    batch
}

/// Attention ranges of the inputs of a row, given where the document of each of its tokens begins.
///
/// The end-of-text token before a document is where the document begins: it predicts the first token and sees
/// nothing of the document that it ended. So every token is a target, none across a border, and a document is
/// scored after training exactly as it was seen: from one end-of-text token on.
fn document_starts(token_starts: &[u32]) -> Vec<u32> {
    let length = token_starts.len().saturating_sub(1);
    (0..length).map(|i| token_starts[i + 1].saturating_sub(1).min(i as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two documents `5 6 0` and `7 8 9 0`, the row beginning inside the first.
    fn row() -> Row {
        Row { tokens: vec![6, 0, 7, 8, 9, 0, 4], doc_start: vec![0, 0, 2, 2, 2, 2, 6], ignored: Vec::new() }
    }

    #[test]
    fn the_end_of_text_before_a_document_is_its_first_token() {
        let batch = pack(&[row()], Attention::PerDocument);
        assert_eq!(batch.inputs, [6, 0, 7, 8, 9, 0]);
        assert_eq!(batch.targets, [0, 7, 8, 9, 0, 4]);
        assert_eq!(batch.doc_start, [0, 1, 1, 1, 1, 5]);
    }

    #[test]
    fn what_a_row_ignores_is_no_target() {
        let batch = pack(&[row(), Row { ignored: vec![2, 6], ..row() }], Attention::PerDocument);
        assert_eq!(batch.targets[..6], [0, 7, 8, 9, 0, 4]);
        assert_eq!(batch.targets[6..], [0, IGNORE, 8, 9, 0, IGNORE]);
        assert_eq!(batch.counted(), 10);
    }

    #[test]
    fn across_sees_the_whole_row() {
        let batch = pack(&[row(), row()], Attention::Across);
        assert_eq!((batch.rows, batch.length, batch.doc_start.len()), (2, 6, 12));
        assert!(batch.doc_start.iter().all(|&start| start == 0));
    }
}
