//! Colours of words: whole documents, parts, and what changed since the last time.

use llmp_interpreter::ide::tokens::{MODIFIERS, Token};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::wire::{Answer, Document, Of, Places, Within};
use crate::world::{Target, World};

/// The names of colours.
pub(crate) fn legend() -> Json {
    json!({ "tokenTypes": Token::LEGEND, "tokenModifiers": MODIFIERS })
}

/// Five numbers for each word.
fn data(world: &World, target: &Target, range: Option<std::ops::Range<u32>>) -> Vec<u32> {
    let places = Places::new(&target.analysis, world.encoding);
    let mut data = Vec::new();
    let (mut line, mut column) = (0, 0);
    for (span, sort, modifiers) in target.analysis.tokens(&world.registry, target.file) {
        if range.as_ref().is_some_and(|range| span.end < range.start || range.end < span.start) {
            continue;
        }
        let (start, end) = (places.point(target.file, span.start), places.point(target.file, span.end));
        let first = if start.line == line { start.column - column } else { start.column };
        data.extend([
            start.line - line,
            first,
            end.column.saturating_sub(start.column),
            sort as u32,
            modifiers,
        ]);
        (line, column) = (start.line, start.column);
    }
    data
}

/// All words of a document.
pub(super) fn full(world: &mut World, params: Json) -> Answer {
    let of: Of = serde_json::from_value(params)?;
    let target = world.target(&of.text_document.uri)?;
    let data = data(world, &target, None);
    let id = remember(world, &target, data.clone());
    Ok(json!({ "resultId": id, "data": data }))
}

fn remember(world: &mut World, target: &Target, data: Vec<u32>) -> String {
    let id = world.next_revision();
    world.colours.insert(target.path.clone(), (id, data));
    id.to_string()
}

/// What changed: one edit between what begins and what ends alike.
pub(super) fn delta(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Delta {
        text_document: Document,
        previous_result_id: String,
    }
    let params: Delta = serde_json::from_value(params)?;
    let target = world.target(&params.text_document.uri)?;
    let new = data(world, &target, None);
    let old =
        world.colours.remove(&target.path).filter(|(id, _)| id.to_string() == params.previous_result_id);
    let id = remember(world, &target, new.clone());
    let Some((_, old)) = old else { return Ok(json!({ "resultId": id, "data": new })) };
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    if head + tail == old.len() && old.len() == new.len() {
        return Ok(json!({ "resultId": id, "edits": [] }));
    }
    let (delete, insert) = (old.len() - head - tail, &new[head..new.len() - tail]);
    Ok(json!({ "resultId": id, "edits": [{ "start": head, "deleteCount": delete, "data": insert }] }))
}

/// Words of a part of a document.
pub(super) fn range(world: &mut World, params: Json) -> Answer {
    let within: Within = serde_json::from_value(params)?;
    let target = world.target(&within.text_document.uri)?;
    let range = world.offsets(&target.path, within.range);
    let data = data(world, &target, Some(range));
    Ok(json!({ "data": data }))
}
