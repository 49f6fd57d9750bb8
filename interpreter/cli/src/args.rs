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
    New(New),
    /// Check programs without running anything.
    Check(Check),
    /// Write programs in the one layout.
    Fmt(Fmt),
    /// Show what would run: steps, models, stages, costs.
    Plan(Plan),
    /// Run a program; what is in the store already is not done again.
    Run(Run),
    /// Say why a step runs, or why it does not.
    Why(Why),
    /// Continue a prompt with a model folder.
    Generate(Generate),
    /// Log-probabilities of a text under a model folder.
    Score(Score),
    /// Explain a diagnostic code, with a failing and a fixed example.
    Explain(Explain),
    /// Show the documentation of a kind, step or constructor.
    Doc(Doc),
}

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
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Programs.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Apply every machine fix.
    #[arg(long)]
    pub(crate) fix: bool,
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
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Program.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
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
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Form of the output; `json` prints one event a line.
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
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Model folder in Hugging Face form.
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
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// Model folder in Hugging Face form.
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
pub(crate) struct Explain {
    /// Code such as LLMP0501; every code when left out.
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Doc {
    /// Kind, step, constructor or function; a list of all when left out.
    pub(crate) name: Option<String>,
    /// Write the reference pages and error pages below this folder (used by the project's own docs check).
    #[arg(long, hide = true)]
    pub(crate) write: Option<PathBuf>,
}
