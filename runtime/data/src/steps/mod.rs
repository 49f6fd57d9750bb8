//! Steps between documents: maps look at one document, barriers at the whole set.

mod amount;
pub mod arguments;
mod as_chat;
mod as_continuation;
mod as_docs;
mod as_labelled;
mod as_preference;
mod as_prompt;
mod bad_words;
mod barrier;
mod block_urls;
mod c4_lines;
mod c4_quality;
mod charset;
mod classify;
mod clusters;
mod code_quality;
mod count_tokens;
mod decontaminate;
mod dedup_exact;
mod dedup_lines;
mod dedup_minhash;
mod dedup_semantic;
mod dedup_substring;
mod dedup_url;
mod detect_language;
mod drop_if;
mod drop_profanity;
mod external;
mod extract_text;
mod files;
mod fineweb_quality;
mod gopher_quality;
mod gopher_repetition;
mod html;
mod keep_if;
mod keep_licenses;
mod keep_top;
mod mathml;
mod opt_out;
mod pii;
pub mod predicate;
mod quality_filter;
mod ranked;
mod reason;
mod redact_pii;
mod refinedweb_lines;
mod repair_unicode;
mod robots;
pub mod robots_txt;
mod sample;
mod score_math;
mod score_perplexity;
mod score_token_kl;
pub(crate) mod sentences;
mod shuffle;
mod sort;
mod split;
mod strip_markdown;
mod structure;
mod table;
mod take;
#[cfg(test)]
mod testing;
mod text;
mod tokens;
mod turns;
mod urls;
mod word_list;
pub mod words;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
};

use llmp_stdlib::{Column, Record, Settings, Signature, Value};
use serde::{Deserialize, Serialize};

use crate::{
    document::Document,
    error::{DataError, Result},
    readers::Roots,
};

pub use amount::Documents;
pub use as_chat::AsChat;
pub use as_continuation::AsContinuation;
pub use as_docs::AsDocs;
pub use as_labelled::AsLabelled;
pub use as_preference::AsPreference;
pub use as_prompt::AsPrompt;
pub use bad_words::BadWords;
pub use barrier::{Barrier, Mark};
pub use block_urls::BlockUrls;
pub use c4_lines::C4Lines;
pub use c4_quality::C4Quality;
pub use classify::Classify;
pub use code_quality::CodeQuality;
pub use count_tokens::CountTokens;
pub use decontaminate::{Against, Benchmarks, Decontaminate, EvaluationSet, Overlap};
pub use dedup_exact::DedupExact;
pub use dedup_lines::DedupLines;
pub use dedup_minhash::DedupMinhash;
pub use dedup_semantic::DedupSemantic;
pub use dedup_substring::DedupSubstring;
pub use dedup_url::{DedupUrl, Kept};
pub use detect_language::DetectLanguage;
pub use drop_if::DropIf;
pub use drop_profanity::DropProfanity;
pub use external::External;
pub use extract_text::ExtractText;
pub use fineweb_quality::FinewebQuality;
pub use gopher_quality::GopherQuality;
pub use gopher_repetition::GopherRepetition;
pub use keep_if::KeepIf;
pub use keep_licenses::KeepLicenses;
pub use keep_top::KeepTop;
pub use opt_out::OptOut;
pub use pii::Personal;
pub use quality_filter::QualityFilter;
pub use reason::{Decided, Reason, Score, Side};
pub use redact_pii::{Placeholders, RedactPii};
pub use refinedweb_lines::RefinedwebLines;
pub use repair_unicode::RepairUnicode;
pub use robots::{Robots, Unknown};
pub use sample::Sample;
pub use score_math::ScoreMath;
pub use score_perplexity::ScorePerplexity;
pub use score_token_kl::ScoreTokenKl;
pub use shuffle::Shuffle;
pub use sort::Sort;
pub use split::Split;
pub use strip_markdown::StripMarkdown;
pub use take::Take;
pub use tokens::Splitter;
pub use word_list::{Builtin, WordList};

/// Every step, sorted by name.
pub const ALL: &[Entry] = &[
    Entry::of::<AsChat>(),
    Entry::of::<AsContinuation>(),
    Entry::of::<AsDocs>(),
    Entry::of::<AsLabelled>(),
    Entry::of::<AsPreference>(),
    Entry::of::<AsPrompt>(),
    Entry::of::<BadWords>(),
    Entry::of::<BlockUrls>(),
    Entry::of::<C4Lines>(),
    Entry::of::<C4Quality>(),
    Entry::of::<Classify>(),
    Entry::of::<CodeQuality>(),
    Entry::of::<CountTokens>(),
    Entry::of::<Decontaminate>(),
    Entry::of::<DedupExact>(),
    Entry::of::<DedupLines>(),
    Entry::of::<DedupMinhash>(),
    Entry::of::<DedupSemantic>(),
    Entry::of::<DedupSubstring>(),
    Entry::of::<DedupUrl>(),
    Entry::of::<DetectLanguage>(),
    Entry::of::<DropIf>(),
    Entry::of::<DropProfanity>(),
    Entry::of::<External>(),
    Entry::of::<ExtractText>(),
    Entry::of::<FinewebQuality>(),
    Entry::of::<GopherQuality>(),
    Entry::of::<GopherRepetition>(),
    Entry::of::<KeepIf>(),
    Entry::of::<KeepLicenses>(),
    Entry::of::<KeepTop>(),
    Entry::of::<OptOut>(),
    Entry::of::<QualityFilter>(),
    Entry::of::<RedactPii>(),
    Entry::of::<RefinedwebLines>(),
    Entry::of::<RepairUnicode>(),
    Entry::of::<Robots>(),
    Entry::of::<Sample>(),
    Entry::of::<ScoreMath>(),
    Entry::of::<ScorePerplexity>(),
    Entry::of::<ScoreTokenKl>(),
    Entry::of::<Shuffle>(),
    Entry::of::<Sort>(),
    Entry::of::<Split>(),
    Entry::of::<StripMarkdown>(),
    Entry::of::<Take>(),
];

/// The signatures of [`ALL`], for the registry.
pub const SIGNATURES: &[&Signature] = &{
    let mut all = [ALL[0].signature; ALL.len()];
    let mut at = 0;
    while at < ALL.len() {
        all[at] = ALL[at].signature;
        at += 1;
    }
    all
};

/// A step ready to run.
#[derive(Clone, Debug)]
pub enum Built {
    /// Looks at one document at a time.
    Map(Arc<dyn Map>),
    /// Needs the whole set.
    Barrier(Arc<dyn Barrier>),
    /// Cuts the set in two: see [`crate::engine::Segment::split`].
    Split(Split),
}

/// The folder or file of an argument that names another result of the plan.
pub(crate) fn located<'a>(step: &'static str, argument: &Value, roots: &'a Roots) -> Result<&'a Path> {
    let found = match argument {
        Value::Input(number) => roots.inputs.get(*number),
        _ => None,
    };
    found
        .map(PathBuf::as_path)
        .ok_or_else(|| DataError::Step { step, what: format!("{argument} lies nowhere") })
}

/// Settings of a step that can be made ready to run.
pub trait Step: Settings {
    /// Reads the files that the step needs, compiles what can be compiled.
    fn build(self, roots: &Roots) -> Result<Built>;
}

/// One row of [`ALL`].
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The step as the language sees it.
    pub signature: &'static Signature,
    /// Makes it ready to run from complete arguments.
    pub build: fn(&Record, &Roots) -> Result<Built>,
}

impl Entry {
    const fn of<S: Step>() -> Entry {
        let build = |args: &Record, roots: &Roots| {
            let settings = S::read(args).map_err(|problems| DataError::Step {
                step: S::SIGNATURE.name,
                what: problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; "),
            })?;
            settings.build(roots)
        };
        Entry { signature: S::SIGNATURE, build }
    }
}

/// Makes the step called `name` ready to run; `args` are complete (defaults filled in). `None`: no such step.
///
/// Errors: arguments of the wrong form, a model file that cannot be read.
pub fn build(name: &str, args: &Record, roots: &Roots) -> Result<Option<Built>> {
    let entry = ALL.iter().find(|entry| entry.signature.name == name);
    entry.map(|entry| (entry.build)(args, roots)).transpose()
}

/// The globs of files that a step reads and that stand inside an argument (`against = benchmarks(["mmlu"])`).
pub fn inner_files(name: &str, args: &Record) -> Vec<String> {
    match Decontaminate::read(args) {
        Ok(step) if name == Decontaminate::SIGNATURE.name => step.against.globs(),
        _ => Vec::new(),
    }
}

/// The map called `name`; `None` when there is none, or the step is no map.
///
/// Errors: as [`build`].
pub fn map(name: &str, args: &Record, roots: &Roots) -> Result<Option<Arc<dyn Map>>> {
    Ok(match build(name, args, roots)? {
        Some(Built::Map(map)) => Some(map),
        Some(Built::Barrier(_) | Built::Split(_)) | None => None,
    })
}

/// The barrier called `name`; `None` when there is none, or the step is no barrier.
///
/// Errors: as [`build`].
pub fn barrier(name: &str, args: &Record, roots: &Roots) -> Result<Option<Arc<dyn Barrier>>> {
    Ok(match build(name, args, roots)? {
        Some(Built::Barrier(barrier)) => Some(barrier),
        Some(Built::Map(_) | Built::Split(_)) | None => None,
    })
}

/// Whether a step that can be row-wise needs the whole set with these arguments: `sample(count = …)`.
pub fn needs_all(name: &str, args: &Record) -> bool {
    name == Sample::SIGNATURE.name && sample::counts(args)
}

/// What a step says about a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It goes on, possibly edited.
    Keep,
    /// It leaves the pipe, for this reason: `Outcome::Drop("not html".into())`, or with the score that decided,
    /// `Outcome::Drop(Reason::below("short", "words", 12.0, 50.0))`.
    Drop(Reason),
}

/// A step that looks at one document at a time: keeps, drops with a reason, edits, adds columns.
///
/// The result depends on the document and the settings alone, so documents may be taken in any order on any thread.
pub trait Map: Send + Sync + Debug {
    /// The step's name in the language.
    fn name(&self) -> &'static str;

    /// Columns that it reads.
    fn needs(&self) -> Vec<String> {
        Vec::new()
    }

    /// Columns that it adds.
    fn adds(&self) -> Vec<(&'static str, Column)> {
        Vec::new()
    }

    /// Looks at `doc`, edits it, and says whether it goes on.
    fn apply(&self, doc: &mut Document) -> Outcome;

    /// Called after each chunk before anything of it is written; `last`: no document comes any more.
    ///
    /// Errors: what went wrong with a document and must end the run, where [`Map::apply`] could not say so.
    fn settle(&self, _last: bool) -> Result<()> {
        Ok(())
    }
}

/// What went into a step, came out and was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The step's name.
    pub step: String,
    /// Documents (for a reader: records) that came in.
    #[serde(rename = "in")]
    pub input: u64,
    /// Documents that went on.
    #[serde(rename = "out")]
    pub output: u64,
    /// Bytes of text and pages that came in.
    pub bytes_in: u64,
    /// Bytes of text and pages that went on.
    pub bytes_out: u64,
    /// Documents dropped, by reason; `input = output + sum of reasons`.
    pub reasons: BTreeMap<String, u64>,
}

impl Count {
    /// A count of zero for a step.
    pub fn new(step: impl Into<String>) -> Count {
        Count { step: step.into(), ..Count::default() }
    }

    /// Adds another count of the same step.
    pub fn merge(&mut self, other: &Count) {
        self.input += other.input;
        self.output += other.output;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        for (reason, n) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += n;
        }
    }

    /// Counts one dropped document.
    pub fn dropped(&mut self, reason: &str) {
        match self.reasons.get_mut(reason) {
            Some(n) => *n += 1,
            None => {
                self.reasons.insert(reason.to_string(), 1);
            }
        }
    }
}
