//! Scores: each adds columns and drops nothing, so that thresholds change without scoring again.

use llmp_stdlib::Problem;
use llmp_stdlib::arg::{FilePath, TokenizerRef};

llmp_stdlib::def! {
    /// Adds how far a document's tokens are from those of the corpus: `.token_kl = KL(document || corpus)`, in nats (F42).
    ///
    /// Llama 3.1 drops documents with too many outlier tokens by it (section 3.1.1; the threshold is not published).
    ///
    /// ```llmp
    /// dataset usual = web |> score_token_kl() |> drop_if(.token_kl > 3.5)
    /// ```
    @planned ScoreTokenKl = "score_token_kl", rev 1, whole Docs -> Docs, adds [token_kl: Num], check smoothing {
        /// The tokenizer; without it words between whitespace count.
        tokenizer: Option<TokenizerRef> = "none",
        /// Added to each count of the corpus.
        smoothing: f64 = "1",
    }
}

fn smoothing(it: &ScoreTokenKl) -> Vec<Problem> {
    let low = it.smoothing <= 0.0;
    let message = "score_token_kl: `smoothing` must be above 0, a token the corpus lacks has no logarithm";
    low.then(|| Problem::error("LLMP0209", "smoothing", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// Adds marks of mathematics: `.math_symbols`, how many symbols of mathematics and LaTeX the text holds, and `.math_tags`,
    /// whether the page carried elements or scripts that typeset formulas.
    ///
    /// AFM looks for about 40 strings and templates of the page and about 350 symbols of Unicode and LaTeX before its language
    /// model judges (section 3.1.1; the lists are not published).
    ///
    /// ```llmp
    /// dataset maths = web |> score_math() |> keep_if(.math_symbols > 40 or .math_tags)
    /// ```
    @planned ScoreMath = "score_math", rev 1, rows Docs -> Docs, adds [math_symbols: Num, math_tags: Bool] {
        /// A file with one symbol a line in place of the list inside llmp.
        symbols: Option<FilePath> = "none",
    }
}
