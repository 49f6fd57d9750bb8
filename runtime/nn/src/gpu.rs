//! A GPU that computes the loss and the gradients of training steps; weights and optimizer stay on the host.

use crate::NnError;

const OP: &str = "device";

/// A GPU in use.
#[derive(Debug)]
pub struct Gpu {
    #[cfg(feature = "cuda")]
    device: dfdx::tensor::Cuda,
    #[cfg(feature = "cuda")]
    composed: bool,
    #[cfg(not(feature = "cuda"))]
    never: std::convert::Infallible,
}

/// A GPU by its number, and whether it runs the composed definition of every operation in place of own kernels.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    ordinal: usize,
    composed: bool,
}

/// The GPU that `cuda`, `cuda:N` or `cuda:N:composed` names; `None` for the processor.
///
/// Errors: any other name.
fn named(name: &str) -> Result<Option<Named>, NnError> {
    let unknown = || NnError::Input { op: OP, reason: format!("`{name}` is none; use `cpu` or `cuda:0`") };
    let gpu = |number: &str, composed| {
        let ordinal = number.parse().map_err(|_| unknown())?;
        Ok(Some(Named { ordinal, composed }))
    };
    match name.split(':').collect::<Vec<_>>()[..] {
        ["cpu"] => Ok(None),
        ["cuda"] => gpu("0", false),
        ["cuda", number] => gpu(number, false),
        ["cuda", number, "composed"] => gpu(number, true),
        _ => Err(unknown()),
    }
}

#[cfg(not(feature = "cuda"))]
mod absent {
    use super::{Gpu, OP, named};
    use crate::{Extras, Grads, LossSums, MicroBatch, Model, NnError};

    impl Gpu {
        /// The GPU of that name (`cuda:0`), or none for `cpu`.
        ///
        /// Errors: no such name or GPU, no driver, a build without CUDA.
        pub fn open(name: &str) -> Result<Option<Gpu>, NnError> {
            let reason = || "this build has no CUDA; build it with `--features cuda`".to_owned();
            match named(name)? {
                None => Ok(None),
                Some(_) => Err(NnError::Input { op: OP, reason: reason() }),
            }
        }

        /// Bytes of its memory that are free.
        pub fn free_bytes(&self) -> Result<u64, NnError> {
            match self.never {}
        }

        /// Whether it runs composed definitions in place of own kernels.
        pub fn is_composed(&self) -> bool {
            match self.never {}
        }

        /// As [`Model::loss_and_grads_with`], computed here.
        pub fn loss_and_grads(
            &self,
            _model: &Model,
            _batch: &MicroBatch,
            _normaliser: f64,
            _extras: Extras<'_>,
            _grads: &mut Grads,
        ) -> Result<(LossSums, f64), NnError> {
            match self.never {}
        }
    }
}

#[cfg(feature = "cuda")]
mod present {
    use cudarc::driver::result;
    use dfdx::tensor::Cuda;

    use super::{Gpu, Named, OP, named};
    use crate::kernels::cuda::load;
    use crate::{Extras, Grads, LossSums, MicroBatch, Model, NnError, Path};

    impl Gpu {
        /// The GPU of that name (`cuda:0`), or none for `cpu`. `cuda:0:composed` runs the composed definition of every
        /// operation, to compare with own kernels.
        ///
        /// Errors: no such name or GPU, no driver, kernels that cannot be compiled, a build without CUDA.
        pub fn open(name: &str) -> Result<Option<Gpu>, NnError> {
            let Some(Named { ordinal, composed }) = named(name)? else { return Ok(None) };
            let refused = |reason: String| NnError::Input { op: OP, reason };
            // dfdx asks without looking whether there is a driver, and panics.
            result::init()
                .map_err(|e| refused(format!("there is no CUDA driver here that works ({:?})", e.0)))?;
            let count = result::device::get_count().map_err(|e| refused(format!("{:?}", e.0)))?;
            if ordinal >= usize::try_from(count).unwrap_or(0) {
                return Err(refused(format!("there is no `{name}`: this machine has {count} GPUs")));
            }
            let device = Cuda::try_build(ordinal, 0).map_err(|e| refused(format!("{e:?}")))?;
            if !composed {
                load(&device)
                    .map_err(|words| refused(format!("{words} (`cuda:{ordinal}:composed` needs none)")))?;
            }
            Ok(Some(Gpu { device, composed }))
        }

        /// Bytes of its memory that are free.
        pub fn free_bytes(&self) -> Result<u64, NnError> {
            let (free, _) =
                result::mem_get_info().map_err(|e| NnError::Device { op: OP, reason: e.to_string() })?;
            Ok(free as u64)
        }

        /// Whether it runs composed definitions in place of own kernels.
        pub fn is_composed(&self) -> bool {
            self.composed
        }

        /// As [`Model::loss_and_grads_with`], computed here: the weights go to the GPU, the gradients come back.
        pub fn loss_and_grads(
            &self,
            model: &Model,
            batch: &MicroBatch,
            normaliser: f64,
            extras: Extras<'_>,
            grads: &mut Grads,
        ) -> Result<(LossSums, f64), NnError> {
            let mut here = model.to_device(self.device.clone())?;
            if self.composed {
                here = here.with_path(Path::Composed);
            }
            here.loss_and_grads_with(batch, normaliser, extras, grads)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        let gpu = |ordinal, composed| Some(Named { ordinal, composed });
        assert_eq!(named("cpu").unwrap(), None);
        assert_eq!(named("cuda").unwrap(), gpu(0, false));
        assert_eq!(named("cuda:3").unwrap(), gpu(3, false));
        assert_eq!(named("cuda:3:composed").unwrap(), gpu(3, true));
        for bad in ["gpu", "cuda:", "cuda:x", "cpu:0", "cuda:0:fast", "cuda:composed", ""] {
            assert!(named(bad).unwrap_err().to_string().contains("use `cpu` or `cuda:0`"), "{bad}");
        }
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error() {
        assert!(Gpu::open("cpu").unwrap().is_none());
        // Far more than any machine has, with a driver or without.
        assert!(Gpu::open("cuda:4096").is_err());
    }
}
