//! Low-rank additions to the matrices of a frozen model: `W + (alpha / rank) B A` (Hu et al. 2021, F36).
//!
//! The addition is laid over the weights before a step, so that the step is that of an ordinary model; the gradients of A
//! and B follow from that of the sum. B is 0 at the start: the model with the adapter is the model without.

use crate::kernels::mm::{Store, View, Workers, mm};
use crate::model::Normal;
use crate::spec::{Layers, Role};
use crate::{Architecture, Grads, NnError, ParamInfo};

/// A matrix with A and B of its addition.
type Pair<'t, 'a> = (&'t Target, &'a [f32], &'a [f32]);

/// One matrix with its addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its place among the parameters.
    at: usize,
    /// Its path in the tree of blocks.
    pub(crate) path: String,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

/// The shape of an adapter. Its numbers are A (rank, inputs) and B (outputs, rank) of every matrix, end to end in the order
/// of the model's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    pub(crate) rank: usize,
    pub(crate) alpha: f64,
    pub(crate) targets: Vec<Target>,
}

impl Lora {
    /// An adapter for a model of these sizes. Errors: rank 0, or no matrix.
    pub fn new(sizes: &Architecture, rank: usize, alpha: f64, layers: &Layers) -> Result<Lora, NnError> {
        const OP: &str = "adapter";
        let target = |(at, info): (usize, ParamInfo)| Target {
            at,
            outputs: info.shape[0],
            inputs: info.shape[1],
            path: info.name,
        };
        let targets: Vec<Target> = layers.of(sizes).into_iter().map(target).collect();
        if rank == 0 || !alpha.is_finite() {
            let reason = format!("its rank is {rank} and its alpha {alpha}; the rank is at least 1");
            return Err(NnError::Input { op: OP, reason });
        }
        if targets.is_empty() {
            return Err(NnError::Input { op: OP, reason: format!("the model has none of {layers:?}") });
        }
        Ok(Lora { rank, alpha, targets })
    }

    /// Its numbers as parameters.
    pub fn params(&self) -> Vec<ParamInfo> {
        let r = self.rank;
        let both =
            |t: &Target| {
                [("lora_a", vec![r, t.inputs]), ("lora_b", vec![t.outputs, r])].map(|(name, shape)| {
                    ParamInfo { name: format!("{}.{name}", t.path), shape, role: Role::Matrix, decay: true }
                })
            };
        self.targets.iter().flat_map(both).collect()
    }

    /// Which parameters of the model it adds to.
    pub fn covers(&self) -> Vec<usize> {
        self.targets.iter().map(|t| t.at).collect()
    }

    /// Its numbers before the first step: A uniform within one over the root of its inputs, B 0.
    pub fn init(&self, seed: u64) -> Vec<f32> {
        let mut numbers = Vec::new();
        for target in &self.targets {
            let mut random = Normal::new(seed, &format!("{}.lora_a", target.path));
            let bound = 1.0 / (target.inputs as f64).sqrt();
            let a = (0..self.rank * target.inputs).map(|_| (bound * (2.0 * random.uniform() - 1.0)) as f32);
            numbers.extend(a);
            numbers.resize(numbers.len() + target.outputs * self.rank, 0.0);
        }
        numbers
    }

    /// The targets with their A and B.
    pub(crate) fn parts<'a>(&self, numbers: &'a [f32]) -> Result<Vec<Pair<'_, 'a>>, NnError> {
        let wanted: usize = self.targets.iter().map(|t| self.rank * (t.inputs + t.outputs)).sum();
        if numbers.len() != wanted {
            return Err(NnError::Mismatch {
                op: "adapter",
                left_name: "its numbers".into(),
                left: numbers.len(),
                right_name: "its shape".into(),
                right: wanted,
            });
        }
        let mut rest = numbers;
        let mut all = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            let (a, tail) = rest.split_at(self.rank * target.inputs);
            let (b, tail) = tail.split_at(self.rank * target.outputs);
            all.push((target, a, b));
            rest = tail;
        }
        Ok(all)
    }

    fn scaled(&self, numbers: &[f32]) -> Vec<f32> {
        let scale = (self.alpha / self.rank as f64) as f32;
        numbers.iter().map(|x| scale * x).collect()
    }

    /// Adds it to the parameters of the model, given as [`crate::Model::params_mut`] lists them.
    pub fn add(&self, numbers: &[f32], weights: &mut [&mut [f32]]) -> Result<(), NnError> {
        for (target, a, b) in self.parts(numbers)? {
            let shape = (target.outputs, target.inputs, self.rank);
            // Where B is still 0 nothing changes, not even the sign of a 0.
            if b.iter().all(|x| *x == 0.0) {
                continue;
            }
            let (b, a) = (View::rows(b, self.rank), self.scaled(a));
            let weights = &mut *weights[target.at];
            mm(shape, weights, target.inputs, Store::Add, b, View::rows(&a, target.inputs), Workers::Pool);
        }
        Ok(())
    }

    /// The gradients of its numbers, from those of the weights that it was added to.
    pub fn pull(&self, numbers: &[f32], grads: &Grads) -> Result<Vec<f32>, NnError> {
        let mut own = Vec::with_capacity(numbers.len());
        for (target, a, b) in self.parts(numbers)? {
            let (outputs, inputs, rank) = (target.outputs, target.inputs, self.rank);
            let g = View::rows(grads.get(target.at), inputs);
            let (a, b) = (self.scaled(a), self.scaled(b));
            let (mut ga, mut gb) = (vec![0.0; rank * inputs], vec![0.0; outputs * rank]);
            let (a, b) = (View::rows(&a, inputs), View::rows(&b, rank));
            mm((rank, inputs, outputs), &mut ga, inputs, Store::Set, b.t(), g, Workers::Pool);
            mm((outputs, rank, inputs), &mut gb, rank, Store::Set, g, a.t(), Workers::Pool);
            own.extend(ga);
            own.extend(gb);
        }
        Ok(own)
    }
}
