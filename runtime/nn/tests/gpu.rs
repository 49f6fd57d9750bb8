//! Where a GPU is at hand: own kernels and composed definitions give the processor's losses and gradients.
#![cfg(feature = "kernels")]

mod common;

use common::{batch, every, model, relative, step};
use llmp_nn::{Extras, Gpu, Grads};

#[test]
fn a_gpu_gives_the_losses_and_gradients_of_the_processor() {
    for name in ["cuda:0", "cuda:0:composed"] {
        let gpu = match Gpu::open(name) {
            Ok(gpu) => gpu.expect("the name of a GPU"),
            Err(why) => {
                eprintln!("skipped: {why}");
                return;
            }
        };
        for (i, spec) in every().into_iter().enumerate() {
            for (rows, length, recompute) in [(1, 7, false), (3, 65, false), (1, 150, true)] {
                let model = model(&spec, 3 + i as u64).with_recompute(recompute);
                let batch = batch(&spec, rows, length, true, 11);
                let (want, wanted) = step(&model, &batch, batch.counted() as f64);
                let mut grads = Grads::zeros(&spec);
                let (sums, _) = gpu
                    .loss_and_grads(&model, &batch, batch.counted() as f64, Extras::default(), &mut grads)
                    .expect("room on the GPU");
                let what = format!("{name}, spec {i}, {rows} x {length}");
                assert_eq!(sums.targets, want.targets, "{what}");
                assert!((sums.nll_sum / want.nll_sum - 1.0).abs() < 1e-4, "{what}: {sums:?} {want:?}");
                let apart = relative(&grads, &wanted);
                assert!(apart < 1e-3, "{what}: gradients differ by {apart:e}");
            }
        }
    }
}
