//! How often the chosen answer of a pair is preferred: by reward, or by log-probability.

use std::path::Path;

use llmp_data::templates::{Known, Template};
use llmp_nn::weights::is_reward;
use llmp_nn::{IGNORE, Model};
use llmp_stdlib::Event;

use crate::chat::template_of;
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;
use crate::kinds::reward_model::{BradleyTerry, Margin, MarginRule, RewardLoss};
use crate::preference::{self, Form};
use crate::reward::{self, Judged, RewardModel};
use crate::training::{Example, Row, Sequence, micro_batch};

/// What a reward model or a policy prefers, the latter by what it gained over a reference if there is one. A model without a
/// template reads plain turns.
pub(super) fn accuracy(
    (model, reference): (&Path, Option<&Path>),
    tokenizer: &Path,
    pairs: &Path,
    host: &Host<'_>,
) -> Result<Judged> {
    let vocabulary = Vocabulary::load(tokenizer)?;
    let plain = || Template::Known(Known::Plain).jinja();
    let template = template_of(model, tokenizer)?.unwrap_or_else(plain);
    let template = Some(template.as_str());
    let judged = if is_reward(model) {
        if reference.is_some() {
            let words = "a reward model is not compared with a reference: leave `reference` out";
            return Err(TrainError::Settings(words.to_owned()));
        }
        let judge = RewardModel::load(model)?;
        let margin = Margin::Rule(MarginRule::Off);
        let loss = RewardLoss::BradleyTerry(BradleyTerry { margin, edited: false });
        let reader =
            reward::Reader { vocabulary: &vocabulary, template, loss: &loss, context: judge.context() };
        reward::judge(&judge, &reader.read(pairs, host)?.examples)?
    } else {
        let model = Model::load(model)?;
        let context = model.spec().context;
        let reader = preference::Reader {
            vocabulary: &vocabulary,
            template,
            loss_off: &[],
            context,
            form: Form::Pairs,
        };
        let reference = reference.map(Model::load).transpose()?;
        by_policy((&model, reference.as_ref()), &reader.read(pairs, host)?.examples, host)?
    };
    if judged.pairs == 0 {
        return Err(TrainError::Settings("no pair fits into the context of the model".to_owned()));
    }
    Ok(judged)
}

/// Preferences by the log-probability of the whole answer, less that of the reference.
fn by_policy(
    (model, reference): (&Model, Option<&Model>),
    pairs: &[Example],
    host: &Host<'_>,
) -> Result<Judged> {
    let mut preferred = Vec::with_capacity(pairs.len());
    for (done, pair) in (1u64..).zip(pairs) {
        if host.stopped() {
            return Err(TrainError::Stopped);
        }
        let said = log_probs(model, pair)?;
        let before = reference.map_or_else(|| Ok(vec![0.0; said.len()]), |model| log_probs(model, pair))?;
        preferred.push(((said[0] - before[0]) as f32, (said[1] - before[1]) as f32));
        host.tell(Event::Progress { step: host.step.to_owned(), done });
    }
    Ok(Judged::of(&preferred))
}

/// The log-probability of what counts in each sequence.
pub(super) fn log_probs(model: &Model, sequences: &[Sequence]) -> Result<Vec<f64>> {
    let rows: Vec<Row<'_>> =
        sequences.iter().enumerate().map(|(part, sequence)| vec![(0, part, sequence)]).collect();
    let (batch, _) = micro_batch(&rows);
    let said = model.log_probs(&batch)?;
    let length = batch.length.max(1);
    let row = |(said, targets): (&[f32], &[u32])| {
        let counted = said.iter().zip(targets).filter(|(_, target)| **target != IGNORE);
        counted.map(|(said, _)| f64::from(*said)).sum()
    };
    Ok(said.chunks(length).zip(batch.targets.chunks(length)).map(row).collect())
}
