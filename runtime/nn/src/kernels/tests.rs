//! Family laws: every fused operation equals its definition, and its gradient is the slope of its output.

use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{Architecture, IGNORE, MicroBatch};

type Own = OwnedTape<f32, Cpu>;
type Taped = T2<Cpu, Own>;
type Out = Res<Taped, Cpu>;
type Op = Box<dyn Fn(&Case, Taped) -> Out>;

/// Tensors of a case: the first is taped, the others are weights.
struct Case {
    name: &'static str,
    inputs: Vec<T2<Cpu>>,
    gain: T1<Cpu>,
    fused: Op,
    composed: Op,
}

fn numbers(n: usize, scale: f32, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| scale * random.random_range(-1.0f32..1.0)).collect()
}

fn matrix(rows: usize, cols: usize, scale: f32, seed: u64) -> T2<Cpu> {
    Cpu::default().tensor_from_vec(numbers(rows * cols, scale, seed), (rows, cols))
}

fn positions(rows: usize, length: usize, heads: usize, kv_heads: usize, head_dim: usize) -> Positions<Cpu> {
    let base = crate::spec::tests::tiny();
    let spec = Architecture { heads, kv_heads, head_dim, context: length, ..base };
    let doc_start =
        (0..rows * length).map(|at| (at % length / 11 * 11) as u32 * (at / length % 2) as u32).collect();
    let batch = MicroBatch { rows, length, doc_start, ..MicroBatch::default() };
    Positions::new(&spec, &RopeTables::new(&spec), &batch)
}

fn cases(n: usize, c: usize, seed: u64) -> Vec<Case> {
    let gain: T1<Cpu> = Cpu::default().tensor_from_vec(numbers(c, 1.5, seed + 9), (c,));
    let x = || matrix(n, c, 2.0, seed);
    let ids: Vec<u32> = (0..n as u32 * 2).map(|i| i * 7 % n as u32).collect();
    let (heads, kv, d) = (c, c.div_ceil(3), 4);
    let (heads, kv) = (heads.div_ceil(kv) * kv, kv);
    let at = |rows: usize, length: usize| positions(rows, length, heads, kv, d);
    let (rows, length) = if n.is_multiple_of(2) { (2, n / 2) } else { (1, n) };
    let (here, there) = (at(rows, length), at(rows, length));
    let (ids2, none) = (ids.clone(), Vec::new);
    let case = |name, inputs, fused, composed| Case { name, inputs, gain: gain.clone(), fused, composed };
    vec![
        case(
            "embed",
            none(),
            Box::new(move |_, x| Cpu::embed(x, &ids)),
            Box::new(move |_, x| embed::composed(x, &ids2)),
        ),
        case(
            "rms_norm",
            none(),
            Box::new(|s, x| Cpu::rms_norm(x, &s.gain, 1e-5)),
            Box::new(|s, x| rms_norm::composed(x, &s.gain, 1e-5)),
        ),
        case(
            "linear",
            vec![matrix(c + 5, c, 1.0, seed + 1)],
            Box::new(|s, x| Cpu::linear(x, &s.inputs[1], Precision::F32)),
            Box::new(|s, x| linear::composed(x, &s.inputs[1])),
        ),
        case(
            "swiglu",
            vec![matrix(2 * c, c, 1.0, seed + 2)],
            Box::new(|s, x| Cpu::swiglu(linear::composed(x, &s.inputs[1])?)),
            Box::new(|s, x| swiglu::composed(linear::composed(x, &s.inputs[1])?)),
        ),
        case(
            "add, one side with a history",
            vec![matrix(c, c, 1.0, seed + 3)],
            Box::new(|s, x| {
                let (x, again) = twice(x);
                Cpu::add(x, Cpu::linear(again, &s.inputs[1], Precision::F32)?)
            }),
            Box::new(|s, x| {
                let (x, again) = twice(x);
                add::composed(x, linear::composed(again, &s.inputs[1])?)
            }),
        ),
        case(
            "attention",
            vec![matrix((heads + 2 * kv) * d, c, 1.0, seed + 4)],
            Box::new(move |s, x| Cpu::attention(Cpu::linear(x, &s.inputs[1], Precision::F32)?, &here)),
            Box::new(move |s, x| attention::composed(linear::composed(x, &s.inputs[1])?, &there)),
        ),
    ]
    .into_iter()
    .map(|case| Case { inputs: [vec![x()], case.inputs].concat(), ..case })
    .collect()
}

/// Output, its product with fixed weights, and the gradients of that product.
fn run(case: &Case, op: &dyn Fn(&Case, Taped) -> Out) -> (Vec<f32>, f64, Vec<Vec<f32>>) {
    let y = op(case, case.inputs[0].clone().leaky_traced()).expect("memory");
    let values = y.as_vec();
    let weights = numbers(values.len(), 1.0, 77);
    let total = values.iter().zip(&weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let weights = Cpu::default().tensor_from_vec(weights, *y.shape());
    let sum = (y * weights).sum::<Rank0, Axes2<0, 1>>();
    let mut map = sum.backward();
    let drained = |map: &mut Gradients<f32, Cpu>, t: &T2<Cpu>| {
        let mut into = vec![0.0; t.shape().num_elements()];
        Cpu::drain(map, t, &mut into).expect("memory");
        into
    };
    let mut grads: Vec<Vec<f32>> = case.inputs.iter().map(|t| drained(&mut map, t)).collect();
    let mut gain = vec![0.0; case.gain.shape().0];
    Cpu::drain(&mut map, &case.gain, &mut gain).expect("memory");
    grads.push(gain);
    (values, total, grads)
}

/// Largest difference, relative to the largest entry.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    let top = b.iter().fold(1e-6f32, |m, x| m.max(x.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / top
}

#[test]
fn every_fused_operation_equals_its_definition() {
    for (n, c) in [(1, 3), (7, 5), (130, 33), (66, 17)] {
        for case in cases(n, c, 5) {
            let ((y, _, g), (want, _, wanted)) = (run(&case, &case.fused), run(&case, &case.composed));
            assert_eq!(y.len(), want.len());
            assert!(apart(&y, &want) < 1e-5, "{} {n} x {c}: {:e}", case.name, apart(&y, &want));
            for (i, (g, want)) in g.iter().zip(&wanted).enumerate() {
                let d = apart(g, want);
                assert!(d < 2e-5, "{} {n} x {c}: gradient {i} differs by {d:e}", case.name);
            }
        }
    }
}

#[test]
fn every_gradient_is_a_slope() {
    for mut case in cases(14, 6, 8) {
        let (_, _, grads) = run(&case, &case.fused);
        for (i, g) in grads.iter().enumerate().take(case.inputs.len()) {
            let norm = g.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 0.0, "{}: input {i} has no gradient", case.name);
            let base = case.inputs[i].clone();
            let mut at = |h: f64| {
                let moved =
                    base.as_vec().into_iter().zip(g).map(|(x, &g)| x + (h * f64::from(g) / norm) as f32);
                case.inputs[i] = Cpu::default().tensor_from_vec(moved.collect::<Vec<_>>(), *base.shape());
                run(&case, &case.fused).1
            };
            let mut slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
            let found = (4.0 * slope(0.01) - slope(0.02)) / 3.0;
            case.inputs[i] = base;
            assert!((found / norm - 1.0).abs() < 1e-3, "{}: input {i}: {found} and {norm}", case.name);
        }
    }
}

#[test]
fn the_head_equals_its_definition_over_chunks() {
    // 9,000 entries cut 1,800 rows into chunks of 888.
    for (n, c, v) in [(5, 7, 11), (1800, 4, 9000)] {
        let (x, w) = (matrix(n, c, 2.0, 1), matrix(v, c, 2.0, 2));
        let targets: Vec<u32> =
            (0..n as u32).map(|i| if i % 4 == 1 { IGNORE } else { i * 31 % v as u32 }).collect();
        let run = |fused: bool| {
            let x_taped = x.clone().leaky_traced();
            let (loss, sums) = match fused {
                true => Cpu::head_loss(x_taped, &w, &targets, 3.0, Precision::F32).expect("memory"),
                false => head::composed(x_taped, &w, &targets, 3.0).expect("memory"),
            };
            let value = loss.array();
            let mut map = (loss * 2.0).backward();
            let (mut gx, mut gw) = (vec![0.0; n * c], vec![0.0; v * c]);
            Cpu::drain(&mut map, &x, &mut gx).expect("memory");
            Cpu::drain(&mut map, &w, &mut gw).expect("memory");
            (value, sums, gx, gw)
        };
        let ((la, sa, xa, wa), (lb, sb, xb, wb)) = (run(true), run(false));
        assert!((la / lb - 1.0).abs() < 1e-5 && (sa.nll_sum / sb.nll_sum - 1.0).abs() < 1e-6);
        assert_eq!(sa.targets, sb.targets);
        assert!((f64::from(la) - sa.nll_sum / 3.0).abs() < 1e-3 * f64::from(la));
        assert!(
            apart(&xa, &xb) < 1e-5 && apart(&wa, &wb) < 1e-5,
            "{:e} {:e}",
            apart(&xa, &xb),
            apart(&wa, &wb)
        );
    }
}
