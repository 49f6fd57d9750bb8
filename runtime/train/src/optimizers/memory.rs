//! What an optimizer keeps between steps, and its walk over the parameters of a model.

use std::collections::BTreeMap;

use llmp_nn::spec::{Architecture, ParamInfo, Role};
use llmp_nn::{Grads, Model};
use llmp_stdlib::number::to_f64;

use super::{Optimizer, Slot, Step};
use crate::error::Result;

/// Named flat buffers, each with the parameters' parts end to end in canonical order, and the updates done.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// The buffers in the order in which the optimizer names them.
    pub buffers: Vec<(&'static str, Vec<f32>)>,
    /// Updates done; steps that were left out do not count.
    pub updates: u64,
}

impl Memory {
    /// The state before the first update.
    pub fn new(optimizer: &Optimizer, sizes: &Architecture) -> Memory {
        Memory::of(optimizer, &sizes.params())
    }

    /// The same for any parameters.
    pub fn of(optimizer: &Optimizer, params: &[ParamInfo]) -> Memory {
        let rule = optimizer.rule();
        let mut counts = vec![0; rule.buffers().len()];
        for info in params {
            for (count, n) in counts.iter_mut().zip(rule.numbers(&info.shape, info.role)) {
                *count += n;
            }
        }
        let buffers = rule.buffers().iter().zip(counts).map(|(name, n)| (*name, vec![0.0; n])).collect();
        Memory { buffers, updates: 0 }
    }

    /// Puts back buffers that were saved. Errors: words for what is missing or has another length.
    pub fn restore(&mut self, mut saved: BTreeMap<String, Vec<f32>>, updates: u64) -> Result<(), String> {
        for (name, buffer) in &mut self.buffers {
            let found = saved.remove(*name).ok_or_else(|| format!("it has no `{name}` of the optimizer"))?;
            if found.len() != buffer.len() {
                return Err(format!(
                    "`{name}` holds {} numbers, the optimizer keeps {}",
                    found.len(),
                    buffer.len()
                ));
            }
            *buffer = found;
        }
        self.updates = updates;
        match saved.keys().next() {
            Some(name) => Err(format!("`{name}` belongs to another optimizer")),
            None => Ok(()),
        }
    }
}

/// The learning rate of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The rate.
    pub rate: f64,
    /// The same as a fraction of the schedule's peak.
    pub schedule: f64,
}

/// Clears the gradients of parameters that the optimizer leaves as they are: they are no part of the norm.
pub fn hold(optimizer: &Optimizer, sizes: &Architecture, grads: &mut Grads) {
    let rule = optimizer.rule();
    for (index, info) in sizes.params().iter().enumerate() {
        if !rule.trains(&info.name) {
            grads.get_mut(index).fill(0.0);
        }
    }
}

/// One update of every parameter that the optimizer trains.
pub fn update(
    optimizer: &Optimizer,
    pace: Pace,
    model: &mut Model,
    grads: &Grads,
    memory: &mut Memory,
) -> Result<()> {
    let rule = optimizer.rule();
    let infos = model.spec().params();
    let hidden = to_f64(optimizer.hidden_rate(model.spec().width as u64));
    let rate = |info: &ParamInfo| {
        let share = if info.role == Role::Matrix { hidden } else { 1.0 };
        rule.trains(&info.name).then_some(pace.rate * share)
    };
    let slots = infos.iter().zip(model.params_mut()).zip(grads.iter());
    walk(optimizer, pace.schedule, slots.map(|((info, values), g)| (info, rate(info), values, g)), memory)
}

/// One update of parameters that are no part of a model, end to end in `values`: all of them, at one rate.
pub fn update_beside(
    optimizer: &Optimizer,
    pace: Pace,
    params: &[ParamInfo],
    (values, gradient): (&mut [f32], &[f32]),
    memory: &mut Memory,
) -> Result<()> {
    let (mut values, mut gradient) = (values, gradient);
    let slots = params.iter().map(|info| {
        let (head, tail) = std::mem::take(&mut values).split_at_mut(info.count());
        let (own, rest) = gradient.split_at(info.count());
        (values, gradient) = (tail, rest);
        (info, Some(pace.rate), head, own)
    });
    walk(optimizer, pace.schedule, slots, memory)
}

/// Updates parameters in the order in which the buffers hold their parts; those without a rate stay as they are.
fn walk<'a>(
    optimizer: &Optimizer,
    schedule: f64,
    slots: impl Iterator<Item = (&'a ParamInfo, Option<f64>, &'a mut [f32], &'a [f32])>,
    memory: &mut Memory,
) -> Result<()> {
    let rule = optimizer.rule();
    memory.updates += 1;
    let mut rest: Vec<&mut [f32]> = memory.buffers.iter_mut().map(|(_, b)| b.as_mut_slice()).collect();
    for (info, rate, values, gradient) in slots {
        let mut state: [&mut [f32]; 2] = Default::default();
        let numbers = rule.numbers(&info.shape, info.role);
        for ((part, rest), n) in state.iter_mut().zip(&mut rest).zip(numbers) {
            let (head, tail) = std::mem::take(rest).split_at_mut(n);
            (*part, *rest) = (head, tail);
        }
        let Some(rate) = rate else { continue };
        let step = Step { rate, schedule, number: memory.updates };
        let shape = info.shape.as_slice();
        let slot = Slot { shape, role: info.role, values, gradient, state, decays: info.decay };
        rule.update(&step, slot)?;
    }
    Ok(())
}
