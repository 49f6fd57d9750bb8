//! What computes the steps of training in a run.

use llmp_stdlib::Plan;

use crate::failure::Failure;

/// The processor, or a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    name: String,
}

impl Default for Device {
    fn default() -> Device {
        Device { name: "cpu".into() }
    }
}

impl Device {
    /// `cpu`, `cuda:0`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(not(feature = "kernels"))]
impl Device {
    /// The processor: this build trains nothing.
    ///
    /// Errors: LLMP1203 for any other name than `cpu`.
    pub fn open(name: &str, _plan: &Plan) -> Result<Device, Failure> {
        if name == "cpu" {
            return Ok(Device::default());
        }
        Err(Failure::new("LLMP1203", format!("`{name}`: this build has no tensors")))
    }
}

#[cfg(feature = "kernels")]
impl Device {
    /// The device of that name: `cpu`, `cuda:0`.
    ///
    /// Errors: LLMP1203 for a name that is none, a GPU or a driver that is not there, and for a plan with a stage whose
    /// estimated memory is more than the GPU has free.
    pub fn open(name: &str, plan: &Plan) -> Result<Device, Failure> {
        let device = Device { name: name.to_owned() };
        let Some(gpu) = device.gpu()? else { return Ok(device) };
        let free = gpu.free_bytes().map_err(refused)?;
        let needs = plan.stages.iter().map(|(stage, cost)| (stage, on_gpu(cost, gpu.is_composed())));
        let Some((stage, wanted)) = needs.max_by_key(|(_, bytes)| *bytes).filter(|(_, b)| *b > free) else {
            return Ok(device);
        };
        let [wanted, free] = [wanted, free].map(|bytes| bytes as f64 / 1e9);
        let words = format!("`{stage}` needs about {wanted:.1} GB, `{name}` has {free:.1} GB free");
        Err(Failure::new("LLMP1203", words).help("raise `accumulate`, or shorten the context"))
    }

    /// The GPU, in use by the thread that asks; none on the processor.
    pub(crate) fn gpu(&self) -> Result<Option<llmp_nn::Gpu>, Failure> {
        llmp_nn::Gpu::open(&self.name).map_err(refused)
    }
}

/// Bytes that a stage needs on a GPU: weights, gradients of a micro-batch and what the forward pass keeps; those of the
/// batch and the optimizer are on the host.
///
/// Beside them a quarter of what is kept, and chunks of logits, for copies that come and go. Composed definitions keep every
/// temporary and its gradient: counted over a block of a Llama, 4.4 times as much, without the scores of attention.
#[cfg(feature = "kernels")]
fn on_gpu(stage: &llmp_stdlib::plan::StageCost, composed: bool) -> u64 {
    const LOGITS: u64 = 128 << 20;
    let kept = stage.activation_bytes;
    let kept = if composed { kept.saturating_mul(5) } else { kept.saturating_add(kept / 4) };
    (stage.weight_bytes / 3 * 2).saturating_add(kept).saturating_add(LOGITS)
}

#[cfg(feature = "kernels")]
fn refused(error: llmp_nn::NnError) -> Failure {
    Failure::new("LLMP1203", error.to_string()).help("train on the processor: `--device cpu`")
}

#[cfg(all(test, feature = "kernels"))]
mod tests {
    use llmp_stdlib::plan::StageCost;

    use super::*;

    #[test]
    fn the_optimizer_takes_no_memory_of_a_gpu() {
        let stage = |optimizer_bytes| StageCost {
            weight_bytes: 12 << 30,
            activation_bytes: 4 << 30,
            optimizer_bytes,
            memory_bytes: (16 << 30) + optimizer_bytes,
            ..StageCost::default()
        };
        assert_eq!(on_gpu(&stage(0), false), (13 << 30) + (128 << 20));
        assert_eq!(on_gpu(&stage(8 << 30), false), on_gpu(&stage(0), false));
        assert_eq!(on_gpu(&stage(0), true), (28 << 30) + (128 << 20));
    }
}
