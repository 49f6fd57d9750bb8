//! One row kernel, compiled for AVX-512, AVX2 with FMA, and portably; the processor decides at run time.

/// The widest vectors that a kernel may use here.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) enum Vectors {
    /// AVX-512 F, BW, DQ and VL, with FMA.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// What every processor of the architecture has.
    Portable,
}

/// What the processor has; asked once, then remembered by the standard library.
#[cfg(target_arch = "x86_64")]
pub(crate) fn vectors() -> Vectors {
    let avx512 = is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (is_x86_feature_detected!("fma"), avx512, is_x86_feature_detected!("avx2")) {
        (true, true, _) => Vectors::Avx512,
        (true, false, true) => Vectors::Avx2,
        _ => Vectors::Portable,
    }
}

/// Declares a kernel over rows. The body may use the constant `FMA` (whether a fused multiply-add is one
/// instruction). Sums are split over a fixed number of lanes, so each variant with FMA gives the same bytes.
macro_rules! row_kernel {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        pub(crate) fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $ret)? { body::<true>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? { body::<true>($($arg),*) }

                match $crate::kernels::dispatch::vectors() {
                    // SAFETY: the processor has the features of the variant.
                    $crate::kernels::dispatch::Vectors::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::kernels::dispatch::Vectors::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::kernels::dispatch::Vectors::Portable => {}
                }
            }
            body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}

pub(crate) use row_kernel;
