//! The command line: verbs, options, help texts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Typed, checked recipes for training language models: from raw text to a model folder.
#[derive(Debug, Parser)]
#[command(name = "llmp", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 clean, 1 diagnostics or a failed run, 2 usage, 3 internal error.")]
pub(crate) struct Arguments {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// If the output is a terminal.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a project: a commented first program and a place for texts.
    #[command(after_help = "Example:\n  llmp new stories && llmp check stories/main.llmp")]
    New(New),
    /// Check programs without running anything; no data are read.
    #[command(after_help = CHECK)]
    Check(Check),
    /// Write programs in the one layout.
    #[command(
        after_help = "Examples:\n  llmp fmt main.llmp\n  llmp fmt --check *.llmp   exits with 1 if a file would change"
    )]
    Fmt(Fmt),
    /// Show what would run: steps, models, stages, costs; no data are read.
    #[command(
        after_help = "Examples:\n  llmp plan main.llmp\n  llmp plan main.llmp --variant laptop --format json"
    )]
    Plan(Plan),
    /// Draw the plan: steps as boxes, arrows for what they read.
    #[command(
        after_help = "Examples:\n  llmp graph main.llmp > plan.mmd\n  llmp graph main.llmp --format svg > plan.svg\n  llmp graph main.llmp --format dot | dot -Tpng > plan.png"
    )]
    Graph(Graph),
    /// Print the plan hash: equal for programs that do the same.
    #[command(after_help = "Example:\n  llmp hash main.llmp        before and after a refactoring it agrees")]
    Hash(Hash),
    /// Compare two programs, or one with a git revision: values, sizes, costs, and the steps that run again.
    #[command(after_help = DIFF)]
    Diff(Diff),
    /// List the params of a program: what `--set` takes.
    #[command(
        after_help = "Examples:\n  llmp params main.llmp\n  llmp params main.llmp --format json   for launchers and sweeps"
    )]
    Params(Params),
    /// Print JSON Schemas: of the plan, of a kind's members, or of all.
    #[command(after_help = "Examples:\n  llmp schema plan > plan.schema.json\n  llmp schema pretrain")]
    Schema(Schema),
    /// Test programs: golden plan hashes, and every `check` for the base and each variant.
    #[command(after_help = TEST)]
    Test(Test),
    /// Record size, hash, columns and counts of every input in llmp.lock.
    #[command(after_help = LOCK)]
    Lock(Lock),
    /// Run a program; what is in the store already is not done again.
    #[command(
        after_help = "Examples:\n  llmp run main.llmp\n  llmp run main.llmp --frozen --root data=/mnt/corpora"
    )]
    Run(Run),
    /// Write one HTML page about the data: funnel, reasons, distributions, samples, mixtures, the data card.
    #[command(after_help = REPORT)]
    Report(Report),
    /// Say what became of a document: where it was dropped and by which score, or what trained on it.
    #[command(after_help = TRACE)]
    Trace(Trace),
    /// Compare the documents of two results.
    #[command(subcommand, after_help = DATA_DIFF)]
    Data(Data),
    /// Say why a step runs, or why it does not.
    #[command(after_help = "Example:\n  llmp why clean.dedup_minhash main.llmp")]
    Why(Why),
    /// Continue a prompt with a model folder.
    #[command(
        after_help = "Example:\n  llmp generate --model release/stories --prompt \"Call me\" --max-tokens 100"
    )]
    Generate(Generate),
    /// Talk with a model folder, by its own chat template.
    #[command(after_help = CHAT)]
    Chat(Chat),
    /// Log-probabilities of a text under a model folder.
    #[command(after_help = "Example:\n  llmp score --model release/stories --text chapter.txt")]
    Score(Score),
    /// Measure matrix products and memory of this machine: what the MFU of later runs refers to.
    #[command(after_help = BENCH)]
    Bench(Bench),
    /// Explain a diagnostic code, with a failing and a fixed example.
    #[command(after_help = "Example:\n  llmp explain LLMP0501")]
    Explain(Explain),
    /// Show the documentation of a kind, step or constructor.
    #[command(after_help = "Example:\n  llmp doc gopher_quality")]
    Doc(Doc),
    /// Serve an editor: diagnostics, hover, completion and the rest over standard input and output.
    #[command(
        after_help = "Example:\n  llmp lsp        editors start it by themselves; see docs/guide/editors.md"
    )]
    Lsp(Lsp),
    /// Serve a page with an editor, diagnostics, the plan and what it costs, to a browser on this machine.
    #[command(after_help = SERVE)]
    Serve(Serve),
}

const SERVE: &str = "Examples:
  llmp serve main.llmp
  llmp serve                               opens an example
  llmp serve main.llmp --port 0            takes a free port; the address is printed

Only this machine reaches the page, and the page writes nothing to the disk. Ctrl-C ends.";

const CHECK: &str = "Examples:
  llmp check main.llmp
  llmp check --fix main.llmp               applies machine fixes, also in imported files of the project
  llmp check --watch main.llmp             checks again at every change
  llmp check --published main.llmp         lists the values that a paper does not give
  llmp check --frozen --format sarif *.llmp > llmp.sarif";

const CHAT: &str = "Commands in the conversation: /system TEXT, /reset, /help, /exit. Ctrl-C ends an answer.

Examples:
  llmp chat release/assistant
  llmp chat release/assistant --system \"Answer in one sentence.\" --temperature 0
  printf 'Hello\\nAnd again\\n' | llmp chat release/assistant    one message a line";

const REPORT: &str = "Examples:
  llmp report main.llmp                    writes runs/main/report.html
  llmp report main.llmp clean --out clean.html
  llmp report main.llmp --format json      the same facts, described in docs/reference/json.md

Reads the ledgers that a run leaves; no document is read again.";

const TRACE: &str = "Examples:
  llmp trace 'books/alice.txt#0' main.llmp
  llmp trace https://example.org/page main.llmp
  llmp trace books/alice.txt main.llmp     every document of a file

Exit codes: 0 found, 1 not found, 2 usage.";

const DATA_DIFF: &str = "Examples:
  llmp data diff clean@before clean        what the last change of the program did
  llmp data diff a.llmp:clean b.llmp:clean
  llmp data diff runs/main/books runs/main/clean
  llmp data diff ../yesterday .            every result of two projects, by name

Exit codes, as those of diff: 0 the same documents, 1 they differ, 2 a side cannot be read.";

const BENCH: &str = "Examples:
  llmp bench                               about ten seconds; nothing else should run meanwhile
  RAYON_NUM_THREADS=4 llmp bench           runs with four threads have a measurement of their own

The result is kept in the cache folder of the user; without it `llmp run` says `MFU -`.";

const DIFF: &str = "Examples:
  llmp diff old.llmp new.llmp
  llmp diff main.llmp@HEAD~1 main.llmp
  llmp diff --rev origin/main main.llmp --format json

Exit codes, as those of diff: 0 equal plans, 1 the plans differ, 2 a program cannot be planned.";

const TEST: &str = "Examples:
  llmp test main.llmp
  llmp test --update main.llmp             writes main.hash, the golden plan hashes beside the program";

const LOCK: &str = "Examples:
  llmp lock main.llmp
  llmp lock main.llmp --variant laptop --root data=/mnt/corpora
  llmp lock --check main.llmp              writes nothing; exits with 1 if the lock would change";

/// How a program is read.
#[derive(Debug, Args, Clone)]
pub(crate) struct Reading {
    /// Apply a variant of the program; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Vec<String>,
    /// Set a declared param: `--set peak_lr=3e-4`.
    #[arg(long, value_name = "PARAM=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Source lines with marks.
    Human,
    /// One line for each diagnostic.
    Short,
    /// A list of objects, described in docs/reference/json.md.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands, which GitHub shows beside the code.
    Github,
    /// JUnit XML, for test reports.
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs, described in docs/reference/json.md.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Folder to make.
    pub(crate) folder: PathBuf,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Programs.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Apply every machine fix, in imported files of the project too.
    #[arg(long, conflicts_with = "watch")]
    pub(crate) fix: bool,
    /// Check again whenever a file changes; Ctrl-C ends.
    #[arg(long)]
    pub(crate) watch: bool,
    /// List every `unpublished(…)` value with its reason.
    #[arg(long)]
    pub(crate) published: bool,
    #[command(flatten)]
    pub(crate) frozen: Frozen,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub(crate) format: CheckFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Programs; `-` reads standard input and writes standard output.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write nothing; exit with 1 if a file is not in the one layout.
    #[arg(long)]
    pub(crate) check: bool,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Program.
    pub(crate) file: PathBuf,
    /// Items to plan, with all that they need; without any, all that the program trains, evaluates and releases.
    pub(crate) items: Vec<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
    #[command(flatten)]
    pub(crate) frozen: Frozen,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Whether the lock must know every input.
#[derive(Debug, Args, Clone, Copy)]
pub(crate) struct Frozen {
    /// Refuse inputs that llmp.lock does not know, or knows otherwise.
    #[arg(long)]
    pub(crate) frozen: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Markdown on GitHub and GitLab.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture of its own.
    Svg,
    /// Boxes and arrows, described in docs/reference/json.md.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Program.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub(crate) format: GraphFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Hash {
    /// Programs.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Program before and after, each `FILE` or `FILE@REVISION`; one where `--rev` is given.
    #[arg(required = true, num_args = 1..=2)]
    pub(crate) files: Vec<String>,
    /// Compare the program with itself at a git revision.
    #[arg(long, value_name = "REVISION")]
    pub(crate) rev: Option<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Params {
    /// Program.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// `plan`, or the name of a kind; all of them when left out.
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Programs.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write the golden plan hashes anew.
    #[arg(long)]
    pub(crate) update: bool,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Lock {
    /// Programs.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Write nothing; exit with 1 if the lock would change.
    #[arg(long)]
    pub(crate) check: bool,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Where named roots of paths lie on this machine.
#[derive(Debug, Args, Clone)]
pub(crate) struct Roots {
    /// Map `NAME:…` in paths to a folder: `--root data=PATH`.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) root: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Program.
    pub(crate) file: PathBuf,
    /// Items to make, with all that they need; without any, all that the program trains, evaluates and releases.
    pub(crate) items: Vec<String>,
    /// Let steps `external(…)` start the programs that they name.
    #[arg(long)]
    pub(crate) allow_external: bool,
    /// What computes the steps of training: `cpu`, or `cuda:0` in a build with CUDA (`cuda:0:composed` without own kernels).
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
    #[command(flatten)]
    pub(crate) frozen: Frozen,
    /// Form of the output; `json` prints one event a line.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Program; may be left out where the folder holds only one.
    pub(crate) file: Option<PathBuf>,
    /// Item to report on, with all that it is made from; the whole program when left out.
    pub(crate) item: Option<String>,
    /// File to write; `runs/PROGRAM/report.html` when left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Form of the output; `json` prints the facts and writes no page.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// Id of a document, its address, or a file that a source reads.
    pub(crate) document: String,
    /// Program; may be left out where the folder holds only one.
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List gained and lost documents between two results, with the reasons.
    #[command(after_help = DATA_DIFF)]
    Diff(DataDiff),
}

#[derive(Debug, Args)]
pub(crate) struct DataDiff {
    /// Result before: `ITEM`, `FILE:ITEM`, either with `@before` for the run before the last, a folder, or a project.
    pub(crate) before: String,
    /// Result after, in the same forms.
    pub(crate) after: String,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Step, as `llmp plan` names it.
    pub(crate) step: String,
    /// Program; may be left out where the folder holds only one.
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Model folder in Hugging Face form, or a GGUF file.
    #[arg(long)]
    pub(crate) model: PathBuf,
    /// Text to continue; standard input when left out.
    #[arg(long)]
    pub(crate) prompt: Option<String>,
    /// Most tokens to add.
    #[arg(long, default_value_t = 200)]
    pub(crate) max_tokens: usize,
    /// 0 takes the likeliest token each time.
    #[arg(long, default_value_t = 0.8)]
    pub(crate) temperature: f64,
    /// Only the k likeliest tokens; 0 is all.
    #[arg(long, default_value_t = 0)]
    pub(crate) top_k: usize,
    /// Only the likeliest tokens that hold this share of the probability.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) top_p: f64,
    /// Same seed, same text.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// Model folder in Hugging Face form, with a chat template.
    pub(crate) model: PathBuf,
    /// What the model is told before the conversation.
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// Most tokens of an answer.
    #[arg(long, default_value_t = 512)]
    pub(crate) max_tokens: usize,
    /// 0 takes the likeliest token each time.
    #[arg(long, default_value_t = 0.7)]
    pub(crate) temperature: f64,
    /// Only the k likeliest tokens; 0 is all.
    #[arg(long, default_value_t = 0)]
    pub(crate) top_k: usize,
    /// Only the likeliest tokens that hold this share of the probability.
    #[arg(long, default_value_t = 0.95)]
    pub(crate) top_p: f64,
    /// Same seed, same answers to the same messages.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// Model folder in Hugging Face form, or a GGUF file.
    #[arg(long)]
    pub(crate) model: PathBuf,
    /// Text file.
    #[arg(long)]
    pub(crate) text: PathBuf,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Seconds for each of the three rates.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Code such as LLMP0501; every code when left out.
    pub(crate) code: Option<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Doc {
    /// Kind, step, constructor or function; a list of all when left out.
    pub(crate) name: Option<String>,
    /// Write the reference pages and error pages below this folder (used by the project's own docs check).
    #[arg(long, hide = true)]
    pub(crate) write: Option<PathBuf>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Lsp {
    /// Standard input and output: what is used anyway; some editors say it.
    #[arg(long, hide = true)]
    pub(crate) stdio: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Program to open; an example when left out.
    pub(crate) file: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 7411)]
    pub(crate) port: u16,
}
