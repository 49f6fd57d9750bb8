//! The template engine as transformers sets it up: Jinja with Python's methods, `raise_exception`, `tojson` as Python writes it.

use std::sync::Arc;

use llmp_data::row::Message;
use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde_json::Value as Json;

use super::date;
use super::marks::Marks;
use crate::error::{Result, TrainError};

const NAME: &str = "chat";

/// Instructions after which a template is taken to run for ever.
const FUEL: u64 = 50_000_000;

/// One template, ready to write conversations.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    environment: Arc<Environment<'static>>,
    marks: Marks,
}

impl Engine {
    /// Reads a template. `now` (seconds since 1970) lets it write the date: without it equal conversations give equal texts
    /// on every day, and templates that know the function `strftime_now` fall back to the date they were written with.
    pub(super) fn new(template: &str, marks: Marks, now: Option<u64>) -> Result<Engine> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", refuse);
        environment.add_filter("tojson", tojson);
        if let Some(now) = now {
            environment.add_function("strftime_now", move |format: &str| date::written(now, format));
        }
        environment.add_template_owned(NAME, without_marks_of_generation(template)).map_err(broken)?;
        Ok(Engine { environment: Arc::new(environment), marks })
    }

    /// A conversation as text; with `ask` the beginning of the assistant's next turn behind it.
    pub(super) fn write(&self, messages: &[Message], ask: bool) -> Result<String> {
        let template = self.environment.get_template(NAME).map_err(broken)?;
        let variables = context! {
            messages => Value::from_serialize(messages),
            add_generation_prompt => ask,
            bos_token => self.marks.begin.as_deref().unwrap_or_default(),
            eos_token => self.marks.end.as_deref().unwrap_or_default(),
            tools => Value::from(()),
            documents => Value::from(()),
        };
        template.render(variables).map_err(broken)
    }
}

/// What a template says when it refuses a conversation.
fn refuse(words: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, words))
}

fn broken(error: Error) -> TrainError {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    let words = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    TrainError::Template(format!("{words}{line}"))
}

/// `{% generation %}` marks for transformers what the assistant says; here spans are found from the text itself.
fn without_marks_of_generation(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        text.push_str(before);
        let Some(end) = tag.find("%}") else { break };
        let (tag, after) = tag.split_at(end + 2);
        let inside = tag[2..tag.len() - 2].trim_matches(['-', '+', ' ', '\n', '\t', '\r']);
        match inside {
            "generation" => text.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => text.push_str(&tag.replacen("endgeneration", "endif", 1)),
            _ => text.push_str(tag),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// JSON with the spaces of Python's `json.dumps`, other letters than ASCII as they are.
fn tojson(value: Value, options: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = named.get::<Option<usize>>("indent")?;
    let indent = indent.or_else(|| options.first().and_then(|v| usize::try_from(v.clone()).ok()));
    for ignored in ["ensure_ascii", "sort_keys", "separators"] {
        named.get::<Option<Value>>(ignored)?;
    }
    named.assert_all_used()?;
    let json = serde_json::to_value(&value)
        .map_err(|e| Error::new(ErrorKind::BadSerialization, format!("tojson: {e}")))?;
    let mut text = String::new();
    dump(&json, indent, 1, &mut text);
    Ok(Value::from_safe_string(text))
}

fn dump(json: &Json, indent: Option<usize>, depth: usize, text: &mut String) {
    let (opening, closing, items): (_, _, Vec<(Option<&String>, &Json)>) = match json {
        Json::Array(items) => ('[', ']', items.iter().map(|item| (None, item)).collect()),
        Json::Object(items) => ('{', '}', items.iter().map(|(key, item)| (Some(key), item)).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            text.push_str(&json.to_string());
            return;
        }
    };
    let line = |depth: usize, text: &mut String| {
        if let Some(indent) = indent {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent * depth));
        }
    };
    text.push(opening);
    for (at, (key, item)) in items.iter().enumerate() {
        if at > 0 {
            text.push_str(if indent.is_some() { "," } else { ", " });
        }
        line(depth, text);
        if let Some(key) = key {
            text.push_str(&Json::from(key.as_str()).to_string());
            text.push_str(": ");
        }
        dump(item, indent, depth + 1, text);
    }
    if !items.is_empty() {
        line(depth - 1, text);
    }
    text.push(closing);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(template: &str) -> String {
        let marks = Marks { begin: Some("<s>".into()), end: Some("</s>".into()) };
        let engine = Engine::new(template, marks, Some(1_764_000_000)).expect("a template");
        let mut user = Message::new("user", "Wie geht’s?");
        user.more.insert("tags".into(), serde_json::json!({"b": [1, 2.5], "a": null, "empty": []}));
        engine.write(&[user], true).unwrap_or_else(|e| e.to_string())
    }

    #[test]
    fn it_writes_what_transformers_writes() {
        assert_eq!(written("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"), "<s>Wie geht’s?</s>");
        let python = r#"{"b": [1, 2.5], "a": null, "empty": []}"#;
        assert_eq!(written("{{ messages[0].tags | tojson }}"), python);
        let indented = "{\n  \"b\": [\n    1,\n    2.5\n  ],\n  \"a\": null,\n  \"empty\": []\n}";
        assert_eq!(written("{{ messages[0].tags | tojson(indent=2) }}"), indented);
        assert_eq!(written("{{ ' a b '.strip().split(' ')[-1].upper() }}"), "B");
        assert_eq!(written("{% for m in messages %}\n  {% break %}\n{% endfor %}\nx"), "x");
        assert_eq!(written("{%- generation -%} y {%- endgeneration %}"), "y");
        assert_eq!(written("{{ strftime_now('%d %b %Y') }}"), "24 Nov 2025");
        assert!(written("{{ raise_exception('no system role') }}").contains("no system role"));
    }

    #[test]
    fn a_template_that_is_none_says_where() {
        let error = Engine::new("a\n{% for %}", Marks::default(), None).expect_err("broken").to_string();
        assert!(error.contains("line 2"), "{error}");
        let endless = Engine::new(
            "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
            Marks::default(),
            None,
        );
        assert!(endless.expect("reads").write(&[], false).is_err());
    }
}
