//! How a classifier does on texts that it was not trained on: accuracy for each label, and whether its probabilities are what they say.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Meaning, number, scorer::score};
use crate::fasttext::Model;

/// Probabilities are put into this many bins of equal width.
const BINS: usize = 10;

/// Texts whose best label had a probability within a bin: what it promised and what came of it (a reliability diagram).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower end.
    pub from: f64,
    /// Texts.
    pub texts: u64,
    /// Their mean probability.
    pub confidence: f64,
    /// Share of them that the label was right for.
    pub accuracy: f64,
}

/// One label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelReport {
    /// Texts that have it.
    pub texts: u64,
    /// Texts that were given it.
    pub given: u64,
    /// Texts that have it and were given it.
    pub right: u64,
}

/// Held-out accuracy and calibration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Texts that it was measured on.
    pub texts: u64,
    /// Share of them whose best label is right.
    pub accuracy: f64,
    /// Mean negative logarithm of the probability of the right label, in nats.
    pub log_loss: f64,
    /// Expected calibration error (Naeini et al. 2015; Guo et al. 2017): distance of probability and accuracy, over the bins, weighted by texts.
    pub calibration_error: f64,
    /// Where labels are numbers: mean distance of the score from the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_error: Option<f64>,
    /// The bins of the reliability diagram.
    pub bins: Vec<Bin>,
    /// Each label.
    pub labels: BTreeMap<String, LabelReport>,
}

/// What is known of one text.
struct Seen {
    given: String,
    confidence: f64,
    right: f64,
    distance: Option<f64>,
}

impl Report {
    /// Measures a model on texts with their labels.
    pub(super) fn of<'a>(
        model: &Model,
        meaning: &Meaning,
        texts: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Report {
        let texts: Vec<_> = texts.collect();
        let seen: Vec<Seen> =
            texts.par_iter().map(|(text, label)| look(model, meaning, text, label)).collect();
        let mut report = Report { texts: texts.len() as u64, ..Report::default() };
        report.bins = (0..BINS).map(|k| Bin { from: k as f64 / BINS as f64, ..Bin::default() }).collect();
        let (mut distance, mut numbers) = (0.0, 0u64);
        for ((_, label), seen) in texts.iter().zip(&seen) {
            let hit = seen.given == *label;
            let of = report.labels.entry((*label).to_owned()).or_default();
            of.texts += 1;
            of.right += u64::from(hit);
            report.labels.entry(seen.given.clone()).or_default().given += 1;
            report.accuracy += f64::from(u8::from(hit));
            report.log_loss -= seen.right.max(1e-9).ln();
            let bin = &mut report.bins[((seen.confidence * BINS as f64) as usize).min(BINS - 1)];
            bin.texts += 1;
            bin.confidence += seen.confidence;
            bin.accuracy += f64::from(u8::from(hit));
            distance += seen.distance.unwrap_or(0.0);
            numbers += u64::from(seen.distance.is_some());
        }
        let all = report.texts.max(1) as f64;
        report.calibration_error =
            report.bins.iter().map(|bin| (bin.confidence - bin.accuracy).abs()).sum::<f64>() / all;
        for bin in &mut report.bins {
            let texts = bin.texts.max(1) as f64;
            bin.confidence /= texts;
            bin.accuracy /= texts;
        }
        report.accuracy /= all;
        report.log_loss /= all;
        report.mean_error = (numbers > 0).then(|| distance / numbers as f64);
        report
    }

    /// What `llmp report` and requirements call them; nothing where nothing was held out.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        if self.texts == 0 {
            return BTreeMap::new();
        }
        let mut metrics = BTreeMap::from([
            ("accuracy".to_owned(), self.accuracy),
            ("calibration_error".to_owned(), self.calibration_error),
            ("log_loss".to_owned(), self.log_loss),
        ]);
        metrics.extend(self.mean_error.map(|error| ("mean_error".to_owned(), error)));
        metrics
    }
}

fn look(model: &Model, meaning: &Meaning, text: &str, label: &str) -> Seen {
    let all = model.predict(text, model.labels().len());
    let best = all.first().map_or((String::new(), 0.0), |p| (p.label.to_owned(), f64::from(p.probability)));
    let right = all.iter().find(|p| p.label == label).map_or(0.0, |p| f64::from(p.probability));
    let distance = match (meaning.numbers, number(label)) {
        (true, Some(number)) => score(model, meaning, text).map(|score| (score - number).abs()),
        _ => None,
    };
    Seen { given: best.0, confidence: best.1, right, distance }
}
