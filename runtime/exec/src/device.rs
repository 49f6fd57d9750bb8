//! What computes the steps of training in a run.

use llmp_stdlib::Plan;

use crate::failure::Failure;

/// The processor, or a GPU.
#[derive(Debug)]
pub struct Device {
    name: String,
    #[cfg(feature = "kernels")]
    gpu: Option<llmp_nn::Gpu>,
}

impl Default for Device {
    fn default() -> Device {
        Device {
            name: "cpu".into(),
            #[cfg(feature = "kernels")]
            gpu: None,
        }
    }
}

#[cfg(feature = "kernels")]
impl Device {
    /// The device of that name: `cpu`, `cuda:0`.
    ///
    /// Errors: LLMP1203 for a name that is none, a GPU or a driver that is not there, and for a plan with a stage whose
    /// estimated memory is more than the GPU has free.
    pub fn open(name: &str, plan: &Plan) -> Result<Device, Failure> {
        let refused = |error: llmp_nn::NnError| {
            Failure::new("LLMP1203", error.to_string()).help("train on the processor: `--device cpu`")
        };
        let gpu = llmp_nn::Gpu::open(name).map_err(refused)?;
        if let Some(gpu) = &gpu {
            let free = gpu.free_bytes().map_err(refused)?;
            let largest = plan.stages.iter().max_by_key(|(_, stage)| stage.memory_bytes);
            if let Some((stage, summary)) = largest.filter(|(_, stage)| stage.memory_bytes > free) {
                let wanted = summary.memory_bytes;
                let words = format!(
                    "`{stage}` needs about {:.1} GB, `{name}` has {:.1} GB free",
                    wanted as f64 / 1e9,
                    free as f64 / 1e9
                );
                return Err(
                    Failure::new("LLMP1203", words).help("raise `accumulate`, or shorten the context")
                );
            }
        }
        Ok(Device { name: name.to_owned(), gpu })
    }

    pub(crate) fn gpu(&self) -> Option<&llmp_nn::Gpu> {
        self.gpu.as_ref()
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

impl Device {
    /// `cpu`, `cuda:0`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
