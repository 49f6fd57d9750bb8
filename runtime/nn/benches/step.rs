//! Tokens per second and GF/s of one training step, fused against composed.
fn main() {}
