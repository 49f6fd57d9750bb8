//! Proposals; their documentation is sent when one of them is looked at.

use llmp_interpreter::ide::complete::{Completion, Icon};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::imports::relative;
use crate::wire::{Answer, At, Places, markdown};
use crate::world::World;

fn icon(icon: Icon) -> u32 {
    match icon {
        Icon::Function => 3,
        Icon::Field => 5,
        Icon::Item => 7,
        Icon::Module => 9,
        Icon::Unit => 11,
        Icon::Keyword => 14,
        Icon::Column => 10,
        Icon::Value => 20,
        Icon::Constant => 21,
    }
}

/// What can be written at a place.
pub(super) fn complete(world: &mut World, params: Json) -> Answer {
    let at: At = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&at.text_document.uri, at.position)?;
    let mut imports = std::mem::take(&mut world.imports);
    let files = imports.files(&target.path, &world.texts(), world.epoch, &world.roots);
    world.imports = imports;
    let folder = target.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let others = files.iter().filter(|file| **file != target.path);
    let modules: Vec<String> = others.map(|file| relative(folder, file)).collect();
    let found = world.with_engine(|engine| target.analysis.complete(engine, target.file, offset, &modules));
    let places = Places::new(&target.analysis, world.encoding);
    let snippets = world.client.snippets;
    let one = |(number, c): (usize, &Completion)| {
        let (format, text) = if snippets { (2, escaped(&c.insert)) } else { (1, plain(&c.insert)) };
        let mut item = json!({
            "label": c.label,
            "kind": icon(c.icon),
            "detail": c.detail,
            "sortText": format!("{}{number:04}", c.rank),
            "filterText": c.label,
            "insertTextFormat": if c.insert.contains('$') { format } else { 1 },
            "textEdit": { "range": places.range(c.replace), "newText": if c.insert.contains('$') { text } else { c.insert.clone() } },
        });
        if !c.doc.is_empty() {
            item["data"] = json!(number);
        }
        item
    };
    let items: Vec<Json> = found.iter().enumerate().map(one).collect();
    world.proposals = found;
    Ok(json!({ "isIncomplete": false, "items": items }))
}

/// Places to fill stay, braces of the language are kept from being taken for theirs.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '{' if before == '$' => inside = true,
            '}' if inside => inside = false,
            '}' | '\\' => out.push('\\'),
            _ => {}
        }
        out.push(c);
        before = c;
    }
    out
}

/// A text without places to fill.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((place, after)) => {
                out.push_str(place.split_once(':').map_or("", |(_, name)| name));
                after
            }
            None => after.trim_start_matches(|c: char| c.is_ascii_digit()),
        };
    }
    out.push_str(rest);
    out
}

/// The documentation of a proposal.
pub(super) fn resolve(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    struct Item {
        label: String,
        data: Option<usize>,
    }
    let item: Item = serde_json::from_value(params.clone())?;
    let known = item.data.and_then(|n| world.proposals.get(n)).filter(|c| c.label == item.label);
    let mut answer = params;
    if let Some(known) = known {
        answer["documentation"] = markdown(&known.doc);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_fill_are_kept_or_taken_out() {
        let text = "model ${1:name} {\n  layers = $2\n}";
        assert_eq!(plain(text), "model name {\n  layers = \n}");
        assert_eq!(escaped(text), "model ${1:name} {\n  layers = $2\n\\}");
    }
}
