//! What an item is made of and what is made of it, as a hierarchy of calls.

use llmp_grammar::Span;
use llmp_interpreter::ide::outline::Related;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::wire::{Answer, At, Places, Position, Range};
use crate::world::{Target, World};

fn item(world: &World, target: &Target, places: &Places<'_>, of: &Related) -> Option<Json> {
    Some(json!({
        "name": of.name,
        "kind": 19,
        "detail": of.detail,
        "uri": world.uri(&target.analysis, of.at.file)?,
        "range": places.range(of.span),
        "selectionRange": places.range(of.at),
        // The file from which it was asked: the program knows what that one imports.
        "data": { "from": world.address(&target.path) },
    }))
}

/// The item at a place.
pub(super) fn prepare(world: &mut World, params: Json) -> Answer {
    let at: At = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&at.text_document.uri, at.position)?;
    let found = target.analysis.lineage_of(&world.registry, target.file, offset);
    let places = Places::new(&target.analysis, world.encoding);
    Ok(found.and_then(|of| item(world, &target, &places, &of)).map_or(Json::Null, |one| json!([one])))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    uri: String,
    selection_range: Range,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    from: String,
}

#[derive(Deserialize)]
struct Of {
    item: Item,
}

fn related(
    world: &mut World,
    params: Json,
    sources: bool,
) -> Result<Vec<(Json, Vec<Json>)>, crate::wire::Failure> {
    let of: Of = serde_json::from_value(params)?;
    let from = of.item.data.map_or_else(|| of.item.uri.clone(), |data| data.from);
    let target = world.target(&from)?;
    let places = Places::new(&target.analysis, world.encoding);
    let file = target
        .analysis
        .loaded
        .units
        .iter()
        .map(|unit| unit.file)
        .find(|file| world.uri(&target.analysis, *file).as_deref() == Some(of.item.uri.as_str()));
    let Some(file) = file else { return Ok(Vec::new()) };
    let text = target.analysis.text(file);
    let offset = |at: Position| places.lines(file).offset(text, at.into(), world.encoding);
    let at =
        Span { file, start: offset(of.item.selection_range.start), end: offset(of.item.selection_range.end) };
    let found = target.analysis.lineage(&world.registry, at, sources);
    let one = |related: &Related| {
        let ranges = related.places.iter().map(|place| places.range(*place)).collect();
        Some((item(world, &target, &places, related)?, ranges))
    };
    Ok(found.iter().filter_map(one).collect())
}

/// What is made of an item.
pub(super) fn incoming(world: &mut World, params: Json) -> Answer {
    let found = related(world, params, false)?;
    Ok(found.into_iter().map(|(item, ranges)| json!({ "from": item, "fromRanges": ranges })).collect())
}

/// What an item is made of.
pub(super) fn outgoing(world: &mut World, params: Json) -> Answer {
    let found = related(world, params, true)?;
    Ok(found.into_iter().map(|(item, ranges)| json!({ "to": item, "fromRanges": ranges })).collect())
}
