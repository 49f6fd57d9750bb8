//! The state in which a stage begins: fresh weights, those of another stage, or its newest checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use llmp_data::mix::TokenStream;
use llmp_data::tokens::TokenShard;
use llmp_nn::spec::Order;
use llmp_nn::weights::as_stored;
use llmp_nn::{Architecture, Cpu, Model};
use llmp_stdlib::Event;

use super::average::Average;
use super::checkpoint::{Checkpoints, Loaded};
use super::examples::{Drawn, Examples};
use super::feed::Feed;
use super::gate;
use super::metrics::Metrics;
use super::overlay::{Over, Overlay};
use super::spike::Watch;
use super::{Inputs, Plan, State};
use crate::course::{Context, Course, Leg};
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;
use crate::optimizers::Memory;
use crate::stage::{Source, Stage};
use crate::tuning;

/// The first state of a stage, and its lengths in steps.
pub(super) fn start(
    stage: &Stage,
    overlay: Option<Box<dyn Overlay>>,
    inputs: Inputs<'_>,
    vocabulary: &Vocabulary,
    folder: &Path,
    checkpoints: &Checkpoints,
    host: &Host<'_>,
) -> Result<(State, Plan)> {
    std::fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
    let (mut feed, mut plan) = match inputs.examples {
        Some(examples) => drawn(stage, examples, host.step)?,
        None => {
            let (stream, plan) = rows(stage, inputs.shards)?;
            (Feed::Stream(Box::new(stream)), plan)
        }
    };
    let spec = spec(stage, &plan.course, vocabulary)?;
    let mut average = Average::new(&stage.publish, spec.parameters() as usize);
    let mut extended = vec![0; plan.base.0.len()];
    if let Some(mut loaded) = checkpoints.newest(host)? {
        let place = loaded.place.clone();
        if !place.extended.is_empty() {
            extended = place.extended;
            plan.course = gate::extended(&plan.base, &extended);
        }
        if place.model != spec || place.step > plan.course.steps() {
            let reason = "it belongs to a stage with another model or length".to_owned();
            return Err(TrainError::Checkpoint { path: folder.to_path_buf(), reason });
        }
        feed.restore(&place.cursor)?;
        let metrics = Metrics::open(folder, place.metrics)?;
        host.tell(Event::Resumed { step: host.step.to_owned(), at: format!("step {}", place.step) });
        let model = model_of(stage, spec, &loaded)?;
        let mut memory = memory(stage, overlay.as_deref(), &model);
        let mut over = overlay.map(|overlay| Over::new(overlay, &stage.optimizer, &model));
        take_back(&mut loaded, &mut memory, average.as_mut(), over.as_mut())?;
        let state = State {
            model,
            memory,
            watch: Watch { losses: place.losses },
            feed,
            metrics,
            done: place.step,
            loss: place.loss,
            average,
            extended,
            anchors: place.anchors,
            over,
            objective: loaded.objective,
        };
        return Ok((state, plan));
    }
    let model = match inputs.from {
        Some(path) => continued(path, spec)?,
        None => Model::init(spec, stage.stream("init"))?,
    }
    .with_precision(stage.precision.into())
    .with_recompute(stage.recompute.is_some());
    if let Some(path) = stage.optimizer.unknown_path(model.spec()) {
        return Err(TrainError::Settings(format!("`on` names `{path}`, the model has no such parameter")));
    }
    let memory = memory(stage, overlay.as_deref(), &model);
    let metrics = Metrics::open(folder, 0)?;
    let over = overlay.map(|overlay| Over::new(overlay, &stage.optimizer, &model));
    let state = State {
        model,
        memory,
        watch: Watch::default(),
        feed,
        metrics,
        done: 0,
        loss: 0.0,
        average,
        extended,
        anchors: Vec::new(),
        over,
        objective: BTreeMap::new(),
    };
    Ok((state, plan))
}

/// The model of a checkpoint.
pub(super) fn model_of(stage: &Stage, spec: Architecture, loaded: &Loaded) -> Result<Model> {
    let model = Model::from_flat(Cpu::default(), spec, &loaded.weights)?;
    Ok(model.with_precision(stage.precision.into()).with_recompute(stage.recompute.is_some()))
}

/// Takes back what a checkpoint holds besides the model.
pub(super) fn take_back(
    loaded: &mut Loaded,
    memory: &mut Memory,
    average: Option<&mut Average>,
    over: Option<&mut Over>,
) -> Result<()> {
    let other = |reason| TrainError::Checkpoint { path: loaded.path.clone(), reason };
    let updates = loaded.place.updates;
    if let Some(average) = average {
        average.restore(&mut loaded.buffers, loaded.place.averaged).map_err(other)?;
    }
    if let Some(over) = over {
        over.restore(&mut loaded.buffers, updates).map_err(other)?;
    }
    memory.restore(std::mem::take(&mut loaded.buffers), updates).map_err(other)
}

/// The rows that a stage draws, and its lengths in steps. Errors: data that end before the stage does.
pub(crate) fn rows(stage: &Stage, shards: Vec<TokenShard>) -> Result<(TokenStream, Plan)> {
    let available = shards.first().map_or(0, TokenShard::tokens);
    let course = |available| stage.course(available).ok_or_else(unknown);
    let context = course(available)?.0.first().map_or(1, |leg| leg.context);
    let stream = stream(stage, shards, context as usize)?;
    let available = stream.pass().first().copied().unwrap_or_default();
    let plan = plan(stage, course(available)?, available)?;
    stream.feasible(plan.course.drawn())?;
    Ok((stream, plan))
}

/// The examples that a stage draws, and its lengths in steps. A batch counts rows, of pairs and prompts examples.
fn drawn(stage: &Stage, examples: Examples, name: &str) -> Result<(Feed, Plan)> {
    let Context::Fixed(context) = stage.context else {
        return Err(TrainError::Settings("a stage on examples has one context".to_owned()));
    };
    let rows = tuning::rows(stage.batch.as_ref(), context);
    let drawn = Drawn::new(examples, stage, context as usize, rows, name)?;
    let (all, batch) = (drawn.rows(), rows.saturating_mul(context));
    let (tokens, repeat) = (all.saturating_mul(context), drawn.repeat());
    let steps = all.div_ceil(rows).saturating_mul(repeat);
    let course = Course(vec![Leg { context, batch, tokens: tokens.saturating_mul(repeat), steps }]);
    let epoch = drawn.sources().1.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let plan = plan(stage, course, (tokens as f64 / epoch) as u64)?;
    Ok((Feed::Examples(drawn), plan))
}

/// What the optimizer keeps of the weights; nothing where they are frozen.
fn memory(stage: &Stage, overlay: Option<&dyn Overlay>, model: &Model) -> Memory {
    let frozen = overlay.is_some_and(|overlay| !overlay.trains_weights());
    let params = if frozen { Vec::new() } else { model.spec().params() };
    Memory::of(&stage.optimizer, &params)
}

/// The model's sizes with its vocabulary, and positions for the stage's sequences.
fn spec(stage: &Stage, course: &Course, vocabulary: &Vocabulary) -> Result<Architecture> {
    let mut spec = stage.model.with_tokens(vocabulary.ids());
    if vocabulary.ids() > spec.vocab {
        let message =
            format!("the tokenizer has {} ids, the model's vocabulary {}", vocabulary.ids(), spec.vocab);
        return Err(TrainError::Settings(message));
    }
    spec.context = spec.context.max(course.context() as usize);
    Ok(spec)
}

fn stream(stage: &Stage, shards: Vec<TokenShard>, context: usize) -> Result<TokenStream> {
    if shards.len() != stage.sources.len() {
        let message = format!("the stage has {} sources, {} were given", stage.sources.len(), shards.len());
        return Err(TrainError::Settings(message));
    }
    let sources =
        shards.into_iter().zip(&stage.sources).map(|(shard, source)| (shard, source.share)).collect();
    let mut stream = TokenStream::new(sources, stage.stream("order"), context)?;
    for (index, source) in stage.sources.iter().enumerate() {
        if let Some(epochs) = source.max_epochs {
            stream = stream.max_epochs(index, epochs);
        }
    }
    let name = |(index, source): (usize, &Source)| match source.name.as_str() {
        "" => format!("source {index}"),
        name => name.to_owned(),
    };
    stream = stream.named(stage.sources.iter().enumerate().map(name));
    let places: Vec<u64> =
        stage.sources.first().map_or_else(Vec::new, |s| s.then.iter().map(|t| t.0).collect());
    for (k, after) in places.into_iter().enumerate() {
        let share = |source: &Source| source.then.get(k).map_or(source.share, |then| then.1);
        let shares: Vec<f64> = stage.sources.iter().map(share).collect();
        stream = stream.change(after, &shares)?;
    }
    Ok(stream.packing(stage.packing))
}

fn unknown() -> TrainError {
    TrainError::Settings("the length of the stage is not known".to_owned())
}

fn plan(stage: &Stage, course: Course, available: u64) -> Result<Plan> {
    let (warmup, over) = course.schedule(&stage.schedule, Some(available)).ok_or_else(unknown)?;
    let steps_of = |length| course.steps_of(length, Some(available));
    let schedule = stage.schedule.in_steps(steps_of).ok_or_else(unknown)?;
    if warmup > stage.schedule_done + course.steps() {
        let message = format!("the warm-up takes {warmup} steps, the stage has {}", course.steps());
        return Err(TrainError::Settings(message));
    }
    Ok(Plan { base: course.clone(), course, schedule, warmup, over })
}

/// Weights of another stage; only the number of positions and how they are turned may differ.
fn continued(path: &Path, spec: Architecture) -> Result<Model> {
    let model = Model::load(path)?;
    let (context, init_std, dropout) = (spec.context, spec.init_std, spec.dropout);
    let mut found = Architecture { context, init_std, dropout, ..model.spec().clone() };
    // A stage may turn positions with another base or law.
    if matches!((&found.order, &spec.order), (Order::Rotary(_), Order::Rotary(_))) {
        found.order = spec.order;
    }
    if let (Some(found), Some(wanted)) = (&mut found.experts, &spec.experts) {
        found.balance = wanted.balance;
    }
    if as_stored(&found) != as_stored(&spec) {
        let message =
            format!("{} holds a model of other sizes: {found:?}, the stage has {spec:?}", path.display());
        return Err(TrainError::Settings(message));
    }
    Ok(Model::from_flat(Cpu::default(), spec, &model.to_flat())?)
}
