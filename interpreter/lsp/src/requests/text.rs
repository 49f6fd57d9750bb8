//! Words about words: hover, signatures, hints, lenses.

use serde_json::{Value as Json, json};

use crate::wire::{Answer, At, Of, Places, Within, markdown};
use crate::world::World;

/// What a word is.
pub(super) fn hover(world: &mut World, params: Json) -> Answer {
    let at: At = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&at.text_document.uri, at.position)?;
    let Some(hover) = target.analysis.hover(&world.registry, target.file, offset) else {
        return Ok(Json::Null);
    };
    let places = Places::new(&target.analysis, world.encoding);
    Ok(json!({ "contents": markdown(&hover.text), "range": places.range(hover.at) }))
}

/// The call around the cursor.
pub(super) fn signature(world: &mut World, params: Json) -> Answer {
    let at: At = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&at.text_document.uri, at.position)?;
    let Some(call) = target.analysis.signature(&world.registry, target.file, offset) else {
        return Ok(Json::Null);
    };
    // Offsets in labels are UTF-16 units, whatever was agreed on for documents.
    let units = |end: usize| call.label.get(..end).map_or(0, |t| t.encode_utf16().count());
    let params: Vec<Json> = call
        .params
        .iter()
        .map(|(range, doc)| json!({ "label": [units(range.start), units(range.end)], "documentation": markdown(doc) }))
        .collect();
    let mut one = json!({ "label": call.label, "documentation": markdown(&call.doc), "parameters": params });
    // Behind the last parameter none is active.
    one["activeParameter"] = json!(call.active.unwrap_or(params.len()));
    Ok(
        json!({ "signatures": [one], "activeSignature": 0, "activeParameter": call.active.unwrap_or(params.len()) }),
    )
}

/// What is computed, behind the words.
pub(super) fn hints(world: &mut World, params: Json) -> Answer {
    let within: Within = serde_json::from_value(params)?;
    let target = world.target(&within.text_document.uri)?;
    let range = world.offsets(&target.path, within.range);
    let places = Places::new(&target.analysis, world.encoding);
    let hints = target.analysis.hints(&world.registry, target.file, range);
    let one = |hint: llmp_interpreter::ide::hints::Hint| {
        let point = places.point(target.file, hint.at);
        json!({
            "position": { "line": point.line, "character": point.column },
            "label": hint.text,
            "paddingLeft": true,
            "tooltip": markdown(&hint.more),
        })
    };
    Ok(hints.into_iter().map(one).collect())
}

/// What can be done, above the items.
pub(super) fn lenses(world: &mut World, params: Json) -> Answer {
    let of: Of = serde_json::from_value(params)?;
    let target = world.target(&of.text_document.uri)?;
    let places = Places::new(&target.analysis, world.encoding);
    let lenses = target.analysis.lenses(&world.registry, target.file);
    let one = |lens: llmp_interpreter::ide::hints::Lens| {
        let mut command = json!({ "title": lens.title, "command": lens.command });
        if !lens.command.is_empty() {
            command["arguments"] = json!([of.text_document.uri, lens.name]);
        }
        json!({ "range": places.range(lens.at), "command": command })
    };
    Ok(lenses.into_iter().map(one).collect())
}

/// The text of a document as the server has it, for tests.
pub(super) fn of_document(world: &mut World, params: Json) -> Answer {
    let of: Of = serde_json::from_value(params)?;
    let target = world.target(&of.text_document.uri)?;
    Ok(json!(target.analysis.text(target.file)))
}
