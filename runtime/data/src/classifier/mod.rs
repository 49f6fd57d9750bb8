//! Classifiers of texts as artifacts: a folder with the model, what its score means, and how it did on held-out texts.
//!
//! `model.bin` is a fastText model, `classifier.json` says which label or number the score is, `report.json` holds accuracy and calibration.

mod report;
mod scorer;

use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    context::{Context, Progress},
    document::{Cell, Document},
    engine,
    error::{DataError, Result},
    fasttext::{self, Example, Model, Settings},
};

pub use report::{Bin, LabelReport, Report};
pub use scorer::Scorer;

/// File names in the folder of a classifier.
const MODEL: &str = "model.bin";
const MEANING: &str = "classifier.json";
const REPORT: &str = "report.json";

/// What a classifier reads and what its score is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meaning {
    /// Columns that it reads, one after the other.
    pub columns: Vec<String>,
    /// The label whose probability is the score; without it the score is a number, see `numbers`.
    pub positive: Option<String>,
    /// Labels are numbers: the score is their mean, weighted by probability.
    pub numbers: bool,
}

/// How a classifier is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// The linear model.
    pub linear: Settings,
    /// Columns that it reads.
    pub columns: Vec<String>,
    /// The label whose probability is the score.
    pub positive: Option<String>,
    /// Share of the labels that measures it.
    pub heldout: f64,
}

/// A finished classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// BLAKE3 over the model and its meaning.
    pub hash: String,
    /// Texts that it was trained on.
    pub texts: u64,
    /// How it does on the others.
    pub report: Report,
}

/// A text with its label.
struct Labelled {
    text: String,
    label: String,
    heldout: bool,
}

/// Trains a classifier on the labelled documents of `documents` and writes it into `out`.
///
/// Equal documents and settings give equal bytes, on any number of threads. Errors: records without a label, labels
/// that nothing can be learnt from, the stop flag.
pub fn train(documents: &Path, training: &Training, out: &Path, ctx: &Context<'_>) -> Result<Trained> {
    let all = labelled(documents, training, ctx)?;
    let (heldout, texts): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.heldout);
    let examples: Vec<_> = texts.iter().map(|one| Example { text: &one.text, label: &one.label }).collect();
    let records = (examples.len() + heldout.len()) as u64;
    let go_on = |done: f64| {
        ctx.report(Progress { records: (done * records as f64) as u64, kept: 0, ..Progress::default() });
        ctx.check().is_ok()
    };
    let model = fasttext::train(&examples, &training.linear, &go_on).map_err(refused)?;
    let model = model.ok_or(DataError::Stopped)?;
    write(&model, training, &heldout, examples.len() as u64, out, ctx)
}

/// Takes a model of fastText as a classifier, measures it where there are labelled documents, and writes it into `out`.
///
/// Errors: no such model, a positive label that it does not have, records without a label.
pub fn adopt(
    model: &Path,
    documents: Option<&Path>,
    training: &Training,
    out: &Path,
    ctx: &Context<'_>,
) -> Result<Trained> {
    let bytes = std::fs::read(model).map_err(|e| DataError::io("read", model, e))?;
    let loaded = Model::from_bytes(&bytes).map_err(|what| DataError::artifact(model, what))?;
    let all = documents.map(|folder| labelled(folder, training, ctx)).transpose()?.unwrap_or_default();
    finish(&loaded, &bytes, training, &all, 0, out, ctx)
}

fn refused(what: String) -> DataError {
    DataError::Step { step: "classifier", what }
}

/// The labelled texts of a folder. Which are held out is a matter of their cluster or id alone.
fn labelled(folder: &Path, training: &Training, ctx: &Context<'_>) -> Result<Vec<Labelled>> {
    let mut all = Vec::new();
    for doc in engine::documents(folder)? {
        ctx.check()?;
        let doc = doc?;
        let label = match doc.columns.get("label") {
            Some(Cell::Text(label)) => label.trim().to_owned(),
            Some(Cell::Num(number)) => number.to_string(),
            Some(Cell::Bool(truth)) => truth.to_string(),
            None => return Err(refused(format!("the record {} has no label", doc.id))),
        };
        let key = match doc.columns.get("cluster") {
            Some(Cell::Text(cluster)) => cluster,
            _ => &doc.id,
        };
        let draw = xxh3_64_with_seed(key.as_bytes(), training.linear.seed ^ 0x4e1d) >> 11;
        let heldout = (draw as f64) < training.heldout * (1u64 << 53) as f64;
        let text = content(&doc, &training.columns);
        all.push(Labelled { text, label, heldout });
    }
    Ok(all)
}

/// The columns that a classifier reads, one line each.
fn content(doc: &Document, columns: &[String]) -> String {
    let mut text = String::new();
    for column in columns {
        if !text.is_empty() {
            text.push('\n');
        }
        match (column.as_str(), doc.columns.get(column)) {
            ("text", _) => text.push_str(&doc.text),
            (_, Some(Cell::Text(value))) => text.push_str(value),
            (_, Some(Cell::Num(value))) => text.push_str(&value.to_string()),
            (_, Some(Cell::Bool(value))) => text.push_str(&value.to_string()),
            (_, None) => {}
        }
    }
    text
}

fn write(
    model: &Model,
    training: &Training,
    heldout: &[Labelled],
    texts: u64,
    out: &Path,
    ctx: &Context<'_>,
) -> Result<Trained> {
    let mut bytes = Vec::new();
    model.write(&mut bytes).map_err(|e| DataError::io("write", &out.join(MODEL), e))?;
    finish(model, &bytes, training, heldout, texts, out, ctx)
}

/// Decides what the score is, measures, and writes the folder; the report comes last.
fn finish(
    model: &Model,
    bytes: &[u8],
    training: &Training,
    heldout: &[Labelled],
    texts: u64,
    out: &Path,
    ctx: &Context<'_>,
) -> Result<Trained> {
    let meaning = meaning(model, training)?;
    let report =
        Report::of(model, &meaning, heldout.iter().map(|one| (one.text.as_str(), one.label.as_str())));
    std::fs::create_dir_all(out).map_err(|e| DataError::io("create", out, e))?;
    let json = |value: serde_json::Result<String>, name: &str| {
        value.map(|text| text + "\n").map_err(|e| DataError::artifact(&out.join(name), e))
    };
    let described = json(serde_json::to_string_pretty(&meaning), MEANING)?;
    ctx.write_whole(&out.join(MODEL), bytes)?;
    ctx.write_whole(&out.join(MEANING), described.as_bytes())?;
    let told = json(serde_json::to_string_pretty(&report), REPORT)?;
    ctx.write_whole(&out.join(REPORT), told.as_bytes())?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(blake3::hash(bytes).as_bytes()).update(described.as_bytes());
    Ok(Trained { hash: hasher.finalize().to_hex().to_string(), texts, report })
}

fn meaning(model: &Model, training: &Training) -> Result<Meaning> {
    let mut labels: Vec<&str> = model.labels().iter().map(String::as_str).collect();
    labels.sort_unstable();
    let columns = training.columns.clone();
    if let Some(positive) = &training.positive {
        let plain = positive.strip_prefix("__label__").unwrap_or(positive);
        if labels.binary_search(&plain).is_err() {
            let known: Vec<&str> = labels.iter().take(20).copied().collect();
            let what = format!(
                "no text has the label {plain:?} that `positive` names; labels are {}",
                known.join(", ")
            );
            return Err(refused(what));
        }
        return Ok(Meaning { columns, positive: Some(plain.to_owned()), numbers: false });
    }
    let numbers = labels.iter().all(|label| number(label).is_some());
    let positive = if numbers { None } else { labels.last().map(|label| (*label).to_owned()) };
    Ok(Meaning { columns, positive, numbers })
}

/// A label as a number.
fn number(label: &str) -> Option<f64> {
    label.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Input, Segment};

    /// A folder of labelled documents, as a segment writes it.
    fn folder(root: &Path, labels: &[Cell]) -> std::path::PathBuf {
        let lines: Vec<u8> = (0..400)
            .flat_map(|k| {
                let label = &labels[k % labels.len()];
                let mut doc = Document::new(format!("d#{k}"), format!("{label:?} word{} some of it", k % 7));
                doc.columns.insert("label".into(), label.clone());
                let mut line = doc.to_line();
                line.push(b'\n');
                line
            })
            .collect();
        let stored = root.join("in");
        std::fs::create_dir_all(&stored).unwrap();
        std::fs::write(stored.join("part-00000.jsonl.zst"), zstd::encode_all(&lines[..], 1).unwrap())
            .unwrap();
        let out = root.join("docs");
        engine::run(&Segment::new(Input::Stored(vec![stored]), &out), &Context::default()).unwrap();
        out
    }

    fn training(positive: Option<&str>) -> Training {
        Training {
            linear: Settings { width: 8, buckets: 1000, rate: 0.5, epochs: 25.0, ..Settings::default() },
            columns: vec!["text".into()],
            positive: positive.map(str::to_owned),
            heldout: 0.25,
        }
    }

    #[test]
    fn a_classifier_is_trained_measured_and_applied() {
        let root = tempfile::tempdir().unwrap();
        let documents = folder(root.path(), &["good".into(), "bad".into(), "ugly".into()]);
        let out = root.path().join("classifier");
        let trained = train(&documents, &training(Some("good")), &out, &Context::default()).unwrap();
        let report = &trained.report;
        assert_eq!((trained.texts + report.texts, report.labels.len()), (400, 3));
        assert!(report.accuracy > 0.99 && report.calibration_error < 0.2, "{report:?}");
        assert!((60..140).contains(&report.texts), "{}", report.texts);
        let scorer = Scorer::open(&out).unwrap();
        let score = |text: &str| scorer.score(&Document::new("x", text)).unwrap();
        let scores = ["good", "bad"].map(|label| score(&format!("Text(\"{label}\") word1")));
        assert!(scores[0] > 0.6 && scores[1] < 0.3, "{scores:?}");
        let again = train(&documents, &training(Some("good")), &root.path().join("b"), &Context::default());
        assert_eq!(again.unwrap().hash, trained.hash);
        let wrong = train(&documents, &training(Some("fine")), &out, &Context::default()).unwrap_err();
        assert!(wrong.to_string().contains("labels are bad, good, ugly"), "{wrong}");
    }

    #[test]
    fn labels_that_are_numbers_give_a_number() {
        let root = tempfile::tempdir().unwrap();
        let documents = folder(root.path(), &[Cell::Num(0.0), Cell::Num(5.0)]);
        let out = root.path().join("classifier");
        let trained = train(&documents, &training(None), &out, &Context::default()).unwrap();
        assert!(trained.report.mean_error.is_some_and(|error| error < 1.0), "{:?}", trained.report);
        let scorer = Scorer::open(&out).unwrap();
        assert!(scorer.score(&Document::new("x", "Num(5.0) some")).unwrap() > 4.0);
    }

    #[test]
    fn a_model_of_fasttext_is_taken_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("lid.ftz");
        std::fs::write(&model, include_bytes!("../../models/lid.176.ftz")).unwrap();
        let out = root.path().join("c");
        let own = Training { heldout: 1.0, ..training(Some("__label__de")) };
        let adopted = adopt(&model, None, &own, &out, &Context::default()).unwrap();
        assert_eq!((adopted.texts, adopted.report.texts), (0, 0));
        let scorer = Scorer::open(&out).unwrap();
        let score = scorer.score(&Document::new("x", "Das ist ein deutscher Satz über das Wetter.")).unwrap();
        assert!(score > 0.9, "{score}");
    }
}
