//! Family laws: every fused operation equals its definition, and its gradient is the slope of its output.

use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::spec::{Activation, NormForm, Order, Reach, Rotary, Stretch};
use crate::{Architecture, IGNORE, MicroBatch};
use std::rc::Rc;

pub(super) type Own = OwnedTape<f32, Cpu>;
pub(super) type Taped = T2<Cpu, Own>;
pub(super) type Out = Res<Taped, Cpu>;
pub(super) type Op = Box<dyn Fn(&Case, Taped) -> Out>;

/// Tensors of a case: the first is taped, the others are weights.
pub(super) struct Case {
    pub(super) name: &'static str,
    inputs: Vec<T2<Cpu>>,
    pub(super) vectors: Vec<T1<Cpu>>,
    pub(super) fused: Op,
    pub(super) composed: Op,
}

pub(super) fn numbers(n: usize, scale: f32, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| scale * random.random_range(-1.0f32..1.0)).collect()
}

pub(super) fn matrix(rows: usize, cols: usize, scale: f32, seed: u64) -> T2<Cpu> {
    Cpu::default().tensor_from_vec(numbers(rows * cols, scale, seed), (rows, cols))
}

/// Positions of two heads of four to every key head, in documents of 11 in every second row.
fn positions(
    rows: usize,
    length: usize,
    kv_heads: usize,
    change: &Architecture,
    reach: Reach,
) -> Positions<Cpu> {
    let spec = Architecture { heads: 2 * kv_heads, kv_heads, head_dim: 4, context: length, ..change.clone() };
    let doc_start =
        (0..rows * length).map(|at| (at % length / 11 * 11) as u32 * (at / length % 2) as u32).collect();
    let batch = MicroBatch { rows, length, doc_start, ..MicroBatch::default() };
    Positions::new(&spec, &RopeTables::new(&spec), &batch, reach)
}

/// One operation in both versions, behind a product with `width` outputs where it needs an input of its own.
pub(super) fn case(
    name: &'static str,
    width: Option<usize>,
    (n, c, seed): (usize, usize, u64),
    op: impl Fn(&Case, Taped, Path) -> Out + Clone + 'static,
) -> Case {
    let version = |path: Path| -> Op {
        let op = op.clone();
        Box::new(move |s, x| {
            let x = if width.is_some() { path.linear(x, &s.inputs[1])? } else { x };
            op(s, x, path)
        })
    };
    let product = width.map(|width| matrix(width, c, 1.0, seed + 1));
    let vector = |n: usize, seed| Cpu::default().tensor_from_vec(numbers(n, 1.5, seed), (n,));
    let wide = width.unwrap_or(c);
    Case {
        name,
        inputs: std::iter::once(matrix(n, c, 2.0, seed)).chain(product).collect(),
        vectors: vec![
            vector(wide, seed + 9),
            vector(wide, seed + 10),
            vector(4, seed + 11),
            vector(4, seed + 12),
        ],
        fused: version(Path::Fused),
        composed: version(Path::Composed),
    }
}

pub(super) fn form(rms: bool, offset: bool) -> NormForm {
    NormForm { rms, bias: !rms, offset, eps: 1e-2 }
}

fn cases(n: usize, c: usize, seed: u64) -> Vec<Case> {
    let at = (n, c, seed);
    let ids: Vec<u32> = (0..n as u32 * 2).map(|i| i * 7 % n as u32).collect();
    let kv = c.div_ceil(3);
    let (rows, length) = if n.is_multiple_of(2) { (2, n / 2) } else { (1, n) };
    let merged = Some(4 * kv * 4);
    let plain = crate::spec::tests::tiny();
    let mut all = vec![
        case("embed", None, at, move |_, x, path| path.embed(x, &ids)),
        case("linear", Some(c + 5), at, |_, x, _| Ok(x)),
        case("bias", Some(c + 5), at, |s, x, path| path.bias(x, &s.vectors[0])),
        case("add, one side with a history", Some(c), at, |s, x, path| {
            let (x, again) = twice(x);
            path.add(x, path.linear(again, &s.inputs[1])?)
        }),
        case("dropout", Some(c), at, move |_, x, path| {
            path.dropout(x, Drop::new(0.4, Noise { seed: 5, step: 4, row: 3 }, 2, length))
        }),
    ];
    for (name, form) in
        [("rms", form(true, false)), ("rms + 1", form(true, true)), ("layer", form(false, false))]
    {
        all.push(case(name, None, at, move |s, x, path| {
            path.norm(x, &s.vectors[0], form.bias.then_some(&s.vectors[1]), &form)
        }));
        all.push(case("head norm", merged, at, move |s, x, path| {
            let bias = |i: usize| form.bias.then_some(&s.vectors[i]);
            let gains = Gains { q: (&s.vectors[2], bias(3)), k: (&s.vectors[3], bias(2)) };
            path.head_norm(x, gains, (2 * kv, kv), &form)
        }));
    }
    let activations = [
        ("silu", Activation::Silu),
        ("gelu by tanh", Activation::GeluTanh),
        ("gelu", Activation::Gelu),
        ("relu squared", Activation::Relu2),
    ];
    for (name, activation) in activations {
        all.push(case(name, Some(2 * c), at, move |_, x, path| path.activate(x, activation, true)));
        all.push(case(name, Some(c + 1), at, move |_, x, path| path.activate(x, activation, false)));
    }
    let llama3 = Stretch::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 16 };
    let yarn = Stretch::Yarn { factor: 4.0, original: 16, fast: 8.0, slow: 1.0, attention: 1.2 };
    for stretch in [Stretch::None, llama3, yarn] {
        let order = Order::Rotary(Rotary { base: 100.0, stretch, chunks: None });
        let spec = Architecture { order, ..plain.clone() };
        let here = Rc::new(positions(rows, length, kv, &spec, Reach::Global));
        all.push(case("rope", merged, at, move |_, x, path| path.rope(x, &here)));
    }
    let capped = Architecture { attention_cap: Some(3.0), score_scale: Some(0.9), ..plain.clone() };
    for spec in [plain, capped] {
        for reach in [Reach::Global, Reach::Window(1), Reach::Window(7), Reach::Window(500)] {
            let here = Rc::new(positions(rows, length, kv, &spec, reach));
            all.push(case("attention", merged, at, move |_, x, path| path.attention(x, &here)));
        }
    }
    all
}

/// Output, its product with fixed weights, and the gradients of that product.
pub(super) fn run(case: &Case, op: &dyn Fn(&Case, Taped) -> Out) -> (Vec<f32>, f64, Vec<Vec<f32>>) {
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
    for vector in &case.vectors {
        let mut into = vec![0.0; vector.shape().0];
        Cpu::drain(&mut map, vector, &mut into).expect("memory");
        grads.push(into);
    }
    (values, total, grads)
}

/// Largest difference, relative to the largest entry.
pub(super) fn apart(a: &[f32], b: &[f32]) -> f32 {
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
            // The square of the positive part has a kink in its slope.
            assert!((found / norm - 1.0).abs() < 3e-3, "{}: input {i}: {found} and {norm}", case.name);
        }
    }
}

#[test]
fn the_head_equals_its_definition_over_chunks() {
    // 9,000 entries cut 1,800 rows into chunks of 888.
    let sizes = [(5, 7, 11, None), (1800, 4, 9000, None), (5, 7, 11, Some(3.0)), (900, 4, 9000, Some(9.0))];
    let cases = sizes.into_iter().flat_map(|size| [0.0, 1e-4, 0.03].map(|z_loss| (size, z_loss)));
    for ((n, c, v, cap), z_loss) in cases {
        let form = HeadForm { cap, z_loss };
        let (x, w) = (matrix(n, c, 2.0, 1), matrix(v, c, 2.0, 2));
        let targets: Vec<u32> =
            (0..n as u32).map(|i| if i % 4 == 1 { IGNORE } else { i * 31 % v as u32 }).collect();
        let run = |fused: bool| {
            let x_taped = x.clone().leaky_traced();
            let (loss, sums) = match fused {
                true => Cpu::head_loss(x_taped, &w, &targets, 3.0, form, Precision::F32).expect("memory"),
                false => head::composed(x_taped, &w, &targets, 3.0, form).expect("memory"),
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
        assert!((sa.z_sum - sb.z_sum).abs() <= 1e-6 * sb.z_sum && (sb.z_sum > 0.0) == (z_loss > 0.0));
        let whole = sa.nll_sum + f64::from(z_loss) * sa.z_sum;
        assert!((f64::from(la) - whole / 3.0).abs() < 1e-3 * f64::from(la));
        assert!(
            apart(&xa, &xb) < 1e-5 && apart(&wa, &wb) < 1e-5,
            "{:e} {:e}",
            apart(&xa, &xb),
            apart(&wa, &wb)
        );
    }
}

#[test]
fn the_gradient_of_the_head_with_a_z_loss_is_a_slope() {
    let (n, c, v) = (9, 6, 13);
    let targets: Vec<u32> =
        (0..n as u32).map(|i| if i % 4 == 1 { IGNORE } else { i * 5 % v as u32 }).collect();
    for cap in [None, Some(4.0)] {
        let form = HeadForm { cap, z_loss: 0.05 };
        let (x, w) = (matrix(n, c, 2.0, 1), matrix(v, c, 2.0, 2));
        let run = |x: &T2<Cpu>, w: &T2<Cpu>| {
            let taped = x.clone().leaky_traced();
            let (loss, sums) = Cpu::head_loss(taped, w, &targets, 3.0, form, Precision::F32).expect("memory");
            let mut map = loss.backward();
            let mut drained = |t: &T2<Cpu>| {
                let mut into = vec![0.0; t.shape().num_elements()];
                Cpu::drain(&mut map, t, &mut into).expect("memory");
                into
            };
            let grads = [drained(x), drained(w)];
            ((sums.nll_sum + f64::from(form.z_loss) * sums.z_sum) / 3.0, grads)
        };
        for (at, g) in run(&x, &w).1.into_iter().enumerate() {
            let norm = g.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let base = if at == 0 { &x } else { &w };
            let value = |h: f64| {
                let moved =
                    base.as_vec().into_iter().zip(&g).map(|(x, &g)| x + (h * f64::from(g) / norm) as f32);
                let moved = Cpu::default().tensor_from_vec(moved.collect::<Vec<_>>(), *base.shape());
                if at == 0 { run(&moved, &w).0 } else { run(&x, &moved).0 }
            };
            let slope = |h: f64| (value(h) - value(-h)) / (2.0 * h);
            let found = (4.0 * slope(0.01) - slope(0.02)) / 3.0;
            assert!((found / norm - 1.0).abs() < 2e-3, "cap {cap:?}, input {at}: {found} and {norm}");
        }
    }
}

/// `tests/python/z_loss.py` made the numbers.
#[test]
fn the_head_with_a_z_loss_equals_that_of_pytorch() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/golden/z_loss.json")).expect("JSON");
    let (n, c, v) = (7, 5, 12);
    let wave = |rows: usize, cols: usize, phase: f64, size: f64| {
        let all = (0..rows * cols).map(|i| (size * (0.37 * i as f64 + phase).sin()) as f32);
        Cpu::default().tensor_from_vec(all.collect::<Vec<_>>(), (rows, cols))
    };
    let (x, w) = (wave(n, c, 0.0, 2.0), wave(v, c, 1.0, 3.0));
    let targets: Vec<u32> = (0..7).map(|i| if i == 3 { IGNORE } else { 5 * i % 12 }).collect();
    let z_loss = golden["weight"].as_f64().expect("a number") as f32;
    for case in golden["cases"].as_array().expect("cases") {
        let form = HeadForm { cap: case["cap"].as_f64().map(|cap| cap as f32), z_loss };
        for fused in [true, false] {
            let taped = x.clone().leaky_traced();
            let (loss, sums) = match fused {
                true => Cpu::head_loss(taped, &w, &targets, 6.0, form, Precision::F32).expect("memory"),
                false => head::composed(taped, &w, &targets, 6.0, form).expect("memory"),
            };
            let found = [f64::from(loss.array()), sums.nll_sum / 6.0, sums.z_sum / 6.0];
            for (found, name) in found.into_iter().zip(["loss", "nll", "z"]) {
                let want = case[name].as_f64().expect("a number");
                assert!((found / want - 1.0).abs() < 1e-5, "{name}: {found}, PyTorch has {want}");
            }
            let mut map = loss.backward();
            for (t, name) in [(&x, "x"), (&w, "w")] {
                let mut into = vec![0.0; t.shape().num_elements()];
                Cpu::drain(&mut map, t, &mut into).expect("memory");
                let want = case[name].as_array().expect("numbers").iter();
                let want: Vec<f32> = want.map(|x| x.as_f64().expect("a number") as f32).collect();
                assert!(apart(&into, &want) < 1e-5, "{name}: {:e}", apart(&into, &want));
            }
        }
    }
}
