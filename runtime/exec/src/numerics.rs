//! The arithmetic class of this process: what decides the bytes of a trained model besides its definition.

use crate::store::Numerics;

/// The class of the kernels of a device (`cpu`, `cuda:0`) on this machine.
pub fn class(device: &str) -> Numerics {
    Numerics {
        device: device.split(':').next().unwrap_or(device).into(),
        instructions: format!("{}+{}", std::env::consts::ARCH, instruction_set()),
        products: "gemm 0.19".into(),
        precision: "f32".into(),
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
