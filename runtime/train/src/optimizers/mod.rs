//! Optimizers: their settings; the arithmetic is a kernel of `llmp-nn`.

mod adamw;

pub use adamw::AdamW;

llmp_stdlib::family! {
    /// How gradients change the weights.
    Optimizer = "optimizer" { AdamW }
}

impl Optimizer {
    /// Bytes of state for one parameter: two averages in 32-bit floats.
    pub fn state_bytes(&self) -> u64 {
        match self {
            Optimizer::AdamW(_) => 8,
        }
    }
}
