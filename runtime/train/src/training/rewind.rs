//! Back to earlier weights when the loss jumps.
//!
//! Every so many steps the state is kept as a checkpoint that stays as long as a jump may lead back to it. Weights, optimizer
//! and their average go back; steps, tokens, rate and data go on, so that a stage has its length whatever happens, and
//! what led to the jump is not read again. States between the two places are forgotten: a later jump never leads to them.

use llmp_stdlib::Event;

use super::checkpoint::Checkpoints;
use super::metrics::Line;
use super::{State, start};
use crate::error::Result;
use crate::host::Host;
use crate::settings::{OnSpike, SpikeRemedy};
use crate::stage::Stage;

/// Steps to go back, where the stage asks for that.
fn distance(stage: &Stage) -> Option<u64> {
    match &stage.on_spike {
        Some(OnSpike::Remedy(SpikeRemedy::Rewind(rewind))) => Some(rewind.steps.0.max(1)),
        Some(OnSpike::Policy(_)) | None => None,
    }
}

/// Whether the state after `done` steps is to be kept. `anchors` are the steps of those that are kept, oldest first: the
/// newest that lies far enough back, and all after it.
pub(super) fn keeps(stage: &Stage, anchors: &mut Vec<u64>, done: u64) -> bool {
    let Some(distance) = distance(stage) else { return false };
    if !done.is_multiple_of(distance) || anchors.last() == Some(&done) {
        return false;
    }
    anchors.push(done);
    let far = anchors.iter().rposition(|anchor| anchor + distance <= done).unwrap_or(0);
    anchors.drain(..far);
    true
}

/// Goes back where the step of `line` jumped and the stage says so.
pub(super) fn back(
    stage: &Stage,
    state: &mut State,
    checkpoints: &Checkpoints,
    line: &mut Line,
    host: &Host<'_>,
) -> Result<()> {
    let (Some(distance), Some(most)) = (distance(stage), line.spike) else { return Ok(()) };
    let far = |anchor: &&u64| **anchor + distance <= line.step;
    let Some(target) = state.anchors.iter().rfind(far).or(state.anchors.first()).copied() else {
        return Ok(());
    };
    let mut loaded = checkpoints.at(target, host)?;
    let spec = state.model.spec().clone();
    state.model = start::model_of(stage, spec, &loaded)?;
    start::take_back(&mut loaded, &mut state.memory, state.average.as_mut(), state.over.as_mut())?;
    state.anchors.retain(|anchor| *anchor <= target);
    line.rewound = Some(target);
    let message = format!(
        "the loss jumped to {:.3} at step {}, above {most:.3}: back to the weights of step {target}, past the data since",
        line.loss, line.step
    );
    host.tell(Event::HeldUp { step: host.step.to_owned(), message });
    Ok(())
}
