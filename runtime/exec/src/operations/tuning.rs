//! Tuning of models on what people say and prefer. Without the feature `kernels` each operation says that it is not there.

#[cfg(feature = "kernels")]
pub(crate) use with_kernels::*;

#[cfg(not(feature = "kernels"))]
pub(crate) use super::models::missing as sft;

#[cfg(feature = "kernels")]
mod with_kernels {
    use std::collections::BTreeMap;
    use std::path::Path;

    use llmp_data::templates::Template;
    use llmp_nn::Architecture;
    use llmp_stdlib::{Event, Value};
    use llmp_train::Host;
    use llmp_train::adapter::Adapter;
    use llmp_train::chat;
    use llmp_train::folder::Vocabulary;
    use llmp_train::kinds::decoder::field;
    use llmp_train::kinds::post;
    use llmp_train::stage::Stage;
    use llmp_train::training::{self, ExampleSource, Examples, Inputs, NextToken, Objective, Overlay};
    use llmp_train::tuning::{DataPart, Reader, Told, Tuning};

    use super::super::models::{arguments, train_failure, weights_hash, with_host};
    use super::super::{Made, Work};
    use crate::failure::Failure;
    use crate::store::durable;

    /// A stage of post-training before its data are read.
    pub(crate) struct Begun {
        /// The stage.
        pub(crate) stage: Stage,
        /// Sizes of the model that it goes on from.
        pub(crate) sizes: Architecture,
        /// The tokenizer.
        pub(crate) vocabulary: Vocabulary,
        /// The chat template in Jinja: that of the stage, of the model that it goes on from, or of the tokenizer.
        pub(crate) template: Option<String>,
    }

    /// What decides how the data of a step become tokens.
    pub(crate) struct Ground {
        /// Sizes of the model that it goes on from.
        pub(crate) sizes: Architecture,
        /// The tokenizer.
        pub(crate) vocabulary: Vocabulary,
        /// The chat template in Jinja.
        pub(crate) template: Option<String>,
    }

    /// Reads what all stages of post-training have.
    pub(crate) fn begin(work: &Work<'_>) -> Result<Begun, Failure> {
        let Ground { sizes, vocabulary, template } = ground(work)?;
        let stage = arguments(work, Stage::of_tuning(&work.step().args, &sizes))?;
        Ok(Begun { stage, sizes, vocabulary, template })
    }

    /// Opens the tokenizer of a step and finds its template.
    pub(crate) fn ground(work: &Work<'_>) -> Result<Ground, Failure> {
        let args = &work.step().args;
        let input = |name: &str| work.input(args.get(name).unwrap_or(&Value::None));
        let (from, tokenizer) = (input("from")?, input("tokenizer")?);
        let (sizes, _) = llmp_nn::weights::read_config(&from).map_err(|e| train_failure(e.into()))?;
        let vocabulary = Vocabulary::load(&tokenizer).map_err(train_failure)?;
        let written: Option<Template> = match args.get("template") {
            None => None,
            Some(_) => arguments(work, field(args, "template"))?,
        };
        let template = match written {
            Some(template) => Some(template.jinja()),
            None => chat::template_of(&from, &tokenizer).map_err(train_failure)?,
        };
        Ok(Ground { sizes, vocabulary, template })
    }

    /// Trains a stage on examples, under an adapter where its step names one.
    pub(crate) fn tune(
        work: &Work<'_>,
        begun: &Begun,
        objective: &mut dyn Objective,
        examples: Examples,
    ) -> Result<Made, Failure> {
        let overlay = adapter(work, begun)?.map(|adapter| Box::new(adapter) as Box<dyn Overlay>);
        tune_under(work, begun, objective, examples, overlay)
    }

    /// The adapter that the step names.
    pub(crate) fn adapter(work: &Work<'_>, begun: &Begun) -> Result<Option<Adapter>, Failure> {
        let adapter: Option<post::Adapter> = arguments(work, field(&work.step().args, "adapter"))?;
        let seed = begun.stage.stream("adapter");
        adapter.map(|adapter| Adapter::of(&adapter, &begun.sizes, seed)).transpose().map_err(train_failure)
    }

    /// Trains a stage on examples under an overlay.
    pub(crate) fn tune_under(
        work: &Work<'_>,
        begun: &Begun,
        objective: &mut dyn Objective,
        examples: Examples,
        overlay: Option<Box<dyn Overlay>>,
    ) -> Result<Made, Failure> {
        let Begun { stage, vocabulary, template, .. } = begun;
        let from = stage.from.map(|input| work.stored(work.step(), input)).transpose()?;
        let out = work.folder.join("model");
        std::fs::create_dir_all(&out).map_err(|e| Failure::io("create", &out, &e))?;
        let inputs = Inputs {
            shards: Vec::new(),
            examples: Some(examples),
            tokenizer: vocabulary.path(),
            from: from.as_deref(),
            held_out: Vec::new(),
        };
        let run = |host: &Host<'_>| training::train_under(stage, objective, overlay, inputs, &out, host);
        let summary = with_host(work, run)?;
        if let Some(template) = template {
            durable::write(&out.join(chat::FILE), template.as_bytes(), work.options.hook)?;
        }
        let counts = [("steps", summary.steps), ("tokens", summary.tokens)];
        let mut made = Made::whole("model", weights_hash(&out)?, &counts);
        made.metrics =
            BTreeMap::from([("loss".to_owned(), summary.loss), ("flops".to_owned(), summary.flops)]);
        Ok(made)
    }

    /// Tunes a model on conversations.
    pub(crate) fn sft(work: &Work<'_>) -> Result<Made, Failure> {
        let begun = begin(work)?;
        let settings = arguments(work, Tuning::from_args(&work.step().args))?;
        work.started(None, "tokens");
        let context = begun.stage.course_context() as usize;
        let (template, loss_on) = (begun.template.as_deref(), settings.loss_on);
        let reader = Reader { vocabulary: &begun.vocabulary, template, loss_on, context };
        let mut told = Told::default();
        let mut read = |folder: &Path| {
            let (examples, these) = with_host(work, |host| reader.read(folder, host))?;
            told += these;
            Ok::<_, Failure>(examples)
        };
        let mut sources = Vec::new();
        for part in &settings.data {
            sources.push(source(work, part, read(&work.stored(work.step(), part.input)?)?));
        }
        let mut held_out = Vec::new();
        for (name, input) in &settings.held_out {
            held_out.push((name.clone(), read(&work.stored(work.step(), *input)?)?));
        }
        let examples = Examples { sources, layout: settings.layout(&begun.sizes), held_out };
        let mut made = tune(work, &begun, &mut NextToken, examples)?;
        for (name, count) in told.metrics() {
            (work.emit)(Event::Metric { step: work.name(), name: name.to_owned(), value: count });
            made.metrics.insert(name.to_owned(), count);
        }
        Ok(made)
    }

    /// A part of the data of a stage with its name for people.
    pub(crate) fn source(
        work: &Work<'_>,
        part: &DataPart,
        examples: Vec<llmp_train::training::Example>,
    ) -> ExampleSource {
        let name = work.step().inputs.get(part.input).map(|port| work.plan.name(&port.step));
        let name = name.unwrap_or_default();
        ExampleSource { name, share: part.share, max_epochs: part.max_epochs, examples }
    }
}
