//! What a suite measures of a model, and the choice between models by a suite.

#[cfg(not(feature = "kernels"))]
pub(crate) use super::models::missing as pick;

#[cfg(feature = "kernels")]
pub(crate) use with_kernels::*;

#[cfg(feature = "kernels")]
mod with_kernels {
    use std::path::{Path, PathBuf};

    use llmp_nn::Model;
    use llmp_stdlib::Event;
    use llmp_train::kinds::Asked;
    use llmp_train::measuring::{self, Metrics, Place};
    use llmp_train::steps::Picking;
    use llmp_train::{TrainError, chat, evaluate, suites};

    use super::super::models::{all, arguments, count, shard, train_failure, with_host};
    use super::super::{Made, Work};
    use crate::failure::Failure;
    use crate::store::durable;

    /// Documents that a suite reads, where their number is known.
    pub(crate) fn documents(work: &Work<'_>, suite: &Asked) -> u64 {
        match suite {
            Asked::Text(measured) => count(work, measured.documents, "documents"),
            Asked::Suite { .. } => 0,
        }
    }

    /// What a suite measures of the model in a folder, whose tokenizer is a file.
    pub(crate) fn measure(
        work: &Work<'_>,
        subject: (&Path, &Path),
        suite: &Asked,
    ) -> Result<Metrics, Failure> {
        match suite {
            Asked::Text(measured) => {
                let model = Model::load(subject.0).map_err(|e| train_failure(e.into()))?;
                let (shard, bytes) = (shard(work, measured.tokens)?, count(work, measured.tokens, "bytes"));
                let measure = with_host(work, |host| evaluate::bits_per_byte(&model, &shard, bytes, host))?;
                Ok(measure.metrics().into())
            }
            Asked::Suite { suite, tokenizers, .. } => {
                let inputs: Vec<PathBuf> = (0..work.step().inputs.len())
                    .map(|n| work.stored(work.step(), n))
                    .collect::<Result<_, _>>()?;
                let (model, tokenizer) = subject;
                let place = Place { model, tokenizer, inputs: &inputs, roots: &work.options.roots };
                with_host(work, |host| measuring::measure(suite, tokenizers, &place, host))
            }
        }
    }

    /// Measures models and gives the best of them.
    pub(crate) fn pick(work: &Work<'_>) -> Result<Made, Failure> {
        let picking = arguments(work, Picking::from_args(&work.step().args))?;
        let folders = all(work, &picking.models)?;
        let tokenizer = work.stored(work.step(), picking.tokenizer)?;
        work.started(Some(folders.len() as u64), "models");
        let names = suites::metrics(picking.by.name());
        let mut figures = Vec::new();
        for (folder, index) in folders.iter().zip(&picking.models) {
            let measured = measure(work, (folder, &tokenizer), &picking.by)?;
            let figure = measured.into_iter().find(|(name, _)| names.first() == Some(name));
            let figure = figure.map_or(f64::NAN, |(_, figure)| figure);
            let name = work.plan.name(&work.step().inputs[*index].step);
            (work.emit)(Event::Metric {
                step: work.name(),
                name: format!("{name}.{}", names[0]),
                value: figure,
            });
            figures.push(figure);
        }
        let best = picking.best(&figures).ok_or_else(|| {
            let message = format!("`{}` is not a number for any of the models", picking.by.name());
            train_failure(TrainError::Settings(message))
        })?;
        let out = work.folder.join("model");
        link(&folders[best], &out)?;
        let mut made = Made::whole("model", durable::hash_folder(&out)?, &[("picked", best as u64)]);
        for (index, figure) in picking.models.iter().zip(figures) {
            made.metrics.insert(work.plan.name(&work.step().inputs[*index].step), figure);
        }
        Ok(made)
    }

    /// The model of a folder in another: its configuration and its weights. What lies in the store is never changed, so
    /// the files may be the same.
    fn link(from: &Path, to: &Path) -> Result<(), Failure> {
        std::fs::create_dir_all(to).map_err(|e| Failure::io("create", to, &e))?;
        for entry in std::fs::read_dir(from).map_err(|e| Failure::io("list", from, &e))? {
            let path = entry.map_err(|e| Failure::io("list", from, &e))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.ends_with("config.json") && !name.contains(".safetensors") && name != chat::FILE {
                continue;
            }
            let to = to.join(name);
            // An interrupted run may have left it.
            let _ = std::fs::remove_file(&to);
            let linked = std::fs::hard_link(&path, &to).or_else(|_| std::fs::copy(&path, &to).map(drop));
            linked.map_err(|e| Failure::io("copy", &path, &e))?;
        }
        Ok(())
    }
}
