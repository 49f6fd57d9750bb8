//! `quality_filter`: heuristics and a model of fastText, the best share stays.

use std::sync::Arc;

use llmp_stdlib::{Column, Problem, Record, Settings, arg::FilePath, literal};

use super::{Barrier, Built, GopherQuality, GopherRepetition, Map, Mark, Outcome, Step, arguments::share};
use crate::{
    document::Document,
    engine::{Desk, Packed, ordered},
    error::{DataError, Result},
    fasttext::Model,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Drops documents of poor quality by heuristics and a small model, where a paper says only that it did.
    ///
    /// AFM: heuristics and model-based classifiers in the line of DataComp-LM (section 3.1.1); Gemma 2 and Qwen 2 publish no
    /// thresholds either. The heuristics are those of `gopher_quality` and `gopher_repetition` with their defaults; the model is a linear
    /// classifier of fastText, `.quality` is the probability of its label `positive` rounded to six decimals, and of the documents that pass the heuristics the best `keep` stay (DataComp-LM keeps 10%).
    /// Of equal scores the first in document order stay. Reasons: `heuristics`, `quality`.
    ///
    /// No model of quality comes with llmp: DataComp-LM publishes one (`openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin`, label
    /// `hq`), and a `classifier` of your own labels with `classify` and `keep_top` does the same.
    ///
    /// ```llmp
    /// dataset good = web |> quality_filter(keep = 10%)
    /// ```
    QualityFilter = "quality_filter", rev 1, whole Docs -> Docs, adds [quality: Num], check kept, lacks no_model {
        /// Share of the documents that stay, the best first.
        keep: f64 = "10%",
        /// Also drop by the heuristics.
        heuristics: bool = "true",
        /// The fastText model, `.bin` or `.ftz`.
        model: Option<FilePath> = "none",
        /// The label whose probability is the quality; `none`: `hq` where the model has it, else its last in order of the alphabet.
        positive: Option<String> = "none",
    }
}

fn kept(it: &QualityFilter) -> Vec<Problem> {
    share("keep", it.keep).into_iter().collect()
}

fn no_model(it: &QualityFilter) -> Vec<Problem> {
    if it.model.is_some() {
        return Vec::new();
    }
    let message = "`quality_filter` without a `model`: no model of quality comes with llmp, so this";
    vec![Problem::error("LLMP0703", "model", message).help("name a fastText file, or train a `classifier`")]
}

impl Step for QualityFilter {
    fn build(self, roots: &Roots) -> Result<Built> {
        let error = |what: String| DataError::Step { step: "quality_filter", what };
        let path = self.model.as_ref().ok_or_else(|| error("needs a `model`".into()))?;
        let model = Model::open(&roots.path(&path.0))?;
        let mut labels = model.labels().to_vec();
        labels.sort_unstable();
        let wanted = self.positive.as_deref().map(|label| label.strip_prefix("__label__").unwrap_or(label));
        let positive = match wanted.or(Some("hq")).filter(|label| labels.iter().any(|own| own == label)) {
            Some(label) => label.to_owned(),
            None if wanted.is_some() => {
                let known = labels.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
                return Err(error(format!("the model has no label {wanted:?}; its labels are {known}")));
            }
            None => labels.pop().unwrap_or_default(),
        };
        let mut heuristics = Vec::new();
        if self.heuristics {
            let gopher = [
                defaults::<GopherQuality>(error)?.build(roots)?,
                defaults::<GopherRepetition>(error)?.build(roots)?,
            ];
            heuristics.extend(gopher.into_iter().filter_map(|built| match built {
                Built::Map(map) => Some(map),
                Built::Barrier(_) | Built::Split(_) => None,
            }));
        }
        Ok(Built::Barrier(Arc::new(Quality { model, positive, heuristics, keep: self.keep })))
    }
}

/// A step with its defaults.
fn defaults<S: Settings>(error: impl Fn(String) -> DataError) -> Result<S> {
    let known =
        |param: &llmp_stdlib::Param| Some((param.name.to_owned(), literal::parse(param.default?).ok()?));
    let args: Record = S::SIGNATURE.params.iter().filter_map(known).collect();
    S::read(&args).map_err(|_| error(format!("{} has no defaults", S::SIGNATURE.name)))
}

#[derive(Debug)]
struct Quality {
    model: Model,
    positive: String,
    heuristics: Vec<Arc<dyn Map>>,
    keep: f64,
}

impl Barrier for Quality {
    fn name(&self) -> &'static str {
        "quality_filter"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("quality", Column::Num)]
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        let mut own = Document::new("", doc.text.clone());
        let passes = self.heuristics.iter().all(|map| map.apply(&mut own) == Outcome::Keep);
        let score = passes.then(|| {
            let all = self.model.predict(&doc.text, self.model.labels().len());
            let found = all.iter().find(|prediction| prediction.label == self.positive);
            let probability = found.map_or(0.0, |prediction| f64::from(prediction.probability));
            (probability * 1e6).round() / 1e6
        });
        score.pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        // Rows: documents that pass with their score, the best first; then those that do not.
        let mut rows = desk.sorter::<(u64, u64, u64)>();
        let mut pass = 0;
        desk.each(|number, mut sketch| match desk.unpack::<Option<f64>>(&mut sketch)? {
            Some(score) => {
                pass += 1;
                rows.push((!ordered(score), number, score.to_bits()))
            }
            None => rows.push((u64::MAX, number, 0)),
        })?;
        let stay = (self.keep * pass as f64).round() as u64;
        for (rank, row) in (0..).zip(rows.sorted()?) {
            let (falling, number, score) = row?;
            let mark = Mark::cell("quality", f64::from_bits(score));
            match falling {
                u64::MAX => desk.mark(number, &Mark::drop("heuristics"))?,
                _ if rank >= stay => desk.mark(number, &mark.and(Mark::drop("quality")))?,
                _ => desk.mark(number, &mark)?,
            }
        }
        Ok(())
    }
}
