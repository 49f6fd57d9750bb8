//! A small registry for the tests of this crate: the real names, with just enough members and rules.
#![allow(unreachable_pub, reason = "the macros declare public types")]

use llmp_stdlib::arg::{BatchSize, DocsRef, FilePath, Length, ModelRef, TokenizerRef, Tokens, TrainingData};
use llmp_stdlib::compare::{Expectation, Hold, Vary};
use llmp_stdlib::kind::{Cost, Field, Group};
use llmp_stdlib::registry::Function;
use llmp_stdlib::source::License;
use llmp_stdlib::{
    Arg, Column, Dim, Form, Formula, ItemRef, Kind, ModelCost, Output, Part, Planner, Port, Problem,
    Rational, Record, Registry, Settings, StageCost, State, Ty, Value, View, Yields, choices, def, family,
    number,
};

const ANY: &[State] = &[State::Html, State::Docs, State::Chat, State::Prompt, State::Preference];

/// Data in any state.
#[derive(Debug, Clone, PartialEq)]
pub struct AnyData(Value);
impl Arg for AnyData {
    const TY: Ty = Ty::Data(ANY);
    fn read(value: &Value) -> Result<Self, String> {
        Ok(AnyData(value.clone()))
    }
}

/// Declared columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns(Value);
impl Arg for Columns {
    const TY: Ty = Ty::Map(&ColumnType::TY);
    fn read(value: &Value) -> Result<Self, String> {
        Ok(Columns(value.clone()))
    }
}

/// A number of steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps(u64);
impl Arg for Steps {
    const TY: Ty = Ty::Quantity(&[Dim::STEPS]);
    fn read(value: &Value) -> Result<Self, String> {
        u64::read(value).map(Steps)
    }
}

choices! { /** Column types. */ ColumnType = "column" { /** Text. */ Text = "Text", /** Number. */ Num = "Num", /** Truth. */ Bool = "Bool" } }
choices! { /** Formats. */ Precision = "precision" { /** 32. */ F32 = "f32", /** 16. */ Bf16 = "bf16" } }
choices! { /** Rest. */ Rest = "share" { /** What is left. */ Rest = "rest" } }

def! { /** One document a file. */ TextFiles = "text", rev 1, source Docs { /** Files. */ glob: FilePath } }
def! { /** JSON lines. */ Jsonl = "jsonl", rev 1, source Docs { /** Files. */ glob: FilePath, /** Columns. */ columns: Option<Columns> = "none" } }
def! { /** Web pages. */ Warc = "warc", rev 1, source Html, adds [url: Text] { /** Files. */ glob: FilePath } }
family! { /** Sources. */ Source = "source" { Jsonl, TextFiles, Warc } }

def! { /** Joins. */ Concat = "concat", rev 1, source Docs { /** Data. */ data: Vec<AnyData> } }
def! { /** HTML to text. */ ExtractText = "extract_text", rev 1, rows Html -> Docs {} }
def! { /** Language. */ DetectLanguage = "detect_language", rev 1, rows Docs -> Docs, adds [lang: Text, lang_score: Num] {} }
def! { /** Keeps. */ KeepIf = "keep_if", rev 1, rows Docs -> Docs { /** Which. */ condition: Formula } }
def! { /** Quality. */ GopherQuality = "gopher_quality", rev 3, rows Docs -> Docs, check ordered { /** Fewest words. */ min_doc_words: u64 = "50", /** Most words. */ max_doc_words: u64 = "100_000" } }
def! { /** Near duplicates. */ DedupMinhash = "dedup_minhash", rev 1, whole Docs -> Docs { /** Bands. */ bands: u64 = "14" } }
def! { /** Scores. */ TokenKl = "token_kl", rev 1, rows Docs -> Docs, needs ["lang"], adds [kl: Num] {} }
def! { /** Some of them. */ Sample = "sample", rev 1, rows Docs -> Docs { /** Share. */ share: f64 } }
def! { /** Scores by a model. */ Perplexity = "perplexity", rev 1, rows Docs -> Docs, adds [perplexity: Num] { /** Model. */ by: ModelRef } }
def! { /** Overlap out. */ Decontaminate = "decontaminate", rev 1, whole Docs -> Docs { /** Of what. */ against: Vec<AnyData> } }
def! { /** Held out. */ Split = "split", rev 1, whole Docs -> Docs, parts ["heldout"] { /** Share. */ heldout: f64 } }

fn ordered(it: &GopherQuality) -> Vec<Problem> {
    if it.min_doc_words <= it.max_doc_words {
        return Vec::new();
    }
    vec![Problem::error("LLMP0209", "min_doc_words", "min_doc_words is above max_doc_words").fix(
        "use 10",
        "max_doc_words",
        "10",
    )]
}

def! { /** Trains BPE. */ Bpe = "bpe", rev 1 { /** Text. */ train_on: DocsRef, /** Size. */ @binary vocab: u64 } }
def! { /** A file. */ TokenizerFile = "tokenizer_file", rev 1 { /** File. */ path: FilePath } }
family! { /** Tokenizers. */ TokenizerSource = "tokenizer" { Bpe, TokenizerFile } }

def! { /** Gated. */ Swiglu = "swiglu", rev 1 { /** Ratio. */ ratio: Rational = "8 / 3", /** Rounded to. */ multiple: u64 = "64" } }
family! { /** Feed-forwards. */ Ffn = "ffn" { Swiglu } }
def! { /** Rotary. */ Rope = "rope", rev 2 { /** Base. */ base: f64 = "10k" } }
def! { /** Learned. */ Learned = "learned", rev 1 {} }
family! { /** Positions. */ Position = "position" { Learned, Rope } }
def! { /** AdamW. */ Adamw = "adamw", rev 1 { /** Betas. */ betas: Vec<f64> = "[0.9, 0.95]", /** Decay. */ weight_decay: f64 = "0.1" } }
family! { /** Optimizers. */ Optimizer = "optimizer" { Adamw } }
def! { /** Cosine. */ Cosine = "cosine", rev 1 { /** Peak. */ peak: f64, /** Warm-up. */ warmup: Length = "2%", /** Floor. */ floor: f64 = "10%" } }
def! { /** Constant. */ Constant = "constant", rev 1, lacks frozen { /** Rate. */ peak: f64 } }
family! { /** Schedules. */ Schedule = "schedule" { Constant, Cosine } }

fn frozen(it: &Constant) -> Vec<Problem> {
    let problem = || Problem::error("LLMP0703", "peak", "this version trains at a rate above 0");
    (it.peak == 0.0).then(problem).into_iter().collect()
}

def! { /** Compression. */ BitsPerByte = "bits_per_byte", rev 1 { /** Data. */ data: DocsRef } }
family! { /** Suites. */ Suite = "suite" { BitsPerByte } }

def! { /** Sources. */ SourceKind = "source", rev 1 {} }
def! { /** Datasets. */ DatasetKind = "dataset", rev 1 {} }
def! { /** Chains. */ ChainKind = "chain", rev 1 {} }
def! { /** Mixtures. */ MixKind = "mix", rev 1 {} }
def! { /** Tokenizers. */ TokenizerKind = "tokenizer", rev 1 {} }
def! { /** A part. */ Weighted = "part", rev 1 { /** Share. */ weight: Rational, /** Most passes. */ max_epochs: Option<Rational> = "none" } }
def! {
    /// Models.
    ModelKind = "model", rev 1 {
        /// Tokenizer.
        tokenizer: TokenizerRef,
        /// Blocks.
        layers: usize,
        /// Width.
        width: usize,
        /// Heads.
        heads: usize,
        /// Groups.
        kv_heads: Option<usize> = "none",
        /// Head size.
        head_dim: Option<usize> = "none",
        /// Feed-forward.
        ffn: Ffn = "swiglu()",
        /// Positions.
        position: Option<Position> = "rope()",
        /// Context.
        @binary context: usize,
        /// Vocabulary.
        @binary vocab: Option<usize> = "none",
    }
}
def! {
    /// Training.
    PretrainKind = "pretrain", rev 1 {
        /// From scratch.
        model: Option<ModelRef> = "none",
        /// From a stage.
        from: Option<ModelRef> = "none",
        /// Data.
        data: TrainingData,
        /// Tokens.
        tokens: Option<Tokens> = "none",
        /// Steps.
        steps: Option<Steps> = "none",
        /// Context.
        @binary context: Option<u64> = "none",
        /// Batch.
        batch: Option<BatchSize> = "none",
        /// Optimizer.
        optimizer: Optimizer = "adamw()",
        /// Schedule.
        schedule: Option<Schedule> = "none",
        /// Format.
        precision: Precision = "f32",
        /// Seed.
        seed: u64 = "0",
    }
}
def! { /** Measures. */ EvalKind = "eval", rev 1 { /** Model. */ model: ModelRef, /** Suites. */ suites: Vec<Suite>, /** Needed. */ require: Option<Formula> = "none" } }
def! { /** Releases. */ ReleaseKind = "release", rev 1 { /** Model. */ model: ModelRef, /** Folder. */ to: Option<FilePath> = "none", /** Allowed. */ allow_licenses: Vec<License> = "[]" } }
def! { /** Compares. */ CompareKind = "compare", rev 1 { /** Stage. */ of: ModelRef, /** Params. */ vary: Vary, /** Held. */ hold: Hold = "flops", /** Runs. */ seeds: u64 = "3", /** Suites. */ measure: Vec<Suite>, /** Result. */ expect: Option<Expectation> = "none" } }
def! { /** Judges. */ RewardKind = "reward_model", rev 1 { /** Model. */ from: ModelRef, /** Pairs. */ data: TrainingData, /** Tokens. */ tokens: Option<Tokens> = "none" } }

fn from_value(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    match view.value {
        Some(value) => planner.data(value),
        None => Err(Problem::error("LLMP0201", "", "no value")),
    }
}

const SHARE: Ty = Ty::OneOf(&[Ty::Num, <Rest as Arg>::TY, Ty::Record(Weighted::SIGNATURE.params)]);

static SOURCE: Kind =
    Kind::new(SourceKind::SIGNATURE, Form::Value(<Source as Arg>::TY), Yields::Data, from_value);
static DATASET: Kind =
    Kind::new(DatasetKind::SIGNATURE, Form::Value(Ty::Data(ANY)), Yields::Data, from_value);
static CHAIN: Kind =
    Kind::new(ChainKind::SIGNATURE, Form::Value(Ty::Item(&[Yields::Chain])), Yields::Chain, |_, _| {
        Ok(Output::Nothing)
    });
static MIX: Kind = Kind::new(MixKind::SIGNATURE, Form::Open(SHARE), Yields::Mix, mix);
static TOKENIZER: Kind = Kind::new(
    TokenizerKind::SIGNATURE,
    Form::Value(<TokenizerSource as Arg>::TY),
    Yields::Tokenizer,
    from_value,
);
static MODEL: Kind = Kind {
    fields: &[Field {
        name: "parameters",
        doc: "All.",
        read: |v| parameters(v).map(|n| Value::number(i128::from(n))),
    }],
    check: check_model,
    cost: |v| parameters(v).map(|n| Cost::Model(ModelCost { parameters: n, ..ModelCost::default() })),
    ..Kind::new(ModelKind::SIGNATURE, Form::Block, Yields::Model, model)
};
static PRETRAIN: Kind = Kind {
    groups: &[
        Group { members: &["model", "from"], required: true },
        Group { members: &["tokens", "steps"], required: true },
    ],
    check: check_pretrain,
    cost: stage_cost,
    ..Kind::new(PretrainKind::SIGNATURE, Form::Block, Yields::Model, pretrain)
};
static REWARD: Kind = Kind::new(RewardKind::SIGNATURE, Form::Block, Yields::Model, pretrain);
static COMPARE: Kind = Kind::new(CompareKind::SIGNATURE, Form::Block, Yields::Metrics, compare);
static EVAL: Kind = Kind::new(EvalKind::SIGNATURE, Form::Block, Yields::Metrics, eval);
static RELEASE: Kind = Kind::new(ReleaseKind::SIGNATURE, Form::Block, Yields::Release, release);

fn mix(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let mut parts = Vec::new();
    for (key, value) in view.members {
        let (weight, max_epochs) = match value {
            Value::Record(record) => (record.get("weight").cloned(), record.get("max_epochs").cloned()),
            value => (Some(value.clone()), None),
        };
        let Some(Value::Number(share)) = weight else {
            return Err(Problem::error("LLMP0401", key, "no share"));
        };
        let max_epochs = if let Some(Value::Number(q)) = max_epochs { Some(q.amount) } else { None };
        let Output::Port(port) = planner.item(&ItemRef::of_key(key, view.program))? else { continue };
        parts.push(Part { name: key.clone(), port, share: share.amount, max_epochs, then: Vec::new() });
    }
    Ok(Output::Mix(parts))
}

fn parameters(view: &View<'_>) -> Option<u64> {
    let tokenizer = view.follow("tokenizer")?;
    let Some(Value::Call(call)) = tokenizer.value else { return None };
    let vocab = u64::read(call.args.get("vocab")?).ok()?;
    Some(
        view.read::<u64>("layers")? * 12 * view.read::<u64>("width")?.pow(2)
            + vocab * view.read::<u64>("width")?,
    )
}

fn check_model(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (width, heads) = (view.read::<u64>("width"), view.read::<u64>("heads"));
    if let (Some(width), Some(heads)) = (width, heads)
        && view.get("head_dim").is_none()
        && (heads == 0 || width % heads != 0)
    {
        let message = format!("width {width} is not divisible by {heads} heads");
        problems.push(Problem::error("LLMP0501", "heads", message).label("width", "the width").fix(
            "use 6 heads",
            "heads",
            "6",
        ));
    }
    if let (Some(heads), Some(kv)) = (heads, view.read::<u64>("kv_heads"))
        && (kv == 0 || heads % kv != 0)
    {
        problems.push(Problem::error("LLMP0502", "kv_heads", format!("{heads} heads cannot share {kv}")));
    }
    if view.read::<u64>("head_dim").is_some_and(|n| n % 2 == 1) {
        problems.push(Problem::error("LLMP0507", "head_dim", "odd"));
    }
    problems
}

fn model(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let Some(value) = view.get("tokenizer") else {
        return Err(Problem::error("LLMP0103", "tokenizer", "missing"));
    };
    let Output::Port(tokenizer) = planner.data(value)? else {
        return Err(Problem::error("LLMP0201", "", "none"));
    };
    Ok(Output::Model { spec: view.members.clone(), tokenizer: Some(tokenizer), weights: None })
}

fn check_pretrain(view: &View<'_>) -> Vec<Problem> {
    let warmup = match view.get("schedule") {
        Some(Value::Call(call)) => call.args.get("warmup").and_then(|v| Length::read(v).ok()),
        _ => None,
    };
    match (warmup, view.read::<Steps>("steps")) {
        (Some(Length::Steps(w)), Some(Steps(n))) if w > n => {
            vec![Problem::error(
                "LLMP0604",
                "schedule.warmup",
                format!("warm-up of {w} steps in a stage of {n}"),
            )]
        }
        _ => Vec::new(),
    }
}

fn pretrain(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let base = view.get("model").or(view.get("from"));
    let Some(Value::Item(item)) = base else { return Err(Problem::error("LLMP0103", "model", "missing")) };
    let Output::Model { spec, tokenizer, weights } = planner.item(item)? else {
        return Err(Problem::error("LLMP0201", "model", "not a model"));
    };
    let Some(tokens) = tokenizer.clone() else {
        return Err(Problem::error("LLMP0201", "model", "no tokenizer"));
    };
    let Some(data) = view.get("data") else { return Err(Problem::error("LLMP0103", "data", "missing")) };
    let parts: Vec<(Port, Rational)> = match planner.data(data)? {
        Output::Mix(parts) => parts.into_iter().map(|p| (p.port, p.share)).collect(),
        Output::Port(port) => vec![(port, Rational::from(1))],
        _ => Vec::new(),
    };
    let part = |planner: &mut dyn Planner, port: Port, share: Rational| {
        let fields =
            [("tokens", Value::Port(planner.tokens(port, tokens.clone()))), ("share", Value::number(share))];
        Value::Record(fields.map(|(k, v)| (k.to_owned(), v)).into())
    };
    let parts = parts.into_iter().map(|(port, share)| part(planner, port, share)).collect();
    let mut args: Record = view.members.clone();
    args.retain(|name, _| !matches!(name.as_str(), "model" | "from" | "data"));
    let mut plain = spec.clone();
    plain.shift_remove("tokenizer");
    args.insert("model".into(), Value::Record(plain));
    args.insert("parts".into(), Value::List(parts));
    args.insert("from".into(), weights.map_or(Value::None, Value::Port));
    Ok(Output::Model { spec, tokenizer, weights: Some(planner.step("pretrain", 1, args)) })
}

fn stage_cost(view: &View<'_>) -> Option<Cost> {
    let parameters = parameters(&view.follow("model").or_else(|| view.follow("from"))?)?;
    let tokens = view.read::<Tokens>("tokens")?.0;
    let flops = 6.0 * parameters as f64 * tokens as f64;
    let (weights, disk) = (parameters * 16, parameters * 28);
    let cost =
        StageCost { tokens, flops, memory_bytes: weights, weight_bytes: weights, ..StageCost::default() };
    Some(Cost::Stage(StageCost { checkpoint_bytes: disk, ..cost }))
}

fn compare(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let port = |run: llmp_stdlib::compare::Run| match run.model {
        Output::Model { weights: Some(port), .. } => Value::Port(port),
        _ => Value::None,
    };
    let runs = planner.runs(view)?.into_iter().map(port).collect();
    let args: Record = [("runs".to_owned(), Value::List(runs))].into();
    Ok(Output::Port(planner.step("compare", 1, args)))
}

fn trained(view: &View<'_>, planner: &mut dyn Planner) -> Result<Port, Problem> {
    let Some(Value::Item(item)) = view.get("model") else {
        return Err(Problem::error("LLMP0103", "model", "missing"));
    };
    match planner.item(item)? {
        Output::Model { weights: Some(port), .. } => Ok(port),
        _ => Err(Problem::error("LLMP0201", "model", "has no weights").help("name a stage")),
    }
}

fn eval(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let mut args = view.members.clone();
    args.insert("model".into(), Value::Port(trained(view, planner)?));
    Ok(Output::Port(planner.step("eval", 1, args)))
}

fn release(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let port = trained(view, planner)?;
    let to = view.get("to").cloned().unwrap_or_else(|| Value::text(format!("release/{}", view.name)));
    let args: Record = [("model", Value::Port(port)), ("to", to)].map(|(k, v)| (k.to_owned(), v)).into();
    Ok(Output::Port(planner.step("release", 1, args)))
}

static FUNCTIONS: &[Function] = &[
    Function { name: "count", doc: "Matches.", params: &[Ty::Text, Ty::Text], result: Column::Num },
    Function { name: "words", doc: "Words.", params: &[Ty::Text], result: Column::Num },
];

/// The registry.
pub(crate) fn registry() -> Registry {
    // Ratios are read exactly: a use of the number helpers keeps the import honest.
    debug_assert_eq!(number::show(Rational::new(1, 2)), "0.5");
    Registry::new()
        .kinds(&[
            &SOURCE,
            &DATASET,
            &CHAIN,
            &MIX,
            &TOKENIZER,
            &MODEL,
            &PRETRAIN,
            &REWARD,
            &COMPARE,
            &llmp_stdlib::hardware::KIND,
            &EVAL,
            &RELEASE,
        ])
        .steps(&[
            Concat::SIGNATURE,
            ExtractText::SIGNATURE,
            DetectLanguage::SIGNATURE,
            KeepIf::SIGNATURE,
            GopherQuality::SIGNATURE,
            DedupMinhash::SIGNATURE,
            TokenKl::SIGNATURE,
            Split::SIGNATURE,
            Sample::SIGNATURE,
            Perplexity::SIGNATURE,
            Decontaminate::SIGNATURE,
        ])
        .functions(FUNCTIONS)
}
