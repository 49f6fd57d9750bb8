//! A line of JSON as a document in one pass: nothing is built that the document does not keep.

use std::{borrow::Cow, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value};
use serde_json::Value;

use crate::document::{Cell, Document};

/// Reads the object of a line. Errors: words for a bad record.
pub(super) fn document(id: String, line: &[u8], text: &str) -> Result<Document, String> {
    let mut doc = Document::new(id, "");
    let mut json = serde_json::Deserializer::from_slice(line);
    let found = Object { doc: &mut doc, text: Some(text) }.deserialize(&mut json);
    let found = found.and_then(|found| json.end().map(|()| found));
    match found.map_err(|e| format!("not a JSON object: {e}"))? {
        Found::Text => Ok(doc),
        Found::Other => Err(format!("the field `{text}` is not text")),
        Found::Nothing => Err(format!("there is no field `{text}`")),
    }
}

enum Found {
    Text,
    Other,
    Nothing,
}

/// Puts the fields of an object into a document; with `text`, those of the line itself, without, those of `metadata`.
struct Object<'a> {
    doc: &'a mut Document,
    text: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        if self.text.is_some() {
            deserializer.deserialize_map(self)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::Nothing;
        while let Some(name) = map.next_key_seed(Key)? {
            if self.text == Some(&*name) {
                found = map.next_value_seed(Text(&mut self.doc.text))?;
            } else if self.text.is_some() && name == "metadata" {
                map.next_value_seed(Object { doc: &mut *self.doc, text: None })?;
            } else if let Some(cell) = map.next_value_seed(Field)? {
                // A field of the line goes before one of `metadata`, wherever that stands.
                if self.text.is_some() {
                    self.doc.columns.insert(name.into_owned(), cell);
                } else {
                    self.doc.columns.entry(name.into_owned()).or_insert(cell);
                }
            }
        }
        Ok(found)
    }

    // `metadata` that is no object is a column like others.

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Nothing)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Found, E> {
        self.cell(Cell::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Found, E> {
        self.cell(Cell::Num(it as f64))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Found, E> {
        self.cell(Cell::Num(it as f64))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Found, E> {
        self.cell(Cell::Num(it))
    }

    fn visit_str<E>(self, it: &str) -> Result<Found, E> {
        self.cell(Cell::from(it))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Found, A::Error> {
        let list: Value = serde::Deserialize::deserialize(value::SeqAccessDeserializer::new(seq))?;
        self.cell(Cell::Text(list.to_string()))
    }
}

impl Object<'_> {
    fn cell<E>(self, cell: Cell) -> Result<Found, E> {
        self.doc.columns.entry("metadata".into()).or_insert(cell);
        Ok(Found::Nothing)
    }
}

/// The text of a line: a text, or a list of texts, which are its paragraphs.
struct Text<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_str<E: de::Error>(self, it: &str) -> Result<Found, E> {
        self.visit_string(it.to_owned())
    }

    fn visit_string<E>(self, it: String) -> Result<Found, E> {
        *self.0 = it;
        Ok(Found::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        let (mut found, mut text) = (Found::Text, String::new());
        while let Some(value) = seq.next_element()? {
            let Value::String(paragraph) = value else {
                found = Found::Other;
                continue;
            };
            if !text.is_empty() && !paragraph.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(&paragraph);
        }
        *self.0 = text;
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Other)
    }
}

/// A key, borrowed where it holds no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// A value as a cell; `null` is none, lists and objects are JSON text.
struct Field;

impl<'de> DeserializeSeed<'de> for Field {
    type Value = Option<Cell>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Cell>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field {
    type Value = Option<Cell>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Option<Cell>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Option<Cell>, E> {
        Ok(Some(Cell::Bool(it)))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Option<Cell>, E> {
        Ok(Some(Cell::Num(it as f64)))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Option<Cell>, E> {
        Ok(Some(Cell::Num(it as f64)))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Option<Cell>, E> {
        Ok(Some(Cell::Num(it)))
    }

    fn visit_str<E>(self, it: &str) -> Result<Option<Cell>, E> {
        Ok(Some(Cell::from(it)))
    }

    fn visit_string<E>(self, it: String) -> Result<Option<Cell>, E> {
        Ok(Some(Cell::Text(it)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<Cell>, A::Error> {
        let list: Value = serde::Deserialize::deserialize(value::SeqAccessDeserializer::new(seq))?;
        Ok(Some(Cell::Text(list.to_string())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<Cell>, A::Error> {
        let object: Value = serde::Deserialize::deserialize(value::MapAccessDeserializer::new(map))?;
        Ok(Some(Cell::Text(object.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_line_go_before_those_of_metadata() {
        let read = |line: &str| document("a#0".into(), line.as_bytes(), "text");
        let doc = read(r#"{"n":1,"metadata":{"n":2,"m":[1,{"a":null}]},"text":"t\u00e9","k":null}"#).unwrap();
        assert_eq!(doc.text, "té");
        let columns: Vec<_> = doc.columns.into_iter().collect();
        assert_eq!(columns, [("m".into(), Cell::from("[1,{\"a\":null}]")), ("n".into(), Cell::Num(1.0))]);
        assert_eq!(read(r#"{"metadata":"x","text":""}"#).unwrap().columns["metadata"], Cell::from("x"));
        assert_eq!(read(r#"{"text":["One.","","Two."]}"#).unwrap().text, "One.\n\nTwo.");
        for (bad, what) in [
            (r#"{"text":3}"#, "is not text"),
            (r#"{"text":["a",3]}"#, "is not text"),
            (r#"{"text":{"a":["b"]}}"#, "is not text"),
            (r#"{"text":null}"#, "no field `text`"),
            (r#"{"text":"a"} x"#, "trailing"),
            (r#"[1]"#, "expected an object"),
            (r#"{"text":"a","#, "EOF"),
        ] {
            assert!(read(bad).unwrap_err().contains(what), "{bad}: {:?}", read(bad));
        }
    }
}
