//! Batches in which the student writes on: what on-policy distillation trains on (GKD, MiniLLM).

use llmp_nn::{Decoder, IGNORE, MicroBatch, Model};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Result, TrainError};
use crate::generate::Sampling;
use crate::kinds::distill::OnPolicy;
use crate::settings::Attention;

/// Sequences that are written at a time.
const TOGETHER: usize = 32;

/// How a student writes.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) settings: OnPolicy,
    /// Seed of its random streams.
    pub(crate) stream: u64,
    /// The end-of-text token.
    pub(crate) end: Option<u32>,
    pub(crate) attention: Attention,
}

/// One row of a batch.
#[derive(Debug, Clone, Default)]
struct Row {
    inputs: Vec<u32>,
    targets: Vec<u32>,
    doc_start: Vec<u32>,
}

/// A row that is being written: the target of its last input is not known yet.
#[derive(Debug)]
struct Draft {
    row: Row,
    /// The first input that the next one sees.
    from: usize,
    /// Ends with the end-of-text token; else another text begins behind it.
    ends: bool,
    random: ChaCha8Rng,
}

impl Writing {
    /// The batch of a step, with rows that the student wrote in the place of rows of the data. Equal weights, rows and
    /// seeds give equal batches, whatever stands beside a row.
    pub(crate) fn write(&self, model: &Model, batches: &[MicroBatch], step: u64) -> Result<Vec<MicroBatch>> {
        let (rows, length) = batches.first().map_or((1, 0), |b| (b.rows.max(1), b.length));
        let (mut whole, mut drafts) = (Vec::new(), Vec::new());
        for (number, row) in (0u64..).zip(batches.iter().flat_map(rows_of)) {
            let place = (step << 32).wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut random = ChaCha8Rng::seed_from_u64(self.stream ^ place);
            if random.random_range(0.0..1.0) < self.settings.student_share {
                drafts.extend(self.drafts(&row, &random));
            } else {
                whole.push(row);
            }
        }
        if whole.is_empty() && drafts.is_empty() {
            let message = "no row of a batch holds a whole document, so nothing prompts the student: lengthen `context`, set \
                           `packing = best_fit`, or let it write on with `prompt`";
            return Err(TrainError::Settings(message.to_owned()));
        }
        for group in drafts.chunks_mut(TOGETHER) {
            self.write_on(model, group, length)?;
        }
        whole.extend(drafts.into_iter().map(|draft| draft.row));
        Ok(whole.chunks(rows).map(|rows| batch(rows, length)).collect())
    }

    /// What the student writes on in a row: the row itself from its prompt on, or its whole documents.
    fn drafts(&self, row: &Row, random: &ChaCha8Rng) -> Vec<Draft> {
        let length = row.inputs.len();
        if let Some(share) = self.settings.prompt {
            let kept = ((share * length as f64).round() as usize).clamp(1, length.max(1));
            let cut = |all: &[u32]| all[..kept.min(all.len())].to_vec();
            let (inputs, doc_start) = (cut(&row.inputs), cut(&row.doc_start));
            let from = doc_start.last().map_or(0, |start| *start as usize);
            let row = Row { targets: vec![IGNORE; inputs.len().saturating_sub(1)], inputs, doc_start };
            return vec![Draft { row, from, ends: false, random: random.clone() }];
        }
        let one = |(number, prompt): (u64, &[u32])| {
            let mut random = random.clone();
            random.set_stream(number + 1);
            let (inputs, doc_start) = (prompt.to_vec(), vec![0; prompt.len()]);
            let row = Row { targets: vec![IGNORE; prompt.len() - 1], inputs, doc_start };
            Draft { row, from: 0, ends: true, random }
        };
        (0..).zip(prompts(row, self.end)).map(one).collect()
    }

    /// Writes every draft to the length of a row.
    fn write_on(&self, model: &Model, drafts: &mut [Draft], length: usize) -> Result<()> {
        let settings = &self.settings;
        let sampling =
            Sampling { temperature: settings.temperature, top_k: None, top_p: None, ..Sampling::default() };
        let mut decoder = Decoder::with_sequences(model, drafts.len());
        let prefill = |(at, draft): (usize, &Draft)| decoder.prefill_at(at, &draft.row.inputs[draft.from..]);
        let mut logits = drafts.iter().enumerate().map(prefill).collect::<Result<Vec<_>, _>>()?;
        loop {
            let mut fed = Vec::new();
            for (at, draft) in drafts.iter_mut().enumerate() {
                let row = &mut draft.row;
                if row.targets.len() >= length {
                    continue;
                }
                let id = sampling.choose(&logits[at], &mut draft.random);
                row.targets.push(id);
                let (place, over) = (row.targets.len(), self.end == Some(id));
                if place == length {
                    continue;
                }
                if over && draft.ends {
                    // Behind the end stands nothing that counts.
                    row.inputs.resize(length, id);
                    row.targets.resize(length, IGNORE);
                    row.doc_start.resize(length, 0);
                    continue;
                }
                let mut start = row.doc_start.last().copied().unwrap_or(0);
                if over && self.attention == Attention::PerDocument {
                    start = place as u32;
                    decoder.truncate(at, 0);
                }
                row.inputs.push(id);
                row.doc_start.push(start);
                fed.push((at, id));
            }
            if fed.is_empty() {
                return Ok(());
            }
            for ((at, _), next) in fed.iter().zip(decoder.step_batch(&fed)?) {
                logits[*at] = next;
            }
        }
    }
}

/// Documents that begin and end in a row, from the end-of-text token before them on, without the one behind.
fn prompts(row: &Row, end: Option<u32>) -> Vec<&[u32]> {
    let Some(end) = end else { return Vec::new() };
    let mut found = Vec::new();
    let mut begun = None;
    for (at, (input, target)) in row.inputs.iter().zip(&row.targets).enumerate() {
        if *input == end {
            begun = Some(at);
        }
        if *target == IGNORE {
            begun = None;
        }
        if let Some(from) = begun.filter(|from| *target == end && from < &at) {
            found.push(&row.inputs[from..=at]);
        }
    }
    found
}

fn rows_of(batch: &MicroBatch) -> impl Iterator<Item = Row> + '_ {
    let length = batch.length.max(1);
    let parts =
        batch.inputs.chunks(length).zip(batch.targets.chunks(length)).zip(batch.doc_start.chunks(length));
    parts.map(|((inputs, targets), starts)| Row {
        inputs: inputs.to_vec(),
        targets: targets.to_vec(),
        doc_start: starts.to_vec(),
    })
}

fn batch(rows: &[Row], length: usize) -> MicroBatch {
    let all = |of: fn(&Row) -> &Vec<u32>| rows.iter().flat_map(of).copied().collect();
    MicroBatch {
        rows: rows.len(),
        length,
        inputs: all(|row| &row.inputs),
        targets: all(|row| &row.targets),
        doc_start: all(|row| &row.doc_start),
    }
}
