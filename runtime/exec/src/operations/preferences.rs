//! Learning from preferences: reward models, policies, and what a reference says of pairs before they are learnt from.

#[cfg(feature = "kernels")]
pub(crate) use with_kernels::*;

#[cfg(not(feature = "kernels"))]
pub(crate) use super::models::{missing as prefer, missing as refer, missing as reward_model};

#[cfg(feature = "kernels")]
mod with_kernels {
    use llmp_data::row::Message;
    use llmp_stdlib::{Event, Value};
    use llmp_train::chat::Chat;
    use llmp_train::folder::Vocabulary;
    use llmp_train::kinds::decoder::field;
    use llmp_train::kinds::prefer::{FormatTokens, Online, PreferLoss};
    use llmp_train::preference::{self, Against, Asked, Form, Prefer, Preferring, Reference, Said, Sampling};
    use llmp_train::reward::{self, Judge, Judging, RewardModel, Rewarding};
    use llmp_train::settings::Precision;
    use llmp_train::training::{ExampleSource, Examples};
    use llmp_train::tuning::{DataPart, data_parts};

    use super::super::models::{arguments, train_failure, with_host};
    use super::super::tuning::{Begun, Ground, adapter, begin, ground, source, tune, tune_under};
    use super::super::{Made, Work};
    use crate::failure::Failure;
    use crate::store::durable;

    /// The data of a stage `prefer`.
    struct Data {
        sources: Vec<ExampleSource>,
        wanted: Vec<bool>,
        prompts: Vec<Vec<Message>>,
        too_long: u64,
    }

    fn data(work: &Work<'_>, reader: &preference::Reader<'_>, parts: &[DataPart]) -> Result<Data, Failure> {
        let mut all = Data { sources: Vec::new(), wanted: Vec::new(), prompts: Vec::new(), too_long: 0 };
        for part in parts {
            let folder = work.stored(work.step(), part.input)?;
            let read = with_host(work, |host| reader.read(&folder, host))?;
            all.sources.push(source(work, part, read.examples));
            all.wanted.extend(read.wanted);
            all.prompts.extend(read.prompts);
            all.too_long += read.too_long;
        }
        Ok(all)
    }

    /// Tells numbers of a stage.
    fn tell(work: &Work<'_>, made: &mut Made, metrics: impl IntoIterator<Item = (&'static str, f64)>) {
        for (name, value) in metrics {
            (work.emit)(Event::Metric { step: work.name(), name: name.to_owned(), value });
            made.metrics.insert(name.to_owned(), value);
        }
    }

    /// Writes what a model says of the answers of pairs.
    pub(crate) fn refer(work: &Work<'_>) -> Result<Made, Failure> {
        let args = &work.step().args;
        let Ground { sizes, vocabulary, template } = ground(work)?;
        let context: Option<u64> = arguments(work, field(args, "context"))?;
        let context = context.map_or(sizes.context, |own| own as usize);
        let (loss_off, precision): (Vec<FormatTokens>, Precision) =
            (arguments(work, field(args, "loss_off"))?, arguments(work, field(args, "precision"))?);
        let parts = arguments(work, data_parts(args, "data"))?;
        work.started(None, "tokens");
        let (vocabulary, template, loss_off) = (&vocabulary, template.as_deref(), loss_off.as_slice());
        let reader = preference::Reader { vocabulary, template, loss_off, context, form: Form::Pairs };
        let data = data(work, &reader, &parts)?;
        let folder = work.input(args.get("reference").unwrap_or(&Value::None))?;
        let out = work.folder.join("said");
        let tokens = with_host(work, |host| {
            let model = preference::frozen(&folder, context, precision)?;
            preference::refer(&model, data.sources.iter().flat_map(|s| &s.examples), &out, host)
        })?;
        Ok(Made::whole("said", durable::hash_folder(&out)?, &[("tokens", tokens)]))
    }

    /// Trains a policy on preferences.
    pub(crate) fn prefer(work: &Work<'_>) -> Result<Made, Failure> {
        let mut begun = begin(work)?;
        let settings = arguments(work, Preferring::from_args(&work.step().args))?;
        if Form::of(&settings) != Form::Labelled {
            begun.stage = begun.stage.of_pairs();
        }
        work.started(None, "tokens");
        let context = begun.stage.course_context() as usize;
        let reader = preference::Reader {
            vocabulary: &begun.vocabulary,
            template: begun.template.as_deref(),
            loss_off: &settings.loss_off,
            context,
            form: Form::of(&settings),
        };
        let data = data(work, &reader, &settings.data)?;
        let live = |folder: &std::path::Path| {
            let model = preference::frozen(folder, context, begun.stage.precision).map_err(train_failure)?;
            Ok::<_, Failure>(Reference::Live(Box::new(model)))
        };
        let reference = match settings.against {
            Against::Nothing => Reference::Nothing,
            Against::From => live(&work.input(work.step().args.get("from").unwrap_or(&Value::None))?)?,
            Against::Model(input) => live(&work.stored(work.step(), input)?)?,
            Against::Said(input) => {
                let folder = work.stored(work.step(), input)?;
                let examples = data.sources.iter().flat_map(|s| &s.examples);
                Reference::Said(Said::open(&folder, examples).map_err(train_failure)?)
            }
        };
        let layout = Form::of(&settings).layout();
        let mut objective = match (&settings.online, &settings.loss) {
            (None, PreferLoss::Kto(kto)) => {
                let answers =
                    data.sources.iter().flat_map(|s| s.examples.iter().flatten()).cloned().collect();
                Prefer::labelled(kto.clone(), data.wanted, answers, reference)
            }
            (None, loss) => Prefer::pairs(loss, reference, None).map_err(train_failure)?,
            (Some((online, judge, tokenizer)), loss) => {
                let Online::SampledPairs(sample) = online;
                let folder = work.stored(work.step(), *judge)?;
                let tokenizer = work.stored(work.step(), *tokenizer)?;
                let judged = || Judge::open(&folder, &Vocabulary::load(&tokenizer)?);
                let asked = Asked {
                    prompts: data.prompts,
                    chat: Chat::of(begun.template.as_deref(), &begun.vocabulary, None)
                        .map_err(train_failure)?,
                    vocabulary: begun.vocabulary.clone(),
                    sampling: Sampling {
                        n: sample.n as usize,
                        temperature: sample.temperature,
                        max_tokens: sample.max_tokens as usize,
                        stream: begun.stage.stream("answers"),
                        ends: !settings.loss_off.contains(&FormatTokens::End),
                    },
                    judge: judged().map_err(train_failure)?,
                };
                Prefer::pairs(loss, reference, Some(asked)).map_err(train_failure)?
            }
        };
        let examples = Examples { sources: data.sources, layout, held_out: Vec::new() };
        let mut made = tune(work, &begun, &mut objective, examples)?;
        tell(work, &mut made, (data.too_long > 0).then_some(("records_too_long", data.too_long as f64)));
        Ok(made)
    }

    /// Trains a reward model, and judges the pairs that are held out.
    pub(crate) fn reward_model(work: &Work<'_>) -> Result<Made, Failure> {
        let begun = begin(work)?;
        let begun = Begun { stage: begun.stage.clone().of_pairs(), ..begun };
        let settings = arguments(work, Rewarding::from_args(&work.step().args))?;
        work.started(None, "tokens");
        let reader = reward::Reader {
            vocabulary: &begun.vocabulary,
            template: begun.template.as_deref(),
            loss: &settings.loss,
            context: begun.stage.course_context() as usize,
        };
        let read = |input: usize| {
            let folder = work.stored(work.step(), input)?;
            with_host(work, |host| reader.read(&folder, host))
        };
        let (mut sources, mut pairs, mut too_long) = (Vec::new(), Vec::new(), 0);
        for part in &settings.data {
            let read = read(part.input)?;
            sources.push(source(work, part, read.examples));
            pairs.extend(read.pairs);
            too_long += read.too_long;
        }
        let mut held_out = Vec::new();
        for (_, input) in &settings.held_out {
            held_out.extend(read(*input)?.examples);
        }
        let layout = llmp_train::training::Layout::Rows;
        let examples = Examples { sources, layout, held_out: Vec::new() };
        let (adapter, seed) = (adapter(work, &begun)?, begun.stage.stream("head"));
        let (mut objective, heads) = Judging::new(&settings.loss, pairs, &begun.sizes, adapter, seed);
        let mut made = tune_under(work, &begun, &mut objective, examples, Some(Box::new(heads)))?;
        tell(work, &mut made, (too_long > 0).then_some(("records_too_long", too_long as f64)));
        if !held_out.is_empty() {
            let judged = || reward::judge(&RewardModel::load(&work.folder.join("model"))?, &held_out);
            tell(work, &mut made, judged().map_err(train_failure)?.metrics());
        }
        Ok(made)
    }
}
