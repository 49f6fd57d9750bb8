//! What teachers say about the rows of a stage, computed once and read by every student that draws the same rows.
//!
//! A folder of `00000.safetensors`, `00001.safetensors`, …, each with a fixed number of steps: `starts` is the place of each
//! step's first position, `rows` a hash of every row, `firsts` the place of each step's first one. For a few tokens a position, `ends`, `ids` and `weights` hold them end to end; for whole
//! distributions `states.0`, `states.1`, … hold the final states of each teacher, from which its head predicts.

use std::path::{Path, PathBuf};

use llmp_data::tokens::TokenShard;
use llmp_nn::{MicroBatch, Model, Pick, Targets};
use llmp_stdlib::{Event, Record, Value};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::distill::{Place, ask, open};
use crate::durable;
use crate::error::{Result, TrainError};
use crate::host::Host;
use crate::kinds::decoder::field;
use crate::kinds::distill::Says;
use crate::stage::Stage;
use crate::training::{batches, start};

/// A tensor of a file: its form, its shape, its bytes.
type Tensor = (Dtype, Vec<usize>, Vec<u8>);

/// Steps in a file.
const STEPS: u64 = 8;

/// A step that writes what teachers say, besides the arguments that name its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Teach {
    /// What is kept of it.
    pub says: Says,
    /// Indices of the inputs that teach.
    pub teachers: Vec<usize>,
    /// Indices of the teachers' tokenizers, where the plan does not know that they are the student's.
    pub tokenizers: Vec<usize>,
}

impl Teach {
    /// The operation's name in a plan.
    pub const OP: &'static str = "teach";

    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Teach, String> {
        let says = match args.get("says") {
            Some(Value::Record(says)) => Says {
                states: field(says, "states")?,
                likeliest: field(says, "likeliest")?,
                drawn: field(says, "drawn")?,
            },
            _ => return Err("`says` is missing".to_owned()),
        };
        let inputs = |name| crate::distill::inputs(args, name);
        Ok(Teach { says, teachers: inputs("teacher")?, tokenizers: inputs("teacher_tokenizers")? })
    }
}

impl Says {
    /// The tokens that are kept; `None` where whole distributions are.
    fn pick(self) -> Option<Pick> {
        match self {
            Says { states: true, .. } => None,
            Says { drawn, likeliest: 0, .. } => Some(Pick::Drawn(drawn as usize)),
            Says { likeliest, .. } => Some(Pick::Likeliest(likeliest as usize)),
        }
    }
}

/// Writes what teachers say about every row that a stage draws, going on after the files that are there; gives the number
/// of positions. The micro-batches are those of the stage, so that every sum is the one that a living teacher makes.
pub fn write(
    stage: &Stage,
    says: Says,
    teachers: &[PathBuf],
    shards: Vec<TokenShard>,
    folder: &Path,
    host: &Host<'_>,
) -> Result<u64> {
    let teachers = open(teachers)?;
    let teachers: Vec<&Model> = teachers.iter().collect();
    let (mut stream, plan) = start::rows(stage, shards)?;
    let (steps, mut positions) = (plan.course.steps(), 0);
    std::fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
    for first in (0..steps).step_by(STEPS as usize) {
        let path = file(folder, first);
        let there = path.is_file();
        let mut part = Part::new(if says.pick().is_some() { 0 } else { teachers.len() });
        for step in first..steps.min(first + STEPS) {
            if host.stopped() {
                return Err(TrainError::Stopped);
            }
            let batches = batches::next(stage, &plan.course, &mut stream, step, host.step)?;
            positions += batches.iter().map(|b| b.positions() as u64).sum::<u64>();
            host.tell(Event::Progress { step: host.step.to_owned(), done: positions });
            if there {
                continue;
            }
            part.starts.push(part.positions);
            part.firsts.push(part.rows.len() as u64);
            for (batch, row) in batches::numbered(&batches) {
                let place = Place { stream: stage.stream("teacher"), step, row };
                match says.pick() {
                    Some(pick) => part.say(&ask(&teachers, batch, pick, place)?),
                    None => {
                        for (states, teacher) in part.states.iter_mut().zip(&teachers) {
                            states.extend(teacher.states(batch)?);
                        }
                    }
                }
                part.positions += batch.positions() as u64;
                part.rows.extend(hashes(batch));
            }
        }
        if !there {
            durable::write(&path, &part.bytes(&teachers, &path)?, host)?;
        }
    }
    Ok(positions)
}

fn file(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("{:05}.safetensors", step / STEPS))
}

/// A hash of every row: its inputs and targets (FNV-1a over ids).
fn hashes(batch: &MicroBatch) -> impl Iterator<Item = u64> + '_ {
    let length = batch.length.max(1);
    let rows = batch.inputs.chunks(length).zip(batch.targets.chunks(length));
    let mix = |hash: u64, id: &u32| (hash ^ u64::from(*id)).wrapping_mul(0x0000_0100_0000_01b3);
    rows.map(move |(inputs, targets)| inputs.iter().chain(targets).fold(0xcbf2_9ce4_8422_2325, mix))
}

/// What one file holds.
#[derive(Debug, Default)]
struct Part {
    positions: u64,
    starts: Vec<u64>,
    firsts: Vec<u64>,
    rows: Vec<u64>,
    ends: Vec<u64>,
    ids: Vec<u32>,
    weights: Vec<f32>,
    states: Vec<Vec<f32>>,
}

impl Part {
    fn new(teachers: usize) -> Part {
        Part { states: vec![Vec::new(); teachers], ..Part::default() }
    }

    fn say(&mut self, targets: &Targets) {
        for row in 0..targets.len() {
            let (ids, weights): (Vec<u32>, Vec<f32>) = targets.row(row).unzip();
            self.ids.extend(ids);
            self.weights.extend(weights);
            self.ends.push(self.ids.len() as u64);
        }
    }

    fn bytes(&self, teachers: &[&Model], path: &Path) -> Result<Vec<u8>> {
        let u64s =
            |all: &[u64]| (Dtype::U64, vec![all.len()], all.iter().flat_map(|x| x.to_le_bytes()).collect());
        let f32s =
            |all: &[f32], shape| (Dtype::F32, shape, all.iter().flat_map(|x| x.to_le_bytes()).collect());
        let places = [("starts", &self.starts), ("firsts", &self.firsts), ("rows", &self.rows)];
        let mut tensors: Vec<(String, Tensor)> =
            places.map(|(name, all)| (name.to_owned(), u64s(all))).into();
        if self.states.is_empty() {
            let ids = self.ids.iter().flat_map(|x| x.to_le_bytes()).collect();
            tensors.push(("ends".to_owned(), u64s(&self.ends)));
            tensors.push(("ids".to_owned(), (Dtype::U32, vec![self.ids.len()], ids)));
            tensors.push(("weights".to_owned(), f32s(&self.weights, vec![self.weights.len()])));
        }
        for (at, (states, teacher)) in self.states.iter().zip(teachers).enumerate() {
            let width = teacher.spec().width;
            tensors.push((format!("states.{at}"), f32s(states, vec![states.len() / width.max(1), width])));
        }
        let mut views = Vec::with_capacity(tensors.len());
        for (name, (dtype, shape, bytes)) in &tensors {
            views.push((name, TensorView::new(*dtype, shape.clone(), bytes).map_err(|e| bad(path, e))?));
        }
        safetensors::serialize(views, None).map_err(|e| bad(path, e))
    }

    fn read(path: &Path) -> Result<Part> {
        let bytes = std::fs::read(path).map_err(TrainError::io("read", path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| bad(path, e))?;
        let mut part = Part::default();
        for (name, tensor) in file.tensors() {
            let data = tensor.data();
            let words = || data.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
            let longs = || data.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
            let wanted = match name.as_str() {
                "starts" | "firsts" | "rows" | "ends" => Dtype::U64,
                "ids" => Dtype::U32,
                _ => Dtype::F32,
            };
            if tensor.dtype() != wanted {
                return Err(bad(path, format!("`{name}` holds {:?}, not {wanted:?}", tensor.dtype())));
            }
            match name.as_str() {
                "starts" => part.starts = longs(),
                "firsts" => part.firsts = longs(),
                "rows" => part.rows = longs(),
                "ends" => part.ends = longs(),
                "ids" => part.ids = words().map(u32::from_le_bytes).collect(),
                "weights" => part.weights = words().map(f32::from_le_bytes).collect(),
                _ => {
                    let at = name.strip_prefix("states.").and_then(|at| at.parse::<usize>().ok());
                    let at = at
                        .filter(|at| *at < 64)
                        .ok_or_else(|| bad(path, format!("`{name}` has no place")))?;
                    part.states.resize(part.states.len().max(at + 1), Vec::new());
                    part.states[at] = words().map(f32::from_le_bytes).collect();
                }
            }
        }
        Ok(part)
    }
}

fn bad(path: &Path, reason: impl std::fmt::Display) -> TrainError {
    TrainError::Checkpoint { path: path.to_path_buf(), reason: reason.to_string() }
}

/// What [`write`] wrote, read step by step.
#[derive(Debug)]
pub(crate) struct Stored {
    folder: PathBuf,
    /// The file that was read last.
    open: Option<(PathBuf, Part)>,
}

impl Stored {
    pub(crate) fn new(folder: &Path) -> Stored {
        Stored { folder: folder.to_path_buf(), open: None }
    }

    /// The file of a place, and where the first position of the micro-batch stands in it. Errors: it was written for other
    /// rows.
    fn at(&mut self, place: Place, batch: &MicroBatch) -> Result<(&Part, &Path, usize)> {
        let path = file(&self.folder, place.step);
        if self.open.as_ref().is_none_or(|(open, _)| *open != path) {
            let part = Part::read(&path)?;
            self.open = Some((path.clone(), part));
        }
        let Some((path, part)) = &self.open else { return Err(bad(&path, "it is not open")) };
        let step = (place.step % STEPS) as usize;
        let starts = part.starts.get(step).zip(part.firsts.get(step));
        let (start, first) = starts.ok_or_else(|| bad(path, "it ends too early"))?;
        let rows = part.rows.iter().skip((first + place.row) as usize).take(batch.rows);
        if !rows.copied().eq(hashes(batch)) {
            let reason = format!("what it holds of step {} was said about other rows", place.step + 1);
            return Err(bad(path, reason));
        }
        Ok((part, path, *start as usize + place.row as usize * batch.length))
    }

    /// Tokens at the positions of a micro-batch.
    pub(crate) fn tokens(&mut self, place: Place, batch: &MicroBatch) -> Result<Targets> {
        let (part, path, first) = self.at(place, batch)?;
        let mut targets = Targets::default();
        for at in first..first + batch.positions() {
            let from = if at == 0 { Some(&0) } else { part.ends.get(at - 1) };
            let range = from.zip(part.ends.get(at)).map(|(from, to)| *from as usize..*to as usize);
            let row = range.and_then(|r| Some((part.ids.get(r.clone())?, part.weights.get(r)?)));
            let (ids, weights) = row.ok_or_else(|| bad(path, "it has too few positions"))?;
            targets.push(ids.iter().copied().zip(weights.iter().copied()));
        }
        Ok(targets)
    }

    /// States of every teacher, of these widths, at the positions of a micro-batch.
    pub(crate) fn states(
        &mut self,
        place: Place,
        batch: &MicroBatch,
        widths: &[usize],
    ) -> Result<Vec<&[f32]>> {
        let (part, path, first) = self.at(place, batch)?;
        let last = first + batch.positions();
        let one = |(at, width): (usize, &usize)| {
            let states = part.states.get(at).and_then(|all| all.get(first * width..last * width));
            states.ok_or_else(|| bad(path, format!("it has too few states of teacher {at}")))
        };
        widths.iter().enumerate().map(one).collect()
    }
}
