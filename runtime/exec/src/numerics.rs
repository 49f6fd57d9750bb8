//! The arithmetic class of this process: what decides the bytes of a trained model besides its definition.

use crate::store::Numerics;

/// The class of the kernels of a device (`cpu`, `cuda:0`, `cuda:0:composed`) on this machine.
pub fn class(device: &str) -> Numerics {
    Numerics {
        device: device.split(':').next().unwrap_or(device).into(),
        instructions: format!("{}+{}", std::env::consts::ARCH, instruction_set()),
        products: products(device).into(),
        precision: "f32".into(),
    }
}

/// What multiplies matrices and computes the rest.
fn products(device: &str) -> &'static str {
    match (device.starts_with("cuda"), device.ends_with(":composed")) {
        (false, _) => "gemm 0.19",
        (true, false) => "cuBLAS and own kernels",
        (true, true) => "cuBLAS and composed operations",
    }
}

#[cfg(target_arch = "x86_64")]
fn instruction_set() -> &'static str {
    if std::is_x86_feature_detected!("avx512bf16") {
        "avx512bf16"
    } else if std::is_x86_feature_detected!("avx512bw") {
        "avx512"
    } else if std::is_x86_feature_detected!("fma") {
        "avx2"
    } else {
        "sse2"
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn instruction_set() -> &'static str {
    "baseline"
}
