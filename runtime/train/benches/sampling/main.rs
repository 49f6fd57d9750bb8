//! Our side of the comparison of batched generation with transformers: a process that answers prompts when it is told to.
//!
//! `run.py` starts it with a model folder as argument. Each line of the input is `{"prompts": [[ids…], …], "max_tokens": n}`; the answer is
//! one line of JSON with the seconds and the greedy answers.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and reads the clock")]

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use llmp_nn::Model;
use llmp_train::generate::Sampling;
use llmp_train::sample::{Stops, answers};

/// As in the binary.
#[path = "../../../../interpreter/cli/src/allocator.rs"]
mod allocator;

#[derive(serde::Deserialize)]
struct Request {
    prompts: Vec<Vec<u32>>,
    max_tokens: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    allocator::keep_freed_memory();
    // `cargo bench` and `cargo test` come without a folder.
    let Some(folder) = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')) else { return Ok(()) };
    let model = Model::load(Path::new(&folder))?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let sampling =
            Sampling { max_tokens: request.max_tokens, temperature: 0.0, top_k: None, top_p: None, seed: 0 };
        let seeds = vec![0; request.prompts.len()];
        let begin = Instant::now();
        let found = answers(&model, &request.prompts, 1, &sampling, Stops::default(), &seeds)?;
        let seconds = begin.elapsed().as_secs_f64();
        let ids: Vec<&[u32]> = found.iter().flatten().map(|answer| &answer.ids[..]).collect();
        println!("{}", serde_json::json!({ "seconds": seconds, "ids": ids }));
        std::io::stdout().flush()?;
    }
    Ok(())
}
