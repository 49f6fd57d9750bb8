//! Adapters.

use llmp_nn::Layers;
use llmp_stdlib::{Arg, Problem, Ty, Value};

llmp_stdlib::choices! {
    /// Linear layers by their place.
    LinearLayers = "layers" {
        /// All linear layers of attention and feed-forward (AFM, section 4.3).
        All = "all_linear",
        /// The projections of attention.
        Attention = "attention",
        /// The feed-forward.
        Ffn = "ffn",
    }
}

/// Which layers an adapter changes: by place, or names of weights.
#[derive(Debug, Clone, PartialEq)]
pub enum AdapterTargets {
    /// By their place.
    Place(LinearLayers),
    /// By name: `["q_proj", "v_proj"]`.
    Names(Vec<String>),
}

impl Arg for AdapterTargets {
    const TY: Ty = Ty::OneOf(&[LinearLayers::TY, Ty::List(&Ty::Text)]);
    fn read(value: &Value) -> Result<Self, String> {
        LinearLayers::read(value)
            .map(AdapterTargets::Place)
            .or_else(|_| Vec::read(value).map(AdapterTargets::Names))
    }
}

llmp_stdlib::def! {
    /// Low-rank adapters (Hu et al. 2021): W x + (alpha / rank) B A x with W frozen (F36).
    ///
    /// AFM uses rank 16 on all linear layers, of a suite of 8, 16 and 32 (section 4.3).
    ///
    /// ```llmp
    /// adapter = lora(rank = 16, on = all_linear)
    /// ```
    Lora = "lora", rev 1, check lora {
        /// Rank of the update.
        rank: u64 = "16",
        /// Scale of the update times the rank; without it twice the rank.
        alpha: Option<f64> = "none",
        /// Share of the adapter's inputs that are left out at random; this version runs with 0 alone.
        dropout: f64 = "0",
        /// The layers that get one.
        on: AdapterTargets = "all_linear",
    }
}

impl Lora {
    /// The layers that get one.
    pub fn layers(&self) -> Layers {
        match &self.on {
            AdapterTargets::Place(LinearLayers::All) => Layers::All,
            AdapterTargets::Place(LinearLayers::Attention) => Layers::Attention,
            AdapterTargets::Place(LinearLayers::Ffn) => Layers::FeedForward,
            AdapterTargets::Names(names) => Layers::Named(names.clone()),
        }
    }

    /// Scale of the update times the rank.
    pub fn alpha(&self) -> f64 {
        self.alpha.unwrap_or(2.0 * self.rank as f64)
    }
}

fn lora(it: &Lora) -> Vec<Problem> {
    let mut problems = Vec::new();
    if it.rank == 0 {
        problems.push(
            Problem::error("LLMP0209", "rank", "an adapter has at least rank 1").fix("use 16", "rank", "16"),
        );
    }
    if !(0.0..1.0).contains(&it.dropout) {
        problems.push(Problem::error(
            "LLMP0209",
            "dropout",
            "dropout lies between 0% and 100%, the end left out",
        ));
    }
    problems
}

llmp_stdlib::family! {
    /// Weights that are trained beside a frozen model.
    Adapter = "adapter" { Lora }
}
