//! `prune name { … }`: removes hidden units of a trained model, chosen while it goes on training.

use llmp_stdlib::arg::{ModelRef, Tokens, TrainingData};
use llmp_stdlib::kind::Cost;
use llmp_stdlib::{Arg, Form, Kind, Output, Param, Planner, Problem, Settings, Ty, Value, View, Yields};

use super::chain::{self, Known};
use super::{schedule, training};
use crate::course::{Batch, Context, spaced};
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{Accumulate, Attention, Precision, Publish, Recompute, Times};

/// What is left of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keep {
    /// Hidden units of every feed-forward.
    pub ffn_hidden: Option<u64>,
}

impl Arg for Keep {
    const TY: Ty = {
        static FIELDS: [Param; 1] = [Param {
            name: "ffn_hidden",
            doc: "Hidden units of every feed-forward.",
            ty: Ty::Int,
            default: None,
            binary: false,
            many: false,
            writes: false,
        }];
        Ty::Record(&FIELDS)
    };

    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else { return Err(format!("expected a record, found {value}")) };
        Ok(Keep { ffn_hidden: record.get("ffn_hidden").map(u64::read).transpose()? })
    }
}

llmp_stdlib::def! {
    /// The units with the largest weights are kept: by the product of the norms of the rows and columns of a unit. The
    /// others go before the training, in which what is left recovers.
    Magnitude = "magnitude", rev 1 {}
}

llmp_stdlib::def! {
    /// A mask over the units is trained with the weights: between 0 and 1, summing to the number kept, harder as the
    /// temperature falls from step to step by one factor (AFM). At the end the units with the largest mask are kept.
    ///
    /// A unit's score begins as the size of its weights, as `magnitude` takes it, scaled to a deviation of 1 in every
    /// block. A mask that is still soft at the end loses much when it is cut, and scores move together where softness
    /// pays: let the temperature end far below the distance of two scores, which is about 4 over the number of units.
    SoftTopK = "soft_top_k", rev 1, check check_soft {
        /// Softness of the mask at the start.
        temperature: f64 = "0.1",
        /// Softness at the end.
        last: f64 = "0.0001",
        /// Rate of the scores, as a multiple of that of the weights.
        rate: f64 = "10",
    }
}

fn check_soft(it: &SoftTopK) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !(it.last > 0.0 && it.last <= it.temperature) {
        problems.push(Problem::error("LLMP0209", "last", "the temperature falls to a number above 0"));
    }
    if it.rate < 0.0 {
        problems.push(Problem::error("LLMP0209", "rate", "a rate is at least 0"));
    }
    problems
}

llmp_stdlib::family! {
    /// How the units to keep are chosen.
    PruneMethod = "pruning method" { Magnitude, SoftTopK }
}

llmp_stdlib::def! {
    /// Makes a smaller model of a trained one: hidden units of the feed-forwards are removed, the rest keeps its weights.
    ///
    /// ```llmp
    /// prune student { from = parent, keep = { ffn_hidden = 8064 }, data = core_mix, tokens = 188B }
    /// ```
    Prune = "prune", rev 1 {
        /// The trained model.
        from: ModelRef,
        /// What is left.
        keep: Keep,
        /// How the units to keep are chosen.
        method: PruneMethod = "soft_top_k()",
        /// Documents, or a mixture of them, on which the model goes on training meanwhile.
        data: TrainingData,
        /// Tokens consumed.
        tokens: Tokens,
        /// Tokens of a training sequence; without it those of the model.
        @binary context: Option<Context> = "none",
        /// Size of a batch, as in `pretrain`.
        batch: Option<Batch> = "none",
        /// How gradients change the weights.
        optimizer: Optimizer = "adamw()",
        /// The learning rate, as in `pretrain`.
        schedule: Option<Schedule> = "none",
        /// Largest norm of the gradient over all parameters. `none`: no limit.
        clip: Option<f64> = "1.0",
        /// Number format of matrix products.
        precision: Precision = "f32",
        /// What a token sees of its row.
        attention: Attention = "per_document",
        /// Weight of the penalty on the squared log of the softmax's denominator, as in `pretrain`.
        z_loss: f64 = "0",
        /// Micro-batches of a batch.
        accumulate: Accumulate = "auto",
        /// What is computed again in the backward pass to save memory.
        recompute: Option<Recompute> = "none",
        /// The longest time or distance between two checkpoints.
        checkpoints: Times = "every(5 min)",
        /// Which weights the stage gives.
        publish: Publish = "last",
        /// Seed of the order of documents.
        seed: u64 = "0",
        /// Another random stream of the same seed.
        replicate: u64 = "0",
    }
}

/// The kind.
pub(super) static KIND: Kind = Kind {
    fields: chain::FIELDS,
    check,
    lacks: training::lacks,
    cost: |view| {
        // With masks the whole model trains, and what is removed goes at the end; by weights it goes at once.
        let at_once = matches!(view.read("method"), Some(PruneMethod::Magnitude(_)));
        let trains = if at_once { Known::of(view)? } else { Known::of(&chain::source(view)?)? };
        training::cost_of(view, trains.counted()?).map(Cost::Stage)
    },
    ..Kind::new(Prune::SIGNATURE, Form::Block, Yields::Model, elaborate)
};

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = super::check_weights(view, "from").into_iter().collect();
    problems.extend(training::check_length(view));
    problems.extend(schedule::check(view));
    let kept = view.read::<Keep>("keep").and_then(|keep| keep.ffn_hidden);
    let sizes = chain::source(view).and_then(|from| Known::of(&from)?.sizes);
    let (Some(kept), Some(sizes)) = (kept, sizes) else { return problems };
    let hidden = sizes.ffn.hidden as u64;
    if kept == 0 {
        problems.push(Problem::error("LLMP0209", "keep.ffn_hidden", "at least 1 hidden unit is kept"));
    } else if kept >= hidden {
        let message =
            format!("{} of {} hidden units are kept: nothing is removed", spaced(kept), spaced(hidden));
        problems
            .push(Problem::error("LLMP0508", "keep.ffn_hidden", message).label("from", "the larger model"));
    }
    if sizes.experts.is_some() {
        problems.push(Problem::error("LLMP0508", "from", "the hidden units of experts cannot be removed"));
    }
    problems
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let mut begun = training::begin(view, planner)?;
    for name in ["keep", "method"] {
        begun.args.insert(name.into(), view.members.get(name).cloned().unwrap_or(Value::None));
    }
    let weights = planner.step(Prune::SIGNATURE.name, Prune::SIGNATURE.rev, begun.args);
    let spec = training::result(view, begun.spec);
    Ok(Output::Model { spec, tokenizer: Some(begun.tokenizer), weights: Some(weights) })
}
