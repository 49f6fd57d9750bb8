//! The fused operations take their place on the CPU; the doors to the data of a CPU tensor.
#![expect(unsafe_code, reason = "dfdx shows one element of a CPU tensor; kernels need the slice behind it")]

use dfdx::prelude::*;

use super::{
    Drop, Gains, HeadForm, Kernels, Positions, Res, T0, T1, T2, activation, add, attention, bias, distill,
    dropout, embed, head, head_norm, linear, moe, norm, rope,
};
use crate::spec::{Activation, NormForm};
use crate::{LossSums, Precision};

impl Kernels for Cpu {
    fn embed<T: Tape<f32, Self> + Merge<T>>(table_vc: T2<Self, T>, ids: &[u32]) -> Res<T2<Self, T>, Self> {
        embed::cpu::embed(table_vc, ids)
    }

    fn norm<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        gain_c: &T1<Self>,
        bias_c: Option<&T1<Self>>,
        form: &NormForm,
    ) -> Res<T2<Self, T>, Self> {
        norm::cpu::norm(x_nc, gain_c, bias_c, form)
    }

    fn head_norm<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        gains: Gains<'_, Self>,
        heads: (usize, usize),
        form: &NormForm,
    ) -> Res<T2<Self, T>, Self> {
        head_norm::cpu::head_norm(qkv, gains, heads, form)
    }

    fn bias<T: Tape<f32, Self> + Merge<T>>(x_no: T2<Self, T>, b_o: &T1<Self>) -> Res<T2<Self, T>, Self> {
        bias::cpu::bias(x_no, b_o)
    }

    fn rope<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        positions: &Positions<Self>,
    ) -> Res<T2<Self, T>, Self> {
        rope::cpu::rope(qkv, positions)
    }

    fn linear<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_oc: &T2<Self>,
        precision: Precision,
    ) -> Res<T2<Self, T>, Self> {
        linear::cpu::linear(x_nc, w_oc, precision)
    }

    fn attention<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        positions: &Positions<Self>,
    ) -> Res<T2<Self, T>, Self> {
        attention::cpu::attention(qkv, positions)
    }

    fn activate<T: Tape<f32, Self> + Merge<T>>(
        x: T2<Self, T>,
        activation: Activation,
        gated: bool,
    ) -> Res<T2<Self, T>, Self> {
        activation::cpu::activate(x, activation, gated)
    }

    fn dropout<T: Tape<f32, Self> + Merge<T>>(x_nc: T2<Self, T>, drop: Drop) -> Res<T2<Self, T>, Self> {
        dropout::cpu::dropout(x_nc, drop)
    }

    fn moe<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        router_ec: &T2<Self>,
        experts: &T1<Self>,
        routing: &moe::Routing,
        precision: Precision,
    ) -> Res<moe::Routed<Self, T>, Self> {
        moe::cpu::moe(x_nc, router_ec, experts, routing, precision)
    }

    fn add<T: Tape<f32, Self> + Merge<T>>(a_nc: T2<Self, T>, b_nc: T2<Self, T>) -> Res<T2<Self, T>, Self> {
        add::cpu::add(a_nc, b_nc)
    }

    fn head_loss<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_vc: &T2<Self>,
        targets: &[u32],
        normaliser: f64,
        form: HeadForm,
        precision: Precision,
    ) -> Res<(T0<Self, T>, LossSums), Self> {
        head::cpu::head_loss(x_nc, w_vc, targets, normaliser, form, precision)
    }

    fn log_probs<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_vc: &T2<Self>,
        targets: &[u32],
        cap: Option<f32>,
        precision: Precision,
    ) -> Res<T1<Self, T>, Self> {
        head::log_probs::log_probs(x_nc, w_vc, targets, cap, precision)
    }

    fn distill_loss<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_vc: &T2<Self>,
        truth: &[u32],
        lesson: &distill::Lesson<'_, Self>,
        normaliser: f64,
        form: HeadForm,
    ) -> Res<(T0<Self, T>, distill::DistillSums), Self> {
        distill::cpu::distill_loss(x_nc, w_vc, truth, lesson, normaliser, form)
    }

    fn mean_probabilities(
        teachers: &[distill::Taught<'_, Self>],
        rows: std::ops::Range<usize>,
        temperature: f32,
    ) -> Res<Vec<f32>, Self> {
        Ok(distill::cpu::mean_probabilities(teachers, rows, temperature))
    }

    fn drain<S: Shape>(
        gradients: &mut Gradients<f32, Self>,
        parameter: &Tensor<S, f32, Self>,
        into: &mut [f32],
    ) -> Res<(), Self> {
        super::rows::par_add(into, &take(gradients.get_or_alloc_mut(parameter)?));
        Ok(())
    }
}

/// A loss whose gradients by `x` and `w` were made with it: the backward pass only scales them.
pub(crate) fn made_ahead<T: Tape<f32, Cpu>>(
    loss: f32,
    x: T2<Cpu, T>,
    w: &T2<Cpu>,
    gx: Vec<f32>,
    gw: Vec<f32>,
) -> Res<T0<Cpu, T>, Cpu> {
    let (x, mut tape) = x.split_tape();
    let y = x.device().try_tensor_from_vec(vec![loss], ())?;
    if T::OWNS_TAPE {
        let (y_ghost, x_ghost, w_ghost) = (y.ghost(), x.ghost(), w.ghost());
        tape.add_backward_op(move |g| {
            let scale = g.get_or_alloc_mut(&y_ghost)?[0];
            super::rows::par_add_scaled(g.get_or_alloc_mut(&x_ghost)?, &gx, scale);
            super::rows::par_add_scaled(g.get_or_alloc_mut(&w_ghost)?, &gw, scale);
            Ok(())
        });
    }
    Ok(y.put_tape(tape))
}

/// Takes a finished gradient out of its slot: only of the op's own output, when all its consumers have run.
pub(crate) fn take(slot: &mut <Cpu as Storage<f32>>::Vec) -> Vec<f32> {
    std::mem::take(&mut **slot)
}

/// The elements of a contiguous CPU tensor in physical order, without a copy.
pub(crate) fn view<S: Shape, T>(tensor: &Tensor<S, f32, Cpu, T>) -> &[f32] {
    let n = tensor.shape().num_elements();
    if n == 0 {
        return &[];
    }
    let first: *const f32 = &tensor[S::Concrete::default()];
    debug_assert!(is_contiguous(tensor), "a kernel was given a permuted or broadcast tensor");
    // SAFETY: `Index` borrows from the tensor's one backing vector, `first` is its element 0 because the
    // tensor is contiguous (every tensor of this crate is an op's fresh output or a parameter), so n elements
    // follow; the borrow of `tensor` keeps them alive and unchanged.
    unsafe { std::slice::from_raw_parts(first, n) }
}

/// The same for writing; copies the data first when another tensor shares it.
pub(crate) fn view_mut<S: Shape, T>(tensor: &mut Tensor<S, f32, Cpu, T>) -> &mut [f32] {
    let n = tensor.shape().num_elements();
    if n == 0 {
        return &mut [];
    }
    debug_assert!(is_contiguous(tensor), "a kernel was given a permuted or broadcast tensor");
    let first: *mut f32 = &mut tensor[S::Concrete::default()];
    // SAFETY: as in `view`; `IndexMut` has made the backing vector unique and the borrow is exclusive.
    unsafe { std::slice::from_raw_parts_mut(first, n) }
}

/// Whether the last element lies where a row-major layout has it.
fn is_contiguous<S: Shape, T>(tensor: &Tensor<S, f32, Cpu, T>) -> bool {
    let mut last = S::Concrete::default();
    let sizes = tensor.shape().concrete();
    for dim in 0..S::NUM_DIMS {
        last[dim] = sizes[dim] - 1;
    }
    let (first, last): (*const f32, *const f32) = (&tensor[S::Concrete::default()], &tensor[last]);
    last as usize - first as usize == (tensor.shape().num_elements() - 1) * size_of::<f32>()
}
