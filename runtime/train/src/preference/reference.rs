//! What the policy is compared with: a frozen model beside it, or what such a model said of the data before.

use std::io::Write;
use std::path::Path;

use llmp_nn::{IGNORE, MicroBatch, Model};

use crate::error::{Result, TrainError};
use crate::host::Host;
use crate::training::{Example, Placed, Row, Sequence, micro_batch};

/// The reference of a stage.
#[derive(Debug)]
pub enum Reference {
    /// None.
    Nothing,
    /// A frozen model.
    Live(Box<Model>),
    /// Log-probabilities of every token that counts.
    Said(Said),
}

/// Log-probabilities that a model gave to the tokens that count, example by example.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    logps: Vec<f32>,
    /// Where those of every sequence begin.
    begins: Vec<Vec<usize>>,
}

/// Name of the file.
const FILE: &str = "logps.npy";

/// Positions that go through the reference together.
const TOGETHER: usize = 4096;

impl Said {
    /// Opens what [`refer`] wrote about these examples. Errors: it belongs to others.
    pub fn open<'a>(folder: &Path, examples: impl Iterator<Item = &'a Example>) -> Result<Said> {
        let path = folder.join(FILE);
        let bytes = std::fs::read(&path).map_err(TrainError::io("read", &path))?;
        let bad = |reason: &str| TrainError::Checkpoint { path: path.clone(), reason: reason.to_owned() };
        let head = bytes.get(8..10).map(|b| 10 + usize::from(u16::from_le_bytes([b[0], b[1]])));
        let data = head.and_then(|head| bytes.get(head..)).ok_or_else(|| bad("not an array"))?;
        let logps: Vec<f32> =
            data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let mut at = 0;
        let mut begin = |sequence: &Sequence| {
            at += sequence.targets();
            at - sequence.targets()
        };
        let begins = examples.map(|example| example.iter().map(&mut begin).collect()).collect();
        if at != logps.len() {
            return Err(bad(&format!("the data have {at} tokens that count, it has {}", logps.len())));
        }
        Ok(Said { logps, begins })
    }

    /// Those of a micro-batch, one a position.
    fn of(&self, batch: &MicroBatch, placed: &[Placed]) -> Vec<f32> {
        let mut out = vec![0.0; batch.positions()];
        for one in placed {
            let mut next = self.begins[one.example][one.part];
            for at in one.positions(batch) {
                if batch.targets[at] != IGNORE {
                    out[at] = self.logps[next];
                    next += 1;
                }
            }
        }
        out
    }
}

impl Reference {
    /// What it says of the targets of a micro-batch, one a position; nothing where there is none.
    pub(super) fn log_probs(&self, batch: &MicroBatch, placed: &[Placed]) -> Result<Option<Vec<f32>>> {
        match self {
            Reference::Nothing => Ok(None),
            Reference::Live(model) => Ok(Some(model.log_probs(batch)?)),
            Reference::Said(said) => Ok(Some(said.of(batch, placed))),
        }
    }
}

/// Writes what a model says of the tokens that count in examples: an array of 32-bit floats (`logps.npy`). The examples keep their
/// order. Errors: the stop flag; a model that the examples do not fit.
pub fn refer<'a>(
    model: &Model,
    examples: impl Iterator<Item = &'a Example>,
    folder: &Path,
    host: &Host<'_>,
) -> Result<u64> {
    let sequences: Vec<&Sequence> = examples.flatten().collect();
    let mut logps = Vec::new();
    for group in groups(&sequences) {
        if host.stopped() {
            return Err(TrainError::Stopped);
        }
        let rows: Vec<Row<'_>> = group.iter().map(|s| vec![(0, 0, *s)]).collect();
        let (batch, _) = micro_batch(&rows);
        let said = model.log_probs(&batch)?;
        logps.extend(said.into_iter().zip(&batch.targets).filter(|(_, t)| **t != IGNORE).map(|(p, _)| p));
    }
    std::fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
    let path = folder.join(FILE);
    let bytes: Vec<u8> = logps.iter().flat_map(|p: &f32| p.to_le_bytes()).collect();
    let mut file = std::fs::File::create(&path).map_err(TrainError::io("create", &path))?;
    let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", logps.len());
    // The header with its length ends on a multiple of 64.
    let padded = (10 + head.len() + 1).next_multiple_of(64) - 10;
    let write = |bytes: &[u8], file: &mut std::fs::File| {
        file.write_all(bytes).map_err(TrainError::io("write", &path))
    };
    write(b"\x93NUMPY\x01\x00", &mut file)?;
    write(&(padded as u16).to_le_bytes(), &mut file)?;
    write(format!("{head:<width$}\n", width = padded - 1).as_bytes(), &mut file)?;
    write(&bytes, &mut file)?;
    file.sync_all().map_err(TrainError::io("sync", &path))?;
    Ok(logps.len() as u64)
}

/// Neighbours that go through the model together.
fn groups<'a>(sequences: &'a [&'a Sequence]) -> Vec<&'a [&'a Sequence]> {
    let (mut all, mut from, mut longest) = (Vec::new(), 0, 0);
    for (at, sequence) in sequences.iter().enumerate() {
        let next = longest.max(sequence.positions());
        if at > from && (at + 1 - from) * next > TOGETHER {
            all.push(&sequences[from..at]);
            (from, longest) = (at, sequence.positions());
        } else {
            longest = next;
        }
    }
    if from < sequences.len() {
        all.push(&sequences[from..]);
    }
    all
}
