//! The `llmp` binary.
fn main() {}
