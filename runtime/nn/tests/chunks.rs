//! Dual chunk attention: the trained length is as without, beyond it training and decoding agree with the formula.
#![cfg(feature = "kernels")]

mod common;

use common::{batch, difference, model, spec};
use llmp_nn::kernels::Path;
use llmp_nn::kinds::QkPlace;
use llmp_nn::spec::{ChunkForm, NormForm, Order, Reach, Rotary, Stretch};
use llmp_nn::{Architecture, Grads, MicroBatch, Model};

fn chunked(chunks: Option<ChunkForm>) -> Order {
    Order::Rotary(Rotary { base: 500.0, stretch: Stretch::None, chunks })
}

const FORM: ChunkForm = ChunkForm { trained: 16, chunk: 11 };

fn specs(form: Option<ChunkForm>) -> Vec<Architecture> {
    let plain = Architecture { order: chunked(form), context: 80, ..spec() };
    let norm = NormForm { eps: 1e-3, ..spec().norm };
    vec![
        Architecture { attention_cap: Some(5.0), ..plain.clone() },
        Architecture { qk_norm: Some(norm), qk_norm_place: QkPlace::After, ..plain.clone() },
        Architecture { pattern: vec![Reach::GlobalWithoutOrder, Reach::Window(40)], ..plain },
    ]
}

fn ids(n: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * 7919 + i * i * 31) % 61) as u32).collect()
}

fn logits(m: &Model, text: &[u32]) -> Vec<f32> {
    m.logits(text).expect("valid ids")
}

#[test]
fn up_to_the_trained_length_nothing_changes_and_beyond_it_something_does() {
    // A norm after the turn sees the places themselves, not only the offsets.
    let before = |spec: &Architecture| spec.qk_norm_place == QkPlace::Before;
    for (with, without) in specs(Some(FORM)).iter().zip(specs(None)).filter(|(with, _)| before(with)) {
        let (a, b) = (model(with, 3), model(&without, 3));
        let text = ids(70);
        let (x, y) = (logits(&a, &text), logits(&b, &text));
        let within = FORM.trained * 61;
        assert!(difference(&x[..within], &y[..within]) < 1e-4, "{}", difference(&x[..within], &y[..within]));
        assert!(difference(&x[69 * 61..], &y[69 * 61..]) > 1e-3, "the form has an effect");
        // The loss of a batch within the trained length is the same computation.
        let batch = batch(with, 2, FORM.trained, true, 5);
        assert_eq!(a.loss(&batch).expect("valid"), b.loss(&batch).expect("valid"));
    }
}

#[test]
fn decoding_agrees_with_the_definition_in_every_chunk() {
    for spec in specs(Some(FORM)) {
        let m = model(&spec, 4);
        for length in [17, 22, 23, 34, 80] {
            let text = ids(length);
            let sum: f64 = m.token_logprobs(&text).expect("valid").iter().map(|&x| f64::from(x)).sum();
            for path in [Path::Fused, Path::Composed] {
                let loss = m.clone().with_path(path).loss(&MicroBatch::document(&text)).expect("valid");
                assert!((-sum / loss.nll_sum - 1.0).abs() < 1e-5, "{length}: {sum} {loss:?}");
            }
        }
    }
}

#[test]
fn scores_turn_by_the_offsets_of_the_paper() {
    let form = ChunkForm { trained: 8, chunk: 6 };
    // Chunks of 6, a trained length of 8: w = 2. Query 14 is the third of its chunk.
    let offsets: Vec<usize> = (0..=14).map(|key| form.offset(14, key)).collect();
    assert_eq!(offsets, [7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 2, 1, 0], "P_q - P_k");
    // Query 13 is the second: the window to the chunk before keeps true offsets.
    let near: Vec<usize> = (6..=13).map(|key| form.offset(13, key)).collect();
    assert_eq!(near, [7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn gradients_reach_every_parameter_and_follow_the_loss() {
    let spec = Architecture { layers: 1, pattern: vec![Reach::Global], ..specs(Some(FORM))[0].clone() };
    let m = model(&spec, 5);
    let text = MicroBatch::document(&ids(40));
    let n = text.counted() as f64;
    let mut grads = Grads::zeros(&spec);
    m.loss_and_grads(&text, n, &mut grads).expect("valid");
    let flat: Vec<f32> = m.params().concat();
    for at in (0..flat.len()).step_by(flat.len() / 40) {
        let loss = |by: f32| {
            let mut moved = flat.clone();
            moved[at] += by;
            let m = Model::from_flat(m.device().clone(), spec.clone(), &moved).expect("valid");
            m.loss(&text).expect("valid").nll_sum / n
        };
        let slope = (loss(4e-3) - loss(-4e-3)) / 8e-3;
        let found = f64::from(grads.flat()[at]);
        assert!((slope - found).abs() < 1e-4 * (1.0 + slope.abs()), "{at}: {slope} {found}");
    }
}
