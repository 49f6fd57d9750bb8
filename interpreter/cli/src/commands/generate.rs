//! `llmp generate`: continue a prompt with a model folder.

use std::io::Read;

use llmp_exec::Sampling;

use crate::Exit;
use crate::args::{Format, Generate};
use crate::output;

pub(crate) fn generate(args: &Generate) -> Exit {
    let prompt = match &args.prompt {
        Some(prompt) => prompt.clone(),
        None => {
            let mut text = String::new();
            if let Err(error) = std::io::stdin().read_to_string(&mut text) {
                output::note(&format!("error: standard input: {error}"));
                return Exit::Failed;
            }
            text
        }
    };
    let (max_tokens, temperature, seed) = (args.max_tokens, args.temperature, args.seed);
    let sampling =
        Sampling { max_tokens, temperature, seed, ..Sampling::default() }.among(args.top_k, args.top_p);
    match llmp_exec::generate(&args.model, &prompt, &sampling) {
        Ok(text) if args.format == Format::Json => {
            output::print(&format!("{:#}\n", serde_json::json!({ "prompt": prompt, "text": text })));
            Exit::Clean
        }
        Ok(text) => {
            output::print(&format!("{text}\n"));
            Exit::Clean
        }
        Err(failure) => {
            output::note(&format!("error[{}]: {failure}", failure.code));
            Exit::Failed
        }
    }
}
