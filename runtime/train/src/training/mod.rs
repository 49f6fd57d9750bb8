//! The training loop: one function in plain order, and what a stage leaves behind.
//!
//! In the folder of a stage: `model.safetensors` and `config.json` (a Hugging Face folder without its tokenizer),
//! `metrics.jsonl` (one line a step: step, tokens, loss, lr, norm, and what a look at the model saw), the same for TensorBoard, and `stage.json`, which is written last and says
//! that the stage is finished. While it runs, `.checkpoints/` holds the newest checkpoints.

mod average;
pub(crate) mod batches;
mod checkpoint;
mod examples;
mod feed;
mod gate;
mod looks;
mod metrics;
mod objective;
pub(crate) mod overlay;
mod pace;
mod rewind;
mod speed;
mod spike;
pub(crate) mod start;
mod tensorboard;

use std::collections::BTreeMap;
use std::path::Path;

use llmp_data::tokens::TokenShard;
use llmp_nn::{Balance, Extras, Grads, MicroBatch, Model, Noise, SaveOptions, optim};
use llmp_stdlib::Event;
use serde::{Deserialize, Serialize};

use crate::course::Course;
use crate::durable;
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;
use crate::optimizers::{self, Memory};
use crate::schedules::Schedule;
use crate::settings::Clip;
use crate::stage::Stage;

use average::Average;
use checkpoint::Checkpoints;
pub use examples::{Example, ExampleSource, Examples, Layout, Placed, Row, Sequence, micro_batch};
pub use feed::Batch;
use feed::Feed;
use gate::Gate;
pub use looks::HeldOut;
use looks::Looks;
use metrics::{Line, Metrics};
pub use objective::{Micro, NextToken, Objective, Sums};
use overlay::Over;
pub use overlay::Overlay;
use pace::Pace;
use speed::Speed;
use spike::Watch;

/// What a stage reads.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// Token shards in the order of [`Stage::sources`]; none where it reads examples.
    pub shards: Vec<TokenShard>,
    /// Examples in the place of token shards.
    pub examples: Option<Examples>,
    /// The `tokenizer.json` that made them.
    pub tokenizer: &'a Path,
    /// The model folder to go on from, where the stage has [`Stage::from`].
    pub from: Option<&'a Path>,
    /// Documents that it is measured on meanwhile, in the order of [`Stage::measure`].
    pub held_out: Vec<HeldOut>,
}

/// What a finished stage says about itself: the content of `stage.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Optimizer steps.
    pub steps: u64,
    /// Tokens consumed.
    pub tokens: u64,
    /// Mean loss of the last batch, in nats a token.
    pub loss: f64,
    /// Tokens drawn from each source.
    pub drawn: Vec<u64>,
    /// Passes over each source.
    pub epochs: Vec<f64>,
    /// FLOPs of forward and backward by the formula of [`llmp_nn::Architecture::flops_per_token`].
    pub flops: f64,
}

/// A stage between two steps.
pub(crate) struct State {
    pub(crate) model: Model,
    /// What the optimizer keeps.
    pub(crate) memory: Memory,
    /// Losses against which a jump is seen.
    pub(crate) watch: Watch,
    pub(crate) feed: Feed,
    pub(crate) metrics: Metrics,
    /// Steps done.
    pub(crate) done: u64,
    /// Mean loss of the last batch.
    pub(crate) loss: f64,
    /// The weights that the stage gives, where they are not the last.
    pub(crate) average: Option<Average>,
    /// How often each part of the stage went on for as long again.
    pub(crate) extended: Vec<u64>,
    /// Steps whose states are kept to go back to.
    pub(crate) anchors: Vec<u64>,
    /// What lies over the weights while the loss is computed.
    pub(crate) over: Option<Over>,
    /// What the objective keeps, as it was at the last checkpoint.
    pub(crate) objective: BTreeMap<String, Vec<f32>>,
}

/// The course of a stage and its rates.
pub(crate) struct Plan {
    /// The course as the program says.
    pub(crate) base: Course,
    /// The same with the parts that go on for longer.
    pub(crate) course: Course,
    /// The schedule with all its lengths in steps.
    pub(crate) schedule: Schedule,
    pub(crate) warmup: u64,
    pub(crate) over: u64,
}

/// Runs a stage in `folder` to its end, going on from its newest checkpoint if there is one.
///
/// Equal arguments and inputs give equal bytes on one thread or many, after any number of interruptions. The stop
/// flag of the host saves a checkpoint and gives [`TrainError::Stopped`].
pub fn train(stage: &Stage, inputs: Inputs<'_>, folder: &Path, host: &Host<'_>) -> Result<Summary> {
    train_for(stage, &mut NextToken, inputs, folder, host)
}

/// [`train`] with another objective than the next token's loss.
pub fn train_for(
    stage: &Stage,
    objective: &mut dyn Objective,
    inputs: Inputs<'_>,
    folder: &Path,
    host: &Host<'_>,
) -> Result<Summary> {
    train_under(stage, objective, None, inputs, folder, host)
}

/// [`train_for`] with an overlay over the weights.
pub fn train_under(
    stage: &Stage,
    objective: &mut dyn Objective,
    overlay: Option<Box<dyn Overlay>>,
    mut inputs: Inputs<'_>,
    folder: &Path,
    host: &Host<'_>,
) -> Result<Summary> {
    let checkpoints = Checkpoints::new(folder, stage.keep);
    if let Some(summary) = finished(folder)? {
        checkpoints.remove()?;
        return Ok(summary);
    }
    let vocabulary = Vocabulary::load(inputs.tokenizer)?;
    let gate = Gate::new(stage, &inputs.shards, &vocabulary)?;
    let looks = (stage.evaluate.as_ref(), stage.sample.as_ref());
    let held_out = inputs.examples.as_mut().map(|it| std::mem::take(&mut it.held_out)).unwrap_or_default();
    let held_out = held_out.into_iter().map(|(name, all)| (name, examples::one_by_one(&all))).collect();
    let mut looks =
        Looks::new(looks, std::mem::take(&mut inputs.held_out), &vocabulary, host.clock).on(held_out);
    let (mut state, mut plan) =
        start::start(stage, overlay, inputs, &vocabulary, folder, &checkpoints, host)?;
    let other = |reason| TrainError::Checkpoint { path: folder.to_path_buf(), reason };
    if state.done > 0 {
        objective.restore(std::mem::take(&mut state.objective)).map_err(other)?;
    }
    let mut grads = Grads::zeros(state.model.spec());
    let mut speed = Speed::new(host.peak, stage.precision);
    let mut pace = Pace::new(stage.checkpoints.distance(), &plan.course, state.done, (host.clock)());

    loop {
        let over = state.done == plan.course.steps();
        let whole = objective.whole(state.done);
        let stop = whole && host.stopped();
        // A look may take long: a stop during it loses no more than its step.
        let look = looks.due(&plan.course, state.done + 1, host.clock);
        let gate = gate.as_ref().filter(|_| plan.part_that_ends(&state.extended, state.done + 1).is_some());
        let ahead = rewind::keeps(stage, &mut state.anchors, state.done) || look.any() || gate.is_some();
        if whole && (over || stop || ahead || pace.due(state.done, (host.clock)())) {
            state.objective = objective.buffers();
            checkpoints.save(&mut state, host)?;
            pace.saved(state.done, (host.clock)());
        }
        if over {
            break;
        }
        if stop {
            return Err(TrainError::Stopped);
        }
        let begin = (host.clock)();
        let mut line = step(stage, &plan, objective, &mut state, &mut grads, host)?;
        let tokens = line.tokens - state.feed.tokens_after(&plan.course, state.done - 1);
        let flops = plan.course.flops_at(line.step - 1, tokens, state.model.spec());
        let (tokens_per_second, mfu) = speed.step(tokens, flops, (host.clock)() - begin);
        let context = plan.course.batch_at(state.done - 1).map_or(1, |(leg, _)| leg.context);
        rewind::back(stage, &mut state, &checkpoints, &mut line, host)?;
        let laid =
            state.over.as_ref().filter(|_| look.any()).map(|over| over.finish(&state.model)).transpose()?;
        looks.take(look, laid.as_ref().unwrap_or(&state.model), context, &mut line, host)?;
        if let Some(gate) = gate {
            gate.test(&mut state, &mut plan, &mut line, host)?;
        }
        state.metrics.write(&line)?;
        host.tell(Event::Loss {
            step: host.step.to_owned(),
            at: line.step,
            tokens: line.tokens,
            loss: line.loss,
            rate: line.lr,
            gradient_norm: line.norm,
            tokens_per_second,
            mfu,
        });
        looks::tell(&line, host);
    }
    speed.event(host.step).into_iter().for_each(|event| host.tell(event));
    publish(&mut state, &plan, &vocabulary, folder, &checkpoints, host)
}

/// One optimizer step: micro-steps, check, clip, update.
fn step(
    stage: &Stage,
    plan: &Plan,
    objective: &mut dyn Objective,
    state: &mut State,
    grads: &mut Grads,
    host: &Host<'_>,
) -> Result<Line> {
    let batch = state.feed.next(stage, &plan.course, state.done, host.step)?;
    let through = state.done as f64 / (plan.course.steps().max(2) - 1) as f64;
    if let Some(over) = &mut state.over {
        over.lay(through, &mut state.model)?;
    }
    let batch = objective.prepare(&state.model, batch, state.done)?;

    // The loss is the mean over the targets of the whole batch, however it is cut.
    let counted = objective.counted(&batch);
    if counted <= 0.0 {
        let message =
            format!("step {}: every token of the batch is masked, there is nothing to learn", state.done + 1);
        return Err(TrainError::Settings(message));
    }
    grads.clear();
    let balance = balance(&state.model, &batch.micros)?;
    let (mut sum, mut squares) = (0.0, 0.0);
    for (micro, placed, row) in batch.parts() {
        let noise = Noise { seed: stage.stream("dropout"), step: state.done, row };
        let extras = Extras { noise: Some(noise), balance: balance.as_ref(), z_loss: stage.z_loss as f32 };
        let micro = Micro { batch: micro, placed, counted, extras, gpu: host.gpu };
        let sums = objective.loss_and_grads(&state.model, &micro, grads)?;
        sum += sums.loss;
        squares += sums.z;
    }
    let loss = sum / counted;
    optimizers::hold(&stage.optimizer, state.model.spec(), grads);

    let norm = optim::global_norm(grads.flat());
    check_finite(state, grads, loss, norm, host)?;
    let norm = match &mut state.over {
        None => norm,
        Some(over) => {
            let own = over.lift(through, &mut state.model, grads)?;
            // Each by its own norm: a mask's gradients grow as it hardens.
            clip(stage.clip, own, over.gradient());
            if over.trains_weights() { optim::global_norm(grads.flat()) } else { own }
        }
    };
    clip(stage.clip, norm, grads.flat_mut());

    let scheduled = plan.scheduled(&state.extended, state.done);
    let lr = plan.schedule.rate(stage.schedule_done + scheduled, plan.warmup, plan.over);
    let spike = state.watch.leaves_out(stage.on_spike.as_ref(), loss, host.step, state.done + 1)?;
    if spike.is_none() && !stage.optimizer.rule().leaves_out(norm) {
        let pace = optimizers::Pace { rate: lr, schedule: lr / plan.schedule.shape().ramp().peak };
        if state.over.as_ref().is_none_or(Over::trains_weights) {
            optimizers::update(&stage.optimizer, pace, &mut state.model, grads, &mut state.memory)?;
        } else {
            state.memory.updates += 1;
        }
        if let Some(over) = &mut state.over {
            over.update(&stage.optimizer, pace)?;
        }
    }
    state.done += 1;
    state.loss = loss;
    let tokens = state.feed.tokens_after(&plan.course, state.done);
    if let Some(average) = &mut state.average {
        average.take(&state.model, &plan.course, state.done);
    }
    let (teacher, truth) = objective.parts().unzip();
    let z_loss = (stage.z_loss != 0.0).then(|| stage.z_loss * squares / counted);
    let line = Line { step: state.done, tokens, loss, lr, norm, ..Line::default() };
    let objective = objective.told().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Line { z_loss, teacher, truth, objective, spike, ..line })
}

/// Keeps gradients of this norm short.
fn clip(how: Option<Clip>, norm: f64, gradients: &mut [f32]) {
    match how {
        Some(Clip::Norm(most)) if norm + 1e-6 > most => {
            optim::scale(gradients, (most / (norm + 1e-6)) as f32);
        }
        Some(Clip::Value(most)) => optim::limit(gradients, most as f32),
        Some(Clip::Norm(_)) | None => {}
    }
}

/// The loss that balances experts knows how the whole batch is routed, so the batch goes through the model twice: first
/// without gradients. Dropout takes no part in the first pass.
fn balance(model: &Model, micro_batches: &[MicroBatch]) -> Result<Option<Balance>> {
    if model.spec().experts.is_none_or(|e| e.balance == 0.0) {
        return Ok(None);
    }
    let (mut hits, mut positions) = (Vec::new(), 0);
    for micro in micro_batches {
        let these = model.hits(micro)?;
        hits.resize(these.len(), 0);
        hits.iter_mut().zip(these).for_each(|(all, these)| *all += these);
        positions += micro.positions() as u64;
    }
    Ok(Balance::new(model.spec(), &hits, positions))
}

/// A NaN or an infinity stops the stage before the weights take it up.
fn check_finite(state: &State, grads: &Grads, loss: f64, norm: f64, host: &Host<'_>) -> Result<()> {
    if loss.is_finite() && norm.is_finite() {
        return Ok(());
    }
    let (what, value) = if loss.is_finite() { ("the gradient norm", norm) } else { ("the loss", loss) };
    let infos = state.model.spec().params();
    let bad = |values: &[f32]| values.iter().any(|x| !x.is_finite());
    let weights =
        state.model.params().iter().position(|p| bad(p)).map(|i| format!("the weights `{}`", infos[i].name));
    let tensor = weights
        .or_else(|| grads.first_not_finite().map(|i| format!("the gradient of `{}`", infos[i].name)))
        .unwrap_or_else(|| "the logits".to_owned());
    Err(TrainError::NotFinite { stage: host.step.to_owned(), step: state.done + 1, what, value, tensor })
}

const SUMMARY: &str = "stage.json";

/// The summary of a folder whose stage is finished.
fn finished(folder: &Path) -> Result<Option<Summary>> {
    let path = folder.join(SUMMARY);
    match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(TrainError::io("read", &path)(e)),
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| TrainError::Checkpoint { path, reason: format!("not the summary of a stage: {e}") }),
    }
}

/// Writes the result; the checkpoints go only when all of it is durable.
fn publish(
    state: &mut State,
    plan: &Plan,
    vocabulary: &Vocabulary,
    folder: &Path,
    checkpoints: &Checkpoints,
    host: &Host<'_>,
) -> Result<Summary> {
    let temporary = folder.join(".result");
    durable::remove_folder(&temporary)?;
    let options = SaveOptions { extra: vocabulary.config(), ..SaveOptions::default() };
    host.at("train: before result");
    let averaged = state.average.as_ref().map(|average| average.model(&state.model)).transpose()?;
    let weights = averaged.as_ref().unwrap_or(&state.model);
    match &state.over {
        Some(over) => over.save(weights, &temporary, &options)?,
        None => weights.save(&temporary, &options)?,
    }
    state.over.as_ref().map_or(Ok(()), |over| over.leave(folder))?;
    for name in ["model.safetensors", "config.json"] {
        durable::sync_file(&temporary.join(name))?;
        durable::rename(&temporary.join(name), &folder.join(name), host)?;
    }
    durable::remove_folder(&temporary)?;
    let tokens = state.feed.tokens_after(&plan.course, state.done);
    let (drawn, epochs) = state.feed.drawn();
    // What fills rows of examples up is not computed.
    let flops = plan.course.flops(state.model.spec()) * (tokens as f64 / plan.course.drawn().max(1) as f64);
    let summary = Summary { steps: state.done, tokens, loss: state.loss, drawn, epochs, flops };
    let text = serde_json::to_string_pretty(&summary).map_err(|e| TrainError::Settings(e.to_string()))?;
    durable::write(&folder.join(SUMMARY), format!("{text}\n").as_bytes(), host)?;
    checkpoints.remove()?;
    host.at("train: after result");
    Ok(summary)
}
