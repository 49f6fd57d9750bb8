//! Removing hidden units: exact sizes, and the same function where nothing that counts goes.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use common::{Stand, documents, spec};
use llmp_nn::{Cpu, MicroBatch, Model};
use llmp_train::prune::{cut, largest};

/// Mean loss over the documents of the tests.
fn loss(stand: &Stand, model: &Model) -> f64 {
    let vocabulary = stand.vocabulary();
    let (mut nll, mut n) = (0.0, 0);
    for text in documents(1) {
        let mut ids = vec![common::END];
        ids.extend(vocabulary.encode(text).unwrap());
        ids.truncate(33);
        let sums = model.loss(&MicroBatch::document(&ids)).unwrap();
        (nll, n) = (nll + sums.nll_sum, n + sums.targets);
    }
    nll / n as f64
}

#[test]
fn a_unit_without_weights_goes_and_nothing_changes() {
    let stand = Stand::new();
    let model = Model::init(spec(), 3).unwrap();
    let (sizes, mut flat) = (model.spec().clone(), model.to_flat());
    let mut rest = flat.as_mut_slice();
    for info in sizes.params() {
        let (values, tail) = rest.split_at_mut(info.count());
        rest = tail;
        if info.name.ends_with("ffn.down") {
            values.chunks_exact_mut(64).for_each(|row| (row[5], row[40]) = (0.0, 0.0));
        }
    }
    let units = largest(&sizes, &flat, 62).unwrap();
    assert!(units.iter().all(|u| u.len() == 62 && !u.contains(&5) && !u.contains(&40)), "{units:?}");
    let (smaller, values) = cut(&sizes, &flat, &units).unwrap();
    assert_eq!((smaller.ffn.hidden, smaller.parameters()), (62, values.len() as u64));
    assert_eq!(sizes.parameters() - smaller.parameters(), 2 * 2 * 3 * 32);
    let whole = Model::from_flat(Cpu::default(), sizes.clone(), &flat).unwrap();
    let left = Model::from_flat(Cpu::default(), smaller, &values).unwrap();
    assert!((loss(&stand, &whole) - loss(&stand, &left)).abs() < 1e-5);
    assert!(cut(&sizes, &flat, &[vec![0]]).is_err() && largest(&sizes, &flat, 65).is_err());
}
