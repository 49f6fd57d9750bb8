//! A mixture of experts in place of a feed-forward: routed experts, and a part that every token uses.

use std::cell::RefCell;

use dfdx::prelude::*;

use super::{FeedForward, Pass, Stored, Tensors, Weights, tensors};
use crate::Architecture;
use crate::kernels::moe::Routing;
use crate::kernels::{Kernels, Res, T0, T1, T2, twice};
use crate::spec::{self, ExpertForm};

/// (n, width) to (n, width).
#[derive(Clone, Debug)]
pub(crate) struct Moe<D: Storage<f32>> {
    /// All routed experts, end to end.
    pub(crate) experts: T1<D>,
    /// What every token uses besides.
    pub(crate) shared: Option<FeedForward<D>>,
    /// (experts, width).
    pub(crate) router: T2<D>,
    /// (1, width): how much of the shared part a token uses.
    pub(crate) shared_gate: Option<T2<D>>,
    pub(crate) routing: Routing,
}

tensors!(Moe: experts, shared, router, shared_gate);

impl<D: Kernels> Moe<D> {
    fn new(weights: &mut Weights<'_, D>, spec: &Architecture, form: ExpertForm) -> Res<Self, D> {
        let routing = Routing {
            routed: form.routed,
            active: form.active,
            hidden: form.hidden,
            activation: spec.ffn.activation,
            gated: spec.ffn.gated,
            renormalise: form.renormalise,
            pull: Vec::new(),
        };
        let experts = weights.vector(form.routed * routing.size(spec.width))?;
        let shared = if form.shared > 0 {
            let ffn = spec::FeedForward { hidden: form.shared, ..spec.ffn };
            Some(FeedForward::new(weights, &Architecture { ffn, ..spec.clone() })?)
        } else {
            None
        };
        let router = weights.matrix(form.routed, spec.width)?;
        let gate = form.shared > 0 && form.shared_gate;
        let shared_gate = gate.then(|| weights.matrix(1, spec.width)).transpose()?;
        Ok(Self { experts, shared, router, shared_gate, routing })
    }

    /// `sum of p_i E_i(x)` over the chosen experts, plus `sigmoid(g x) S(x)`.
    fn forward<T: Tape<f32, D> + Merge<T>>(&self, pass: &Pass<'_, D, T>, x: T2<D, T>) -> Res<T2<D, T>, D> {
        let path = pass.path;
        let routing = Routing { pull: pass.notes.pull.clone(), ..self.routing.clone() };
        let (x, again) = twice(x);
        let routed = path.moe(x, &self.router, &self.experts, &routing)?;
        pass.notes.add(routed.balance, &routed.hits)?;
        let Some(shared) = &self.shared else { return Ok(routed.y) };
        let (x, again) = twice(again);
        let mut y = shared.forward(path, x)?;
        if let Some(gate) = &self.shared_gate {
            let (n, c) = *y.shape();
            let gate = path.linear(again, gate)?.try_sigmoid()?.try_reshape_like(&(n,))?;
            y = y.try_mul(gate.try_broadcast_like::<_, Axis<1>>(&(n, c))?)?;
        }
        path.add(y, routed.y)
    }
}

/// What the routers of all blocks are told and say in one forward pass.
pub(crate) struct Notes<D: Device<f32>, T> {
    /// What the balance loss adds for a probability of each expert; empty without such a loss.
    pub(crate) pull: Vec<f32>,
    balance: RefCell<Option<T0<D, T>>>,
    hits: RefCell<Vec<u64>>,
}

impl<D: Device<f32>, T: Tape<f32, D> + Merge<T>> Notes<D, T> {
    pub(crate) fn new(pull: Vec<f32>) -> Self {
        Self { pull, balance: RefCell::new(None), hits: RefCell::default() }
    }

    fn add(&self, balance: Option<T0<D, T>>, hits: &[u64]) -> Res<(), D> {
        let mut all = self.hits.borrow_mut();
        all.resize(hits.len(), 0);
        all.iter_mut().zip(hits).for_each(|(all, hits)| *all += hits);
        let Some(balance) = balance else { return Ok(()) };
        let sum = match self.balance.take() {
            Some(before) => before.try_add(balance)?,
            None => balance,
        };
        self.balance.replace(Some(sum));
        Ok(())
    }

    /// The balance loss of all blocks, if there is one.
    pub(crate) fn balance(&self) -> Option<T0<D, T>> {
        self.balance.take()
    }

    /// Tokens that each expert was given, over all blocks.
    pub(crate) fn hits(&self) -> Vec<u64> {
        self.hits.take()
    }
}

/// What stands behind attention in a block.
#[derive(Clone, Debug)]
pub(crate) enum Ffn<D: Storage<f32>> {
    Dense(FeedForward<D>),
    Experts(Moe<D>),
}

impl<D: Storage<f32>> Tensors<D> for Ffn<D> {
    fn list<'a>(&'a self, all: &mut Vec<Stored<&'a T1<D>, &'a T2<D>>>) {
        match self {
            Ffn::Dense(dense) => dense.list(all),
            Ffn::Experts(moe) => moe.list(all),
        }
    }
    fn list_mut<'a>(&'a mut self, all: &mut Vec<Stored<&'a mut T1<D>, &'a mut T2<D>>>) {
        match self {
            Ffn::Dense(dense) => dense.list_mut(all),
            Ffn::Experts(moe) => moe.list_mut(all),
        }
    }
}

impl<D: Kernels> Ffn<D> {
    pub(crate) fn new(weights: &mut Weights<'_, D>, spec: &Architecture) -> Res<Self, D> {
        Ok(match spec.experts {
            None => Ffn::Dense(FeedForward::new(weights, spec)?),
            Some(form) => Ffn::Experts(Moe::new(weights, spec, form)?),
        })
    }

    pub(crate) fn forward<T: Tape<f32, D> + Merge<T>>(
        &self,
        pass: &Pass<'_, D, T>,
        x: T2<D, T>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Ffn::Dense(dense) => dense.forward(pass.path, x),
            Ffn::Experts(moe) => moe.forward(pass, x),
        }
    }
}
