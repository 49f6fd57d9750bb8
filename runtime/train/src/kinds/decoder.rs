//! From the members of a `model` item to the sizes of a decoder, and from sizes to plan arguments and back.

use llmp_nn::DecoderSpec;
use llmp_nn::kinds::decoder_spec;
use llmp_stdlib::{Arg, Record, Value, View, number};

/// Sizes of a decoder whose vocabulary may be known only once its tokenizer is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoder {
    /// The sizes; `vocab` is 0 while it is not known.
    pub spec: DecoderSpec,
}

impl Decoder {
    /// The sizes with the vocabulary of a tokenizer of `tokens` ids filled in where none is given: rounded up to a
    /// multiple of 64.
    pub fn with_tokens(&self, tokens: usize) -> DecoderSpec {
        let vocab = if self.spec.vocab == 0 { tokens.next_multiple_of(64) } else { self.spec.vocab };
        DecoderSpec { vocab, ..self.spec.clone() }
    }

    /// Arguments of a plan step: every size by name.
    pub fn to_record(&self) -> Record {
        let s = &self.spec;
        let size = |n: usize| Value::number(n as i128);
        let vocab = if s.vocab == 0 { Value::None } else { size(s.vocab) };
        [
            ("vocab", vocab),
            ("layers", size(s.layers)),
            ("width", size(s.width)),
            ("heads", size(s.heads)),
            ("kv_heads", size(s.kv_heads)),
            ("head_dim", size(s.head_dim)),
            ("ffn_hidden", size(s.ffn_hidden)),
            ("norm_eps", real(s.norm_eps)),
            ("rope_base", real(s.rope_base)),
            ("tied", Value::Bool(s.tied)),
            ("context", size(s.context)),
            ("init_std", real(s.init_std)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Reads what [`Decoder::to_record`] wrote. Errors: words that name the field.
    pub fn from_record(record: &Record) -> Result<Decoder, String> {
        let size = |name: &str| field::<usize>(record, name);
        let spec = DecoderSpec {
            vocab: field::<Option<usize>>(record, "vocab")?.unwrap_or(0),
            layers: size("layers")?,
            width: size("width")?,
            heads: size("heads")?,
            kv_heads: size("kv_heads")?,
            head_dim: size("head_dim")?,
            ffn_hidden: size("ffn_hidden")?,
            norm_eps: field(record, "norm_eps")?,
            rope_base: field(record, "rope_base")?,
            tied: field(record, "tied")?,
            context: size("context")?,
            init_std: field(record, "init_std")?,
        };
        Ok(Decoder { spec })
    }

    /// The decoder of a `model` item, as far as its members are known; sizes that contradict each other give `None`
    /// (the item's own check names them).
    pub fn of(model: &View<'_>) -> Option<Decoder> {
        Self::of_members(model.members, tokenizer_size(model))
    }

    fn of_members(members: &Record, tokenizer_size: Option<usize>) -> Option<Decoder> {
        let known = tokenizer_size.is_some() || members.get("vocab").is_some_and(|v| *v != Value::None);
        // Any size will do where the vocabulary comes with the tokenizer: it is not part of the other checks.
        let mut spec = decoder_spec(members, Some(tokenizer_size.unwrap_or(64))).ok()?;
        if !known {
            spec.vocab = 0;
        }
        Some(Decoder { spec })
    }
}

/// How many ids the model's tokenizer has, when that is known before the run.
fn tokenizer_size(model: &View<'_>) -> Option<usize> {
    let size = match model.get("tokenizer")? {
        Value::Call(call) => call.args.get("vocab").cloned()?,
        _ => {
            let tokenizer = model.follow("tokenizer")?;
            let field = tokenizer.kind.fields.iter().find(|f| f.name == "vocab")?;
            (field.read)(&tokenizer)?
        }
    };
    usize::read(&size).ok()
}

/// One field of a record as a Rust type.
pub(crate) fn field<T: Arg>(record: &Record, name: &str) -> Result<T, String> {
    let value = record.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
    T::read(value).map_err(|words| format!("`{name}`: {words}"))
}

/// A float as an exact decimal: the shortest text that reads back as the same float.
pub(crate) fn real(x: f64) -> Value {
    Value::number(number::parse_decimal(&format!("{x:e}")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, args: &[(&str, Value)]) -> Value {
        let args = args.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        Value::Call(llmp_stdlib::Call { name: name.to_owned(), args })
    }

    fn members(heads: i128) -> Record {
        let n = |n: i128| Value::number(n);
        let ratio = Value::number(llmp_stdlib::Rational::new(8, 3));
        let rope = call("rope", &[("base", n(10_000)), ("scaling", Value::None), ("chunks", Value::None)]);
        [
            ("layers", n(4)),
            ("width", n(192)),
            ("heads", n(heads)),
            ("kv_heads", n(2)),
            ("context", n(256)),
            ("ffn", call("swiglu", &[("hidden", Value::None), ("ratio", ratio), ("multiple", n(64))])),
            ("norm", call("rms", &[("eps", real(1e-5)), ("offset", Value::Bool(false))])),
            ("position", rope),
            ("embedding", Value::Choice("tied".into())),
            ("init", call("normal", &[("std", real(0.02))])),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    #[test]
    fn members_become_sizes_and_survive_the_plan() {
        let decoder = Decoder::of_members(&members(6), None).unwrap();
        assert_eq!((decoder.spec.head_dim, decoder.spec.ffn_hidden, decoder.spec.vocab), (32, 512, 0));
        assert_eq!(decoder.with_tokens(4000).vocab, 4032);
        assert_eq!(Decoder::from_record(&decoder.to_record()).unwrap(), decoder);
        assert_eq!(Decoder::of_members(&members(6), Some(4001)).unwrap().spec.vocab, 4032);
    }

    #[test]
    fn contradictions_give_nothing() {
        assert_eq!(Decoder::of_members(&members(7), None), None);
    }
}
