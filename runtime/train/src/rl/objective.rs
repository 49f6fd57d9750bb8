//! The objective of a stage `rl`: samples at the beginning of a round, learns in every step.

use std::collections::BTreeMap;
use std::path::Path;

use llmp_nn::{Grads, Model};

use super::anchor::{AVERAGE, Anchors};
use super::prompts::Asked;
use super::reward::{Opened, Said, anchors};
use super::round::{self, Play, Round};
use super::{Learning, To};
use crate::chat::Chat;
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::generate::Sampling;
use crate::kinds::rl::{Advantage, Clipped, Mean, Update};
use crate::losses::advantage::{self, Baseline};
use crate::losses::policy::{Aggregate, Answers, Sampled, k3};
use crate::sample::{Answer, Stops, answers, seed};
use crate::training::{Batch, Micro, Objective, Sums};

/// How often a group whose answers all have one reward is sampled again.
const AGAIN: u64 = 3;

/// What a checkpoint calls the running mean of rewards.
const BASELINE: &str = "baseline";

/// Learning from rewards of its own answers.
#[derive(Debug)]
pub struct Rl {
    settings: Learning,
    prompts: Vec<Asked>,
    parts: Vec<Opened>,
    anchors: Anchors,
    chat: Chat,
    vocabulary: Vocabulary,
    stream: u64,
    baseline: Baseline,
    round: Option<Round>,
    /// What the last round was like.
    told: BTreeMap<&'static str, f64>,
    /// The step is the first of a round.
    begins: bool,
}

impl Rl {
    /// The objective of a stage that goes on from the folder `from`; `stream` names its random streams, `folder` gives the folder of
    /// an input.
    ///
    /// Errors: a model that the policy is held to cannot be read.
    pub fn new<'a>(
        settings: Learning,
        (prompts, parts): (Vec<Asked>, Vec<Opened>),
        (chat, vocabulary): (Chat, Vocabulary),
        stream: u64,
        from: &Path,
        folder: &dyn Fn(usize) -> &'a Path,
    ) -> Result<Rl> {
        let in_reward = parts.iter().filter_map(|part| match part {
            Opened::Kl(_, to) => Some(*to),
            _ => None,
        });
        let in_loss = penalty(&settings.update).map(|_| To::From);
        let anchors = anchors(in_reward.chain(in_loss), from, folder)?;
        let baseline = Baseline::default();
        let (told, begins) = (BTreeMap::new(), false);
        Ok(Rl {
            settings,
            prompts,
            parts,
            anchors,
            chat,
            vocabulary,
            stream,
            baseline,
            round: None,
            told,
            begins,
        })
    }

    /// What the last round was like, by the name of a metric.
    pub fn last(&self) -> &BTreeMap<&'static str, f64> {
        &self.told
    }

    /// The answers to the prompts of a round and their rewards without those of log-ratios, prompt by prompt.
    fn play(&self, model: &Model, numbers: &[usize], number: u64) -> Result<Vec<Group>> {
        let mut groups: Vec<Group> = Vec::new();
        let mut open: Vec<usize> = (0..numbers.len()).collect();
        for attempt in 0.. {
            let prompts: Vec<Vec<u32>> =
                open.iter().map(|at| self.prompts[numbers[*at]].ids.clone()).collect();
            let seeds: Vec<u64> =
                open.iter().map(|at| seed([self.stream, number, *at as u64, attempt])).collect();
            let (sampling, stops) = (self.sampling(), Stops::at(self.chat.stops()));
            let said = answers(model, &prompts, self.settings.samples(), &sampling, stops, &seeds)?;
            let mut equal = Vec::new();
            for (at, answers) in open.into_iter().zip(said) {
                let group = self.rewarded(numbers[at], answers)?;
                if group.rewards.windows(2).all(|pair| pair[0] == pair[1]) {
                    equal.push(at);
                }
                if at < groups.len() { groups[at] = group } else { groups.push(group) }
            }
            open = equal;
            if open.is_empty() || attempt == AGAIN || !self.resamples() {
                break;
            }
        }
        Ok(groups)
    }

    fn resamples(&self) -> bool {
        matches!(&self.settings.advantage, Advantage::Group(group) if group.resample)
    }

    fn sampling(&self) -> Sampling {
        let (max_tokens, temperature) = (self.settings.max_tokens, self.settings.temperature);
        Sampling { max_tokens, temperature, top_k: None, top_p: None, ..Sampling::default() }
    }

    fn rewarded(&self, prompt: usize, answers: Vec<Answer>) -> Result<Group> {
        let stops = Stops::at(self.chat.stops());
        let texts =
            answers.iter().map(|a| stops.text(&self.vocabulary, a)).collect::<Result<Vec<String>>>()?;
        let said: Vec<Said<'_>> = texts
            .iter()
            .zip(&answers)
            .map(|(text, answer)| Said { text, tokens: answer.ids.len(), ended: answer.ended })
            .collect();
        let mut rewards = vec![0.0; said.len()];
        for part in &self.parts {
            let these = part.rewards(&self.prompts[prompt], &said, self.settings.max_tokens)?;
            rewards.iter_mut().zip(these).for_each(|(sum, reward)| *sum += reward);
        }
        Ok(Group { prompt, answers, rewards })
    }

    /// A round of the policy as it is.
    fn round(&mut self, model: &Model, numbers: &[usize], number: u64) -> Result<Round> {
        let groups = self.play(model, numbers, number)?;
        let all = || groups.iter().flat_map(|group| group.answers.iter().map(move |answer| (group, answer)));
        let batch =
            round::rows(all().map(|(group, answer)| (self.prompts[group.prompt].ids.as_slice(), answer)));
        let count = all().count();
        let numbers_of = |numbers: Vec<Vec<f32>>| round::by_answer(&batch, &numbers, count);
        let own = batch.micros.iter().map(|micro| Ok(model.log_probs(micro)?)).collect::<Result<Vec<_>>>()?;
        let then = numbers_of(own);
        let mut rewards: Vec<f64> = groups.iter().flat_map(|group| group.rewards.clone()).collect();
        let mut far = None;
        for part in &self.parts {
            let Opened::Kl(weight, to) = part else { continue };
            let theirs = numbers_of(self.anchors.log_probs(*to, model, &batch.micros)?);
            let ratios: Vec<f64> = then.iter().zip(&theirs).map(|(own, theirs)| ratio(own, theirs)).collect();
            rewards.iter_mut().zip(&ratios).for_each(|(reward, ratio)| *reward += weight * ratio);
            far.get_or_insert(mean(&ratios));
        }
        let reference = match penalty(&self.settings.update) {
            Some(_) => numbers_of(self.anchors.log_probs(To::From, model, &batch.micros)?),
            None => vec![Vec::new(); count],
        };
        let advantages = self.advantages(&rewards);
        self.tell(&groups, &rewards, &then, far);
        let plays = then.into_iter().zip(reference).zip(advantages);
        let plays = plays.map(|((then, reference), advantage)| Play { then, reference, advantage }).collect();
        Ok(Round { batch, plays })
    }

    /// Advantages of all answers of a round, those of one prompt end to end.
    fn advantages(&mut self, rewards: &[f64]) -> Vec<f64> {
        let groups = rewards.chunks(self.settings.samples());
        match &self.settings.advantage {
            Advantage::LeaveOneOut(_) => groups.flat_map(advantage::leave_one_out).collect(),
            Advantage::Group(group) => {
                let scaled = group.scale == crate::kinds::rl::Scale::Std;
                groups.flat_map(|rewards| advantage::group(rewards, scaled)).collect()
            }
            Advantage::Baseline(it) => {
                let advantages = self.baseline.advantages(rewards, it.decay);
                // What a checkpoint holds of it: two floats.
                self.baseline.mean =
                    self.baseline.mean.map(|mean| parts_of(mean).iter().map(|x| f64::from(*x)).sum());
                advantages
            }
        }
    }

    fn tell(&mut self, groups: &[Group], rewards: &[f64], then: &[Vec<f32>], far: Option<f64>) {
        let answers = || groups.iter().flat_map(|group| &group.answers);
        let middle = mean(rewards);
        let spread = rewards.iter().map(|r| (r - middle).powi(2)).sum::<f64>() / rewards.len().max(1) as f64;
        let lengths: Vec<f64> = answers().map(|answer| answer.ids.len() as f64).collect();
        let ended: Vec<f64> = answers().map(|answer| f64::from(u8::from(answer.ended))).collect();
        let surprise: Vec<f64> = then.iter().flatten().map(|p| -f64::from(*p)).collect();
        self.told = [
            ("reward", middle),
            ("reward_std", spread.sqrt()),
            ("answer_tokens", mean(&lengths)),
            ("ended", mean(&ended)),
            ("entropy", mean(&surprise)),
        ]
        .into();
        self.told.extend(far.map(|far| ("kl", far)));
    }

    /// The loss of an answer; adds its slopes.
    fn loss(&self, play: &Play, now: &[f32], batch: Answers, slopes: &mut [f32]) -> f64 {
        let sampled = Sampled { now, then: &play.then, advantage: play.advantage };
        match &self.settings.update {
            Update::PolicyGradient(_) => sampled.policy_gradient(batch, slopes),
            Update::MirrorDescent(it) => sampled.mirror_descent(it.kl, batch, slopes),
            Update::Clipped(it) => {
                let aggregate = self.aggregate(it);
                let loss = sampled.clipped((it.low, it.high), aggregate, batch, slopes);
                let near = penalty(&self.settings.update)
                    .map(|weight| k3((now, &play.reference), weight, aggregate, batch, slopes));
                loss + near.unwrap_or(0.0)
            }
        }
    }

    fn aggregate(&self, clipped: &Clipped) -> Aggregate {
        match clipped.mean {
            Mean::Answer => Aggregate::Sequence,
            Mean::Token => Aggregate::Token,
            Mean::Longest => Aggregate::Longest(self.settings.max_tokens as f64),
        }
    }
}

/// A prompt with its answers and their rewards.
#[derive(Debug)]
struct Group {
    prompt: usize,
    answers: Vec<Answer>,
    rewards: Vec<f64>,
}

/// The weight of a penalty in the loss for leaving the model that a stage starts from.
fn penalty(update: &Update) -> Option<f64> {
    match update {
        Update::Clipped(it) => Some(it.kl).filter(|kl| *kl > 0.0),
        Update::MirrorDescent(_) | Update::PolicyGradient(_) => None,
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// The log-ratio of an answer: the sum over its tokens.
fn ratio(own: &[f32], theirs: &[f32]) -> f64 {
    own.iter().zip(theirs).map(|(own, theirs)| f64::from(*own) - f64::from(*theirs)).sum()
}

/// A number as two floats, whose sum it is to 48 bits.
fn parts_of(number: f64) -> [f32; 2] {
    let high = number as f32;
    [high, (number - f64::from(high)) as f32]
}

impl Objective for Rl {
    fn prepare(&mut self, model: &Model, batch: Batch, step: u64) -> Result<Batch> {
        self.anchors.follow(model);
        let inner = self.settings.inner_steps();
        if step.is_multiple_of(inner) {
            let numbers: Vec<usize> = batch.placed.iter().flatten().map(|one| one.example).collect();
            self.round = Some(self.round(model, &numbers, step / inner)?);
        }
        self.begins = step.is_multiple_of(inner);
        let none = || TrainError::Settings("a round goes on that was never begun".to_owned());
        Ok(self.round.as_ref().ok_or_else(none)?.batch.clone())
    }

    fn counted(&self, batch: &Batch) -> f64 {
        // The losses of answers are means over the round already.
        if batch.targets() == 0 { 0.0 } else { 1.0 }
    }

    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<Sums> {
        if micro.gpu.is_some() {
            return Err(TrainError::Settings(
                "this version learns from rewards on the processor only".to_owned(),
            ));
        }
        let Some(round) = &self.round else { return Ok(Sums::default()) };
        let batch = Answers { count: round.plays.len() as f64, tokens: round.batch.targets() as f64 };
        let mut loss = 0.0;
        let mut weigh = |now: &[f32]| {
            let mut slopes = vec![0.0; now.len()];
            for one in micro.placed {
                let place = round::answer(micro.batch, one);
                if let Some(play) = round.plays.get(one.example).filter(|play| play.then.len() == place.len())
                {
                    loss += self.loss(play, &now[place.clone()], batch, &mut slopes[place]);
                }
            }
            Ok(slopes)
        };
        let extras = llmp_nn::Extras { z_loss: 0.0, ..micro.extras };
        model.weigh_and_grads(micro.batch, extras, &mut weigh, grads)?;
        Ok(Sums { loss, z: 0.0 })
    }

    fn told(&mut self) -> BTreeMap<&'static str, f64> {
        // The later steps of a round have nothing of their own to tell.
        if self.begins { self.told.clone() } else { BTreeMap::new() }
    }

    fn whole(&self, done: u64) -> bool {
        done.is_multiple_of(self.settings.inner_steps())
    }

    fn buffers(&self) -> BTreeMap<String, Vec<f32>> {
        let average = self.anchors.average.iter().map(|average| (AVERAGE.to_owned(), average.clone()));
        let baseline = self.baseline.mean.map(|mean| (BASELINE.to_owned(), parts_of(mean).to_vec()));
        average.chain(baseline).collect()
    }

    fn restore(&mut self, mut saved: BTreeMap<String, Vec<f32>>) -> Result<(), String> {
        if let Some(average) = &mut self.anchors.average {
            *average = saved.remove(AVERAGE).ok_or_else(|| format!("it has no `{AVERAGE}` of this stage"))?;
        }
        self.baseline.mean = saved.remove(BASELINE).map(|parts| parts.iter().map(|x| f64::from(*x)).sum());
        Ok(())
    }
}
