//! One model out of several of the same shapes, tensor by tensor: never a whole model in memory.

use std::borrow::Cow;
use std::path::Path;

use super::file_error;
use super::read::Folder;
use super::write::{SaveOptions, save_each};
use crate::NnError;

/// Gives the numbers of a tensor from those that it has in each model. Its name is that in the written folder.
pub type Blend<'a, E> = &'a mut dyn FnMut(&str, &[Vec<f32>]) -> Result<Vec<f32>, E>;

/// Writes a folder whose tensors are made from those of several folders; all else is as in the first of them. In memory are one tensor
/// of each folder and the one that is made.
///
/// Errors: parameters of other shapes in one of the folders, a tensor that `blend` gives another length; what `blend` says.
pub fn combine<E: From<NnError>>(
    from: &[&Path],
    to: &Path,
    options: &SaveOptions,
    blend: Blend<'_, E>,
) -> Result<(), E> {
    let mut folders = from.iter().map(|dir| Folder::open(dir)).collect::<Result<Vec<_>, _>>()?;
    let Some((first, others)) = folders.split_first() else {
        return Err(NnError::Input { op: "merge", reason: "there is no model".into() }.into());
    };
    others.iter().try_for_each(|other| same_shapes(first, other))?;
    let sizes = first.sizes.clone();
    save_each(to, &sizes, options, &mut |slot| {
        let tensor = |folder: &mut Folder| -> Result<Vec<f32>, NnError> {
            let parts = slot.places.iter().map(|place| folder.parameter(place));
            Ok(parts.collect::<Result<Vec<_>, _>>()?.concat())
        };
        let values = folders.iter_mut().map(tensor).collect::<Result<Vec<_>, _>>()?;
        let made = blend(&slot.name, &values)?;
        if made.len() != slot.count() {
            return Err(NnError::Mismatch {
                op: "merge",
                left_name: format!("what is made of `{}`", slot.name),
                left: made.len(),
                right_name: "the tensor".into(),
                right: slot.count(),
            }
            .into());
        }
        Ok(Cow::Owned(slot.stored(made.into()).into_owned()))
    })
}

/// Refuses a model with other parameters than the first.
fn same_shapes(first: &Folder, other: &Folder) -> Result<(), NnError> {
    let (own, its) = (first.sizes.params(), other.sizes.params());
    let differs = own.iter().zip(&its).find(|(a, b)| (&a.name, &a.shape) != (&b.name, &b.shape));
    let reason = match differs {
        Some((a, b)) if a.name == b.name => {
            format!("`{}` has shape {:?}, in {} {:?}", b.name, b.shape, first.dir.display(), a.shape)
        }
        Some((a, b)) => format!("it has `{}` where {} has `{}`", b.name, first.dir.display(), a.name),
        None if own.len() != its.len() => {
            format!("it has {} parameters, {} has {}", its.len(), first.dir.display(), own.len())
        }
        None => return Ok(()),
    };
    Err(file_error(&other.dir, format!("{reason}: models of other shapes cannot be merged")))
}
