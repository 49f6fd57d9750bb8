//! Blocks whose inside is computed again in the backward pass: only their inputs are kept in between.

use std::rc::Rc;

use dfdx::prelude::*;

use super::Stored;
use crate::Architecture;
use crate::blocks::{Block, Notes, Pass, Tensors};
use crate::kernels::{Kernels, Noise, Path, Positions, Res, T2};

/// What a block needs to run a second time.
struct Again<D: Kernels> {
    block: Block<D>,
    index: usize,
    path: Path,
    spec: Architecture,
    positions: Rc<[Positions<D>]>,
    noise: Option<Noise>,
}

impl<D: Kernels> Again<D> {
    fn run<T: Tape<f32, D> + Merge<T>>(&self, x: T2<D, T>) -> Res<T2<D, T>, D> {
        let notes = Notes::new(Vec::new());
        let (positions, noise) = (Rc::clone(&self.positions), self.noise);
        let pass = Pass { path: self.path, spec: &self.spec, positions, noise, notes: &notes };
        self.block.forward(&pass, self.index, x)
    }
}

/// The output of a block, whose tape holds its input alone. The gradients are those of [`Block::forward`], bit for
/// bit: the same operations run on the same numbers.
///
/// The input must have no other use, and the block must stand once on the tape: their gradients are moved, not added.
pub(super) fn forward<D: Kernels, T: Tape<f32, D> + Merge<T>>(
    block: &Block<D>,
    pass: &Pass<'_, D, T>,
    index: usize,
    x_nc: T2<D, T>,
) -> Res<T2<D, T>, D> {
    if !T::OWNS_TAPE {
        return block.forward(pass, index, x_nc);
    }
    let again = Again {
        block: block.clone(),
        index,
        path: pass.path,
        spec: pass.spec.clone(),
        positions: Rc::clone(&pass.positions),
        noise: pass.noise,
    };
    let (x, mut tape) = x_nc.split_tape();
    let y = again.run(x.clone())?;
    let y_ghost = y.ghost();
    tape.add_backward_op(move |map| {
        let none = || Storage::<f32>::try_alloc_len(x.device(), 0);
        map.try_alloc_for(&y_ghost)?;
        let gy = map.get(&y_ghost);
        *map.get_or_alloc_mut(&y_ghost)? = none()?;
        // The slope of sum(y * gy) is gy.
        let y = again.run(x.clone().leaky_traced())?;
        let mut inner = y.try_mul(gy)?.try_sum::<Rank0, Axes2<0, 1>>()?.try_backward()?;
        let mut all = vec![Stored::Matrix(&x)];
        again.block.list(&mut all);
        for tensor in all {
            match tensor {
                Stored::Vector(t) => {
                    *map.get_or_alloc_mut(t)? = std::mem::replace(inner.get_or_alloc_mut(t)?, none()?);
                }
                Stored::Matrix(t) => {
                    *map.get_or_alloc_mut(t)? = std::mem::replace(inner.get_or_alloc_mut(t)?, none()?);
                }
            }
        }
        Ok(())
    });
    Ok(y.put_tape(tape))
}
