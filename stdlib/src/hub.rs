//! Repositories of the Hugging Face cache as a program names them: `hf("org/name", split = "test")`.

use crate::{Record, Value};

/// What a call of `hf` names: a repository, and what of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// `organisation/name`, or a folder.
    pub name: &'a str,
    /// Revision, where another than `main` is meant.
    pub revision: Option<&'a str>,
    /// Configuration of a dataset.
    pub config: Option<&'a str>,
    /// Split of a dataset; a tokenizer has none.
    pub split: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// The repository that a call or a step means; `None`: it is not `hf`, or takes a path.
    pub fn of(op: &str, args: &'a Record) -> Option<Named<'a>> {
        let text = |name: &str| match args.get(name) {
            Some(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let name = text("name").filter(|_| op == "hf")?;
        let revision = text("revision").filter(|revision| *revision != "main");
        Some(Named { name, revision, config: text("config"), split: text("split") })
    }

    /// One line that tells two inputs of a repository apart: `org/name@v2?config=en&split=test`.
    pub fn key(&self) -> String {
        let mut key = self.name.to_owned();
        if let Some(revision) = self.revision {
            key.push_str(&format!("@{revision}"));
        }
        let config = self.config.map(|config| format!("config={config}"));
        let split = self.split.map_or_else(|| Some("tokenizer".to_owned()), |s| Some(format!("split={s}")));
        let split = split.filter(|part| part != "split=train");
        let parts: Vec<String> = config.into_iter().chain(split).collect();
        if parts.is_empty() { key } else { format!("{key}?{}", parts.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_has_another_key() {
        let key = |op: &str, args: &[(&str, &str)]| {
            let args: Record = args.iter().map(|(k, v)| ((*k).to_owned(), Value::text(*v))).collect();
            Named::of(op, &args).map(|named| named.key())
        };
        let data = [("name", "org/a"), ("split", "train"), ("revision", "main")];
        assert_eq!(key("hf", &data).unwrap(), "org/a");
        assert_eq!(key("hf", &[("name", "org/a")]).unwrap(), "org/a?tokenizer");
        let other = [("name", "org/a"), ("split", "test"), ("revision", "v2"), ("config", "en")];
        assert_eq!(key("hf", &other).unwrap(), "org/a@v2?config=en&split=test");
        assert_eq!((key("jsonl", &data), key("hf", &[("folder", "x")])), (None, None));
    }
}
