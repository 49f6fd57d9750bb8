//! Small settings of the kinds: intervals, checkpoints, publishing, attention, number formats.

use llmp_stdlib::arg::Tokens;
use llmp_stdlib::unit::{Dim, Quantity};
use llmp_stdlib::{Arg, Problem, Ty, Value, number};

use crate::course::Course;

/// A number in one dimension, as whole units.
macro_rules! counted {
    ($(#[doc = $doc:literal])* $name:ident($dim:expr)) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub u64);
        impl Arg for $name {
            const TY: Ty = Ty::Quantity(&[$dim]);
            fn read(value: &Value) -> Result<Self, String> {
                u64::read(value).map($name)
            }
        }
    };
}

counted! {
    /// A number of optimizer steps.
    Steps(Dim::STEPS)
}

/// Passes over the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epochs(pub f64);

impl Arg for Epochs {
    const TY: Ty = Ty::Quantity(&[Dim::EPOCHS]);
    fn read(value: &Value) -> Result<Self, String> {
        f64::read(value).map(Epochs)
    }
}

/// Floating-point operations of a whole stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flops(pub f64);

impl Arg for Flops {
    const TY: Ty = Ty::Quantity(&[Dim::FLOPS]);
    fn read(value: &Value) -> Result<Self, String> {
        f64::read(value).map(Flops)
    }
}

/// How often something happens during a stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Interval {
    /// Seconds of wall time.
    Seconds(f64),
    /// Tokens consumed.
    Tokens(u64),
    /// Optimizer steps.
    Steps(u64),
    /// A fraction of the stage.
    Share(f64),
}

impl Arg for Interval {
    const TY: Ty = Ty::Quantity(&[Dim::SECONDS, Dim::TOKENS, Dim::STEPS, Dim::NONE]);
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Number(Quantity { dim: Dim::SECONDS, amount }) => {
                Ok(Interval::Seconds(number::to_f64(*amount)))
            }
            Value::Number(Quantity { dim: Dim::TOKENS, .. }) => u64::read(value).map(Interval::Tokens),
            Value::Number(Quantity { dim: Dim::STEPS, .. }) => u64::read(value).map(Interval::Steps),
            Value::Number(Quantity { dim: Dim::NONE, amount }) => {
                Ok(Interval::Share(number::to_f64(*amount)))
            }
            _ => Err(format!("expected {}, found {value}", Self::TY.show())),
        }
    }
}

llmp_stdlib::def! {
    /// Again and again at this distance.
    ///
    /// ```llmp
    /// checkpoints = every(5 min)
    /// ```
    Every = "every", rev 1, check check_every {
        /// The distance: time, tokens, steps, or a share of the stage.
        distance: Interval,
    }
}

fn check_every(it: &Every) -> Vec<Problem> {
    match it.distance {
        Interval::Share(share) if share > 1.0 => {
            let message = format!("`every({share})` needs a unit: s, min, tokens, steps or %");
            vec![Problem::error("LLMP0302", "distance", message)]
        }
        Interval::Seconds(s) | Interval::Share(s) if s <= 0.0 => vec![too_short()],
        Interval::Tokens(0) | Interval::Steps(0) => vec![too_short()],
        Interval::Seconds(_) | Interval::Tokens(_) | Interval::Steps(_) | Interval::Share(_) => Vec::new(),
    }
}

fn too_short() -> Problem {
    Problem::error("LLMP0209", "distance", "the distance must be above 0")
}

llmp_stdlib::family! {
    /// When something is done during a stage.
    Times = "times" { Every }
}

impl Times {
    /// The distance between two of them.
    pub fn distance(&self) -> Interval {
        match self {
            Times::Every(every) => every.distance,
        }
    }
}

llmp_stdlib::def! {
    /// Moments of a stage whose weights are kept: at a distance in tokens, or the last ones.
    Checkpoints = "checkpoints", rev 1, check check_checkpoints {
        /// Distance between two of them; without it every step is one.
        every: Option<Tokens> = "none",
        /// How many of the last ones.
        last: Option<u64> = "none",
    }
}

fn check_checkpoints(it: &Checkpoints) -> Vec<Problem> {
    if it.every.is_none() && it.last.is_none() {
        let message = "which checkpoints? give `every` in tokens, or `last`";
        return vec![Problem::error("LLMP0103", "every", message)];
    }
    if it.every == Some(Tokens(0)) || it.last == Some(0) {
        return vec![Problem::error(
            "LLMP0209",
            if it.last == Some(0) { "last" } else { "every" },
            "at least 1",
        )];
    }
    Vec::new()
}

llmp_stdlib::family! {
    /// Moments of a stage.
    Moments = "moments" { Checkpoints }
}

llmp_stdlib::def! {
    /// The mean of the weights of several moments of the stage (Polyak averaging).
    ///
    /// It takes 8 bytes a weight of memory, and as much in every checkpoint.
    ///
    /// ```llmp
    /// publish = average(checkpoints(every = 16M tokens))
    /// ```
    Average = "average", rev 1 {
        /// The moments.
        of: Moments,
    }
}

llmp_stdlib::def! {
    /// An exponential moving average of the weights, from the first step on.
    ///
    /// It takes 8 bytes a weight of memory, and as much in every checkpoint.
    Ema = "ema", rev 1, check check_ema {
        /// What the average keeps at each step.
        decay: f64 = "0.999",
    }
}

fn check_ema(it: &Ema) -> Vec<Problem> {
    let outside = !(it.decay > 0.0 && it.decay < 1.0);
    let problem =
        || Problem::error("LLMP0209", "decay", format!("decay is above 0 and below 1, not {}", it.decay));
    outside.then(problem).into_iter().collect()
}

llmp_stdlib::family! {
    /// Weights that are made from several moments of a stage.
    Averaging = "averaging" { Average, Ema }
}

llmp_stdlib::choices! {
    /// Weights of one moment of a stage.
    Moment = "publish" {
        /// The weights after the last step.
        Last = "last",
    }
}

impl Moments {
    /// Whether they are counted from the end of the stage.
    pub(crate) fn count_back(&self) -> bool {
        let Moments::Checkpoints(it) = self;
        it.last.is_some()
    }

    /// Whether the weights after `done` steps are one of them: those that first reach a multiple of `every` tokens, of
    /// them the `last`. Without `every` all steps count.
    pub fn hold(&self, course: &Course, done: u64) -> bool {
        let Moments::Checkpoints(it) = self;
        let reached = |steps| match it.every {
            Some(Tokens(every)) => course.tokens_after(steps) / every.max(1),
            None => steps,
        };
        let (all, now) = (reached(course.steps()), reached(done));
        now > reached(done.saturating_sub(1)) && it.last.is_none_or(|last| now + last > all)
    }
}

/// Which weights a stage gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Publish {
    /// Those after the last step.
    Last,
    /// Made from several moments.
    Averaged(Averaging),
}

impl Arg for Publish {
    const TY: Ty = Ty::OneOf(&[Moment::TY, Averaging::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        match Moment::read(value) {
            Ok(Moment::Last) => Ok(Publish::Last),
            Err(_) => Averaging::read(value).map(Publish::Averaged),
        }
    }
}

llmp_stdlib::choices! {
    /// What a token sees of its row.
    Attention = "attention" {
        /// Its own document only (Llama 3.1, section 3.2). A document begins with the end-of-text token before it.
        PerDocument = "per_document",
        /// All that stands before it in the row, other documents as well.
        Across = "across",
    }
}

llmp_stdlib::choices! {
    /// Number format of matrix products.
    Precision = "precision" {
        /// 32-bit floats.
        F32 = "f32",
        /// bfloat16 products with 32-bit sums and weights.
        Bf16 = "bf16",
    }
}

#[cfg(feature = "kernels")]
impl From<Precision> for llmp_nn::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

llmp_stdlib::choices! {
    /// What is computed again in the backward pass to save memory.
    Recompute = "recompute" {
        /// The inside of every block.
        Blocks = "blocks",
    }
}

llmp_stdlib::choices! {
    /// Micro-batches chosen by rule.
    Automatic = "automatic" {
        /// As many as the rule of micro-batches gives.
        Auto = "auto",
    }
}

/// Into how many micro-batches a batch is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accumulate {
    /// By the rule of [`crate::budget::micro_rows`].
    Auto,
    /// Into this many.
    Parts(u64),
}

impl Arg for Accumulate {
    const TY: Ty = Ty::OneOf(&[Automatic::TY, Ty::Int]);
    fn read(value: &Value) -> Result<Self, String> {
        match Automatic::read(value) {
            Ok(Automatic::Auto) => Ok(Accumulate::Auto),
            Err(_) => u64::read(value).map(Accumulate::Parts),
        }
    }
}

llmp_stdlib::choices! {
    /// What happens when the loss jumps.
    SpikePolicy = "spike policy" {
        /// Its step is left out: the weights stay, the data go on.
        Skip = "skip",
        /// The stage stops with an error; its last checkpoint is kept.
        Stop = "stop",
    }
}

llmp_stdlib::def! {
    /// Back to the weights before the jump, and past its data.
    ///
    /// Every `steps` steps a state is kept on the disk. When the loss jumps, weights, optimizer and average of weights go back
    /// to the newest of these that lies at least `steps` steps before the jump, or to the beginning of the stage. Steps,
    /// tokens and rate go on from where they are: the stage keeps its length, and what it read since then is not read again.
    ///
    /// ```llmp
    /// on_spike = rewind(100 steps)
    /// ```
    Rewind = "rewind", rev 1, check check_rewind {
        /// The fewest steps to go back, and the distance between two states that are kept.
        steps: Steps,
    }
}

fn check_rewind(it: &Rewind) -> Vec<Problem> {
    let problem = || Problem::error("LLMP0209", "steps", "at least one step is gone back");
    (it.steps.0 == 0).then(problem).into_iter().collect()
}

llmp_stdlib::family! {
    /// What happens when the loss jumps, with settings.
    SpikeRemedy = "spike remedy" { Rewind }
}

/// What happens when the loss jumps.
#[derive(Debug, Clone, PartialEq)]
pub enum OnSpike {
    /// One of the simple policies.
    Policy(SpikePolicy),
    /// A remedy with settings.
    Remedy(SpikeRemedy),
}

impl Arg for OnSpike {
    const TY: Ty = Ty::OneOf(&[SpikePolicy::TY, SpikeRemedy::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        match SpikePolicy::read(value) {
            Ok(policy) => Ok(OnSpike::Policy(policy)),
            Err(_) => SpikeRemedy::read(value).map(OnSpike::Remedy),
        }
    }
}

llmp_stdlib::choices! {
    /// The form of a released folder.
    PlainFormat = "format" {
        /// `model.safetensors` in a Hugging Face folder.
        Safetensors = "safetensors",
    }
}

llmp_stdlib::choices! {
    /// How numbers are stored in a GGUF file.
    GgufType = "gguf type" {
        /// 32-bit floats.
        F32 = "f32",
        /// 16-bit floats.
        F16 = "f16",
        /// Blocks of 32 numbers of 8 bits with one scale.
        Q8 = "q8_0",
        /// Blocks of 32 numbers of 4 bits with one scale; embedding and head have 8 bits.
        Q4 = "q4_0",
    }
}

llmp_stdlib::def! {
    /// One GGUF file, as llama.cpp reads it, with the tokenizer and the chat template inside. Models that transformers
    /// would run as llama, qwen2 or gemma2 can be written so. Gains and biases are 32-bit floats in every file.
    Gguf = "gguf", rev 1 {
        /// How numbers are stored.
        r#type: GgufType = "q8_0",
    }
}

llmp_stdlib::family! {
    /// A form of a released model with settings.
    FileFormat = "file format" { Gguf }
}

/// The forms in which a model is released.
#[derive(Debug, Clone, PartialEq)]
pub struct Formats {
    /// A Hugging Face folder.
    pub safetensors: bool,
    /// Further files.
    pub files: Vec<FileFormat>,
}

const ONE_FORMAT: Ty = Ty::OneOf(&[PlainFormat::TY, FileFormat::TY]);

impl Arg for Formats {
    const TY: Ty = Ty::OneOf(&[PlainFormat::TY, FileFormat::TY, Ty::List(&ONE_FORMAT)]);
    fn read(value: &Value) -> Result<Self, String> {
        let one = std::slice::from_ref(value);
        let items = if let Value::List(items) = value { items.as_slice() } else { one };
        let mut formats = Formats { safetensors: false, files: Vec::new() };
        for item in items {
            match PlainFormat::read(item) {
                Ok(PlainFormat::Safetensors) => formats.safetensors = true,
                Err(_) => formats.files.push(FileFormat::read(item)?),
            }
        }
        Ok(formats)
    }
}

llmp_stdlib::choices! {
    /// How released weights are stored.
    Dtype = "dtype" {
        /// Four bytes a number, exact.
        F32 = "f32",
        /// Two bytes a number, rounded to nearest even.
        Bf16 = "bf16",
        /// Two bytes a number with more digits and less range, rounded to nearest even.
        F16 = "f16",
    }
}

llmp_stdlib::def! {
    /// Every element of the gradient is kept within `-largest` to `largest`.
    ///
    /// ```llmp
    /// clip = by_value(0.1)
    /// ```
    ByValue = "by_value", rev 1, check check_by_value {
        /// The largest size of an element.
        largest: f64,
    }
}

fn check_by_value(it: &ByValue) -> Vec<Problem> {
    let good = it.largest > 0.0;
    let problem = || Problem::error("LLMP0209", "largest", "the largest element must be above 0");
    (!good).then(problem).into_iter().collect()
}

llmp_stdlib::family! {
    /// Another way to keep gradients short than by their norm.
    Clipping = "clipping" { ByValue }
}

/// How gradients are kept short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// They are scaled down together to this norm.
    Norm(f64),
    /// Each element is kept within this.
    Value(f64),
}

impl Arg for Clip {
    const TY: Ty = Ty::OneOf(&[f64::TY, Clipping::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        match f64::read(value) {
            Ok(norm) => Ok(Clip::Norm(norm)),
            Err(_) => Clipping::read(value).map(|Clipping::ByValue(it)| Clip::Value(it.largest)),
        }
    }
}
