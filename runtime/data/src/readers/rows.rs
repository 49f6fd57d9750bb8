//! Rows of a source out of its fields: documents, conversations, prompts, preferences, labelled texts.

use serde_json::{Map, Value};

use super::shape::{self, DeclaredColumns, Records};
use crate::{
    document::{Cell, Document},
    row::{Message, Row},
};

/// How fields become rows.
pub(super) struct Form<'a> {
    /// What one record is.
    pub(super) records: Records,
    /// The field that holds the text.
    pub(super) text: &'a str,
    /// Declared columns.
    pub(super) columns: Option<&'a DeclaredColumns>,
}

type Fields = Map<String, Value>;

impl Form<'_> {
    /// The row of a record's fields; what belongs to no part of it becomes columns. Errors: words for a bad record.
    pub(super) fn row(&self, id: String, mut fields: Fields) -> Result<Document, String> {
        let mut doc = match self.records {
            Records::Docs | Records::Labelled => Document::new(id, text(&mut fields, self.text)?),
            Records::Chat => Document::of_row(id, Row::Chat { messages: chat(&mut fields)? }),
            Records::Prompt => {
                let prompt = turns(take(&mut fields, "prompt")?, "prompt", "user")?;
                Document::of_row(id, Row::Prompt { prompt })
            }
            Records::Preference => Document::of_row(id, preference(&mut fields)?),
        };
        if let Some(Value::Object(inner)) = fields.remove("metadata") {
            doc.columns.extend(inner.into_iter().filter_map(column));
        }
        doc.columns.extend(fields.into_iter().filter_map(column));
        if self.records == Records::Labelled {
            label(&mut doc)?;
        }
        self.checked(doc)
    }

    /// The document, if its columns are as declared.
    pub(super) fn checked(&self, doc: Document) -> Result<Document, String> {
        shape::typed(self.columns, &doc)?;
        Ok(doc)
    }
}

/// A field as a column; `null` is no column.
pub(super) fn column((name, value): (String, Value)) -> Option<(String, Cell)> {
    let cell = match value {
        Value::Null => return None,
        Value::Bool(b) => Cell::Bool(b),
        Value::Number(n) => Cell::Num(n.as_f64()?),
        Value::String(text) => Cell::Text(text),
        nested @ (Value::Array(_) | Value::Object(_)) => Cell::Text(nested.to_string()),
    };
    Some((name, cell))
}

fn take(fields: &mut Fields, name: &str) -> Result<Value, String> {
    match fields.remove(name) {
        Some(Value::Null) | None => Err(format!("there is no field `{name}`")),
        Some(value) => Ok(value),
    }
}

fn text(fields: &mut Fields, name: &str) -> Result<String, String> {
    match take(fields, name)? {
        Value::String(text) => Ok(text),
        _ => Err(format!("the field `{name}` is not text")),
    }
}

/// A label is text, whatever the data hold.
fn label(doc: &mut Document) -> Result<(), String> {
    let text = match doc.columns.get("label") {
        Some(Cell::Text(_)) => return Ok(()),
        Some(Cell::Num(n)) => n.to_string(),
        Some(Cell::Bool(b)) => b.to_string(),
        None => return Err("there is no field `label`".into()),
    };
    doc.columns.insert("label".into(), Cell::Text(text));
    Ok(())
}

fn chat(fields: &mut Fields) -> Result<Vec<Message>, String> {
    if fields.get("messages").is_none_or(Value::is_null) {
        if let Some(value) = fields.remove("conversations") {
            return list(value, "conversations");
        }
        if fields.contains_key("prompt") && fields.contains_key("completion") {
            let mut all = turns(take(fields, "prompt")?, "prompt", "user")?;
            all.extend(turns(take(fields, "completion")?, "completion", "assistant")?);
            return Ok(all);
        }
    }
    list(take(fields, "messages")?, "messages")
}

/// A list of messages; a text that holds one as JSON is one too.
fn list(value: Value, name: &str) -> Result<Vec<Message>, String> {
    match value {
        Value::String(json) => match serde_json::from_str(&json) {
            Ok(value @ Value::Array(_)) => list(value, name),
            _ => Err(format!("the field `{name}` is not a list of messages")),
        },
        Value::Array(all) if all.is_empty() => Err(format!("`{name}` is empty")),
        Value::Array(all) => all
            .into_iter()
            .enumerate()
            .map(|(n, turn)| message(turn).map_err(|what| format!("`{name}[{n}]`: {what}")))
            .collect(),
        _ => Err(format!("the field `{name}` is not a list of messages")),
    }
}

/// A list of messages, or a text that is one message of `role`.
fn turns(value: Value, name: &str, role: &str) -> Result<Vec<Message>, String> {
    match value {
        Value::String(text) => Ok(vec![Message::new(role, text)]),
        Value::Array(_) => list(value, name),
        _ => Err(format!("the field `{name}` is neither text nor a list of messages")),
    }
}

fn message(value: Value) -> Result<Message, String> {
    let Value::Object(mut turn) = value else { return Err("not a message".into()) };
    let share = turn.contains_key("from") && !turn.contains_key("role") && !turn.contains_key("content");
    let (role, content) = if share { ("from", "value") } else { ("role", "content") };
    let Some(Value::String(role)) = turn.remove(role) else { return Err(format!("no `{role}`")) };
    let role = match role.as_str() {
        "human" if share => "user".to_owned(),
        "gpt" if share => "assistant".to_owned(),
        "observation" if share => "tool".to_owned(),
        _ => role,
    };
    let content = match turn.remove(content) {
        Some(Value::String(text)) => Some(text),
        Some(Value::Null) | None => None,
        Some(Value::Array(parts)) => Some(joined(&parts)?),
        Some(_) => return Err(format!("`{content}` is not text")),
    };
    Ok(Message { role, content, more: turn })
}

/// Content in parts, all of them texts.
fn joined(parts: &[Value]) -> Result<String, String> {
    let text = |part: &Value| match (part.get("type").and_then(Value::as_str), part.get("text")) {
        (Some("text"), Some(Value::String(text))) => Ok(text.clone()),
        (Some(other), _) => Err(format!("content of the type `{other}` cannot be read")),
        (None, _) => Err("content that is no text".into()),
    };
    parts.iter().map(text).collect()
}

fn preference(fields: &mut Fields) -> Result<Row, String> {
    let answer = |value, name: &str| match value {
        Value::String(text) => Ok(dialogue(&text).unwrap_or_else(|| vec![Message::new("assistant", text)])),
        other => list(other, name),
    };
    let mut chosen = answer(take(fields, "chosen")?, "chosen")?;
    let mut rejected = answer(take(fields, "rejected")?, "rejected")?;
    let mut edited = match fields.remove("edited") {
        None | Some(Value::Null) => None,
        Some(value) => Some(answer(value, "edited")?),
    };
    let prompt = match fields.remove("prompt") {
        None | Some(Value::Null) => {
            let most = chosen.len().min(rejected.len()).saturating_sub(1);
            let alike = chosen.iter().zip(&rejected).take(most).take_while(|(a, b)| a == b).count();
            if alike == 0 {
                return Err("there is no field `prompt`, and the answers do not begin alike".into());
            }
            chosen[..alike].to_vec()
        }
        Some(value) => turns(value, "prompt", "user")?,
    };
    for answer in [&mut chosen, &mut rejected].into_iter().chain(edited.as_mut()) {
        if answer.len() > prompt.len() && answer.starts_with(&prompt) {
            answer.drain(..prompt.len());
        }
    }
    Ok(Row::Preference { prompt, chosen, rejected, edited })
}

/// A dialogue in one text, as Anthropic's HH data write it: `\n\nHuman: …\n\nAssistant: …`.
fn dialogue(text: &str) -> Option<Vec<Message>> {
    const SPEAKERS: [(&str, &str); 2] = [("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")];
    if !text.starts_with(SPEAKERS[0].0) {
        return None;
    }
    let mut marks: Vec<(usize, &str, &str)> = SPEAKERS
        .iter()
        .flat_map(|(mark, role)| text.match_indices(mark).map(move |(at, _)| (at, *mark, *role)))
        .collect();
    marks.sort_unstable();
    let ends = marks.iter().skip(1).map(|(at, ..)| *at).chain([text.len()]);
    let turn = |((at, mark, role), end): (&(usize, &str, &str), usize)| {
        Message::new(*role, text[at + mark.len()..end].trim_start_matches(' '))
    };
    Some(marks.iter().zip(ends).map(turn).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(records: Records, json: &str) -> Result<Document, String> {
        let form = Form { records, text: "text", columns: None };
        form.row("a#0".into(), serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_usual_forms_of_conversations_are_read() {
        let chat = |json| row(Records::Chat, json);
        let plain =
            chat(r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"n":1}"#);
        let plain = plain.unwrap();
        assert_eq!((plain.text.as_str(), plain.columns["n"].clone()), ("a\n\nb", Cell::Num(1.0)));
        let share = r#"{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"n":1}"#;
        assert_eq!(chat(share).unwrap(), plain);
        assert_eq!(chat(r#"{"prompt":"a","completion":"b","n":1}"#).unwrap(), plain);
        let json = r#"{"messages":"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"assistant\",\"content\":\"b\"}]","n":1}"#;
        assert_eq!(chat(json).unwrap(), plain);
        for (bad, what) in [
            (r#"{"text":"a"}"#, "no field `messages`"),
            (r#"{"messages":[]}"#, "empty"),
            (r#"{"messages":[{"role":"user","content":"a"},{"content":"b"}]}"#, "`messages[1]`: no `role`"),
            (r#"{"messages":[{"role":"user","content":[{"type":"image"}]}]}"#, "`image`"),
            (r#"{"messages":[{"role":"user","content":7}]}"#, "`content` is not text"),
            (r#"{"conversations":[{"from":"human","value":"a","content":"b"}]}"#, "no `role`"),
        ] {
            assert!(chat(bad).unwrap_err().contains(what), "{bad}: {:?}", chat(bad));
        }
    }

    #[test]
    fn a_preference_finds_its_prompt() {
        let pair = |json| row(Records::Preference, json);
        let texts = pair(r#"{"prompt":"q","chosen":"a","rejected":"b","strength":"slightly"}"#).unwrap();
        assert_eq!(texts.columns["strength"], Cell::from("slightly"));
        let whole = r#"{"prompt":"q","chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],
            "rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"b"}],"strength":"slightly"}"#;
        assert_eq!(pair(whole).unwrap(), texts);
        let hh = r#"{"chosen":"\n\nHuman: q\n\nAssistant: a","rejected":"\n\nHuman: q\n\nAssistant: b","strength":"slightly"}"#;
        assert_eq!(pair(hh).unwrap(), texts);
        assert!(pair(r#"{"chosen":"a","rejected":"b"}"#).unwrap_err().contains("begin alike"));
        assert!(pair(r#"{"prompt":"q","chosen":"a"}"#).unwrap_err().contains("`rejected`"));
        let edited = pair(r#"{"prompt":"q","chosen":"a","rejected":"b","edited":"c"}"#).unwrap();
        assert_eq!(edited.text, "q\n\na\n\nb\n\nc");
    }

    #[test]
    fn a_label_is_text() {
        let labelled = row(Records::Labelled, r#"{"text":"t","label":3}"#).unwrap();
        assert_eq!(labelled.columns["label"], Cell::from("3"));
        assert!(row(Records::Labelled, r#"{"text":"t"}"#).unwrap_err().contains("`label`"));
    }

    #[test]
    fn declared_types_hold() {
        let columns = DeclaredColumns(vec![("n".into(), shape::ColumnType::Num)]);
        let form = Form { records: Records::Docs, text: "text", columns: Some(&columns) };
        let read = |json: &str| form.row("a#0".into(), serde_json::from_str(json).unwrap());
        assert!(read(r#"{"text":"t","n":3}"#).is_ok() && read(r#"{"text":"t"}"#).is_ok());
        assert!(read(r#"{"text":"t","n":"3"}"#).unwrap_err().contains("declared as Num"));
    }
}
