//! Steps in which a model writes: `generate`, `judge`, `synthesize` and their like. Without the feature `kernels` each says that it
//! is not there.

use super::{Made, Work};
use crate::failure::Failure;

#[cfg(feature = "kernels")]
pub(super) use with_kernels::sampling;

#[cfg(feature = "kernels")]
mod with_kernels {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use llmp_data::engine::{self, Input, Segment, Stage};
    use llmp_data::ledger::Origins;
    use llmp_data::readers::{Reader, SourceFile};
    use llmp_stdlib::arg::ModelRef;
    use llmp_stdlib::{Event, Value};
    use llmp_train::steps::Score;
    use llmp_train::writing::{self, Lost, Passing, Scoring, Speaker};

    use super::{Failure, Made, Work};
    use crate::ledger;
    use crate::operations::documents;
    use crate::operations::models::with_host;
    use crate::operations::{data_failure, train_failure};

    /// Bytes of records that are scored between two lines of the journal: what is lost is some seconds of work.
    const SCORED: u64 = 64 << 10;

    /// Runs a step in which a model writes: its passes, each into a journal, then the records out of the journals.
    pub(crate) fn sampling(work: &Work<'_>) -> Result<Made, Failure> {
        let step = work.step();
        if step.op == "score" {
            return scoring(work);
        }
        let words = |words: String| Failure::new("LLMP1003", format!("`{}`: {words}", step.op));
        let writer = writing::writer(&step.op, &step.args).map_err(words)?;
        let Some(writer) = writer else {
            return Err(Failure::new("LLMP0703", format!("this build cannot do `{}`", step.op)));
        };
        let models: Vec<ModelRef> = writer.models().into_iter().cloned().collect();
        let input = work.stored(step, 0)?;
        let out = work.folder.join("documents");
        let journals: Vec<PathBuf> =
            (0..models.len()).map(|n| work.folder.join(format!("said-{n}.jsonl"))).collect();
        let by = models.iter().map(|model| name(work, model)).collect::<Result<Vec<_>, _>>()?;
        let total = documents(work) * models.len() as u64;
        work.started((total > 0).then_some(total), "records");
        if !finished(&out) {
            if journals.iter().any(|path| path.exists()) {
                (work.emit)(Event::Resumed { step: work.name(), at: "the last finished record".into() });
            }
            passes(work, &*writer, &models, &input, &journals)?;
        }
        let made = writing::Made { writer: writer.clone(), by, documents: input, journals: journals.clone() };
        let summary = records(work, made, &out, writer.name())?;
        let names = [None, Some(work.plan.name(&step.id))];
        documents::tell(work, &summary, &names);
        for path in journals.into_iter().chain([source(work)]).filter(|path| path.exists()) {
            std::fs::remove_file(&path).map_err(|e| Failure::io("remove", &path, &e))?;
        }
        let parts = BTreeMap::from([(String::new(), documents::content(&summary.main, "documents"))]);
        Ok(documents::made(parts, &summary, &names))
    }

    /// Scores answers with a reward model.
    fn scoring(work: &Work<'_>) -> Result<Made, Failure> {
        let step = work.step();
        let model = ModelRef(work.settings::<Score>()?.model.0);
        let (weights, tokenizer) = (part(work, &model, "weights")?, part(work, &model, "tokenizer")?);
        let scoring = Scoring::open(&weights, &tokenizer).map_err(train_failure)?;
        let mut segment =
            Segment::new(Input::Stored(vec![work.stored(step, 0)?]), work.folder.join("documents"));
        segment.chunk_bytes = SCORED;
        segment.origins = Arc::new(Origins::new(ledger::origins(work.plan, step, work.options)));
        segment.maps.push(Stage { map: Arc::new(scoring), rejects: documents::rejects(step, work) });
        let names = [None, Some(work.plan.name(&step.id))];
        let summary = documents::run(work, &segment, &names)?;
        let parts = BTreeMap::from([(String::new(), documents::content(&summary.main, "documents"))]);
        Ok(documents::made(parts, &summary, &names))
    }

    /// Lets the model of each pass write.
    fn passes(
        work: &Work<'_>,
        writer: &dyn writing::Writer,
        models: &[ModelRef],
        input: &Path,
        journals: &[PathBuf],
    ) -> Result<(), Failure> {
        let mut open: Option<(&ModelRef, Speaker)> = None;
        for (number, model) in models.iter().enumerate() {
            // The rounds of one model read it once.
            let speaker = match open.take() {
                Some((same, speaker)) if same == model => speaker,
                _ => {
                    let (weights, tokenizer) =
                        (part(work, model, "weights")?, part(work, model, "tokenizer")?);
                    Speaker::open(&weights, &tokenizer).map_err(train_failure)?
                }
            };
            let passing = Passing { writer, number, documents: input, journals };
            with_host(work, |host| writing::pass(passing, &speaker, host))?;
            open = Some((model, speaker));
        }
        Ok(())
    }

    /// The records, in the form of every stored data set.
    fn records(
        work: &Work<'_>,
        made: writing::Made,
        out: &Path,
        name: &'static str,
    ) -> Result<engine::Summary, Failure> {
        let path = source(work);
        std::fs::write(&path, "").map_err(|e| Failure::io("write", &path, &e))?;
        let file = SourceFile { label: work.name(), path, bytes: 0 };
        let reader: Arc<dyn Reader> = Arc::new(made);
        let mut segment = Segment::new(Input::Source(vec![(reader, vec![file])]), out);
        segment.origins = Arc::new(Origins::new(ledger::origins(work.plan, work.step(), work.options)));
        segment
            .maps
            .push(Stage { map: Arc::new(Lost(name)), rejects: documents::rejects(work.step(), work) });
        engine::run(&segment, &work.context(&|_| {})).map_err(data_failure)
    }

    /// The empty file that stands for the journals where the engine asks for a file.
    fn source(work: &Work<'_>) -> PathBuf {
        work.folder.join("said")
    }

    /// Whether the records of a step were all written: then its journals may be gone.
    fn finished(out: &Path) -> bool {
        let journal = std::fs::read_to_string(out.join("journal.jsonl")).unwrap_or_default();
        let last =
            journal.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        last.is_some_and(|entry| entry["done"] == true)
    }

    /// Records of the input.
    fn documents(work: &Work<'_>) -> u64 {
        let port = &work.step().inputs[0];
        let part = port.part.as_deref().unwrap_or("");
        let content = work.results.get(&port.step).and_then(|found| found.manifest.parts.get(part));
        content.and_then(|content| content.counts.get("documents")).copied().unwrap_or(0)
    }

    /// The weights or the tokenizer of a model.
    fn part(work: &Work<'_>, model: &ModelRef, part: &str) -> Result<PathBuf, Failure> {
        let found = if let Value::Record(model) = &model.0 { model.get(part) } else { None };
        match found {
            Some(found @ Value::Input(_)) => work.input(found),
            _ => Err(Failure::new("LLMP1101", format!("the model of `{}` has no {part}", work.step().op))),
        }
    }

    /// The name of a model for people.
    fn name(work: &Work<'_>, model: &ModelRef) -> Result<String, Failure> {
        let weights = if let Value::Record(model) = &model.0 { model.get("weights") } else { None };
        let port = match weights {
            Some(Value::Input(number)) => work.step().inputs.get(*number),
            _ => None,
        };
        let port =
            port.ok_or_else(|| Failure::new("LLMP1301", format!("`{}` lacks its model", work.step().op)))?;
        Ok(work.plan.name(&port.step))
    }
}

#[cfg(not(feature = "kernels"))]
pub(super) fn sampling(work: &Work<'_>) -> Result<Made, Failure> {
    let words = format!("`{}` needs a build with tensors (feature `kernels`)", work.step().op);
    Err(Failure::new("LLMP0703", words))
}
