//! A GPU that computes the loss and the gradients of training steps; weights and optimizer stay on the host.

use crate::NnError;

const OP: &str = "device";

/// A GPU in use.
#[derive(Debug)]
pub struct Gpu {
    #[cfg(feature = "cuda")]
    device: dfdx::tensor::Cuda,
    #[cfg(not(feature = "cuda"))]
    never: std::convert::Infallible,
}

/// Number of the GPU that `cuda` or `cuda:N` names; `None` for the processor.
///
/// Errors: any other name.
fn ordinal(name: &str) -> Result<Option<usize>, NnError> {
    let unknown = || NnError::Input { op: OP, reason: format!("`{name}` is none; use `cpu` or `cuda:0`") };
    match name.split_once(':') {
        None if name == "cpu" => Ok(None),
        None if name == "cuda" => Ok(Some(0)),
        Some(("cuda", number)) => number.parse().map(Some).map_err(|_| unknown()),
        _ => Err(unknown()),
    }
}

#[cfg(not(feature = "cuda"))]
mod absent {
    use super::{Gpu, OP, ordinal};
    use crate::{Extras, Grads, LossSums, MicroBatch, Model, NnError};

    impl Gpu {
        /// The GPU of that name (`cuda:0`), or none for `cpu`.
        ///
        /// Errors: no such name or GPU, no driver, a build without CUDA.
        pub fn open(name: &str) -> Result<Option<Gpu>, NnError> {
            let reason = || "this build has no CUDA; build it with `--features cuda`".to_owned();
            match ordinal(name)? {
                None => Ok(None),
                Some(_) => Err(NnError::Input { op: OP, reason: reason() }),
            }
        }

        /// Bytes of its memory that are free.
        pub fn free_bytes(&self) -> Result<u64, NnError> {
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

    use super::{Gpu, OP, ordinal};
    use crate::{Extras, Grads, LossSums, MicroBatch, Model, NnError};

    impl Gpu {
        /// The GPU of that name (`cuda:0`), or none for `cpu`.
        ///
        /// Errors: no such name or GPU, no driver, a build without CUDA.
        pub fn open(name: &str) -> Result<Option<Gpu>, NnError> {
            let Some(ordinal) = ordinal(name)? else { return Ok(None) };
            let refused = |reason: String| NnError::Input { op: OP, reason };
            // dfdx asks without looking whether there is a driver, and panics.
            result::init()
                .map_err(|e| refused(format!("there is no CUDA driver here that works ({:?})", e.0)))?;
            let count = result::device::get_count().map_err(|e| refused(format!("{:?}", e.0)))?;
            if ordinal >= usize::try_from(count).unwrap_or(0) {
                return Err(refused(format!("there is no `{name}`: this machine has {count} GPUs")));
            }
            let device = Cuda::try_build(ordinal, 0).map_err(|e| refused(format!("{e:?}")))?;
            Ok(Some(Gpu { device }))
        }

        /// Bytes of its memory that are free.
        pub fn free_bytes(&self) -> Result<u64, NnError> {
            let (free, _) =
                result::mem_get_info().map_err(|e| NnError::Device { op: OP, reason: e.to_string() })?;
            Ok(free as u64)
        }

        /// As [`Model::loss_and_grads_with`], computed here by the composed definition: the weights go to the GPU, the
        /// gradients come back.
        pub fn loss_and_grads(
            &self,
            model: &Model,
            batch: &MicroBatch,
            normaliser: f64,
            extras: Extras<'_>,
            grads: &mut Grads,
        ) -> Result<(LossSums, f64), NnError> {
            model.to_device(self.device.clone())?.loss_and_grads_with(batch, normaliser, extras, grads)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        assert_eq!(ordinal("cpu").unwrap(), None);
        assert_eq!(ordinal("cuda").unwrap(), Some(0));
        assert_eq!(ordinal("cuda:3").unwrap(), Some(3));
        for bad in ["gpu", "cuda:", "cuda:x", "cpu:0", ""] {
            assert!(ordinal(bad).unwrap_err().to_string().contains("use `cpu` or `cuda:0`"), "{bad}");
        }
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error() {
        assert!(Gpu::open("cpu").unwrap().is_none());
        // Far more than any machine has, with a driver or without.
        assert!(Gpu::open("cuda:4096").is_err());
    }
}
