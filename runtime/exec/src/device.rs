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
        let largest = plan.stages.iter().max_by_key(|(_, stage)| stage.memory_bytes);
        let Some((stage, summary)) = largest.filter(|(_, stage)| stage.memory_bytes > free) else {
            return Ok(device);
        };
        let [wanted, free] = [summary.memory_bytes, free].map(|bytes| bytes as f64 / 1e9);
        let words = format!("`{stage}` needs about {wanted:.1} GB, `{name}` has {free:.1} GB free");
        Err(Failure::new("LLMP1203", words).help("raise `accumulate`, or shorten the context"))
    }

    /// The GPU, in use by the thread that asks; none on the processor.
    pub(crate) fn gpu(&self) -> Result<Option<llmp_nn::Gpu>, Failure> {
        llmp_nn::Gpu::open(&self.name).map_err(refused)
    }
}

#[cfg(feature = "kernels")]
fn refused(error: llmp_nn::NnError) -> Failure {
    Failure::new("LLMP1203", error.to_string()).help("train on the processor: `--device cpu`")
}
