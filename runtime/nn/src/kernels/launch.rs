//! What the operations with kernels of their own in CUDA C (`*.cu`) share: the one source, a device that launches, and the doors
//! between tensors and buffers.
//!
//! dfdx shows the buffer of a gradient but not that of a tensor, so a tensor's numbers are copied out and in by its SGD step.

use std::cell::RefCell;
use std::rc::Rc;

use dfdx::prelude::*;

use super::{Res, T2};

/// All kernels, one program: each file is compiled behind `common.cu`.
pub(crate) const SOURCE: &str = concat!(
    include_str!("common.cu"),
    include_str!("norm/norm.cu"),
    include_str!("head/head.cu"),
    include_str!("rope/rope.cu"),
    include_str!("activation/activation.cu"),
    include_str!("attention/attention.cu"),
);

/// The names of all kernels.
pub(crate) const KERNELS: &[&str] = &[
    "norm_forward",
    "norm_backward",
    "norm_gains",
    "norm_rest",
    "cross_entropy",
    "add_scaled",
    "rope",
    "activate",
    "activate_backward",
    "attention_delta",
    "attention_forward_1",
    "attention_forward_2",
    "attention_forward_4",
    "attention_forward_8",
    "attention_backward_queries_1",
    "attention_backward_queries_2",
    "attention_backward_queries_4",
    "attention_backward_queries_8",
    "attention_backward_keys_1",
    "attention_backward_keys_2",
    "attention_backward_keys_4",
    "attention_backward_keys_8",
];

/// Threads of a warp.
pub(crate) const WARP: usize = 32;

/// Threads of a block that works on one row.
pub(crate) const BLOCK: usize = 256;

/// The most blocks of a launch that walks over a buffer.
const MOST_BLOCKS: usize = 4096;

/// Bytes of shared memory that every GPU gives a block without being asked.
pub(crate) const SHARED_BYTES: usize = 48 << 10;

/// Numbers on a device.
pub(crate) type Buffer<D> = <D as Storage<f32>>::Vec;

/// An argument of a kernel.
pub(crate) enum Arg<'a, D: Launch> {
    /// Numbers to read.
    In(&'a Buffer<D>),
    /// Numbers to write.
    Out(&'a mut Buffer<D>),
    /// Ids to read.
    Ids(&'a D::Ids),
    /// A size below 2^31, `int` or `unsigned`.
    Size(usize),
    /// A number.
    Float(f32),
}

/// Blocks, threads of each, bytes of their shared memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// Blocks along x, y and z.
    pub(crate) blocks: [usize; 3],
    /// Threads of a block: whole warps.
    pub(crate) threads: usize,
    /// Bytes of shared memory of a block.
    pub(crate) shared: usize,
}

impl Grid {
    /// Blocks in a row, with one number of shared memory for each warp.
    pub(crate) fn line(blocks: usize, threads: usize) -> Self {
        Self { blocks: [blocks, 1, 1], threads, shared: threads / WARP * size_of::<f32>() }
    }

    /// Blocks that walk over n numbers.
    pub(crate) fn over(n: usize) -> Self {
        Self::line(n.div_ceil(BLOCK).min(MOST_BLOCKS), BLOCK)
    }
}

/// A device that runs the kernels.
pub(crate) trait Launch: Device<f32> {
    /// Token ids or positions on the device.
    type Ids: 'static;

    /// Ids brought to the device.
    fn upload(&self, ids: &[u32]) -> Result<Self::Ids, Self::Err>;

    /// Runs a kernel after everything that was launched before it. Blocks without work are not launched.
    fn launch(&self, kernel: &'static str, grid: Grid, args: &mut [Arg<'_, Self>]) -> Result<(), Self::Err>;
}

/// A buffer of zeros.
pub(crate) fn zeros<D: Launch>(device: &D, len: usize) -> Res<Buffer<D>, D> {
    Storage::<f32>::try_alloc_len(device, len)
}

/// A finished gradient out of its slot: only of an operation's own output, when all its consumers have run.
pub(crate) fn taken<D: Launch>(device: &D, slot: &mut Buffer<D>) -> Res<Buffer<D>, D> {
    Ok(std::mem::replace(slot, zeros(device, 0)?))
}

/// An operation of dfdx whose output is a tensor of its own; the gradient of that output is freed once it has been passed on
/// (dfdx keeps it until the whole backward pass is over).
pub(crate) fn freeing<D: Launch, T: Tape<f32, D>>(
    x: T2<D, T>,
    operation: impl FnOnce(T2<D, T>) -> Res<T2<D, T>, D>,
) -> Res<T2<D, T>, D> {
    if !T::OWNS_TAPE {
        return operation(x);
    }
    let (x, mut tape) = x.split_tape();
    let device = x.device().clone();
    let slot = Rc::new(RefCell::new(None));
    let later = Rc::clone(&slot);
    // What goes on the tape first runs last.
    tape.add_backward_op(move |g| {
        if let Some(ghost) = later.take() {
            *g.get_or_alloc_mut(&ghost)? = zeros(&device, 0)?;
        }
        Ok(())
    });
    let y = operation(x.put_tape(tape))?;
    slot.replace(Some(y.ghost()));
    Ok(y)
}

/// A copy of the numbers of a contiguous tensor, in their order.
pub(crate) fn buffer<D: Launch, S: Shape>(mut tensor: Tensor<S, f32, D>) -> Res<Buffer<D>, D> {
    let device = tensor.device().clone();
    let len = tensor.shape().num_elements();
    let (mut out, none) = (zeros(&device, len)?, zeros(&device, len)?);
    // velocity = 0 velocity + (0 + 1 tensor); tensor -= 0 velocity
    let step = SgdConfig {
        lr: 0.0,
        momentum: Some(Momentum::Classic(0.0)),
        weight_decay: Some(WeightDecay::L2(1.0)),
    };
    step.try_update(&mut tensor, &mut out, &none)?;
    Ok(out)
}

/// A tensor that holds the numbers of a buffer.
pub(crate) fn tensor<D: Launch, S: Shape>(
    device: &D,
    from: &Buffer<D>,
    shape: S,
) -> Res<Tensor<S, f32, D>, D> {
    let mut tensor: Tensor<S, f32, D> = device.try_zeros_like(&shape)?;
    let mut unused = zeros(device, shape.num_elements())?;
    // tensor -= -1 from
    let step = SgdConfig { lr: -1.0, momentum: None, weight_decay: None };
    step.try_update(&mut tensor, &mut unused, from)?;
    Ok(tensor)
}

/// PTX that states an older instruction set, so that drivers from 525 on load what a newer NVRTC made.
pub(crate) fn lowered(ptx: &str) -> String {
    let line =
        |line: &str| if line.starts_with(".version ") { ".version 8.0".into() } else { line.to_owned() };
    ptx.lines().map(line).collect::<Vec<String>>().join("\n")
}
