//! `llmp score`: log-probabilities of a text under a model folder.

use serde_json::json;

use crate::Exit;
use crate::args::{Format, Score};
use crate::output;

pub(crate) fn score(args: &Score) -> Exit {
    let text = match std::fs::read_to_string(&args.text) {
        Ok(text) => text,
        Err(error) => {
            output::note(&format!("error: {}: {error}", args.text.display()));
            return Exit::Failed;
        }
    };
    match llmp_exec::score(&args.model, &text) {
        Ok(score) if args.format == Format::Json => {
            let object = json!({
                "tokens": score.tokens, "logprobs": score.logprobs, "nll": score.nll, "perplexity": score.perplexity,
            });
            output::print(&format!("{object}\n"));
            Exit::Clean
        }
        Ok(score) => {
            output::print(&format!(
                "{} tokens, negative log-likelihood {:.4}, perplexity {:.4}\n",
                score.tokens.len(),
                score.nll,
                score.perplexity
            ));
            Exit::Clean
        }
        Err(failure) => {
            output::note(&format!("error[{}]: {failure}", failure.code));
            Exit::Failed
        }
    }
}
