//! Decoding with a cache: equal to the full forward pass, and bitwise independent of the batch.
#![cfg(feature = "kernels")]

mod common;

use common::{difference, every, model, on_threads, spec};
use llmp_nn::{Decoder, MicroBatch, NnError};

fn ids(n: usize, vocab: usize, seed: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729 + i * i * 31) % vocab) as u32).collect()
}

#[test]
fn scores_are_those_of_the_training_forward_pass() {
    for spec in every() {
        let m = model(&spec, 21);
        let text = ids(140, spec.vocab, 1);
        let logprobs = m.token_logprobs(&text).expect("valid ids");
        assert_eq!(logprobs.len(), 139);
        let sum: f64 = logprobs.iter().map(|&x| f64::from(x)).sum();
        let loss = m.loss(&MicroBatch::document(&text)).expect("valid ids");
        assert!((-sum / loss.nll_sum - 1.0).abs() < 1e-5, "{sum} {loss:?}");
    }
}

#[test]
fn stepping_equals_the_whole_text_bit_for_bit() {
    for spec in every() {
        let m = model(&spec, 22);
        let text = ids(100, spec.vocab, 2);
        let all = m.logits(&text).expect("valid ids");
        let mut decoder = Decoder::new(&m);
        let mut last = decoder.prefill(&text[..70]).expect("valid ids");
        for (i, &id) in text.iter().enumerate().skip(70) {
            assert_eq!(last, all[(i - 1) * spec.vocab..i * spec.vocab], "position {i}");
            last = decoder.step(id).expect("valid ids");
        }
        decoder.truncate(0, 50);
        assert_eq!(decoder.length(0), 50);
        let again = decoder.step(text[50]).expect("valid ids");
        assert_eq!(again, all[50 * spec.vocab..51 * spec.vocab], "after going back");
    }
}

#[test]
fn logits_do_not_depend_on_the_batch_or_the_threads() {
    for spec in every() {
        let m = model(&spec, 23);
        let prompts: Vec<Vec<u32>> = (0..8).map(|s| ids(5 + 9 * s, spec.vocab, s)).collect();
        let alone = on_threads(1, || {
            let run = |p: &Vec<u32>| {
                let mut d = Decoder::new(&m);
                d.prefill(p).expect("valid ids");
                (3..9).map(|id| d.step(id).expect("valid id")).collect::<Vec<_>>()
            };
            prompts.iter().map(run).collect::<Vec<_>>()
        });
        let together = on_threads(2, || {
            let mut d = Decoder::with_sequences(&m, 8);
            for (s, p) in prompts.iter().enumerate() {
                d.prefill_at(s, p).expect("valid ids");
            }
            let items = |id| (0..8).map(|s| (s, id)).collect::<Vec<_>>();
            (3..9).map(|id| d.step_batch(&items(id)).expect("valid ids")).collect::<Vec<_>>()
        });
        for (s, alone) in alone.iter().enumerate() {
            for (step, logits) in alone.iter().enumerate() {
                assert_eq!(logits, &together[step][s], "sequence {s}, step {step}");
            }
        }
    }
}

#[test]
fn a_model_of_bf16_numbers_decodes_the_same_from_half_the_bytes() {
    let spec = spec();
    let rounded = |model: llmp_nn::Model| {
        let flat: Vec<f32> =
            model.params().concat().into_iter().map(|w| f32::from_bits(w.to_bits() & 0xffff_0000)).collect();
        llmp_nn::Model::from_flat(llmp_nn::Cpu::default(), spec.clone(), &flat).expect("its own numbers")
    };
    for m in [rounded(model(&spec, 26)), model(&spec, 26)] {
        let mut plain = Decoder::with_sequences(&m, 3);
        let mut compact = Decoder::with_sequences(&m, 3).compact();
        for decoder in [&mut plain, &mut compact] {
            decoder.fill(&[(0, &ids(9, spec.vocab, 1)), (1, &ids(5, spec.vocab, 2))]).expect("valid ids");
            decoder.copy(0, 2, 4);
        }
        let items = [(0, 3), (1, 4), (2, 5)];
        assert_eq!(plain.step_batch(&items).expect("valid"), compact.step_batch(&items).expect("valid"));
        // A copied beginning is one that was read.
        let mut alone = Decoder::new(&m);
        alone.prefill(&[&ids(9, spec.vocab, 1)[..4], &[5]].concat()).expect("valid ids");
        assert_eq!(alone.step(7).expect("valid"), compact.step_batch(&[(2, 7)]).expect("valid")[0]);
    }
}

#[test]
fn earlier_tokens_matter_and_later_ones_do_not() {
    let spec = spec();
    let m = model(&spec, 24);
    let text = ids(30, spec.vocab, 4);
    let mut changed = text.clone();
    changed[10] = (changed[10] + 1) % spec.vocab as u32;
    let (a, b) = (m.logits(&text).expect("valid"), m.logits(&changed).expect("valid"));
    assert_eq!(a[..10 * spec.vocab], b[..10 * spec.vocab]);
    assert!(difference(&a[29 * spec.vocab..], &b[29 * spec.vocab..]) > 1e-4);
}

#[test]
fn bad_calls_are_errors() {
    let spec = llmp_nn::Architecture { context: 8, ..spec() };
    let m = model(&spec, 25);
    let mut d = Decoder::new(&m);
    assert!(matches!(d.prefill(&[]), Err(NnError::Input { .. })));
    assert!(matches!(d.prefill(&[1, 61]), Err(NnError::TokenId { id: 61, position: 1, .. })));
    assert!(matches!(d.prefill(&[1; 9]), Err(NnError::Context { length: 9, context: 8, .. })));
    assert!(matches!(d.prefill_at(1, &[1]), Err(NnError::Input { .. })));
    assert!(matches!(d.step_batch(&[(0, 1), (0, 2)]), Err(NnError::Input { .. })));
    d.prefill(&[1; 8]).expect("fits");
    assert!(matches!(d.step(1), Err(NnError::Context { length: 9, .. })));
    assert!(matches!(m.token_logprobs(&[1; 10]), Err(NnError::Context { .. })));
    assert!(m.token_logprobs(&[]).expect("nothing").is_empty());
    assert_eq!(m.token_logprobs(&[5]).expect("one token"), Vec::<f32>::new());
}
