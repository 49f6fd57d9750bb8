//! Tokens per second and GF/s of one training step in 32 bits and in bf16, against the machine's products and the
//! composed definition in the same run.
//!
//! `cargo bench --bench step` (a number as argument: seconds per line, 10 by default; `fused`, `bf16`, `composed` or
//! `decode`: only that line of the larger model; `long=8192`, then perhaps `recompute`: gradients of one long row).
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and reads the clock")]

use llmp_nn::optim::{AdamW, adamw, global_norm, scale};
use llmp_nn::spec::FeedForward;
use llmp_nn::{Architecture, Grads, MicroBatch, Model, NnError, Path, Precision, peak};
use std::time::Instant;

/// As in the binary.
#[path = "../../../interpreter/cli/src/allocator.rs"]
mod allocator;

fn main() -> Result<(), NnError> {
    allocator::keep_freed_memory();
    let seconds = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(10.0);
    let only = std::env::args().find_map(|a| match a.as_str() {
        "fused" => Some(Some(Path::Fused)),
        "bf16" => Some(Some(Path::Bf16)),
        "composed" => Some(Some(Path::Composed)),
        "decode" => Some(None),
        _ => None,
    });
    let plain = Architecture::default();
    let reference = Architecture {
        vocab: 8192,
        layers: 6,
        width: 384,
        heads: 6,
        kv_heads: 2,
        head_dim: 64,
        ffn: FeedForward { hidden: 1024, ..plain.ffn },
        tied: true,
        context: 256,
        ..plain
    };
    if let Some(context) = std::env::args().find_map(|a| a.strip_prefix("long=")?.parse().ok()) {
        let recompute = std::env::args().any(|a| a == "recompute");
        return long(&Architecture { context, ..reference }, recompute);
    }
    if let Some(line) = only {
        return line.map_or_else(|| decode(&reference, seconds), |path| measure(&reference, path, seconds));
    }
    let small = Architecture {
        vocab: 4096,
        width: 192,
        heads: 4,
        kv_heads: 2,
        head_dim: 48,
        ffn: FeedForward { hidden: 512, ..reference.ffn },
        ..reference.clone()
    };
    let begin = Instant::now();
    let clock = || begin.elapsed().as_secs_f64();
    for precision in [Precision::F32, Precision::Bf16] {
        println!("products in {precision:?}: {:.0} GF/s", peak(precision, seconds / 4.0, &clock) / 1e9);
    }
    for spec in [reference, small] {
        println!("{} parameters, {} layers, width {}", spec.parameters(), spec.layers, spec.width);
        for path in [Path::Fused, Path::Bf16, Path::Composed] {
            measure(&spec, path, seconds)?;
        }
        decode(&spec, seconds / 4.0)?;
    }
    Ok(())
}

fn measure(spec: &Architecture, path: Path, seconds: f64) -> Result<(), NnError> {
    let (rows, length) = (8, spec.context);
    let n = rows * length;
    let ids: Vec<u32> =
        (0..=n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) % spec.vocab as u32).collect();
    let batch = MicroBatch {
        rows,
        length,
        inputs: ids[..n].to_vec(),
        targets: ids[1..].to_vec(),
        doc_start: vec![0; n],
    };
    let mut model = Model::init(spec.clone(), 1)?.with_path(path);
    let mut grads = Grads::zeros(spec);
    let mut moments: Vec<_> =
        model.params().iter().map(|p| (vec![0.0; p.len()], vec![0.0; p.len()])).collect();
    let mut times = Vec::new();
    let mut spent = [0.0; 2];
    let begin = Instant::now();
    while times.len() < 3 || begin.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        grads.clear();
        model.loss_and_grads(&batch, n as f64, &mut grads)?;
        spent[0] += start.elapsed().as_secs_f64();
        let norm = global_norm(grads.flat());
        scale(grads.flat_mut(), (1.0 / norm.max(1.0)) as f32);
        let settings = AdamW {
            lr: 1e-3,
            betas: (0.9, 0.95),
            eps: 1e-8,
            weight_decay: 0.1,
            step: times.len() as u64 + 1,
        };
        for (i, (p, (m, v))) in model.params_mut().into_iter().zip(&mut moments).enumerate() {
            adamw(&settings, p, grads.get(i), m, v)?;
        }
        times.push(start.elapsed().as_secs_f64());
        spent[1] += times[times.len() - 1];
    }
    times.sort_by(f64::total_cmp);
    let (best, median) = (times[0], times[times.len() / 2]);
    let flops = spec.flops_per_token(length as f64) * n as f64;
    println!(
        "  {path:?}: best {best:.3} s, median {median:.3} s, {:.0} tokens/s, {:.0} GF/s at best; optimizer {:.1}%",
        n as f64 / median,
        flops / best / 1e9,
        100.0 * (1.0 - spent[0] / spent[1])
    );
    Ok(())
}

/// Two gradients of one long row: for `/usr/bin/time -v`, which says the peak memory.
fn long(spec: &Architecture, recompute: bool) -> Result<(), NnError> {
    let n = spec.context;
    let ids: Vec<u32> = (0..=n as u32).map(|i| i.wrapping_mul(2_654_435_761) >> 20).collect();
    let (inputs, targets) = (ids[..n].to_vec(), ids[1..].to_vec());
    let batch = MicroBatch { rows: 1, length: n, inputs, targets, doc_start: vec![0; n] };
    let model = Model::init(spec.clone(), 1)?.with_recompute(recompute);
    let mut grads = Grads::zeros(spec);
    for _ in 0..2 {
        model.loss_and_grads(&batch, n as f64, &mut grads)?;
    }
    Ok(())
}

fn decode(spec: &Architecture, seconds: f64) -> Result<(), NnError> {
    let model = Model::init(spec.clone(), 1)?;
    let prompt: Vec<u32> = (0..128).collect();
    for sequences in [1, 8] {
        let mut decoder = llmp_nn::Decoder::with_sequences(&model, sequences);
        let start = Instant::now();
        for s in 0..sequences {
            decoder.prefill_at(s, &prompt)?;
        }
        let prefill = (sequences * prompt.len()) as f64 / start.elapsed().as_secs_f64();
        let (mut steps, begin) = (0, Instant::now());
        while begin.elapsed().as_secs_f64() < seconds {
            if decoder.length(0) == spec.context {
                (0..sequences).for_each(|s| decoder.truncate(s, prompt.len()));
            }
            let items: Vec<(usize, u32)> = (0..sequences).map(|s| (s, steps % 100)).collect();
            decoder.step_batch(&items)?;
            steps += 1;
        }
        let rate = f64::from(steps) * sequences as f64 / begin.elapsed().as_secs_f64();
        println!("  decode, {sequences} sequences: {rate:.0} tokens/s, prefill {prefill:.0} tokens/s");
    }
    Ok(())
}
