//! Published rules on the look of a text, with their papers' thresholds as defaults.

use llmp_stdlib::Problem;

use super::share;

llmp_stdlib::def! {
    /// Drops documents of poor quality by heuristics and a small model, where a paper says only that it did.
    ///
    /// AFM: heuristics and model-based classifiers in the line of DataComp-LM (section 3.1.1); Gemma 2 and Qwen 2 publish no
    /// thresholds either. The heuristics are those of `gopher_quality` and `gopher_repetition`; the model is a linear
    /// classifier of fastText, and the best `keep` of the documents stay (DataComp-LM keeps 10%). Reasons: `heuristics`, `quality`.
    ///
    /// ```llmp
    /// dataset good = web |> quality_filter(keep = 10%)
    /// ```
    @planned QualityFilter = "quality_filter", rev 1, whole Docs -> Docs, adds [quality: Num], check kept {
        /// Share of the documents that stay, the best first.
        keep: f64 = "10%",
        /// Also drop by the heuristics.
        heuristics: bool = "true",
        /// A fastText model in place of the one named above.
        model: Option<llmp_stdlib::arg::FilePath> = "none",
    }
}

fn kept(it: &QualityFilter) -> Vec<Problem> {
    share("keep", it.keep).into_iter().collect()
}
