//! The objective of a stage `prefer`: a loss over the log-probabilities of both answers of a pair, or of single labelled answers.

use std::collections::BTreeMap;

use llmp_nn::{Extras, Grads, IGNORE, MicroBatch, Model};

use super::{Asked, Reference};
use crate::error::{Result, TrainError};
use crate::kinds::prefer::{Kto, PreferLoss};
use crate::losses::{Labelled, Pair, PairLoss, Side, Slopes, Whole, kto, pair_loss, reference_point};
use crate::training::{Batch, Micro, Objective, Placed, Row, Sequence, Sums, micro_batch};

/// Learning from preferences.
#[derive(Debug)]
pub struct Prefer {
    rule: Rule,
    reference: Reference,
    online: Option<Asked>,
    whole: Whole,
    told: Told,
}

/// What is learnt.
#[derive(Debug)]
enum Rule {
    /// Of pairs.
    Pairs(Box<dyn PairLoss>),
    /// Of single answers: the settings, whether each example is wanted, the examples, and the reference point of the step.
    Single { settings: Kto, wanted: Vec<bool>, answers: Vec<Sequence>, point: f64 },
}

/// Sums over the answers of a batch.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    chosen: Sum,
    rejected: Sum,
    /// Pairs whose chosen answer gained more.
    right: f64,
    margin: f64,
    pairs: f64,
    /// Sum of the estimates of the divergence from the reference, over tokens.
    divergence: f64,
    tokens: f64,
    point: f64,
    /// Mean rewards of the best and the worst answers, of online pairs.
    rewards: Option<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: f64,
    logp: f64,
    gain: f64,
}

impl Sum {
    fn take(&mut self, side: &Side) {
        self.count += 1.0;
        self.logp += side.logp;
        self.gain += side.logp - side.reference;
    }
}

impl Prefer {
    /// Learning by pairs, of the data or sampled. Errors: a loss that is none over pairs.
    pub fn pairs(loss: &PreferLoss, reference: Reference, online: Option<Asked>) -> Result<Prefer> {
        let pairs = pair_loss(loss).map_err(TrainError::Settings)?;
        let pairs =
            pairs.ok_or_else(|| TrainError::Settings(format!("`{}` learns from no pairs", loss.name())))?;
        Ok(Prefer::new(Rule::Pairs(pairs), reference, online))
    }

    /// Learning by single answers: whether each is wanted, and the examples in the order of their numbers.
    pub fn labelled(
        settings: Kto,
        wanted: Vec<bool>,
        answers: Vec<Sequence>,
        reference: Reference,
    ) -> Prefer {
        Prefer::new(Rule::Single { settings, wanted, answers, point: 0.0 }, reference, None)
    }

    fn new(rule: Rule, reference: Reference, online: Option<Asked>) -> Prefer {
        let whole = Whole { pairs: 0.0, chosen_tokens: 0.0 };
        Prefer { rule, reference, online, whole, told: Told::default() }
    }

    /// The slopes of the loss of a micro-batch by every log-probability, and the loss.
    fn weigh(
        &mut self,
        batch: &MicroBatch,
        placed: &[Placed],
        logps: &[f32],
        reference: Option<&[f32]>,
        counted: f64,
    ) -> (f64, Vec<f32>) {
        let sides: Vec<Side> = placed.iter().map(|one| side(batch, one, logps, reference)).collect();
        let mut by_side = vec![0.0; placed.len()];
        let mut loss = 0.0;
        match &self.rule {
            Rule::Pairs(rule) => {
                for (chosen, rejected) in pairs_of(placed) {
                    let pair = Pair { chosen: sides[chosen], rejected: sides[rejected] };
                    let slopes: Slopes = rule.of(&pair, &self.whole);
                    loss += slopes.loss;
                    (by_side[chosen], by_side[rejected]) = (slopes.chosen, slopes.rejected);
                    self.told.pair(&pair);
                }
            }
            Rule::Single { settings, wanted, point, .. } => {
                for (at, one) in placed.iter().enumerate() {
                    let labelled = Labelled { answer: sides[at], wanted: wanted[one.example] };
                    let (here, slope) = kto(settings, &labelled, *point);
                    loss += here;
                    by_side[at] = slope;
                    let sum = if labelled.wanted { &mut self.told.chosen } else { &mut self.told.rejected };
                    sum.take(&sides[at]);
                }
            }
        }
        let mut slopes = vec![0.0; logps.len()];
        for (one, slope) in placed.iter().zip(by_side) {
            slopes[one.positions(batch)].fill((slope / counted) as f32);
        }
        self.told.divergence(&batch.targets, logps, reference);
        (loss, slopes)
    }

    /// The reference point of KTO: the gain of answers that are put to the prompt of the next example of the batch.
    fn point(&self, model: &Model, batch: &Batch, answers: &[Sequence]) -> Result<f64> {
        let numbers: Vec<usize> = batch.placed.iter().flatten().map(|one| one.example).collect();
        let mixed: Vec<Sequence> = numbers
            .iter()
            .zip(numbers.iter().cycle().skip(1))
            .map(|(a, b)| mismatched(&answers[*a], &answers[*b], model.spec().context))
            .collect();
        let together = batch.micros.iter().map(|m| m.rows).max().unwrap_or(1).max(1);
        let mut sides = Vec::with_capacity(mixed.len());
        for group in mixed.chunks(together) {
            let rows: Vec<Row<'_>> = group.iter().map(|s| vec![(0, 0, s)]).collect();
            let (batch, placed) = micro_batch(&rows);
            let (policy, reference) = (model.log_probs(&batch)?, self.reference.log_probs(&batch, &placed)?);
            sides.extend(placed.iter().map(|one| side(&batch, one, &policy, reference.as_deref())));
        }
        Ok(reference_point(&sides))
    }
}

/// The answer of one example behind the prompt of another.
fn mismatched(prompt: &Sequence, answer: &Sequence, context: usize) -> Sequence {
    let begin = |s: &Sequence| s.counted.first().map_or(s.ids.len(), |range| range.start);
    let (kept, from) = (begin(prompt), begin(answer));
    let mut ids = [&prompt.ids[..kept], &answer.ids[from..]].concat();
    ids.truncate(context + 1);
    let moved = |range: &std::ops::Range<usize>| range.start - from + kept..range.end - from + kept;
    Sequence { ids, counted: answer.counted.iter().map(moved).collect() }
}

fn side(batch: &MicroBatch, one: &Placed, logps: &[f32], reference: Option<&[f32]>) -> Side {
    let range = one.positions(batch);
    let sum = |all: &[f32]| all[range.clone()].iter().map(|p| f64::from(*p)).sum::<f64>();
    let tokens = batch.targets[range.clone()].iter().filter(|t| **t != IGNORE).count() as f64;
    Side { logp: sum(logps), reference: reference.map_or(0.0, sum), tokens }
}

/// Places of the two sequences of every pair: they stand side by side.
fn pairs_of(placed: &[Placed]) -> impl Iterator<Item = (usize, usize)> + '_ {
    placed.chunks_exact(2).enumerate().map(|(pair, _)| (2 * pair, 2 * pair + 1))
}

impl Told {
    fn pair(&mut self, pair: &Pair) {
        self.chosen.take(&pair.chosen);
        self.rejected.take(&pair.rejected);
        let gain = |side: &Side| side.logp - side.reference;
        let margin = gain(&pair.chosen) - gain(&pair.rejected);
        self.margin += margin;
        self.right += f64::from(u8::from(margin > 0.0));
        self.pairs += 1.0;
    }

    fn divergence(&mut self, targets: &[u32], logps: &[f32], reference: Option<&[f32]>) {
        let Some(reference) = reference else { return };
        for ((now, then), _) in logps.iter().zip(reference).zip(targets).filter(|(_, t)| **t != IGNORE) {
            let u = f64::from(*then) - f64::from(*now);
            self.divergence += u.exp() - u - 1.0;
            self.tokens += 1.0;
        }
    }

    fn metrics(&self, compared: bool) -> BTreeMap<&'static str, f64> {
        let mut all = BTreeMap::new();
        let mut mean = |name, sum: f64, count: f64| {
            if count > 0.0 {
                all.insert(name, sum / count);
            }
        };
        mean("chosen", self.chosen.logp, self.chosen.count);
        mean("rejected", self.rejected.logp, self.rejected.count);
        mean("accuracy", self.right, self.pairs);
        mean("margin", self.margin, self.pairs);
        if compared {
            mean("chosen_gain", self.chosen.gain, self.chosen.count);
            mean("rejected_gain", self.rejected.gain, self.rejected.count);
            mean("kl", self.divergence, self.tokens);
        }
        if self.pairs == 0.0 {
            mean("reference_point", self.point, 1.0);
        }
        if let Some((best, worst)) = self.rewards {
            mean("reward_best", best, 1.0);
            mean("reward_worst", worst, 1.0);
        }
        all
    }
}

impl Objective for Prefer {
    fn prepare(&mut self, model: &Model, batch: Batch, step: u64) -> Result<Batch> {
        self.told = Told::default();
        let batch = match &self.online {
            None => batch,
            Some(asked) => {
                let (batch, rewards) = asked.answer(model, &batch, step)?;
                self.told.rewards = Some(rewards);
                batch
            }
        };
        let chosen = |micro: &MicroBatch, one: &Placed| {
            micro.targets[one.positions(micro)].iter().filter(|t| **t != IGNORE).count() as f64
        };
        let all = || batch.micros.iter().zip(&batch.placed);
        let sum = |(micro, placed): (&MicroBatch, &Vec<Placed>)| {
            placed.iter().filter(|one| one.part == 0).map(|one| chosen(micro, one)).sum::<f64>()
        };
        self.whole = Whole { pairs: self.counted(&batch), chosen_tokens: all().map(sum).sum() };
        if let Rule::Single { answers, .. } = &self.rule {
            let found = self.point(model, &batch, answers)?;
            self.told.point = found;
            if let Rule::Single { point, .. } = &mut self.rule {
                *point = found;
            }
        }
        Ok(batch)
    }

    fn counted(&self, batch: &Batch) -> f64 {
        if batch.targets() == 0 {
            return 0.0;
        }
        batch.placed.iter().flatten().filter(|one| one.part == 0).count() as f64
    }

    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<Sums> {
        if micro.gpu.is_some() {
            let words = "this version learns from preferences on the processor only";
            return Err(TrainError::Settings(words.to_owned()));
        }
        let (batch, placed, counted) = (micro.batch, micro.placed, micro.counted);
        let reference = self.reference.log_probs(batch, placed)?;
        let mut loss = 0.0;
        let mut weigh = |logps: &[f32]| {
            let (sum, slopes) = self.weigh(batch, placed, logps, reference.as_deref(), counted);
            loss = sum;
            Ok(slopes)
        };
        let extras = Extras { z_loss: 0.0, ..micro.extras };
        model.weigh_and_grads(batch, extras, &mut weigh, grads)?;
        Ok(Sums { loss, z: 0.0 })
    }

    fn told(&mut self) -> BTreeMap<&'static str, f64> {
        self.told.metrics(!matches!(self.reference, Reference::Nothing))
    }
}
