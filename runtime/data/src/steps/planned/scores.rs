//! Scores: each adds columns and drops nothing, so that thresholds change without scoring again.

use llmp_stdlib::Problem;
use llmp_stdlib::arg::{FilePath, TokenizerRef};

use super::above_zero;

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
    /// Adds the perplexity of a document under an n-gram model, `.perplexity`, as ccNet does (Wenzek et al. 2020).
    ///
    /// ```llmp
    /// dataset fluent = web |> score_perplexity(model = "lm/en.bin") |> keep_if(.perplexity < 1000)
    /// ```
    @planned ScorePerplexity = "score_perplexity", rev 1, rows Docs -> Docs, adds [perplexity: Num] {
        /// The model, as KenLM writes it.
        model: FilePath,
    }
}

llmp_stdlib::def! {
    /// Adds the length of a record in tokens, `.tokens`.
    ///
    /// ```llmp
    /// dataset long = books |> count_tokens(tok) |> keep_if(.tokens > 16Ki)
    /// ```
    @planned CountTokens = "count_tokens", rev 1, rows_of [Docs, Chat, Prompt, Answers, Preference, Labelled], adds [tokens: Num], check cut {
        /// The tokenizer.
        tokenizer: TokenizerRef,
        /// Counting ends here; `none` counts all.
        at_most: Option<u64> = "none",
    }
}

fn cut(it: &CountTokens) -> Vec<Problem> {
    it.at_most.and_then(|most| above_zero("at_most", most)).into_iter().collect()
}
