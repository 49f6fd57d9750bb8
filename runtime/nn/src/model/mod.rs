//! A decoder with its weights: construction, flat views of the parameters, the training step's loss.

mod init;
mod loss;
mod params;
mod recompute;
mod score;
mod teach;
mod upcycle;
mod weigh;

pub(crate) use init::Normal;
pub use loss::{Balance, Extras};
pub use teach::{Teaching, teach};
pub use upcycle::{Redraw, upcycle};
pub use weigh::Weigh;

use dfdx::prelude::*;

use crate::blocks::{Block, Norm, Stored, Tensors, Weights, tensors};
use crate::kernels::{Kernels, Path, RopeTables, T1, T2};
use crate::spec::Order;
use crate::{Architecture, NnError, Precision};

/// A decoder on a device; the CPU unless said otherwise.
#[derive(Clone, Debug)]
pub struct Model<D: Storage<f32> = Cpu> {
    pub(crate) spec: Architecture,
    pub(crate) device: D,
    pub(crate) path: Path,
    pub(crate) recompute: bool,
    pub(crate) rope: RopeTables,
    pub(crate) embedding: T2<D>,
    /// The table of learned positions.
    pub(crate) positions: Option<T2<D>>,
    pub(crate) blocks: Vec<Block<D>>,
    pub(crate) norm: Norm<D>,
    /// The output head, unless it is the embedding.
    pub(crate) head: Option<T2<D>>,
}

tensors!(Model: embedding, positions, blocks, norm, head);

impl<D: Kernels> Model<D> {
    /// A model from all its parameters, end to end in canonical order.
    pub fn from_flat(device: D, spec: Architecture, flat: &[f32]) -> Result<Self, NnError> {
        let problems = spec.validate();
        if !problems.is_empty() {
            return Err(NnError::Spec(problems.join("; ")));
        }
        let lacks = spec.lacks();
        if !lacks.is_empty() {
            return Err(NnError::Spec(format!("this runtime lacks {}", lacks.join(", "))));
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
            let weights = &mut Weights::new(&device, flat);
            let table = spec.order == Order::Table;
            Ok(Self {
                embedding: weights.matrix(spec.vocab, spec.width)?,
                positions: table.then(|| weights.matrix(spec.context, spec.width)).transpose()?,
                blocks: (0..spec.layers)
                    .map(|at| Block::new(weights, &spec, at))
                    .collect::<Result<_, _>>()?,
                norm: Norm::new(weights, spec.norm, spec.width)?,
                head: (!spec.tied).then(|| weights.matrix(spec.vocab, spec.width)).transpose()?,
                rope: RopeTables::new(&spec),
                path: Path::default(),
                recompute: false,
                device: device.clone(),
                spec: spec.clone(),
            })
        };
        build().map_err(device_error("model from parameters"))
    }

    /// Sizes of the model.
    pub fn spec(&self) -> &Architecture {
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

    /// The same model with matrix products of that precision; weights, sums and activations keep 32 bits.
    pub fn with_precision(self, precision: Precision) -> Self {
        self.with_path(precision.into())
    }

    /// The same model, whose blocks are computed again in the backward pass: less memory, a third more work, equal
    /// gradients. Blocks with experts keep what they computed.
    pub fn with_recompute(self, recompute: bool) -> Self {
        Self { recompute, ..self }
    }

    /// The weights of the output head.
    pub(crate) fn head_weight(&self) -> &T2<D> {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Every stored tensor in canonical order.
    pub(crate) fn stored(&self) -> Vec<Stored<&T1<D>, &T2<D>>> {
        let mut all = Vec::new();
        self.list(&mut all);
        all
    }

    /// Every stored tensor in canonical order, for writing.
    pub(crate) fn stored_mut(&mut self) -> Vec<Stored<&mut T1<D>, &mut T2<D>>> {
        let mut all = Vec::new();
        self.list_mut(&mut all);
        all
    }
}

/// Turns a device's error into ours.
pub(crate) fn device_error<E: std::fmt::Display>(op: &'static str) -> impl Fn(E) -> NnError {
    move |e| NnError::Device { op, reason: e.to_string() }
}
