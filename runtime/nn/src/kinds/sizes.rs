//! From the members of a `model` item to the sizes of a decoder.

use llmp_stdlib::{Arg, Rational, Record, Value, View, number};

use super::families::{
    AttentionReach, Chunks, Embedding, Experts, Ffn, Init, Norm, NormPlace, Position, QkPlace, Scaling,
};
use crate::NnError;
use crate::spec::{
    Activation, Architecture, ChunkForm, ExpertForm, FeedForward, NormForm, Order, Reach, Rotary, Stretch,
};

/// The decoder that the members of a model describe (defaults filled in; the tokenizer is not read), whether this
/// runtime can run it or not.
///
/// `tokenizer_size` is used where the model does not state its vocabulary. Errors name the member that is missing or
/// that contradicts another.
pub fn architecture(members: &Record, tokenizer_size: Option<usize>) -> Result<Architecture, NnError> {
    let width: usize = required(members, "width")?;
    let heads: usize = required(members, "heads")?;
    let missing = |what: &str| NnError::Spec(format!("{what} is not known"));
    let derived = (heads != 0 && width.is_multiple_of(heads)).then(|| width / heads);
    let head_dim = optional(members, "head_dim")?.or(derived);
    let head_dim = head_dim.ok_or_else(|| {
        NnError::Spec(format!("heads ({heads}) does not divide width ({width}) and `head_dim` is not given"))
    })?;
    let (activation, gated, hidden) = feed_forward(&required(members, "ffn")?, width);
    let hidden = hidden.ok_or_else(|| missing("the number of hidden units"))?;
    let vocab = optional(members, "vocab")?.or(tokenizer_size.map(padded));
    let flag = |name: &str| optional::<bool>(members, name).map(|b| b.unwrap_or(false));
    let reaches = optional::<Vec<AttentionReach>>(members, "pattern")?.unwrap_or_default();
    let pattern: Vec<Reach> = reaches.iter().map(reach).collect();
    let real = |name: &str| optional::<Rational>(members, name).map(|n| n.map(number::to_f64));
    let init_std = match required(members, "init")? {
        Init::Normal(init) => init.std,
        Init::Upcycle(init) => init.std,
    };
    let sizes = Architecture {
        vocab: vocab.ok_or_else(|| missing("the size of the vocabulary"))?,
        layers: required(members, "layers")?,
        width,
        heads,
        kv_heads: optional(members, "kv_heads")?.unwrap_or(heads),
        head_dim,
        ffn: FeedForward { activation, gated, hidden },
        experts: optional(members, "experts")?.map(|experts| expert_form(&experts, hidden)),
        norm: norm_form(&required(members, "norm")?),
        norm_place: optional(members, "norm_place")?.unwrap_or(NormPlace::Pre),
        qk_norm: optional(members, "qk_norm")?.as_ref().map(norm_form),
        qk_norm_place: optional(members, "qk_norm_place")?.unwrap_or(QkPlace::Before),
        order: optional(members, "position")?.as_ref().map_or(Order::None, |p| order(p, head_dim)),
        qkv_bias: flag("qkv_bias")?,
        bias: flag("bias")?,
        pattern: if pattern.is_empty() { vec![Reach::Global] } else { pattern },
        score_scale: real("score_scale")?,
        attention_cap: real("attention_cap")?,
        logit_cap: real("logit_cap")?,
        embedding_scale: real("embedding_scale")?,
        tied: required::<Embedding>(members, "embedding")? == Embedding::Tied,
        dropout: real("dropout")?.unwrap_or(0.0),
        context: required(members, "context")?,
        init_std: number::to_f64(init_std),
    };
    let problems = sizes.validate();
    if problems.is_empty() { Ok(sizes) } else { Err(NnError::Spec(problems.join("; "))) }
}

/// Experts with the hidden units of the feed-forward where they state none.
pub fn expert_form(experts: &Experts, hidden: usize) -> ExpertForm {
    let Experts::Moe(moe) = experts;
    let hidden = moe.hidden.unwrap_or(hidden);
    ExpertForm {
        routed: moe.experts,
        active: moe.active,
        hidden,
        shared: moe.shared.saturating_mul(hidden),
        shared_gate: moe.shared_gate,
        renormalise: moe.renormalise,
        balance: number::to_f64(moe.balance),
    }
}

/// The architecture of a `model` item, as far as it is known before the run.
pub fn of_model(view: &View<'_>) -> Option<Architecture> {
    if let Some(Value::Call(call)) = view.value {
        let Value::Item(item) = call.args.get("sizes")? else { return None };
        let sizes = view.program.view(&item.item)?;
        return sizes.value.is_none().then(|| of_model(&sizes)).flatten();
    }
    architecture(view.members, tokenizer_size(view)).ok()
}

fn reach(reach: &AttentionReach) -> Reach {
    match reach {
        AttentionReach::Global => Reach::Global,
        AttentionReach::Nope => Reach::GlobalWithoutOrder,
        AttentionReach::Local(local) => Reach::Window(local.window),
    }
}

fn norm_form(norm: &Norm) -> NormForm {
    match norm {
        Norm::Rms(rms) => {
            NormForm { rms: true, bias: false, offset: rms.offset, eps: number::to_f64(rms.eps) }
        }
        Norm::LayerNorm(norm) => {
            NormForm { rms: false, bias: norm.bias, offset: false, eps: number::to_f64(norm.eps) }
        }
    }
}

fn order(position: &Position, head_dim: usize) -> Order {
    let Position::Rope(rope) = position else { return Order::Table };
    let base = number::to_f64(rope.base);
    let (base, stretch) = match &rope.scaling {
        None => (base, Stretch::None),
        Some(Scaling::BaseLaw(law)) => {
            let turns = |positions: usize| (positions as f64 / std::f64::consts::TAU).ln();
            (base.powf(turns(law.to) / turns(law.from)), Stretch::None)
        }
        // The lowest of `head_dim / 2` frequencies, `base^(-(d - 2) / d)`, is divided by the factor.
        Some(Scaling::Ntk(ntk)) => {
            let d = head_dim as f64;
            (base * number::to_f64(ntk.factor).powf(d / (d - 2.0)), Stretch::None)
        }
        Some(Scaling::Llama3(it)) => {
            let [factor, low, high] = [it.factor, it.low, it.high].map(number::to_f64);
            (base, Stretch::Llama3 { factor, low, high, original: it.original })
        }
        Some(Scaling::Yarn(it)) => {
            let [factor, fast, slow] = [it.factor, it.fast, it.slow].map(number::to_f64);
            let attention = 0.1 * factor.max(1.0).ln() + 1.0;
            (base, Stretch::Yarn { factor, original: it.original, fast, slow, attention })
        }
    };
    let chunks = rope.chunks.as_ref().map(|Chunks::DualChunk(it)| ChunkForm {
        trained: it.trained,
        chunk: it.chunk.unwrap_or(it.trained / 4 * 3),
    });
    Order::Rotary(Rotary { base, stretch, chunks })
}

/// Form and hidden units of a feed-forward; the units are `None` when they are no number of this machine.
pub(super) fn feed_forward(ffn: &Ffn, width: usize) -> (Activation, bool, Option<usize>) {
    let units = |hidden: Option<usize>, ratio, multiple| hidden.or_else(|| by_ratio(ratio, multiple, width));
    match ffn {
        Ffn::Swiglu(f) => (Activation::Silu, true, units(f.hidden, f.ratio, f.multiple)),
        Ffn::Geglu(f) => (Activation::GeluTanh, true, units(f.hidden, f.ratio, f.multiple)),
        Ffn::Gelu(f) => {
            let exact = f.form == super::GeluForm::Exact;
            let activation = if exact { Activation::Gelu } else { Activation::GeluTanh };
            (activation, false, units(f.hidden, f.ratio, 1))
        }
        Ffn::Relu2(f) => (Activation::Relu2, false, units(f.hidden, f.ratio, 1)),
    }
}

fn by_ratio(ratio: Rational, multiple: usize, width: usize) -> Option<usize> {
    let wanted = number::arithmetic(ratio, '*', Rational::from(width as i128))?;
    let units = usize::try_from(number::to_u64(wanted.ceil())?).ok()?;
    units.checked_next_multiple_of(multiple.max(1))
}

fn required<T: Arg>(members: &Record, name: &str) -> Result<T, NnError> {
    let value = members.get(name).ok_or_else(|| NnError::Spec(format!("`{name}` is missing")))?;
    T::read(value).map_err(|words| NnError::Spec(format!("`{name}`: {words}")))
}

fn optional<T: Arg>(members: &Record, name: &str) -> Result<Option<T>, NnError> {
    members.get(name).map_or(Ok(None), |v| {
        <Option<T>>::read(v).map_err(|words| NnError::Spec(format!("`{name}`: {words}")))
    })
}

/// A vocabulary that holds this many tokens: the next multiple of 64.
pub(super) fn padded(size: usize) -> usize {
    size.checked_next_multiple_of(64).unwrap_or(size)
}

/// How many ids the model's tokenizer has, when that is known before the run.
pub fn tokenizer_size(view: &View<'_>) -> Option<usize> {
    let size = match view.get("tokenizer")? {
        Value::Call(call) => call.args.get("vocab").cloned()?,
        _ => {
            let tokenizer = view.follow("tokenizer")?;
            let field = tokenizer.kind.fields.iter().find(|f| f.name == "vocab")?;
            (field.read)(&tokenizer)?
        }
    };
    usize::read(&size).ok()
}
