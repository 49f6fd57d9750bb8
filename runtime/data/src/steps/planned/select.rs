//! Selection and order: a sample, the best, the first, sorted or shuffled.

use llmp_stdlib::{Problem, Record};

use super::dedup::Documents;
use super::{above_zero, named, share};

llmp_stdlib::def! {
    /// Keeps a random share, or a number of records.
    ///
    /// Chosen by a hash of the record's id, so that another source changes nothing for this one. Llama 3.1 samples web topics
    /// that are over-represented (section 3.1.2).
    ///
    /// ```llmp
    /// dataset fewer = arts |> sample(share = 30%)
    /// ```
    @planned Sample = "sample", rev 1, rows_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], check one_size {
        /// Share of the records that stay.
        share: Option<f64> = "none",
        /// Number of records that stay.
        count: Option<Documents> = "none",
        /// Seed of the choice.
        seed: u64 = "1",
    }
}

fn one_size(it: &Sample) -> Vec<Problem> {
    match (it.share, it.count) {
        (Some(_), Some(_)) => {
            vec![Problem::error("LLMP0602", "count", "sample: `share` and `count` exclude each other")]
        }
        (None, None) => {
            let problem = Problem::error("LLMP0601", "", "sample needs `share` or `count`");
            vec![problem.fix("keep a tenth", "share", "10%")]
        }
        (size, _) => size.and_then(|s| share("share", s)).into_iter().collect(),
    }
}

llmp_stdlib::def! {
    /// Keeps the best share of the records by a column (F43).
    ///
    /// The cut is at a quantile of the whole set, so it moves with the data; `keep_if` cuts at a fixed score. DataComp-LM keeps the
    /// top 10%, Llama 3.1 the top quartile of reward scores (section 4.2.3). Reason: `below the cut`.
    ///
    /// ```llmp
    /// dataset best = chats |> keep_top(share = 25%, by = "quality")
    /// ```
    @planned KeepTop = "keep_top", rev 1, whole_of [Docs, Chat, Prompt, Answers, Preference], reads ranked, check top {
        /// Share of the records that stay.
        share: f64,
        /// The column that ranks them, the highest first.
        by: String,
    }
}

fn ranked(args: &Record) -> Vec<String> {
    named(args, &["by"])
}

fn top(it: &KeepTop) -> Vec<Problem> {
    share("share", it.share).into_iter().collect()
}

llmp_stdlib::def! {
    /// Keeps the first records in document order.
    ///
    /// ```llmp
    /// dataset few = books |> take(1000)
    /// ```
    @planned Take = "take", rev 1, whole_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], check some {
        /// How many.
        count: Documents,
    }
}

fn some(it: &Take) -> Vec<Problem> {
    above_zero("count", it.count.0).into_iter().collect()
}

llmp_stdlib::def! {
    /// Orders records by a hash of their id and the seed. Stages shuffle by themselves; this is for what is exported or taken.
    ///
    /// ```llmp
    /// dataset few = books |> shuffle(seed = 3) |> take(1000)
    /// ```
    @planned Shuffle = "shuffle", rev 1, whole_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled] {
        /// Seed of the order.
        seed: u64 = "1",
    }
}

llmp_stdlib::def! {
    /// Orders records by a column.
    ///
    /// ```llmp
    /// dataset long = books |> count_tokens(tok) |> sort(by = "tokens", descending = true) |> take(1000)
    /// ```
    @planned Sort = "sort", rev 1, whole_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], reads ranked {
        /// The column.
        by: String,
        /// The highest first.
        descending: bool = "false",
    }
}
