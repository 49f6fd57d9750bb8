//! Keys: a hash over what is done and the content of what it is done to.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One step of a definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its name for people: `clean.gopher_quality`. Not part of the key.
    pub name: String,
    /// What is done.
    pub op: String,
    /// Revision of the operation.
    pub rev: u32,
    /// Canonical arguments.
    pub args: Json,
}

/// What is done (one step, or several fused over one read) and the content of its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The steps, in order.
    pub members: Vec<Member>,
    /// Content of each input, with its name for people.
    pub inputs: Vec<Input>,
}

/// One input of a definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name for people. Not part of the key.
    pub name: String,
    /// Hash of its content.
    pub content: String,
}

/// The key of a result in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// 32 hexadecimal digits.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Definition {
    /// The key: names are left out, so a rename changes nothing.
    pub fn key(&self) -> Key {
        let members: Vec<Json> =
            self.members.iter().map(|m| serde_json::json!([m.op, m.rev, m.args])).collect();
        let inputs: Vec<&str> = self.inputs.iter().map(|i| i.content.as_str()).collect();
        let text = serde_json::json!({ "inputs": inputs, "members": members }).to_string();
        Key(blake3::hash(text.as_bytes()).to_hex().as_str()[..32].to_owned())
    }

    /// In words, what is different from `before`: changed arguments first, then inputs.
    pub fn differences(&self, before: &Definition) -> Vec<String> {
        let mut words = Vec::new();
        for member in &self.members {
            let same_name = |m: &&Member| m.op == member.op && m.name == member.name;
            match before.members.iter().find(same_name) {
                None => words.push(format!("step `{}` is new", member.name)),
                Some(old) => {
                    if old.rev != member.rev {
                        words.push(format!(
                            "`{}` is at revision {}, it was {}",
                            member.op, member.rev, old.rev
                        ));
                    }
                    argument_differences(&member.name, &old.args, &member.args, "", &mut words);
                }
            }
        }
        for old in &before.members {
            if !self.members.iter().any(|m| m.op == old.op && m.name == old.name) {
                words.push(format!("step `{}` is gone", old.name));
            }
        }
        for input in &self.inputs {
            match before.inputs.iter().find(|i| i.name == input.name) {
                Some(old) if old.content == input.content => {}
                Some(_) => words.push(format!("input `{}` has other content", input.name)),
                None => words.push(format!("input `{}` is new", input.name)),
            }
        }
        words
    }
}

fn argument_differences(step: &str, old: &Json, new: &Json, path: &str, words: &mut Vec<String>) {
    let name = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (old, new) {
        (Json::Object(a), Json::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
                let none = Json::Null;
                let (x, y) = (a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none));
                argument_differences(step, x, y, &name(key), words);
            }
        }
        _ if old != new => words.push(format!("argument `{path}` of `{step}` changed: {old} → {new}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(min: u32, content: &str) -> Definition {
        let member = Member {
            name: "clean.f".into(),
            op: "f".into(),
            rev: 1,
            args: json!({ "min": min, "max": { "x": 1 } }),
        };
        Definition {
            members: vec![member],
            inputs: vec![Input { name: "books".into(), content: content.into() }],
        }
    }

    #[test]
    fn a_rename_keeps_the_key_and_an_argument_changes_it() {
        let mut renamed = definition(1, "a");
        renamed.members[0].name = "other.f".into();
        renamed.inputs[0].name = "texts".into();
        assert_eq!(renamed.key(), definition(1, "a").key());
        assert_ne!(definition(2, "a").key(), definition(1, "a").key());
        assert_ne!(definition(1, "b").key(), definition(1, "a").key());
    }

    #[test]
    fn differences_name_the_argument() {
        let words = definition(2, "b").differences(&definition(1, "a"));
        assert_eq!(words, ["argument `min` of `clean.f` changed: 1 → 2", "input `books` has other content"]);
    }
}
