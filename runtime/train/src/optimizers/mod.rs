//! Optimizers: their settings; the arithmetic is a kernel of `llmp-nn`.

mod adamw;
mod others;

use llmp_nn::spec::{Architecture, Role};
use llmp_stdlib::Rational;

pub use adamw::{AdamW, Coupling};
pub use others::{Adafactor, Lion, Muon, MuonScale, RmspropMomentum, Sgd};

llmp_stdlib::def! {
    /// Only rates depend on the width: hidden matrices get `base_width / width` of the rate, at most all of it;
    /// embeddings and gains keep it ("muParam (simple)", Wortsman et al. 2023).
    @planned Simple = "simple", rev 1 {
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

impl Optimizer {
    /// Bytes of its state for a model, in 32-bit floats.
    pub fn state_bytes(&self, sizes: &Architecture) -> u64 {
        let all = sizes.parameters();
        let numbers = match self {
            Optimizer::AdamW(_) | Optimizer::RmspropMomentum(_) => 2 * all,
            Optimizer::Lion(_) => all,
            Optimizer::Sgd(sgd) => {
                if sgd.momentum > 0.0 {
                    all
                } else {
                    0
                }
            }
            Optimizer::Muon(_) => 2 * all - sizes.sum(|t| t.role == Role::Matrix),
            Optimizer::Adafactor(_) => {
                let lines = |shape: &[usize]| shape.iter().map(|&n| n as u64).sum::<u64>();
                let tensors = sizes.tensors();
                tensors.iter().map(|t| lines(&t.shape).saturating_mul(sizes.copies(t))).sum()
            }
        };
        4 * numbers
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
