//! The bend of hidden units on the CPU.
#![expect(unsafe_code, reason = "calls to the variant that the processor has")]

use dfdx::prelude::*;
use rayon::prelude::*;

use super::{ERF_P, ERF_Q};
use crate::kernels::cpu::{take, view};
use crate::kernels::dispatch::row_kernel;
use crate::kernels::rows::{ROWS, exp, fma};
use crate::kernels::{Res, T2};
use crate::spec::Activation;

/// The fused version of [`super::composed`].
pub(crate) fn activate<T: Tape<f32, Cpu>>(
    x: T2<Cpu, T>,
    activation: Activation,
    gated: bool,
) -> Res<T2<Cpu, T>, Cpu> {
    let (x, mut tape) = x.split_tape();
    let (n, both) = *x.shape();
    let f = if gated { both / 2 } else { both };
    let mut out = vec![0.0; n * f];
    out.par_chunks_mut(f * ROWS).zip(view(&x).par_chunks(both * ROWS)).for_each(|(out, x)| {
        for (out, x) in out.chunks_exact_mut(f).zip(x.chunks_exact(both)) {
            activate_row(activation, &x[..f], &x[f..], out);
        }
    });
    let y = x.device().try_tensor_from_vec(out, (n, f))?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost) = (y.ghost(), x.ghost());
        tape.add_backward_op(move |g| {
            let go = take(g.get_or_alloc_mut(&y_ghost)?);
            let gx = g.get_or_alloc_mut(&x_ghost)?;
            let inputs = view(&x).par_chunks(both * ROWS).zip(go.par_chunks(f * ROWS));
            gx.par_chunks_mut(both * ROWS).zip(inputs).for_each(|(gx, (x, go))| {
                for ((gx, x), go) in
                    gx.chunks_exact_mut(both).zip(x.chunks_exact(both)).zip(go.chunks_exact(f))
                {
                    let (dg, du) = gx.split_at_mut(f);
                    activate_grad_row(activation, &x[..f], &x[f..], go, dg, du);
                }
            });
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}

/// Value and slope of `x sigmoid(x)`.
#[inline(always)]
fn silu<const FMA: bool>(x: f32) -> (f32, f32) {
    let s = 1.0 / (1.0 + exp::<FMA>(-x));
    let y = x * s;
    (y, s + y * (1.0 - s))
}

/// Value and slope of the tanh form: `0.5 x (1 + tanh(u)) = x sigmoid(2u)` with `2u = a x + b x^3`.
#[inline(always)]
fn gelu_tanh<const FMA: bool>(x: f32) -> (f32, f32) {
    const A: f32 = 1.595_769; // 2 sqrt(2 / pi)
    const B: f32 = A * 0.044_715;
    let square = x * x;
    let s = 1.0 / (1.0 + exp::<FMA>(-x * fma::<FMA>(square, B, A)));
    let y = x * s;
    (y, s + y * (1.0 - s) * fma::<FMA>(square, 3.0 * B, A))
}

/// Value and slope of `x Phi(x)`.
#[inline(always)]
fn gelu<const FMA: bool>(x: f32) -> (f32, f32) {
    let z = x * std::f32::consts::FRAC_1_SQRT_2;
    let z = if z > 4.0 { 4.0 } else { z };
    let z = if z < -4.0 { -4.0 } else { z };
    let square = z * z;
    let horner = |c: &[f32]| c[1..].iter().fold(c[0], |p, &c| fma::<FMA>(p, square, c));
    let phi = fma::<FMA>(z * horner(&ERF_P) / horner(&ERF_Q), 0.5, 0.5);
    (x * phi, phi + x * exp::<FMA>(-square) * 0.398_942_3)
}

/// Value and slope of the square of the positive part.
#[inline(always)]
fn relu2<const FMA: bool>(x: f32) -> (f32, f32) {
    let p = if x > 0.0 { x } else { 0.0 };
    (p * p, 2.0 * p)
}

#[inline(always)]
fn values(gate: &[f32], up: &[f32], out: &mut [f32], f: impl Fn(f32) -> (f32, f32)) {
    if up.is_empty() {
        for (o, g) in out.iter_mut().zip(gate) {
            *o = f(*g).0;
        }
    } else {
        for ((o, g), u) in out.iter_mut().zip(gate).zip(up) {
            *o = f(*g).0 * u;
        }
    }
}

#[inline(always)]
fn slopes(
    gate: &[f32],
    up: &[f32],
    go: &[f32],
    dg: &mut [f32],
    du: &mut [f32],
    f: impl Fn(f32) -> (f32, f32),
) {
    let n = gate.len();
    let (go, dg) = (&go[..n], &mut dg[..n]);
    if up.is_empty() {
        for i in 0..n {
            dg[i] += go[i] * f(gate[i]).1;
        }
        return;
    }
    let (up, du) = (&up[..n], &mut du[..n]);
    for i in 0..n {
        let (value, slope) = f(gate[i]);
        du[i] += go[i] * value;
        dg[i] += go[i] * up[i] * slope;
    }
}

row_kernel! {
    /// `out = f(gate) * up`; without the product where `up` is empty.
    fn activate_row(activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
        match activation {
            Activation::Silu => values(gate, up, out, silu::<FMA>),
            Activation::GeluTanh => values(gate, up, out, gelu_tanh::<FMA>),
            Activation::Gelu => values(gate, up, out, gelu::<FMA>),
            Activation::Relu2 => values(gate, up, out, relu2::<FMA>),
        }
    }
}

row_kernel! {
    /// Adds the gradients of a row to `dg` and `du`.
    fn activate_grad_row(
        activation: Activation,
        gate: &[f32],
        up: &[f32],
        go: &[f32],
        dg: &mut [f32],
        du: &mut [f32],
    ) {
        match activation {
            Activation::Silu => slopes(gate, up, go, dg, du, silu::<FMA>),
            Activation::GeluTanh => slopes(gate, up, go, dg, du, gelu_tanh::<FMA>),
            Activation::Gelu => slopes(gate, up, go, dg, du, gelu::<FMA>),
            Activation::Relu2 => slopes(gate, up, go, dg, du, relu2::<FMA>),
        }
    }
}
