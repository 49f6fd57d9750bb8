//! Optimizers: their settings, what they keep, their arithmetic. One file each; the loops are in `llmp_nn::optim`.

mod adafactor;
mod adamw;
mod lion;
#[cfg(feature = "kernels")]
mod memory;
mod muon;
mod rmsprop_momentum;
mod sgd;

use llmp_nn::spec::{Architecture, Role};
use llmp_stdlib::{Problem, Rational};

pub use adafactor::Adafactor;
pub use adamw::{AdamW, Coupling};
pub use lion::Lion;
#[cfg(feature = "kernels")]
pub use memory::{Memory, Pace, hold, update, update_beside};
pub use muon::{Muon, MuonScale};
pub use rmsprop_momentum::RmspropMomentum;
pub use sgd::Sgd;

llmp_stdlib::def! {
    /// Only rates depend on the width: hidden matrices get `base_width / width` of the rate, at most all of it;
    /// embeddings and gains keep it ("muParam (simple)", Wortsman et al. 2023).
    Simple = "simple", rev 1 {
        /// The width at which the rate was found.
        base_width: u64,
    }
}

llmp_stdlib::family! {
    /// How rates depend on the width, so that one found on a small model fits a large one.
    Mup = "parameterisation" { Simple }
}

llmp_stdlib::family! {
    /// How gradients change the weights.
    Optimizer = "optimizer" { Adafactor, AdamW, Lion, Muon, RmspropMomentum, Sgd }
}

/// One optimizer of the family. What it keeps is at most two numbers for an element, in named flat buffers that hold the
/// parameters' parts end to end.
pub trait Rule {
    /// Names of its buffers, at most two.
    fn buffers(&self) -> &'static [&'static str];

    /// How many numbers each buffer holds for a parameter.
    fn numbers(&self, shape: &[usize], role: Role) -> Vec<usize>;

    /// Whether it updates the parameter of this path; others stay as they are.
    fn trains(&self, _name: &str) -> bool {
        true
    }

    /// Whether a step with this norm of the gradient (before clipping) is left out.
    fn leaves_out(&self, _norm: f64) -> bool {
        false
    }

    /// Updates one parameter and what it keeps of it.
    #[cfg(feature = "kernels")]
    fn update(&self, step: &Step, slot: Slot<'_>) -> Result<(), llmp_nn::NnError>;
}

/// Where training stands, for one parameter.
#[cfg(feature = "kernels")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The learning rate, of a hidden matrix under muP its share of it.
    pub rate: f64,
    /// The schedule as a fraction of its peak.
    pub schedule: f64,
    /// Updates done, this one included: from 1.
    pub number: u64,
}

/// One parameter, a logical matrix also where the model stores several merged.
#[cfg(feature = "kernels")]
#[derive(Debug)]
pub struct Slot<'a> {
    /// Its shape, matrices `[outputs, inputs]`.
    pub shape: &'a [usize],
    /// What it does.
    pub role: Role,
    /// Its elements.
    pub values: &'a mut [f32],
    /// Their gradients, clipped.
    pub gradient: &'a [f32],
    /// Its part of each buffer; empty where there is no such buffer.
    pub state: [&'a mut [f32]; 2],
    /// Whether weight decay applies: to matrices, not to gains and biases.
    pub decays: bool,
}

impl Optimizer {
    /// The settings as their common trait.
    pub fn rule(&self) -> &dyn Rule {
        match self {
            Optimizer::Adafactor(it) => it,
            Optimizer::AdamW(it) => it,
            Optimizer::Lion(it) => it,
            Optimizer::Muon(it) => it,
            Optimizer::RmspropMomentum(it) => it,
            Optimizer::Sgd(it) => it,
        }
    }

    /// Bytes of its state for a model, in 32-bit floats.
    pub fn state_bytes(&self, sizes: &Architecture) -> u64 {
        let of = |t: &llmp_nn::spec::Tensor| {
            let numbers = self.rule().numbers(&t.shape, t.role);
            numbers.iter().map(|&n| n as u64).sum::<u64>().saturating_mul(sizes.copies(t))
        };
        4 * sizes.tensors().iter().map(of).fold(0, u64::saturating_add)
    }

    /// How its rates depend on the width.
    pub fn mup(&self) -> Option<&Mup> {
        match self {
            Optimizer::AdamW(it) => it.mup.as_ref(),
            Optimizer::RmspropMomentum(it) => it.mup.as_ref(),
            Optimizer::Adafactor(_) | Optimizer::Lion(_) | Optimizer::Muon(_) | Optimizer::Sgd(_) => None,
        }
    }

    /// The rate that the hidden matrices of a model of this width get for a rate of 1.
    pub fn hidden_rate(&self, width: u64) -> Rational {
        let one = Rational::from(1);
        let Some(Mup::Simple(simple)) = self.mup() else { return one };
        one.min(Rational::new(i128::from(simple.base_width), i128::from(width.max(1))))
    }

    /// The first path among its arguments that no parameter of a model has.
    pub fn unknown_path(&self, sizes: &Architecture) -> Option<String> {
        let Optimizer::AdamW(AdamW { on, .. }) = self else { return None };
        let params = if on.is_empty() { Vec::new() } else { sizes.params() };
        on.iter().find(|path| !params.iter().any(|p| within(path, &p.name))).cloned()
    }
}

/// Whether a parameter is the one of a path or lies below it; `*` stands for one part.
fn within(path: &str, name: &str) -> bool {
    let mut parts = name.split('.');
    path.split('.').all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
}

/// Elements of a shape.
fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Two betas, checked to be two.
#[cfg(feature = "kernels")]
fn pair(betas: &[f64]) -> (f64, f64) {
    let beta = |i: usize| betas.get(i).copied().unwrap_or_default();
    (beta(0), beta(1))
}

/// Both betas in range.
fn betas(betas: &[f64], default: &str) -> Option<Problem> {
    let good = betas.len() == 2 && betas.iter().all(|b| (0.0..1.0).contains(b));
    let problem = || Problem::error("LLMP0209", "betas", "two betas are needed, each at least 0 and below 1");
    (!good).then(|| problem().fix("use the usual betas", "betas", default.to_owned()))
}

/// A decay in range.
fn decay(weight_decay: f64) -> Option<Problem> {
    let message = || format!("weight_decay lies in 0 to 10, not {weight_decay}");
    (!(0.0..=10.0).contains(&weight_decay)).then(|| Problem::error("LLMP0209", "weight_decay", message()))
}

fn share(name: &str, value: f64) -> Option<Problem> {
    let message = || format!("`{name}` lies between 0 and 1, not {value}");
    (!(0.0..=1.0).contains(&value)).then(|| Problem::error("LLMP0209", name, message()))
}

#[cfg(test)]
mod tests {
    use llmp_stdlib::{Arg, Call, Record, Value, literal};

    use super::*;

    /// An optimizer with its defaults.
    fn by_name(name: &str) -> Optimizer {
        let signature = Optimizer::FAMILY.get(name).expect("an optimizer");
        let default = |p: &llmp_stdlib::Param| {
            Some((p.name.to_owned(), literal::parse(p.default?).expect("a literal")))
        };
        let args: Record = signature.params.iter().filter_map(default).collect();
        assert_eq!((signature.check)(&args), Vec::new());
        Optimizer::read(&Value::Call(Call { name: name.into(), args })).expect("complete")
    }

    #[test]
    fn states_have_their_sizes() {
        let plain = Architecture::default();
        let sizes = Architecture {
            vocab: 64,
            layers: 1,
            width: 8,
            heads: 2,
            kv_heads: 2,
            head_dim: 4,
            ffn: llmp_nn::spec::FeedForward { hidden: 16, ..plain.ffn },
            tied: true,
            context: 16,
            ..plain
        };
        let all = sizes.parameters();
        let matrices = 4 * 64 + 3 * 8 * 16;
        assert_eq!(all, 64 * 8 + 3 * 8 + matrices);
        let bytes = |name: &str| by_name(name).state_bytes(&sizes);
        assert_eq!(bytes("adamw"), 8 * all);
        assert_eq!(bytes("rmsprop_momentum"), 8 * all);
        assert_eq!((bytes("lion"), bytes("sgd")), (4 * all, 0));
        assert_eq!(bytes("muon"), 8 * all - 4 * matrices);
        let lines = 72 + 4 * 16 + 3 * 24 + 3 * 8;
        assert_eq!(bytes("adafactor"), 4 * lines);
    }

    #[test]
    fn simple_mup_scales_the_rate_of_hidden_matrices() {
        let Optimizer::RmspropMomentum(mut it) = by_name("rmsprop_momentum") else { panic!("rmsprop") };
        it.mup = Some(Mup::Simple(Simple { base_width: 768 }));
        let it = Optimizer::RmspropMomentum(it);
        assert_eq!(it.hidden_rate(3072), Rational::new(1, 4), "0.01 becomes 2.5e-3 at AFM's width");
        assert_eq!(it.hidden_rate(256), Rational::from(1));
    }
}
