//! `classifier name { … }`: learns labels of texts; `classify(name)` adds its score as a column.

use llmp_stdlib::arg::FilePath;
use llmp_stdlib::{
    Arg, Form, Kind, Output, Planner, Problem, Record, Settings, State, Ty, Value, View, Yields,
};

use crate::settings::Epochs;

llmp_stdlib::def! {
    /// A linear classifier over hashed n-grams of words, as `fasttext supervised` trains it (Joulin et al. 2016): softmax over the mean of
    /// the rows of a text's words and n-grams, stochastic gradient descent. The result does not depend on threads.
    ///
    /// Llama 3.1 asks such a model whether Wikipedia would cite a page; DataComp-LM keeps the best 10% by one. Words lie
    /// between whitespace, as they are spelt. The model is a `.bin` file that fastText reads.
    ///
    /// ```llmp
    /// backbone = linear(ngrams = 2, buckets = 2M)
    /// ```
    Linear = "linear", rev 1, check linear {
        /// Longest n-gram of words.
        ngrams: u64 = "2",
        /// Buckets that n-grams are hashed into; fewer where the texts have so few n-grams that most would stay empty.
        buckets: u64 = "2M",
        /// Numbers of an embedding.
        width: u64 = "100",
        /// Learning rate at the start; it falls to 0.
        rate: f64 = "0.1",
        /// Fewest occurrences of a word.
        min_count: u64 = "5",
        /// Shortest n-gram of the characters of a word, where `max_chars` is above 0.
        min_chars: u64 = "3",
        /// Longest n-gram of the characters of a word; 0: none. They help with languages and with words that are spelt in many ways.
        max_chars: u64 = "0",
    }
}

fn linear(it: &Linear) -> Vec<Problem> {
    let sizes = [("ngrams", it.ngrams), ("buckets", it.buckets), ("width", it.width)];
    let low = sizes.into_iter().find(|(_, n)| *n == 0);
    let low =
        low.map(|(name, _)| Problem::error("LLMP0209", name, format!("linear: `{name}` must be at least 1")));
    let large = [
        ("buckets", it.buckets, 1 << 30),
        ("width", it.width, 1 << 16),
        ("ngrams", it.ngrams, 10),
        ("max_chars", it.max_chars, 20),
    ];
    let large = large.into_iter().find(|(_, n, most)| n > most).map(|(name, n, most)| {
        Problem::error("LLMP0209", name, format!("linear: `{name}` is {n}, above {most}"))
    });
    let none = it.max_chars > 0 && it.min_chars > it.max_chars;
    let none = none.then(|| {
        let words = format!("linear: `min_chars` is {}, above `max_chars`, {}", it.min_chars, it.max_chars);
        Problem::error("LLMP0209", "min_chars", words)
    });
    low.into_iter().chain(large).chain(none).collect()
}

llmp_stdlib::def! {
    /// A classifier that fastText trained: its `.bin` or `.ftz` file, taken as it is. `labels` then only measure it.
    ///
    /// DataComp-LM and FineWeb publish such models of quality, fastText one of 176 languages.
    ///
    /// ```llmp
    /// backbone = fasttext("models/quality.bin")
    /// ```
    Published = "fasttext", rev 1 {
        /// The model file.
        path: FilePath,
    }
}

llmp_stdlib::def! {
    /// An encoder of Hugging Face with a classification head.
    ///
    /// Llama 3.1 distils its judgements into DistilRoBERTa; FineWeb-Edu puts a regression head on a frozen encoder of 109M
    /// parameters (20 epochs, rate 3e-4).
    ///
    /// ```llmp
    /// backbone = hf("distilroberta-base", frozen = true)
    /// ```
    @planned Encoder = "hf", rev 1 {
        /// The repository or folder.
        name: String,
        /// Only the head is trained.
        frozen: bool = "false",
        /// Learning rate.
        rate: f64 = "2e-5",
        /// Longest text, in tokens.
        @binary context: u64 = "512",
    }
}

llmp_stdlib::family! {
    /// What a classifier is made of.
    Backbone = "backbone" { Encoder, Linear, Published }
}

/// Texts with labels.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledData(pub Value);

impl Arg for LabelledData {
    const TY: Ty = Ty::Data(&[State::Labelled]);
    fn read(value: &Value) -> Result<Self, String> {
        Ok(LabelledData(value.clone()))
    }
}

llmp_stdlib::def! {
    /// Learns labels of texts. `classify(name)` adds the probability of its positive label as the column `.name`.
    ///
    /// Some labels are held out by a hash of the record's id (of its dedup cluster where there is a column `cluster`): accuracy, log loss
    /// and calibration (expected calibration error, a reliability table) on them lie in `report.json` beside the model.
    ///
    /// ```llmp
    /// classifier educational {
    ///   backbone = linear(ngrams = 2, buckets = 2M)
    ///   labels   = jsonl("labels/quality.jsonl", as = Labelled)
    /// }
    /// ```
    Classifier = "classifier", rev 1 {
        /// What it is made of.
        backbone: Backbone = "linear()",
        /// Texts with their labels; only a `backbone` that is trained already does without.
        labels: Option<LabelledData> = "none",
        /// The label whose probability is the score; without it the last in order of the alphabet, or the number itself
        /// where labels are numbers.
        positive: Option<String> = "none",
        /// Passes over the labels.
        epochs: Epochs = "5 epochs",
        /// Columns that it reads, one after the other.
        columns: Vec<String> = "[\"text\"]",
        /// Share of the labels that measures it.
        heldout: f64 = "5%",
        /// Seed of weights and order.
        seed: u64 = "0",
    }
}

/// The kind.
pub(super) static KIND: Kind =
    Kind { check, ..Kind::new(Classifier::SIGNATURE, Form::Block, Yields::Classifier, elaborate) };

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = super::post::check_numbers(view);
    let published =
        matches!(view.get("backbone"), Some(Value::Call(call)) if call.name == Published::SIGNATURE.name);
    if view.get("labels") == Some(&Value::None) && !published {
        problems.push(Problem::error("LLMP0103", "labels", "`labels` is missing: what is learnt from?"));
    }
    if view.read::<Vec<String>>("columns").is_some_and(|c| c.is_empty()) {
        let message = "a classifier reads at least one column";
        problems.push(Problem::error("LLMP0209", "columns", message).fix(
            "read the text",
            "columns",
            "[\"text\"]",
        ));
    }
    if view.read::<f64>("heldout").is_some_and(|h| !(0.0..1.0).contains(&h)) {
        problems.push(Problem::error("LLMP0209", "heldout", "the held-out share lies from 0% to below 100%"));
    }
    problems
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let mut args: Record = view.members.clone();
    if let Some(labels) = view.get("labels").filter(|labels| **labels != Value::None) {
        let Output::Port(labels) = planner.data(labels)? else {
            return Err(Problem::error("LLMP0201", "labels", "labels are data"));
        };
        args.insert("labels".into(), Value::Port(labels));
    }
    let signature = view.kind.signature;
    Ok(Output::Port(planner.step(signature.name, signature.rev, args)))
}
