//! A decoder with its weights: construction, flat views of the parameters, the training step's loss.

mod init;
mod loss;
mod params;
mod score;
mod teach;

use dfdx::prelude::*;

use crate::blocks::Block;
use crate::kernels::{Kernels, Path, RopeTables, T1, T2};
use crate::{DecoderSpec, NnError};
pub use teach::{Teaching, teach};

/// A decoder on a device; the CPU unless said otherwise.
#[derive(Clone, Debug)]
pub struct Model<D: Kernels = Cpu> {
    pub(crate) spec: DecoderSpec,
    pub(crate) device: D,
    pub(crate) path: Path,
    pub(crate) rope: RopeTables,
    pub(crate) embedding: T2<D>,
    pub(crate) blocks: Vec<Block<D>>,
    pub(crate) norm: T1<D>,
    /// The output head, unless it is the embedding.
    pub(crate) head: Option<T2<D>>,
}

/// One stored tensor; merged matrices hold several parameters that follow each other in canonical order.
pub(crate) enum Stored<V, M> {
    Vector(V),
    Matrix(M),
}

impl<D: Kernels> Model<D> {
    /// A model from all its parameters, end to end in canonical order.
    pub fn from_flat(device: D, spec: DecoderSpec, flat: &[f32]) -> Result<Self, NnError> {
        let problems = spec.validate();
        if !problems.is_empty() {
            return Err(NnError::Spec(problems.join("; ")));
        }
        let count: usize = spec.params().iter().map(|p| p.count()).sum();
        if flat.len() != count {
            return Err(NnError::Mismatch {
                op: "model from parameters",
                left_name: "the given data".into(),
                left: flat.len(),
                right_name: "the model".into(),
                right: count,
            });
        }
        let build = || -> Result<Self, D::Err> {
            let mut rest = flat;
            let mut take = |n: usize| {
                let (head, tail) = rest.split_at(n);
                rest = tail;
                head.to_vec()
            };
            let mut matrix = |out: usize, inp: usize| device.try_tensor_from_vec(take(out * inp), (out, inp));
            let (c, f) = (spec.width, spec.ffn_hidden);
            let embedding = matrix(spec.vocab, c)?;
            let mut blocks = Vec::with_capacity(spec.layers);
            for _ in 0..spec.layers {
                blocks.push(Block {
                    attention_norm: matrix(1, c)?.try_reshape_like(&(c,))?,
                    qkv: matrix(spec.qkv_width(), c)?,
                    output: matrix(c, spec.query_width())?,
                    ffn_norm: matrix(1, c)?.try_reshape_like(&(c,))?,
                    gate_up: matrix(2 * f, c)?,
                    down: matrix(c, f)?,
                });
            }
            let norm = matrix(1, c)?.try_reshape_like(&(c,))?;
            let head = if spec.tied { None } else { Some(matrix(spec.vocab, c)?) };
            let rope = RopeTables::new(&spec);
            Ok(Self {
                rope,
                path: Path::default(),
                embedding,
                blocks,
                norm,
                head,
                device: device.clone(),
                spec: spec.clone(),
            })
        };
        build().map_err(device_error("model from parameters"))
    }

    /// Sizes of the model.
    pub fn spec(&self) -> &DecoderSpec {
        &self.spec
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The same model with the other version of every operation.
    pub fn with_path(self, path: Path) -> Self {
        Self { path, ..self }
    }

    /// The weights of the output head.
    pub(crate) fn head_weight(&self) -> &T2<D> {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Every stored tensor in canonical order.
    pub(crate) fn stored(&self) -> Vec<Stored<&T1<D>, &T2<D>>> {
        let mut all = vec![Stored::Matrix(&self.embedding)];
        for b in &self.blocks {
            all.extend([
                Stored::Vector(&b.attention_norm),
                Stored::Matrix(&b.qkv),
                Stored::Matrix(&b.output),
                Stored::Vector(&b.ffn_norm),
                Stored::Matrix(&b.gate_up),
                Stored::Matrix(&b.down),
            ]);
        }
        all.push(Stored::Vector(&self.norm));
        all.extend(self.head.as_ref().map(Stored::Matrix));
        all
    }

    /// Every stored tensor in canonical order, for writing.
    pub(crate) fn stored_mut(&mut self) -> Vec<Stored<&mut T1<D>, &mut T2<D>>> {
        let mut all = vec![Stored::Matrix(&mut self.embedding)];
        for b in &mut self.blocks {
            all.extend([
                Stored::Vector(&mut b.attention_norm),
                Stored::Matrix(&mut b.qkv),
                Stored::Matrix(&mut b.output),
                Stored::Vector(&mut b.ffn_norm),
                Stored::Matrix(&mut b.gate_up),
                Stored::Matrix(&mut b.down),
            ]);
        }
        all.push(Stored::Vector(&mut self.norm));
        all.extend(self.head.as_mut().map(Stored::Matrix));
        all
    }
}

/// Turns a device's error into ours.
pub(crate) fn device_error<E: std::fmt::Display>(op: &'static str) -> impl Fn(E) -> NnError {
    move |e| NnError::Device { op, reason: e.to_string() }
}
