//! The step that makes one model of several.

#[cfg(not(feature = "kernels"))]
pub(crate) use super::models::missing as merge;

#[cfg(feature = "kernels")]
pub(crate) use with_kernels::merge;

#[cfg(feature = "kernels")]
mod with_kernels {
    use llmp_train::merging::{self, Merging};

    use super::super::models::{all, arguments, weights_hash, with_host};
    use super::super::{Made, Work};
    use crate::failure::Failure;

    /// Merges models by a formula over their weights.
    pub(crate) fn merge(work: &Work<'_>) -> Result<Made, Failure> {
        let merging = arguments(work, Merging::from_args(&work.step().args))?;
        let folders = all(work, &arguments(work, merging.models())?)?;
        let tokenizers = all(work, &merging.tokenizers)?;
        let out = work.folder.join("model");
        work.started(None, "tensors");
        with_host(work, |host| merging::merge(&merging.method, &folders, &tokenizers, &out, host))?;
        Ok(Made::whole("model", weights_hash(&out)?, &[]))
    }
}
