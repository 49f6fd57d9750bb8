//! Our side of the comparison with PyTorch: a process that runs training steps when it is told to.
//!
//! `run.py` starts it and its twin in Python, and lets them run in turn. Arguments: `--model small|medium`,
//! `--precision f32|bf16`, `--tokens FILE` (32-bit ids), `--folder OUT` (where the first weights are written).
//! Each line of the input is a number of steps; the answer is one line of JSON.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and reads the clock")]

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use llmp_nn::optim::{AdamW, adamw, global_norm, scale};
use llmp_nn::spec::FeedForward;
use llmp_nn::{Architecture, Grads, MicroBatch, Model, Precision, SaveOptions, peak};

/// As in the binary.
#[path = "../../../../interpreter/cli/src/allocator.rs"]
mod allocator;

/// A model and the batch that it is measured on.
struct Setting {
    spec: Architecture,
    rows: usize,
}

fn setting(name: &str) -> Option<Setting> {
    let plain =
        Architecture { vocab: 8192, head_dim: 64, kv_heads: 2, tied: true, ..Architecture::default() };
    let ffn = |hidden| FeedForward { hidden, ..Architecture::default().ffn };
    match name {
        "small" => Some(Setting {
            spec: Architecture { layers: 6, width: 384, heads: 6, ffn: ffn(1024), context: 256, ..plain },
            rows: 8,
        }),
        "medium" => Some(Setting {
            spec: Architecture { layers: 10, width: 640, heads: 10, ffn: ffn(1792), context: 1024, ..plain },
            rows: 2,
        }),
        _ => None,
    }
}

/// A training run between two steps.
struct Run {
    model: Model,
    grads: Grads,
    moments: Vec<(Vec<f32>, Vec<f32>)>,
    tokens: Vec<u32>,
    rows: usize,
    done: u64,
}

impl Run {
    /// The rows of step `done`: they follow each other in the text, which starts again at its end.
    fn batch(&self) -> MicroBatch {
        let (rows, length) = (self.rows, self.model.spec().context);
        let n = rows * length;
        let first = self.done as usize * n;
        let at = |i: usize| self.tokens[(first + i) % self.tokens.len()];
        MicroBatch {
            rows,
            length,
            inputs: (0..n).map(at).collect(),
            targets: (1..=n).map(at).collect(),
            doc_start: vec![0; n],
        }
    }

    /// One step: loss and gradients, clipping at 1, AdamW with decay on matrices; 100 steps of warm-up.
    fn step(&mut self) -> Result<f64, Box<dyn Error>> {
        let batch = self.batch();
        let n = batch.inputs.len() as f64;
        self.grads.clear();
        let loss = self.model.loss_and_grads(&batch, n, &mut self.grads)?.nll_sum / n;
        let norm = global_norm(self.grads.flat());
        if norm > 1.0 {
            scale(self.grads.flat_mut(), (1.0 / (norm + 1e-6)) as f32);
        }
        self.done += 1;
        let lr = 5e-4 * (self.done as f64 / 100.0).min(1.0);
        let decays: Vec<bool> = self.model.spec().params().iter().map(|p| p.decay).collect();
        let parts = self.model.params_mut().into_iter().zip(&mut self.moments).zip(decays).enumerate();
        for (i, ((p, (m, v)), decay)) in parts {
            let weight_decay = if decay { 0.1 } else { 0.0 };
            let settings = AdamW { lr, betas: (0.9, 0.95), eps: 1e-8, weight_decay, step: self.done };
            adamw(&settings, p, self.grads.get(i), m, v)?;
        }
        Ok(loss)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    allocator::keep_freed_memory();
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().skip_while(|a| *a != name).nth(1).cloned();
    let (Some(model), Some(tokens), Some(folder)) = (value("--model"), value("--tokens"), value("--folder"))
    else {
        println!("started by benches/vs_pytorch/run.py");
        return Ok(());
    };
    let precision =
        if value("--precision").as_deref() == Some("bf16") { Precision::Bf16 } else { Precision::F32 };
    let Setting { spec, rows } = setting(&model).ok_or("--model is small or medium")?;
    let bytes = std::fs::read(tokens)?;
    let tokens = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let model = Model::init(spec, 1)?;
    model.save(Path::new(&folder), &SaveOptions::default())?;
    let moments = model.params().iter().map(|p| (vec![0.0; p.len()], vec![0.0; p.len()])).collect();
    let grads = Grads::zeros(model.spec());
    let mut run = Run { model: model.with_precision(precision), grads, moments, tokens, rows, done: 0 };

    let start = Instant::now();
    let clock = || start.elapsed().as_secs_f64();
    let rate = peak(precision, 1.5, &clock);
    let n = (rows * run.model.spec().context) as f64;
    let flops = run.model.spec().flops_per_token(run.model.spec().context as f64) * n;
    println!("{{\"peak\": {rate}, \"flops\": {flops}, \"tokens\": {n}}}");
    for line in std::io::stdin().lock().lines() {
        let steps: usize = line?.trim().parse()?;
        let (mut seconds, mut losses) = (Vec::new(), Vec::new());
        for _ in 0..steps {
            let begin = Instant::now();
            losses.push(run.step()?);
            seconds.push(begin.elapsed().as_secs_f64());
        }
        println!("{{\"seconds\": {seconds:?}, \"losses\": {losses:?}}}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
