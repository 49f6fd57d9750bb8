//! Many answers at once: each is what it would be alone, whatever the batch and the threads.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use common::{Stand, spec};
use llmp_nn::{Architecture, Decoder, Model};
use llmp_train::generate::Sampling;
use llmp_train::sample::{Answer, How, Question, Stops, answers, ask, seed};

fn model() -> Model {
    Model::init(Architecture { context: 96, init_std: 0.3, ..spec() }, 5).unwrap()
}

/// A system prompt of 40 tokens before questions of several lengths, one of them twice, and one without it.
fn prompts() -> Vec<Vec<u32>> {
    let system: Vec<u32> = (0..40).map(|i| 65 + i * 7 % 26).collect();
    let with = |tail: &[u32]| [&system[..], tail].concat();
    vec![with(&[1]), with(&[2, 3, 4]), with(&[2, 3, 9, 9]), vec![7], with(&[1]), with(&[])]
}

fn sampling() -> Sampling {
    Sampling { max_tokens: 24, temperature: 1.2, top_k: None, top_p: Some(0.9), seed: 0 }
}

/// All answers, so many sequences at a time.
fn together(together: usize, threads: usize) -> Vec<Vec<Answer>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let model = model();
    let stops = [11, 12, 13, 200, 201, 202];
    let mut all = vec![Vec::new(); prompts().len()];
    let sampling = sampling();
    let how = How { sampling: &sampling, stops: Stops::at(&stops), together, stop: None };
    let mut left =
        prompts().into_iter().zip(0..).map(|(prompt, at)| Question { prompt, n: 3, seed: seed([9, at]) });
    pool.install(|| {
        ask(&model, how, &mut || Ok(left.next()), &mut |number, answers| {
            all[number as usize] = answers;
            Ok(())
        })
        .unwrap();
    });
    all
}

#[test]
fn an_answer_is_the_same_whatever_the_batch_and_the_threads() {
    let alone = together(1, 1);
    for (batch, threads) in [(8, 1), (8, 2), (3, 2), (32, 2)] {
        assert!(together(batch, threads) == alone, "{batch} at a time on {threads} threads");
    }
    let all: Vec<&Answer> = alone.iter().flatten().collect();
    assert_eq!(all.len(), 18);
    assert!(all.iter().any(|a| a.ended) && all.iter().any(|a| !a.ended), "both ends are tested");
    assert!(alone[0] != alone[4], "equal prompts with other seeds have other answers");
    assert!(alone[0][0] != alone[0][1], "answers to one prompt differ");
}

#[test]
fn greedy_answers_and_their_probabilities_are_those_of_the_plain_decoder() {
    let model = model();
    let greedy = Sampling { temperature: 0.0, top_p: None, ..sampling() };
    let prompts = prompts();
    let found = answers(&model, &prompts, 1, &greedy, Stops::default(), &[0; 6]).unwrap();
    for (prompt, found) in prompts.iter().zip(found) {
        let mut decoder = Decoder::new(&model);
        let mut logits = decoder.prefill(prompt).unwrap();
        assert_eq!((found[0].ids.len(), found[0].ended), (24, false));
        for (id, logp) in found[0].ids.iter().zip(&found[0].logps) {
            let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
            assert_eq!(*id as usize, best);
            let sum: f64 = logits.iter().map(|l| f64::from(l - logits[best]).exp()).sum();
            assert!((f64::from(*logp) + sum.ln()).abs() < 1e-5, "{logp} is not {}", -sum.ln());
            logits = decoder.step(*id).unwrap();
        }
    }
}

#[test]
fn an_answer_ends_at_a_token_a_text_or_the_context() {
    let stand = Stand::new();
    let (model, vocabulary) = (model(), stand.vocabulary());
    let greedy = Sampling { temperature: 0.0, top_p: None, ..sampling() };
    let one = |stops: Stops<'_>, prompt: Vec<u32>| {
        answers(&model, &[prompt], 1, &greedy, stops, &[0]).unwrap().remove(0).remove(0)
    };
    let free = one(Stops::default(), vec![7, 8]);
    let last = free.ids[5];
    let first = free.ids.iter().position(|id| *id == last).unwrap();
    let cut = one(Stops::at(&[last]), vec![7, 8]);
    assert_eq!((&cut.ids[..], cut.ended), (&free.ids[..=first], true));
    assert_eq!(Stops::at(&[last]).said(&cut), &free.ids[..first]);
    assert_eq!(Stops::default().said(&free), &free.ids[..]);
    // A text that the answer holds behind its third token.
    let text = vocabulary.decode(&free.ids).unwrap();
    let stop = vec![text.chars().skip(6).take(2).collect::<String>()];
    let stops = Stops { ids: &[], texts: Some((&vocabulary, &stop)) };
    let cut = one(stops, vec![7, 8]);
    assert!(
        cut.ended && cut.ids.len() < free.ids.len() && free.ids.starts_with(&cut.ids),
        "{text:?} {stop:?}"
    );
    assert_eq!(stops.text(&vocabulary, &cut).unwrap(), text[..text.find(&stop[0]).unwrap()]);
    // The context has room for as many tokens as it has positions.
    let full = one(Stops::default(), vec![7; 90]);
    assert_eq!((full.ids.len(), full.ended), (7, false));
    assert_eq!(one(Stops::default(), vec![7; 97]), Answer::default());
}

#[test]
fn bad_questions_are_errors() {
    let model = model();
    let bad = |prompt: Vec<u32>, seeds: &[u64]| {
        answers(&model, &[prompt], 1, &sampling(), Stops::default(), seeds).unwrap_err().to_string()
    };
    assert!(bad(vec![], &[0]).contains("without tokens"));
    assert!(bad(vec![1, 999], &[0]).contains("999"));
    assert!(bad(vec![999], &[0]).contains("999"));
    assert!(bad(vec![1], &[]).contains("0 seeds for 1 prompts"));
    let hot = Sampling { temperature: -1.0, ..sampling() };
    assert!(answers(&model, &[], 1, &hot, Stops::default(), &[]).is_err());
}
