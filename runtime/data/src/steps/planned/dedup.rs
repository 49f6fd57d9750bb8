//! Duplicates by address, line, substring and meaning.

use llmp_stdlib::unit::Dim;
use llmp_stdlib::{Arg, Problem, Ty, Value};

use super::{above_zero, named, share};

/// A number of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documents(pub u64);

impl Arg for Documents {
    const TY: Ty = Ty::Quantity(&[Dim::DOCS]);
    fn read(value: &Value) -> Result<Self, String> {
        u64::read(value).map(Documents)
    }
}

llmp_stdlib::choices! {
    /// Which of several pages with one address stays.
    Kept = "keep" {
        /// The one that was fetched last.
        Newest = "newest",
        /// The first in document order.
        First = "first",
        /// The longest.
        Longest = "longest",
    }
}

llmp_stdlib::def! {
    /// Keeps one page for each URL, over the whole set.
    ///
    /// URLs are compared without scheme, `www.`, fragment and tracking parameters. Llama 3.1 keeps the newest page (section 3.1.1).
    /// Reason: `same url`.
    ///
    /// ```llmp
    /// dataset unique = web |> dedup_url(keep = newest)
    /// ```
    @planned DedupUrl = "dedup_url", rev 1, whole_of [Html, Docs], needs ["url"], reads newest_reads {
        /// Which page stays; `newest` reads `.date`.
        keep: Kept = "newest",
    }
}

fn newest_reads(args: &llmp_stdlib::Record) -> Vec<String> {
    let newest = args.get("keep") == Some(&Value::Choice("newest".into()));
    newest.then(|| "date".to_owned()).into_iter().collect()
}

llmp_stdlib::def! {
    /// Removes lines that a bucket of documents repeats, as ccNet does (F40).
    ///
    /// Llama 3.1: lines seen more than 6 times in each bucket of 30M documents (section 3.1.1). A document without lines left is
    /// dropped. Reason: `repeated lines`.
    ///
    /// ```llmp
    /// dataset clean = web |> dedup_lines(bucket = 30M docs, more_than = 6)
    /// ```
    @planned DedupLines = "dedup_lines", rev 1, whole Docs -> Docs, check lines {
        /// Documents of a bucket; lines are counted inside it.
        bucket: Documents = "30M docs",
        /// Most occurrences of a line that stays.
        more_than: u64 = "6",
    }
}

fn lines(it: &DedupLines) -> Vec<Problem> {
    [above_zero("bucket", it.bucket.0), above_zero("more_than", it.more_than)].into_iter().flatten().collect()
}

llmp_stdlib::def! {
    /// Removes repeated substrings over the whole set by a suffix array (Lee et al. 2022, arXiv:2107.06499).
    ///
    /// RefinedWeb uses it after MinHash with 50 tokens. A document with fewer than `min_left` bytes left is dropped. Reason:
    /// `repeated text`.
    ///
    /// ```llmp
    /// dataset clean = web |> dedup_minhash() |> dedup_substring()
    /// ```
    @planned DedupSubstring = "dedup_substring", rev 1, whole Docs -> Docs, check substring {
        /// Shortest repeated substring that is removed, in tokens.
        min_tokens: u64 = "50",
        /// Fewest bytes of a document that stays.
        min_left: u64 = "200",
    }
}

fn substring(it: &DedupSubstring) -> Vec<Problem> {
    above_zero("min_tokens", it.min_tokens).into_iter().collect()
}

llmp_stdlib::def! {
    /// Drops records that mean nearly the same as a better one (F45).
    ///
    /// Records are embedded and clustered; in each cluster they are taken in order of `by`, and one stays when its largest cosine to
    /// those kept is below `threshold`. Llama 3.1 does so with RoBERTa over whole dialogues, sorted by quality times difficulty
    /// (section 4.2.3; its threshold is not published, SemDeDup's range is 0.9 to 0.95). Reason: `same meaning`.
    ///
    /// ```llmp
    /// dataset varied = chats |> dedup_semantic(threshold = 0.9)
    /// ```
    @planned DedupSemantic = "dedup_semantic", rev 1, whole_of [Docs, Chat, Prompt], reads by, adds [cluster: Text], check cosine {
        /// Largest cosine to a kept record.
        threshold: f64 = "0.9",
        /// The encoder, a folder or a repository; `hashed` counts words and needs no model.
        model: String = "\"hashed\"",
        /// Clusters; within one each pair is compared.
        clusters: u64 = "1000",
        /// The column by which records are taken, the highest first; without it document order.
        by: Option<String> = "none",
        /// Seed of the clustering.
        seed: u64 = "1",
    }
}

fn by(args: &llmp_stdlib::Record) -> Vec<String> {
    named(args, &["by"])
}

fn cosine(it: &DedupSemantic) -> Vec<Problem> {
    [share("threshold", it.threshold), above_zero("clusters", it.clusters)].into_iter().flatten().collect()
}
