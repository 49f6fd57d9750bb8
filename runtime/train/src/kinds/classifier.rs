//! `classifier name { … }`: learns labels of texts; `classify(name)` adds its score as a column.

use llmp_stdlib::{
    Arg, Form, Kind, Output, Planner, Problem, Record, Settings, State, Ty, Value, View, Yields,
};

use crate::settings::Epochs;

llmp_stdlib::def! {
    /// A linear classifier over hashed n-grams of words, as fastText trains it (Joulin et al. 2016).
    ///
    /// Llama 3.1 asks such a model whether Wikipedia would cite a page; DataComp-LM keeps the best 10% by one.
    ///
    /// ```llmp
    /// backbone = linear(ngrams = 2, buckets = 2M)
    /// ```
    @planned Linear = "linear", rev 1, check linear {
        /// Longest n-gram of words.
        ngrams: u64 = "2",
        /// Buckets that n-grams are hashed into.
        buckets: u64 = "2M",
        /// Numbers of an embedding.
        width: u64 = "100",
        /// Learning rate at the start; it falls to 0.
        rate: f64 = "0.1",
        /// Fewest occurrences of a word.
        min_count: u64 = "5",
    }
}

fn linear(it: &Linear) -> Vec<Problem> {
    let sizes = [("ngrams", it.ngrams), ("buckets", it.buckets), ("width", it.width)];
    let low = sizes.into_iter().find(|(_, n)| *n == 0);
    low.map(|(name, _)| Problem::error("LLMP0209", name, format!("linear: `{name}` must be at least 1")))
        .into_iter()
        .collect()
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
    Backbone = "backbone" { Encoder, Linear }
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
    /// ```llmp
    /// classifier educational {
    ///   backbone = linear(ngrams = 2, buckets = 2M)
    ///   labels   = jsonl("labels/quality.jsonl", as = Labelled)
    /// }
    /// ```
    @planned Classifier = "classifier", rev 1 {
        /// What it is made of.
        backbone: Backbone = "linear()",
        /// Texts with their labels.
        labels: LabelledData,
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
    let missing = || Problem::error("LLMP0103", "labels", "`labels` is missing");
    let Output::Port(labels) = planner.data(view.get("labels").ok_or_else(missing)?)? else {
        return Err(Problem::error("LLMP0201", "labels", "labels are data"));
    };
    let mut args: Record = view.members.clone();
    args.insert("labels".into(), Value::Port(labels));
    let signature = view.kind.signature;
    Ok(Output::Port(planner.step(signature.name, signature.rev, args)))
}
