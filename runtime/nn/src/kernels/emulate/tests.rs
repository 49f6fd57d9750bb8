//! Every kernel in CUDA C equals its definition, run by the emulator through the launches of a GPU.

use std::rc::Rc;

use dfdx::prelude::*;

use super::emulator;
use crate::kernels::launch::freeing;
use crate::kernels::tests::{Case, Taped, apart, case, form, matrix, run};
use crate::kernels::{
    Gains, HeadForm, Path, Positions, RopeTables, T1, T2, activation, add, attention, head, head_norm,
    linear, norm, rope, twice,
};
use crate::spec::{Activation, Order, Reach, Rotary, Stretch};
use crate::{Architecture, IGNORE, MicroBatch};

/// Whether there is an emulator; says so where not.
fn at_hand() -> bool {
    let found = emulator().is_some();
    if !found {
        eprintln!("skipped: there is no C++ compiler here");
    }
    found
}

/// Output and gradients of both versions agree.
fn agree(case: &Case, what: &str) {
    let ((y, _, g), (want, _, wanted)) = (run(case, &case.fused), run(case, &case.composed));
    assert_eq!(y.len(), want.len());
    assert!(apart(&y, &want) < 1e-5, "{} {what}: {:e}", case.name, apart(&y, &want));
    for (i, (g, want)) in g.iter().zip(&wanted).enumerate() {
        let d = apart(g, want);
        assert!(d < 1e-5, "{} {what}: gradient {i} differs by {d:e}", case.name);
    }
}

#[test]
fn norms_equal_their_definition() {
    if !at_hand() {
        return;
    }
    for (n, c) in [(1, 3), (7, 5), (130, 33), (3, 300)] {
        for (name, form) in
            [("rms", form(true, false)), ("rms + 1", form(true, true)), ("layer", form(false, false))]
        {
            let one = case(name, None, (n, c, 5), move |s, x, path| {
                let (gain, bias) = (&s.vectors[0], form.bias.then_some(&s.vectors[1]));
                match path {
                    Path::Composed => norm::composed(x, gain, bias, &form),
                    Path::Fused | Path::Bf16 => norm::cuda::norm(x, gain, bias, &form),
                }
            });
            agree(&one, &format!("{n} x {c}"));
        }
    }
}

#[test]
fn head_norms_equal_their_definition() {
    if !at_hand() {
        return;
    }
    for (n, kv) in [(1, 1), (7, 2), (40, 3)] {
        for form in [form(true, false), form(true, true), form(false, false)] {
            let one = case("head norm", Some(4 * kv * 4), (n, 5, 6), move |s, x, path| {
                let bias = |i: usize| form.bias.then_some(&s.vectors[i]);
                let gains = Gains { q: (&s.vectors[2], bias(3)), k: (&s.vectors[3], bias(2)) };
                match path {
                    Path::Composed => head_norm::composed(x, gains, (2 * kv, kv), &form),
                    Path::Fused | Path::Bf16 => norm::cuda::head_norm(x, gains, (2 * kv, kv), &form),
                }
            });
            agree(&one, &format!("{n} x {kv} heads"));
        }
    }
}

/// Rows, positions, query heads, key heads, head width.
type Sizes = (usize, usize, usize, usize, usize);

/// Both versions of an attention, in documents of 11 in every second row.
fn attention_case((rows, length, heads, kv_heads, d): Sizes, reach: Reach, capped: bool) {
    let plain = crate::spec::tests::tiny();
    let bends = Architecture { attention_cap: Some(3.0), score_scale: Some(0.9), ..plain.clone() };
    let spec = if capped { bends } else { plain };
    let spec = Architecture { heads, kv_heads, head_dim: d, context: length, ..spec };
    let doc_start =
        (0..rows * length).map(|at| (at % length / 11 * 11) as u32 * (at / length % 2) as u32).collect();
    let batch = MicroBatch { rows, length, doc_start, ..MicroBatch::default() };
    let here: Rc<Positions<Cpu>> = Rc::new(Positions::new(&spec, &RopeTables::new(&spec), &batch, reach));
    let width = (heads + 2 * kv_heads) * d;
    let one = case("attention", Some(width), (rows * length, 3, 8), move |_, x, path| match path {
        Path::Composed => attention::composed(x, &here),
        Path::Fused | Path::Bf16 => attention::cuda::attention(x, &here),
    });
    agree(&one, &format!("{rows} x {length}, {heads} and {kv_heads} heads of {d}, {reach:?}, {capped}"));
}

#[test]
fn attention_equals_its_definition_in_every_reach() {
    if !at_hand() {
        return;
    }
    for sizes in [(1, 1, 2, 1, 4), (1, 7, 2, 2, 4), (2, 65, 4, 2, 4), (2, 33, 6, 1, 6)] {
        for capped in [false, true] {
            for reach in [Reach::Global, Reach::Window(1), Reach::Window(7), Reach::Window(500)] {
                attention_case(sizes, reach, capped);
            }
        }
    }
}

#[test]
fn attention_equals_its_definition_in_every_width() {
    if !at_hand() {
        return;
    }
    for d in [1, 31, 32, 33, 64, 80, 96, 128, 192, 256] {
        attention_case((2, 37, 2, 1, d), Reach::Window(20), true);
        attention_case((1, 70, 2, 2, d), Reach::Global, false);
    }
}

#[test]
fn turns_equal_their_definition() {
    if !at_hand() {
        return;
    }
    for (rows, length, heads, kv_heads, d) in [(1, 1, 1, 1, 2), (2, 9, 4, 2, 6), (1, 5, 3, 1, 64)] {
        let order = Order::Rotary(Rotary { base: 100.0, stretch: Stretch::None, chunks: None });
        let plain = crate::spec::tests::tiny();
        let spec = Architecture { order, heads, kv_heads, head_dim: d, context: length, ..plain };
        let batch = MicroBatch { rows, length, doc_start: vec![0; rows * length], ..MicroBatch::default() };
        let here: Rc<Positions<Cpu>> =
            Rc::new(Positions::new(&spec, &RopeTables::new(&spec), &batch, Reach::Global));
        let width = (heads + 2 * kv_heads) * d;
        let one = case("rope", Some(width), (rows * length, 3, 8), move |_, x, path| match path {
            Path::Composed => rope::composed(x, &here),
            Path::Fused | Path::Bf16 => rope::cuda::rope(x, &here),
        });
        agree(&one, &format!("{rows} x {length}, {heads} heads of {d}"));
    }
}

#[test]
fn bends_equal_their_definition() {
    if !at_hand() {
        return;
    }
    for which in [Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu2] {
        for (n, width, gated) in [(1, 2, true), (130, 66, true), (7, 5, false)] {
            let one = case("bend", Some(width), (n, 3, 9), move |_, x, path| match path {
                Path::Composed => activation::composed(x, which, gated),
                Path::Fused | Path::Bf16 => activation::cuda::activate(x, which, gated),
            });
            agree(&one, &format!("{which:?} of {n} x {width}, {gated}"));
        }
    }
}

#[test]
fn a_gradient_is_freed_once_it_has_been_passed_on() {
    let (x, w) = (matrix(3, 4, 1.0, 1), matrix(5, 4, 1.0, 2));
    let y = freeing(x.clone().leaky_traced(), |x| linear::composed(x, &w)).unwrap();
    let ghost = y.ghost();
    let mut map = y.square().sum::<Rank0, Axes2<0, 1>>().backward();
    assert_eq!(map.get_or_alloc_mut(&ghost).unwrap().len(), 0);
    let plain = linear::composed(x.clone().leaky_traced(), &w).unwrap();
    let wanted = plain.square().sum::<Rank0, Axes2<0, 1>>().backward();
    assert_eq!(map.get(&x).as_vec(), wanted.get(&x).as_vec());
    assert_eq!(map.get(&w).as_vec(), wanted.get(&w).as_vec());
}

#[test]
fn the_head_equals_its_definition_over_chunks() {
    if !at_hand() {
        return;
    }
    // 9,000 entries cut 1,800 rows into chunks of 932.
    for (n, c, v, cap, z_loss) in [
        (5, 7, 11, None, 0.0),
        (1800, 4, 9000, None, 0.0),
        (5, 7, 11, Some(3.0), 0.0),
        (940, 4, 9000, Some(9.0), 0.0),
        (5, 7, 11, Some(3.0), 0.1),
        (7, 5, 13, None, 0.01),
    ] {
        let form = HeadForm { cap, z_loss };
        let (x, w) = (matrix(n, c, 2.0, 1), matrix(v, c, 2.0, 2));
        let targets: Vec<u32> =
            (0..n as u32).map(|i| if i % 4 == 1 { IGNORE } else { i * 31 % v as u32 }).collect();
        let run = |kernels: bool| {
            let taped = x.clone().leaky_traced();
            let (loss, sums) = match kernels {
                true => head::cuda::head_loss(taped, &w, &targets, 3.0, form).unwrap(),
                false => head::composed(taped, &w, &targets, 3.0, form).unwrap(),
            };
            let value = loss.array();
            let map = (loss * 2.0).backward();
            (value, sums, map.get(&x).as_vec(), map.get(&w).as_vec())
        };
        let ((la, sa, xa, wa), (lb, sb, xb, wb)) = (run(true), run(false));
        assert!((la / lb - 1.0).abs() < 1e-5 && (sa.nll_sum / sb.nll_sum - 1.0).abs() < 1e-6);
        assert!((sa.z_sum - sb.z_sum).abs() <= 1e-5 * sb.z_sum);
        assert_eq!(sa.targets, sb.targets);
        let (x, w) = (apart(&xa, &xb), apart(&wa, &wb));
        assert!(x < 1e-5 && w < 1e-5, "{n} x {v}, {cap:?}: {x:e} {w:e}");
    }
    let (x, w) = (matrix(6, 3, 2.0, 1), matrix(9, 3, 2.0, 2));
    let [kernels, composed] = [true, false].map(|kernels| {
        let targets = [1, 2, IGNORE, 8, 0, 4];
        let run = if kernels { head::cuda::head_loss } else { head::composed };
        run(x.clone(), &w, &targets, 1.0, HeadForm::default()).unwrap().1.nll_sum
    });
    assert!((kernels / composed - 1.0).abs() < 1e-6, "without a tape: {kernels} and {composed}");
}

/// Loss of a block and its head, with the gradients of input, gain and weights. The operations are those of a GPU, or their
/// definitions.
fn block(kernels: bool) -> (f64, Vec<Vec<f32>>) {
    let (n, c, d, hidden, v) = (22, 8, 4, 10, 13);
    let order = Order::Rotary(Rotary { base: 100.0, stretch: Stretch::None, chunks: None });
    let plain = crate::spec::tests::tiny();
    let spec = Architecture { order, heads: 2, kv_heads: 1, head_dim: d, context: n, ..plain };
    let batch = MicroBatch { rows: 2, length: n / 2, doc_start: vec![0; n], ..MicroBatch::default() };
    let here: Positions<Cpu> = Positions::new(&spec, &RopeTables::new(&spec), &batch, Reach::Window(6));
    let shapes = [(4 * d, c), (c, 2 * d), (2 * hidden, c), (c, hidden), (v, c)];
    let weights: Vec<T2<Cpu>> =
        shapes.into_iter().zip(20..).map(|((o, i), seed)| matrix(o, i, 0.7, seed)).collect();
    let gain: T1<Cpu> = Cpu::default().tensor_from_vec(vec![0.9; c], (c,));
    let form = form(true, false);
    let targets: Vec<u32> = (0..n as u32).map(|i| i * 5 % v as u32).collect();

    let normed = |x: Taped| match kernels {
        true => norm::cuda::norm(x, &gain, None, &form),
        false => norm::composed(x, &gain, None, &form),
    };
    let product = |x: Taped, at: usize| match kernels {
        true => freeing(x, |x| linear::composed(x, &weights[at])),
        false => linear::composed(x, &weights[at]),
    };
    let sum = |a: Taped, b: Taped| match kernels {
        true => freeing(a, |a| add::composed(a, b)),
        false => add::composed(a, b),
    };
    let attend = |x: Taped| match kernels {
        true => attention::cuda::attention(rope::cuda::rope(x, &here)?, &here),
        false => attention::composed(rope::composed(x, &here)?, &here),
    };
    let bend = |x: Taped| match kernels {
        true => activation::cuda::activate(x, Activation::Silu, true),
        false => activation::composed(x, Activation::Silu, true),
    };
    let run = |x: T2<Cpu>| {
        let (x, again) = twice(x.leaky_traced());
        let x = sum(x, product(attend(product(normed(again)?, 0)?)?, 1)?)?;
        let (x, again) = twice(x);
        let x = sum(x, product(bend(product(normed(again)?, 2)?)?, 3)?)?;
        let head = if kernels { head::cuda::head_loss } else { head::composed };
        let (loss, sums) = head(normed(x)?, &weights[4], &targets, 22.0, HeadForm::default())?;
        Ok::<_, CpuError>((loss.try_backward()?, sums))
    };
    let x = matrix(n, c, 1.0, 3);
    let (map, sums) = run(x.clone()).unwrap();
    let mut gradients = vec![map.get(&x).as_vec(), map.get(&gain).as_vec()];
    gradients.extend(weights.iter().map(|w| map.get(w).as_vec()));
    (sums.nll_sum, gradients)
}

#[test]
fn a_block_and_its_head_equal_their_definition() {
    if !at_hand() {
        return;
    }
    let ((loss, gradients), (want, wanted)) = (block(true), block(false));
    assert!((loss / want - 1.0).abs() < 1e-6, "{loss} and {want}");
    for (i, (g, want)) in gradients.iter().zip(&wanted).enumerate() {
        assert!(apart(g, want) < 1e-5, "gradient {i} differs by {:e}", apart(g, want));
    }
}
