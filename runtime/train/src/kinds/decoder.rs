//! From the members of a `model` item to the sizes of a decoder, and from sizes to plan arguments and back.

use llmp_nn::DecoderSpec;
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
        let mut decoder = Self::of_members(model.members)?;
        if decoder.spec.vocab == 0 {
            let tokens = model.follow("tokenizer").and_then(|tokenizer| {
                let vocab = tokenizer.kind.fields.iter().find(|f| f.name == "vocab")?;
                usize::read(&(vocab.read)(&tokenizer)?).ok()
            });
            decoder.spec.vocab = tokens.unwrap_or(0).next_multiple_of(64);
        }
        Some(decoder)
    }

    fn of_members(members: &Record) -> Option<Decoder> {
        let size = |name: &str| usize::read(members.get(name)?).ok();
        let (width, heads) = (size("width")?, size("heads")?);
        let head_dim =
            size("head_dim").or_else(|| (heads > 0 && width.is_multiple_of(heads)).then(|| width / heads))?;
        let of_call = |member: &str, argument: &str| match members.get(member) {
            Some(Value::Call(call)) => call.args.get(argument).and_then(|v| f64::read(v).ok()),
            _ => None,
        };
        let spec = DecoderSpec {
            vocab: size("vocab").unwrap_or(0),
            layers: size("layers")?,
            width,
            heads,
            kv_heads: size("kv_heads").unwrap_or(heads),
            head_dim,
            ffn_hidden: ffn_hidden(members.get("ffn"), width),
            norm_eps: of_call("norm", "eps").unwrap_or(1e-5),
            rope_base: of_call("position", "base").unwrap_or(10_000.0),
            tied: members.get("embedding") == Some(&Value::Choice("tied".into())),
            context: size("context")?,
            init_std: of_call("init", "std").unwrap_or(0.02),
        };
        let known = DecoderSpec { vocab: spec.vocab.max(1), ..spec.clone() };
        known.validate().is_empty().then_some(Decoder { spec })
    }
}

/// Hidden units: `hidden` if given, else `ratio * width` rounded up to a multiple.
fn ffn_hidden(ffn: Option<&Value>, width: usize) -> usize {
    let call = if let Some(Value::Call(call)) = ffn { Some(call) } else { None };
    let get =
        |name: &str| call.and_then(|c| c.args.get(name)).and_then(|v| llmp_stdlib::Rational::read(v).ok());
    if let Some(hidden) = get("hidden").and_then(number::to_u64) {
        return hidden as usize;
    }
    let ratio = get("ratio").unwrap_or(llmp_stdlib::Rational::new(8, 3));
    let multiple = get("multiple").and_then(number::to_u64).unwrap_or(64).max(1);
    let wanted = number::arithmetic(ratio, '*', llmp_stdlib::Rational::from(width as i128));
    let whole = wanted.and_then(|w| number::to_u64(w.ceil())).unwrap_or(0);
    whole.next_multiple_of(multiple) as usize
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

    fn members(pairs: &[(&str, i128)]) -> Record {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), Value::number(*v))).collect()
    }

    #[test]
    fn members_become_sizes_and_survive_the_plan() {
        let members =
            members(&[("layers", 4), ("width", 192), ("heads", 6), ("kv_heads", 2), ("context", 256)]);
        let decoder = Decoder::of_members(&members).unwrap();
        assert_eq!((decoder.spec.head_dim, decoder.spec.ffn_hidden, decoder.spec.vocab), (32, 512, 0));
        assert_eq!(decoder.with_tokens(4000).vocab, 4032);
        assert_eq!(Decoder::from_record(&decoder.to_record()).unwrap(), decoder);
    }

    #[test]
    fn contradictions_give_nothing() {
        assert_eq!(
            Decoder::of_members(&members(&[("layers", 4), ("width", 192), ("heads", 7), ("context", 9)])),
            None
        );
    }
}
