//! Evaluation suites: what a model is measured on.

mod bits_per_byte;

pub use bits_per_byte::BitsPerByte;

llmp_stdlib::family! {
    /// What a model is measured on.
    Suite = "suite" { BitsPerByte }
}
