//! Models with every weight and gain perturbed, and batches with documents and masked targets.
#![allow(dead_code, reason = "each test file uses a part")]

use llmp_nn::kinds::{NormPlace, QkPlace};
use llmp_nn::spec::{Activation, FeedForward, NormForm, Order, Reach, Rotary, Stretch};
use llmp_nn::{Architecture, Cpu, Grads, IGNORE, LossSums, MicroBatch, Model};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) fn hidden(hidden: usize) -> FeedForward {
    FeedForward { hidden, ..Architecture::default().ffn }
}

pub(crate) fn rotary(base: f64) -> Order {
    Order::Rotary(Rotary { base, stretch: Stretch::None, chunks: None })
}

pub(crate) fn spec() -> Architecture {
    Architecture {
        vocab: 61,
        layers: 2,
        width: 20,
        heads: 4,
        kv_heads: 2,
        head_dim: 6,
        ffn: hidden(27),
        tied: true,
        context: 300,
        ..Architecture::default()
    }
}

/// Shapes that differ in what can go wrong: grouping, ties, odd sizes, widths beyond a register.
pub(crate) fn specs() -> Vec<Architecture> {
    vec![
        spec(),
        Architecture { tied: false, kv_heads: 4, order: rotary(500.0), ..spec() },
        Architecture {
            heads: 6,
            kv_heads: 2,
            head_dim: 10,
            width: 33,
            ffn: hidden(70),
            norm: NormForm { eps: 1e-3, ..spec().norm },
            ..spec()
        },
        Architecture {
            heads: 3,
            kv_heads: 1,
            head_dim: 16,
            width: 48,
            ffn: hidden(64),
            layers: 1,
            vocab: 257,
            ..spec()
        },
    ]
}

/// The same, and all other features.
pub(crate) fn every() -> Vec<Architecture> {
    [specs(), vec![gemma(), gpt2(), odd()]].concat()
}

/// Norms on both sides with stored gains less one, caps, a window, scales, GeGLU.
pub(crate) fn gemma() -> Architecture {
    Architecture {
        norm: NormForm { offset: true, ..spec().norm },
        norm_place: NormPlace::Sandwich,
        ffn: FeedForward { activation: Activation::GeluTanh, ..hidden(27) },
        pattern: vec![Reach::Window(9), Reach::Global],
        attention_cap: Some(5.0),
        logit_cap: Some(3.0),
        score_scale: Some(0.5),
        embedding_scale: Some(20f64.sqrt()),
        ..spec()
    }
}

/// Learned positions, centred norms, biases everywhere, two matrices in the feed-forward.
pub(crate) fn gpt2() -> Architecture {
    Architecture {
        kv_heads: 4,
        head_dim: 5,
        norm: NormForm { rms: false, bias: true, ..spec().norm },
        ffn: FeedForward { activation: Activation::Gelu, gated: false, ..hidden(31) },
        order: Order::Table,
        bias: true,
        tied: false,
        ..spec()
    }
}

/// What no published model has together: norms after, head norms after the turn, blocks without positions.
pub(crate) fn odd() -> Architecture {
    let stretch = Stretch::Yarn { factor: 4.0, original: 32, fast: 8.0, slow: 1.0, attention: 1.2 };
    Architecture {
        layers: 3,
        norm_place: NormPlace::Post,
        qk_norm: Some(NormForm { rms: false, bias: true, offset: false, eps: 1e-3 }),
        qk_norm_place: QkPlace::After,
        order: Order::Rotary(Rotary { base: 500.0, stretch, chunks: None }),
        pattern: vec![Reach::Window(30), Reach::GlobalWithoutOrder],
        ffn: FeedForward { activation: Activation::Relu2, gated: false, ..hidden(31) },
        qkv_bias: true,
        ..spec()
    }
}

/// Weights and gains far from their initial values.
pub(crate) fn model(spec: &Architecture, seed: u64) -> Model {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut flat = Vec::new();
    for info in spec.params() {
        let scale = if info.shape.len() == 1 { 0.4 } else { 0.35 };
        let base = if info.shape.len() == 1 { 1.0 } else { 0.0 };
        flat.extend((0..info.count()).map(|_| base + scale * random.random_range(-1.0f32..1.0)));
    }
    Model::from_flat(Cpu::default(), spec.clone(), &flat).expect("a valid spec")
}

/// Random ids; with `documents` also document ranges and masked targets.
pub(crate) fn batch(
    spec: &Architecture,
    rows: usize,
    length: usize,
    documents: bool,
    seed: u64,
) -> MicroBatch {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let n = rows * length;
    let ids = |random: &mut ChaCha8Rng| (0..n).map(|_| random.random_range(0..spec.vocab as u32)).collect();
    let (inputs, mut targets): (Vec<u32>, Vec<u32>) = (ids(&mut random), ids(&mut random));
    let mut doc_start = vec![0; n];
    if documents {
        for at in 0..n {
            let position = at % length;
            let fresh = position > 0 && random.random_range(0..9) == 0;
            doc_start[at] = match position {
                0 => 0,
                _ if fresh => position as u32,
                _ => doc_start[at - 1],
            };
            if random.random_range(0..5) == 0 {
                targets[at] = IGNORE;
            }
        }
        targets[0] = 1;
    }
    MicroBatch { rows, length, inputs, targets, doc_start }
}

pub(crate) fn step(model: &Model, batch: &MicroBatch, normaliser: f64) -> (LossSums, Grads) {
    let mut grads = Grads::zeros(model.spec());
    let sums = model.loss_and_grads(batch, normaliser, &mut grads).expect("a valid batch");
    (sums, grads)
}

/// Largest relative difference of a parameter. The bias of keys moves all scores of a query alike, so that its gradient
/// may be rounding only: no gradient counts as smaller than 3 thousandths of the largest.
pub(crate) fn relative(a: &Grads, b: &Grads) -> f64 {
    let norm = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let largest = b.iter().map(norm).fold(0.0, f64::max);
    let apart = |(a, b): (&[f32], &[f32])| {
        let distance: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        norm(&distance) / norm(b).max(3e-3 * largest)
    };
    a.iter().zip(b.iter()).map(apart).fold(0.0, f64::max)
}

/// Relative L2 distance of two vectors.
pub(crate) fn difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let (mut distance, mut norm) = (0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        distance += (f64::from(a) - f64::from(b)).powi(2);
        norm += f64::from(b).powi(2);
    }
    assert!(norm > 0.0, "a gradient that is all zero proves nothing");
    (distance / norm).sqrt()
}

/// Runs `f` on a rayon pool of so many threads.
pub(crate) fn on_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(f)
}
