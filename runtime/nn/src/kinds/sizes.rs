//! From the members of a `model` item to the sizes of a decoder.

use llmp_stdlib::{Arg, Rational, Record, Value, View, number};

use super::families::{Embedding, Ffn, Init, Norm, Position};
use crate::{DecoderSpec, NnError};

/// Sizes of a decoder from the members of a model (defaults filled in; the tokenizer is not read).
///
/// `tokenizer_size` is used where the model does not state its vocabulary. Errors name the member that is
/// missing, that this runtime cannot honour, or that contradicts another.
pub fn decoder_spec(members: &Record, tokenizer_size: Option<usize>) -> Result<DecoderSpec, NnError> {
    let width: usize = required(members, "width")?;
    let heads: usize = required(members, "heads")?;
    let missing = |what: &str| NnError::Spec(format!("{what} is not known"));
    let (Ffn::Swiglu(ffn), Norm::Rms(norm), Init::Normal(init)) =
        (required(members, "ffn")?, required(members, "norm")?, required(members, "init")?);
    let Position::Rope(rope) = required(members, "position")? else {
        return Err(NnError::Spec("`position` is not rope(…), the only one that this runtime has".into()));
    };
    let derived = (heads != 0 && width.is_multiple_of(heads)).then(|| width / heads);
    let head_dim = optional(members, "head_dim")?.or(derived);
    let head_dim = head_dim.ok_or_else(|| {
        NnError::Spec(format!("heads ({heads}) does not divide width ({width}) and `head_dim` is not given"))
    })?;
    let hidden = hidden_units(&ffn, width).ok_or_else(|| missing("the number of hidden units"))?;
    let vocab = optional(members, "vocab")?.or(tokenizer_size.map(padded));
    let spec = DecoderSpec {
        vocab: vocab.ok_or_else(|| missing("the size of the vocabulary"))?,
        layers: required(members, "layers")?,
        width,
        heads,
        kv_heads: optional(members, "kv_heads")?.unwrap_or(heads),
        head_dim,
        ffn_hidden: hidden,
        norm_eps: number::to_f64(norm.eps),
        rope_base: number::to_f64(rope.base),
        tied: required::<Embedding>(members, "embedding")? == Embedding::Tied,
        context: required(members, "context")?,
        init_std: number::to_f64(init.std),
    };
    let problems = spec.validate();
    if problems.is_empty() { Ok(spec) } else { Err(NnError::Spec(problems.join("; "))) }
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

/// Hidden units of a feed-forward; `None` when they are no number of this machine.
pub(super) fn hidden_units(ffn: &super::Swiglu, width: usize) -> Option<usize> {
    if ffn.hidden.is_some() {
        return ffn.hidden;
    }
    let wanted = number::arithmetic(ffn.ratio, '*', Rational::from(width as i128))?;
    let units = usize::try_from(number::to_u64(wanted.ceil())?).ok()?;
    units.checked_next_multiple_of(ffn.multiple.max(1))
}

/// A vocabulary that holds this many tokens: the next multiple of 64.
pub(super) fn padded(size: usize) -> usize {
    size.checked_next_multiple_of(64).unwrap_or(size)
}

/// How many ids the model's tokenizer has, when that is known before the run.
pub(super) fn tokenizer_size(view: &View<'_>) -> Option<usize> {
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
