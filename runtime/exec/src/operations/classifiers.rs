//! Classifiers: trained on labelled documents, or taken from a file of fastText.

use llmp_data::classifier::{self, Training};
use llmp_data::{Progress, fasttext};
use llmp_stdlib::{Event, Value};
use llmp_train::kinds::classifier::{Backbone, Classifier, LabelledData};

use super::{Made, Work, data_failure};
use crate::failure::Failure;

/// Makes a classifier and measures it.
pub(super) fn classifier(work: &Work<'_>) -> Result<Made, Failure> {
    let settings: Classifier = work.settings()?;
    let labels = match &settings.labels {
        Some(LabelledData(Value::None)) | None => None,
        Some(LabelledData(labels)) => Some(work.input(labels)?),
    };
    let mut training = Training {
        linear: fasttext::Settings { seed: settings.seed, ..fasttext::Settings::default() },
        columns: settings.columns,
        positive: settings.positive,
        heldout: settings.heldout,
    };
    let out = work.folder.join("classifier");
    let progress = |p: Progress| (work.emit)(Event::Progress { step: work.name(), done: p.records });
    let context = work.context(&progress);
    work.started(None, "documents");
    let trained = match (settings.backbone, labels) {
        (Backbone::Published(published), labels) => {
            let path = work.options.roots.path(&published.path.0);
            classifier::adopt(&path, labels.as_deref(), &training, &out, &context)
        }
        (Backbone::Linear(linear), Some(labels)) => {
            let chars = if linear.max_chars > 0 { linear.min_chars as usize } else { 0 };
            training.linear = fasttext::Settings {
                width: linear.width as usize,
                word_ngrams: linear.ngrams as usize,
                chars: (chars, linear.max_chars as usize),
                buckets: u32::try_from(linear.buckets).unwrap_or(u32::MAX),
                min_count: linear.min_count,
                rate: linear.rate,
                epochs: settings.epochs.0,
                seed: settings.seed,
            };
            classifier::train(&labels, &training, &out, &context)
        }
        (Backbone::Linear(_), None) => return Err(Failure::new("LLMP1003", "`labels` is missing")),
        (Backbone::Encoder(_), _) => {
            return Err(Failure::new("LLMP0703", "this build cannot train encoders"));
        }
    };
    let trained = trained.map_err(data_failure)?;
    let metrics = trained.report.metrics();
    for (name, value) in &metrics {
        (work.emit)(Event::Metric { step: work.name(), name: name.clone(), value: *value });
    }
    let counts = [("texts", trained.texts), ("heldout", trained.report.texts)];
    let mut made = Made::whole("classifier", trained.hash, &counts);
    made.metrics = metrics;
    Ok(made)
}
