//! From the members of a `model` item to the sizes of a decoder, and from sizes to plan arguments and back.

use llmp_nn::Architecture;
use llmp_nn::kinds::architecture;
use llmp_stdlib::{Arg, Record, Value, View, number};
use serde_json::Value as Json;

/// Sizes of a decoder whose vocabulary may be known only once its tokenizer is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoder {
    /// The sizes; `vocab` is 0 while it is not known.
    pub spec: Architecture,
}

impl Decoder {
    /// The sizes with the vocabulary of a tokenizer of `tokens` ids filled in where none is given: rounded up to a
    /// multiple of 64.
    pub fn with_tokens(&self, tokens: usize) -> Architecture {
        let vocab = if self.spec.vocab == 0 { tokens.next_multiple_of(64) } else { self.spec.vocab };
        Architecture { vocab, ..self.spec.clone() }
    }

    /// Arguments of a plan step: every setting by name.
    pub fn to_record(&self) -> Record {
        let settings = serde_json::to_value(&self.spec).unwrap_or_default();
        let Value::Record(mut record) = to_value(&settings) else { return Record::new() };
        if self.spec.vocab == 0 {
            record.insert("vocab".into(), Value::None);
        }
        record
    }

    /// Reads what [`Decoder::to_record`] wrote. Errors: words that name the field.
    pub fn from_record(record: &Record) -> Result<Decoder, String> {
        let mut record = record.clone();
        if record.get("vocab") == Some(&Value::None) {
            record.insert("vocab".into(), Value::number(0));
        }
        let spec = serde_json::from_value(to_json(&Value::Record(record))).map_err(|e| e.to_string())?;
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
        let mut spec = architecture(members, Some(tokenizer_size.unwrap_or(64))).ok()?;
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

/// Settings as values of the language: numbers exact, names as choices.
fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(on) => Value::Bool(*on),
        Json::Number(n) => match n.as_u64() {
            Some(n) => Value::number(i128::from(n)),
            None => real(n.as_f64().unwrap_or_default()),
        },
        Json::String(name) => Value::Choice(name.clone()),
        Json::Array(items) => Value::List(items.iter().map(to_value).collect()),
        Json::Object(map) => Value::Record(map.iter().map(|(k, v)| (k.clone(), to_value(v))).collect()),
    }
}

/// What [`to_value`] was given; values of other kinds are null, which no setting is.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(on) => Json::Bool(*on),
        Value::Number(n) => match number::to_u64(n.amount) {
            Some(whole) => whole.into(),
            None => number::to_f64(n.amount).into(),
        },
        Value::Choice(name) | Value::Text(name) => Json::String(name.clone()),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Record(record) => Json::Object(record.iter().map(|(k, v)| (k.clone(), to_json(v))).collect()),
        _ => Json::Null,
    }
}

/// One field of a record as a Rust type.
pub fn field<T: Arg>(record: &Record, name: &str) -> Result<T, String> {
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
        assert_eq!((decoder.spec.head_dim, decoder.spec.ffn.hidden, decoder.spec.vocab), (32, 512, 0));
        assert_eq!(decoder.with_tokens(4000).vocab, 4032);
        assert_eq!(Decoder::from_record(&decoder.to_record()).unwrap(), decoder);
        assert_eq!(Decoder::of_members(&members(6), Some(4001)).unwrap().spec.vocab, 4032);
    }

    #[test]
    fn contradictions_give_nothing() {
        assert_eq!(Decoder::of_members(&members(7), None), None);
    }
}
