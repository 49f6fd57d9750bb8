//! What a suite measures of a model, and the choice between models by a suite.

#[cfg(not(feature = "kernels"))]
pub(crate) use super::models::missing as pick;

#[cfg(feature = "kernels")]
pub(crate) use with_kernels::*;

#[cfg(feature = "kernels")]
mod with_kernels {
    use std::path::Path;

    use llmp_stdlib::Event;
    use llmp_train::folder::ModelFolder;
    use llmp_train::kinds::Asked;
    use llmp_train::needle::{self, Hiding};
    use llmp_train::steps::Picking;
    use llmp_train::suites::{self, Suite};
    use llmp_train::{TrainError, evaluate};

    use super::super::models::{all, arguments, count, shard, train_failure, with_host};
    use super::super::{Made, Work};
    use crate::failure::Failure;
    use crate::store::durable;

    /// Metrics by name.
    type Metrics = Vec<(&'static str, f64)>;

    /// Documents that a suite reads, where their number is known.
    pub(crate) fn documents(work: &Work<'_>, suite: &Asked) -> u64 {
        match suite {
            Asked::Text(measured) => count(work, measured.documents, "documents"),
            Asked::Suite { .. } => 0,
        }
    }

    /// What a suite measures of a model.
    pub(crate) fn measure(work: &Work<'_>, folder: &ModelFolder, suite: &Asked) -> Result<Metrics, Failure> {
        match suite {
            Asked::Text(measured) => {
                let (shard, bytes) = (shard(work, measured.tokens)?, count(work, measured.tokens, "bytes"));
                let measure =
                    with_host(work, |host| evaluate::bits_per_byte(&folder.model, &shard, bytes, host))?;
                Ok(measure.metrics().into())
            }
            Asked::Suite { name, suite, .. } => match &**suite {
                Suite::Needle(it) => {
                    let hiding = Hiding { needles: it.needles, depths: it.depths, seed: 0 };
                    let lengths = (it.length.low, it.length.high);
                    let found = with_host(work, |host| {
                        needle::suite(&folder.model, &folder.vocabulary, lengths, hiding, host)
                    })?;
                    Ok(vec![("needle", found.share())])
                }
                _ => Err(Failure::new("LLMP0703", format!("this version does not run the suite `{name}`"))),
            },
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
            let model = ModelFolder::with_tokenizer(folder, &tokenizer).map_err(train_failure)?;
            let measured = measure(work, &model, &picking.by)?;
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
            if !name.ends_with("config.json") && !name.contains(".safetensors") {
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
