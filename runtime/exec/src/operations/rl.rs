//! The step that learns from rewards of its own answers.

#[cfg(not(feature = "kernels"))]
pub(crate) use super::models::missing as rl;

#[cfg(feature = "kernels")]
pub(crate) use with_kernels::rl;

#[cfg(feature = "kernels")]
mod with_kernels {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use llmp_stdlib::Event;
    use llmp_train::chat::Chat;
    use llmp_train::rl::{self, Asked, Learning, Opened, Reader, Rl};
    use llmp_train::training::{Examples, Layout};

    use super::super::models::{arguments, train_failure, with_host};
    use super::super::tuning::{begin, source, tune};
    use super::super::{Made, Work};
    use crate::failure::Failure;

    /// Learns from rewards.
    pub(crate) fn rl(work: &Work<'_>) -> Result<Made, Failure> {
        let begun = begin(work)?;
        let settings = arguments(work, Learning::from_args(&work.step().args))?;
        work.started(None, "tokens");
        let inputs: Vec<PathBuf> =
            (0..work.step().inputs.len()).map(|n| work.stored(work.step(), n)).collect::<Result<_, _>>()?;
        let folder = |input: usize| inputs.get(input).map_or(Path::new(""), PathBuf::as_path);
        let open = |part| rl::open(part, &folder).map_err(train_failure);
        let parts: Vec<Opened> = settings.parts.iter().map(open).collect::<Result<_, _>>()?;
        let chat = Chat::of(begun.template.as_deref(), &begun.vocabulary, None).map_err(train_failure)?;
        let columns: Vec<String> = parts.iter().filter_map(|part| part.column().map(str::to_owned)).collect();
        let reader = Reader { chat: &chat, columns: &columns, context: begun.sizes.context };
        let (mut sources, mut prompts, mut long) = (Vec::new(), Vec::new(), 0);
        for part in &settings.prompts {
            let (asked, left) = with_host(work, |host| reader.read(folder(part.input), host))?;
            sources.push(source(work, part, asked.iter().map(Asked::example).collect()));
            prompts.extend(asked);
            long += left;
        }
        let layout = Layout::Rounds(settings.inner_steps());
        let stream = begun.stage.stream("answers");
        let from = begun.stage.from.map_or(Path::new(""), folder);
        let own = (chat, begun.vocabulary.clone());
        let mut objective =
            Rl::new(settings, (prompts, parts), own, stream, from, &folder).map_err(train_failure)?;
        let examples = Examples { sources, layout, held_out: Vec::new() };
        let mut made = tune(work, &begun, &mut objective, examples)?;
        made.metrics.extend(objective.last().iter().map(|(name, value)| ((*name).to_owned(), *value)));
        let left: BTreeMap<&str, u64> = [("prompts_too_long", long)].into();
        for (name, count) in left.into_iter().filter(|(_, count)| *count > 0) {
            (work.emit)(Event::Metric { step: work.name(), name: name.to_owned(), value: count as f64 });
            made.metrics.insert(name.to_owned(), count as f64);
        }
        Ok(made)
    }
}
