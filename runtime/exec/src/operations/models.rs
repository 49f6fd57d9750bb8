//! Steps on models: training, evaluation, release. Without the feature `kernels` each says that it is not there.

use super::{Made, Work};
use crate::failure::Failure;

#[cfg(feature = "kernels")]
pub(crate) use with_kernels::*;

#[cfg(feature = "kernels")]
mod with_kernels {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    use llmp_data::tokens::TokenShard;
    use llmp_nn::Layers;
    use llmp_nn::kinds::Experts;
    use llmp_stdlib::{Arg, Event, Value};
    use llmp_train::adapter::Adapter;
    use llmp_train::distill::{Distil, Distilling, check_tokenizers};
    use llmp_train::generate::Sampling;
    use llmp_train::kinds::decoder::Decoder;
    use llmp_train::kinds::prune::{Keep, PruneMethod};
    use llmp_train::kinds::{Evaluation, Quantizing, Recovery, RecoveryLora, Releasing};
    use llmp_train::mask::Mask;
    use llmp_train::release::Card;
    use llmp_train::stage::Stage;
    use llmp_train::stored::{self, Teach};
    use llmp_train::training::{self, HeldOut, Inputs, NextToken, Objective, Overlay};
    use llmp_train::{Host, TrainError, folder::ModelFolder, release as releasing};

    use super::super::measuring;
    use super::{Failure, Made, Work};
    use crate::store::durable;

    /// A training error as a failure.
    pub(crate) fn train_failure(error: TrainError) -> Failure {
        match error {
            TrainError::Stopped => Failure::stopped(),
            TrainError::Data(error) => super::super::data_failure(error),
            error => {
                let failure = Failure::new(error.code(), error.to_string());
                error.help().into_iter().fold(failure, |failure, help| failure.help(help))
            }
        }
    }

    /// Runs `work` with a host that tells the caller's clock, flag, listener and failpoints.
    pub(crate) fn with_host<T>(
        work: &Work<'_>,
        run: impl FnOnce(&Host<'_>) -> Result<T, TrainError>,
    ) -> Result<T, Failure> {
        let name = work.name();
        let begin = Instant::now();
        let clock = || begin.elapsed().as_secs_f64();
        let numerics = serde_json::json!(crate::numerics::class(work.options.device.name())).to_string();
        let gpu = work.options.device.gpu()?;
        let host = Host {
            step: &name,
            clock: &clock,
            stop: work.options.stop,
            event: work.emit,
            failpoint: work.options.hook,
            numerics: &numerics,
            peak: crate::bench::kept(work.options.device.name()),
            gpu: gpu.as_ref(),
        };
        run(&host).map_err(train_failure)
    }

    pub(crate) fn arguments<T>(work: &Work<'_>, read: Result<T, String>) -> Result<T, Failure> {
        read.map_err(|words| Failure::new("LLMP1003", format!("`{}`: {words}", work.step().op)))
    }

    /// Tokens of a token shard that a part of the plan holds.
    pub(crate) fn count(work: &Work<'_>, input: usize, what: &str) -> u64 {
        let port = &work.step().inputs[input];
        let part = port.part.as_deref().unwrap_or("");
        let counts = work.results.get(&port.step).and_then(|r| r.manifest.parts.get(part)).map(|c| &c.counts);
        counts.and_then(|c| c.get(what)).copied().unwrap_or(0)
    }

    /// Trains a stage on its text.
    pub(crate) fn pretrain(work: &Work<'_>) -> Result<Made, Failure> {
        stage(work, &with_sizes(work)?, None, None, |_, _| Ok(Box::new(NextToken)))
    }

    /// Trains a stage on what teachers predict.
    pub(crate) fn distill(work: &Work<'_>) -> Result<Made, Failure> {
        let settings = arguments(work, Distilling::from_args(&work.step().args))?;
        let (teachers, tokenizers) = (all(work, &settings.teachers)?, all(work, &settings.tokenizers)?);
        let stored = settings.stored.map(|input| work.stored(work.step(), input)).transpose()?;
        stage(work, &with_sizes(work)?, None, None, |stage, tokenizer| {
            let own = (tokenizer, tokenizers.as_slice());
            let distil = Distil::new(stage, settings.loss.clone(), &teachers, own)?;
            Ok(Box::new(match &stored {
                Some(folder) => distil.stored(folder),
                None => distil,
            }))
        })
    }

    /// Writes what teachers say about the rows of a stage.
    pub(crate) fn teach(work: &Work<'_>) -> Result<Made, Failure> {
        let args = &work.step().args;
        let settings = arguments(work, Teach::from_args(args))?;
        let mut stage = arguments(work, Stage::of_rows(args))?;
        let shards = shards(work, &mut stage)?;
        let (teachers, tokenizers) = (all(work, &settings.teachers)?, all(work, &settings.tokenizers)?);
        let own = work.stored(work.step(), stage.tokenizer)?;
        let available = stage.sources.first().map_or(0, |s| count(work, s.input, "tokens"));
        work.started(stage.course(available).map(|c| c.drawn()), "tokens");
        let out = work.folder.join("said");
        let positions = with_host(work, |host| {
            check_tokenizers(&own, &tokenizers)?;
            stored::write(&stage, settings.says, &teachers, shards, &out, host)
        })?;
        Ok(Made::whole("said", durable::hash_folder(&out)?, &[("positions", positions)]))
    }

    /// Folders or files of inputs.
    pub(crate) fn all(work: &Work<'_>, inputs: &[usize]) -> Result<Vec<PathBuf>, Failure> {
        inputs.iter().map(|n| work.stored(work.step(), *n)).collect()
    }

    /// The token shards of a stage, whose sources get their names.
    fn shards(work: &Work<'_>, stage: &mut Stage) -> Result<Vec<TokenShard>, Failure> {
        for source in &mut stage.sources {
            // `books.tokens` are the tokens of `books`.
            let name = work.step().inputs.get(source.input).map(|port| work.plan.name(&port.step));
            let name = name.unwrap_or_default();
            source.name = name.strip_suffix(".tokens").unwrap_or(&name).to_owned();
        }
        stage.sources.iter().map(|s| shard(work, s.input)).collect()
    }

    /// The tokens of an input.
    pub(crate) fn shard(work: &Work<'_>, input: usize) -> Result<TokenShard, Failure> {
        TokenShard::open(&work.stored(work.step(), input)?).map_err(super::super::data_failure)
    }

    /// Removes hidden units of a model: by their weights, then training what is left, or by a mask that is trained.
    pub(crate) fn prune(work: &Work<'_>) -> Result<Made, Failure> {
        let mut args = with_sizes(work)?;
        let read = |name: &str| work.step().args.get(name).cloned().unwrap_or(Value::None);
        let keep = arguments(work, Keep::read(&read("keep")))?;
        let kept = keep.ffn_hidden.ok_or_else(|| Failure::new("LLMP1003", "`keep` names nothing to keep"))?;
        let kept = kept as usize;
        // The stage's own `keep` counts checkpoints.
        args.insert("keep".into(), Value::number(2));
        let parent = work.input(&read("from"))?;
        let next =
            |_: &Stage, _: &Path| -> Result<Box<dyn Objective>, TrainError> { Ok(Box::new(NextToken)) };
        match arguments(work, PruneMethod::read(&read("method")))? {
            PruneMethod::Magnitude(_) => {
                let left = work.folder.join("cut");
                with_host(work, |_| llmp_train::prune::magnitude(&parent, kept, &left))?;
                let made = stage(work, &args, Some(&left), None, next)?;
                std::fs::remove_dir_all(&left).map_err(|e| Failure::io("remove", &left, &e))?;
                Ok(made)
            }
            PruneMethod::SoftTopK(settings) => {
                let (sizes, _) =
                    llmp_nn::weights::read_config(&parent).map_err(|e| train_failure(e.into()))?;
                // The plan names the sizes of the result; until its end the stage trains those of the parent.
                if let Some(Value::Record(model)) = args.get("model") {
                    let mut decoder = arguments(work, Decoder::from_record(model))?;
                    decoder.spec.ffn.hidden = sizes.ffn.hidden;
                    args.insert("model".into(), Value::Record(decoder.to_record()));
                }
                let mask = Mask::new(&sizes, settings, kept).map_err(train_failure)?;
                stage(work, &args, None, Some(Box::new(mask)), next)
            }
        }
    }

    /// Trains a stage for an objective, from other weights than those of its plan and under an overlay where they are
    /// given.
    fn stage(
        work: &Work<'_>,
        args: &llmp_stdlib::Record,
        from: Option<&Path>,
        overlay: Option<Box<dyn Overlay>>,
        objective: impl FnOnce(&Stage, &Path) -> Result<Box<dyn Objective>, TrainError>,
    ) -> Result<Made, Failure> {
        let mut stage = arguments(work, Stage::from_args(args))?;
        let shards = shards(work, &mut stage)?;
        let tokenizer = work.stored(work.step(), stage.tokenizer)?;
        let from = match (from, stage.from) {
            (Some(other), _) => Some(other.to_owned()),
            (None, input) => input.map(|input| work.stored(work.step(), input)).transpose()?,
        };
        let available = stage.sources.first().map_or(0, |s| count(work, s.input, "tokens"));
        work.started(stage.course(available).map(|c| c.drawn()), "tokens");
        let out = work.folder.join("model");
        std::fs::create_dir_all(&out).map_err(|e| Failure::io("create", &out, &e))?;
        let held_out = stage.measure.iter().map(|measured| {
            let (suite, bytes) = (measured.suite.clone(), count(work, measured.tokens, "bytes"));
            Ok(HeldOut { suite, shard: shard(work, measured.tokens)?, bytes })
        });
        let held_out = held_out.collect::<Result<Vec<_>, Failure>>()?;
        let inputs =
            Inputs { shards, examples: None, tokenizer: &tokenizer, from: from.as_deref(), held_out };
        let mut objective = objective(&stage, &tokenizer).map_err(train_failure)?;
        let run =
            |host: &Host<'_>| training::train_under(&stage, objective.as_mut(), overlay, inputs, &out, host);
        let summary = with_host(work, run)?;
        let mut made = Made::whole(
            "model",
            weights_hash(&out)?,
            &[("steps", summary.steps), ("tokens", summary.tokens)],
        );
        made.metrics =
            BTreeMap::from([("loss".to_owned(), summary.loss), ("flops".to_owned(), summary.flops)]);
        Ok(made)
    }

    /// The arguments of a stage; where it goes on from a folder whose sizes the plan does not know, those of the folder.
    fn with_sizes(work: &Work<'_>) -> Result<llmp_stdlib::Record, Failure> {
        let mut args = work.step().args.clone();
        if let (Some(Value::None), Some(from @ Value::Input(_))) = (args.get("model"), args.get("from")) {
            let (spec, _) =
                llmp_nn::weights::read_config(&work.input(from)?).map_err(|e| train_failure(e.into()))?;
            args.insert("model".into(), Value::Record(Decoder { spec }.to_record()));
        }
        Ok(args)
    }

    /// Takes a model folder, or a GGUF file, into the store.
    pub(crate) fn open(work: &Work<'_>) -> Result<Made, Failure> {
        let Some(Value::Text(written)) = work.step().args.get("folder") else {
            return Err(Failure::new("LLMP1003", "`open_model`: `folder` is missing"));
        };
        let (from, out) = (work.options.roots.path(written), work.folder.join("model"));
        work.started(None, "files");
        with_host(work, |_| llmp_train::folder::take(&from, &out))?;
        let mut made = Made::whole("model", durable::hash_folder(&out)?, &[]);
        let tokenizer = out.join("tokenizer.json");
        if tokenizer.is_file() {
            let hash = durable::hash_file(&tokenizer)?;
            let path = "model/tokenizer.json".to_owned();
            let content = crate::store::Content { hash, path, counts: BTreeMap::new() };
            made.parts.insert("tokenizer".to_owned(), content);
        }
        Ok(made)
    }

    /// Cuts the experts of a model from a dense one.
    pub(crate) fn upcycle(work: &Work<'_>) -> Result<Made, Failure> {
        let args = &work.step().args;
        let none = || Value::None;
        let read = |name: &str| args.get(name).cloned().unwrap_or_else(none);
        let experts: Experts = arguments(work, Experts::read(&read("experts")))?;
        let vocab: Option<usize> = arguments(work, <Option<usize>>::read(&read("vocab")))?;
        let share: f64 = arguments(work, f64::read(&read("reinit")))?;
        let std: f64 = arguments(work, f64::read(&read("std")))?;
        let (from, out) = (work.input(&read("from"))?, work.folder.join("model"));
        work.started(None, "files");
        with_host(work, |_| {
            let (dense, flat) = llmp_nn::weights::load(&from)?;
            let form = llmp_nn::kinds::expert_form(&experts, dense.ffn.hidden);
            let redraw = llmp_nn::Redraw { share, std, seed: 0 };
            let (sizes, values) = llmp_nn::upcycle(&dense, &flat, form, vocab, redraw)?;
            Ok(llmp_nn::weights::save(&out, &sizes, &values, &llmp_nn::SaveOptions::default())?)
        })?;
        Ok(Made::whole("model", weights_hash(&out)?, &[]))
    }

    /// Rounds the weights of a model, and trains an adapter that makes up for it.
    pub(crate) fn quantize(work: &Work<'_>) -> Result<Made, Failure> {
        let settings = arguments(work, Quantizing::from_args(&work.step().args))?;
        let from = work.stored(work.step(), settings.from)?;
        let out = work.folder.join(if settings.recover.is_some() { "rounded" } else { "model" });
        work.started(None, "files");
        let rounded = with_host(work, |_| llmp_train::quantize::quantize(&from, &settings, &out))?;
        let mut made = match &settings.recover {
            None => Made::whole("model", weights_hash(&out)?, &[]),
            Some(Recovery::RecoveryLora(lora)) => recovered(work, lora, &out)?,
        };
        made.metrics.insert("bits_per_weight".to_owned(), rounded.bits);
        made.metrics.insert("relative_error".to_owned(), rounded.error);
        Ok(made)
    }

    /// Trains an adapter on rounded weights, which are not kept.
    fn recovered(work: &Work<'_>, lora: &RecoveryLora, rounded: &Path) -> Result<Made, Failure> {
        let mut args = with_sizes(work)?;
        // What every stage has and this kind does not let a program say.
        for (name, text) in
            [("clip", "1"), ("checkpoints", "every(distance = 5 min)"), ("keep", "2"), ("replicate", "0")]
        {
            args.insert(name.into(), arguments(work, llmp_stdlib::literal::parse(text))?);
        }
        let seed = arguments(work, Stage::from_args(&args))?.stream("adapter");
        let read = llmp_nn::weights::read_config(rounded).map_err(|e| train_failure(e.into()))?;
        let shape = (lora.rank as usize, lora.alpha.unwrap_or(lora.rank as f64));
        let adapter = Adapter::new(&read.0, shape, &Layers::All, seed).map_err(train_failure)?;
        let made =
            stage(work, &args, Some(rounded), Some(Box::new(adapter)), |_, _| Ok(Box::new(NextToken)))?;
        std::fs::remove_dir_all(rounded).map_err(|e| Failure::io("remove", rounded, &e))?;
        Ok(made)
    }

    /// Content of a model folder: its weights and configuration, not how training went.
    pub(crate) fn weights_hash(folder: &Path) -> Result<String, Failure> {
        let hashes = ["config.json", "model.safetensors"].map(|name| durable::hash_file(&folder.join(name)));
        let [config, weights] = hashes;
        Ok(blake3::hash(format!("{}\n{}", config?, weights?).as_bytes()).to_hex().to_string())
    }

    /// Measures a model and lets it write samples.
    pub(crate) fn eval(work: &Work<'_>) -> Result<Made, Failure> {
        let evaluation = arguments(work, Evaluation::from_args(&work.step().args))?;
        let (model, tokenizer) = model(work, evaluation.model, evaluation.tokenizer)?;
        let documents: u64 = evaluation.suites.iter().map(|suite| measuring::documents(work, suite)).sum();
        work.started((documents > 0).then_some(documents), "documents");
        let mut metrics = BTreeMap::new();
        for (index, suite) in evaluation.suites.iter().enumerate() {
            let measured = measuring::measure(work, (&model, &tokenizer), suite)?;
            llmp_train::suites::note(&mut metrics, index, suite.name(), &measured);
        }
        for (name, value) in &metrics {
            (work.emit)(Event::Metric { step: work.name(), name: name.clone(), value: *value });
        }
        if let Some(require) = &evaluation.require {
            let unmet = llmp_train::require::unmet(require, &metrics);
            if !unmet.is_empty() {
                let words = format!("a requirement on `{}` is not met: {}", work.name(), unmet.join("; "));
                let help = "train on, or change `require`: what was trained is kept";
                return Err(Failure::new("LLMP1202", words).help(help));
            }
        }
        let samples = match evaluation.samples {
            0 => Vec::new(),
            count => {
                let folder = ModelFolder::with_tokenizer(&model, &tokenizer).map_err(train_failure)?;
                samples(work, &folder, count)?
            }
        };
        let report = serde_json::json!({ "metrics": metrics, "samples": samples });
        let path = work.folder.join("metrics.json");
        durable::write(&path, format!("{report:#}\n").as_bytes(), work.options.hook)?;
        let mut made = Made::whole("metrics.json", durable::hash_file(&path)?, &[]);
        made.metrics = metrics;
        Ok(made)
    }

    fn samples(work: &Work<'_>, folder: &ModelFolder, count: usize) -> Result<Vec<String>, Failure> {
        let mut texts = Vec::new();
        for seed in 0..count as u64 {
            let sampling = Sampling { seed, ..Sampling::default() };
            let generated = llmp_train::generate::generate(folder, "", &sampling, &mut |_| !stopped(work))
                .map_err(train_failure)?;
            if stopped(work) {
                return Err(Failure::stopped());
            }
            (work.emit)(Event::Sample { step: work.name(), text: generated.text.clone() });
            texts.push(generated.text);
        }
        Ok(texts)
    }

    fn stopped(work: &Work<'_>) -> bool {
        work.options.stop.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn model(work: &Work<'_>, model: usize, tokenizer: usize) -> Result<(PathBuf, PathBuf), Failure> {
        Ok((work.stored(work.step(), model)?, work.stored(work.step(), tokenizer)?))
    }

    /// Writes the folder that other tools load, into the store; `place_releases` copies it to where it was asked for.
    pub(crate) fn release(work: &Work<'_>) -> Result<Made, Failure> {
        let settings = arguments(work, Releasing::from_args(&work.step().args))?;
        let (model, tokenizer) = model(work, settings.model, settings.tokenizer)?;
        work.started(None, "files");
        let name = settings.to.rsplit('/').next().unwrap_or(&settings.to).to_owned();
        let card = Card {
            name,
            lineage: lineage(work),
            metrics: metrics(work, settings.model),
            license: None,
            plan: Some(work.plan.hash()),
        };
        let out = work.folder.join("release");
        with_host(work, |host| releasing::release(&model, &tokenizer, &card, &settings.written, &out, host))?;
        Ok(Made::whole("release", durable::hash_folder(&out)?, &[]))
    }

    /// Sources and filters that led to a release, one line each.
    fn lineage(work: &Work<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        for finished in work.results.values() {
            for funnel in &finished.manifest.funnels {
                let step = work.plan.steps.iter().find(|s| work.plan.name(&s.id) == funnel.step);
                let attributes = step.and_then(|s| work.plan.attributes.get(&s.id));
                let license = attributes.and_then(|a| match a.get("license") {
                    Some(Value::Text(license) | Value::Choice(license)) => Some(format!(", {license}")),
                    _ => None,
                });
                let (from, to) = (funnel.documents_in, funnel.documents_out);
                lines.push(format!(
                    "{}: {from} → {to} documents{}",
                    funnel.step,
                    license.unwrap_or_default()
                ));
            }
        }
        lines
    }

    /// Metrics of the evaluations of the model, as far as they have run.
    fn metrics(work: &Work<'_>, model: usize) -> Vec<(String, f64)> {
        let weights = &work.step().inputs[model];
        let evaluations =
            work.plan.steps.iter().filter(|s| s.op == Evaluation::OP && s.inputs.contains(weights));
        let found = evaluations.filter_map(|s| work.results.get(&s.id));
        found.flat_map(|f| f.manifest.metrics.iter().map(|(k, v)| (k.clone(), *v))).collect()
    }
}

#[cfg(not(feature = "kernels"))]
mod without_kernels {
    use super::{Failure, Made, Work};

    pub(crate) fn missing(work: &Work<'_>) -> Result<Made, Failure> {
        let words = format!("`{}` needs a build with tensors (feature `kernels`)", work.step().op);
        Err(Failure::new("LLMP0703", words))
    }

    pub(crate) use {
        missing as distill, missing as eval, missing as open, missing as pretrain, missing as prune,
        missing as quantize, missing as release, missing as teach, missing as upcycle,
    };
}
#[cfg(not(feature = "kernels"))]
pub(crate) use without_kernels::*;
