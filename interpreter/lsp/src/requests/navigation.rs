//! Where words lead, where they are used, what texts name.

use llmp_interpreter::ide::Analysis;
use llmp_interpreter::ide::goto::Target;
use llmp_stdlib::docs::markdown;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::wire::{Answer, At, Of, Places, Position, range, uri_of};
use crate::world::World;

/// Where a word is defined.
pub(super) fn definition(world: &mut World, params: Json) -> Answer {
    let at: At = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&at.text_document.uri, at.position)?;
    let found = target.analysis.definition(&world.registry, target.file, offset);
    let origin = target.analysis.word_index(&world.registry).at(target.file, offset).map(|mark| mark.span);
    let places = Places::new(&target.analysis, world.encoding);
    let locations: Vec<(String, Json, Json)> =
        found.iter().filter_map(|target_of| location(world, &target.analysis, &places, target_of)).collect();
    if world.client.links {
        let link = |(uri, whole, name): (String, Json, Json)| {
            let mut link = json!({ "targetUri": uri, "targetRange": whole, "targetSelectionRange": name });
            if let Some(origin) = origin {
                link["originSelectionRange"] = places.range(origin);
            }
            link
        };
        return Ok(locations.into_iter().map(link).collect());
    }
    Ok(locations.into_iter().map(|(uri, _, name)| json!({ "uri": uri, "range": name })).collect())
}

/// The declaration of the kind of a definition.
pub(super) fn type_definition(world: &mut World, params: Json) -> Answer {
    let at: At = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&at.text_document.uri, at.position)?;
    let Some(found) = target.analysis.type_definition(&world.registry, target.file, offset) else {
        return Ok(Json::Null);
    };
    let places = Places::new(&target.analysis, world.encoding);
    let found = location(world, &target.analysis, &places, &found);
    Ok(found.map_or(Json::Null, |(uri, _, name)| json!([{ "uri": uri, "range": name }])))
}

/// Address, range of all of it, range of its name.
fn location(
    world: &World,
    analysis: &Analysis,
    places: &Places<'_>,
    target: &Target,
) -> Option<(String, Json, Json)> {
    let zero = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } });
    match target {
        Target::Place(at, whole) => {
            let whole = if whole.contains(*at) { *whole } else { *at };
            Some((world.uri(analysis, at.file)?, places.range(whole), places.range(*at)))
        }
        Target::File(file) => Some((world.uri(analysis, *file)?, zero.clone(), zero)),
        Target::BuiltIn(signature, param) => {
            let text = markdown(signature, 1);
            let path = world.desk.publish(&format!("built-in/{}.md", signature.name), &text)?;
            let row = param.map(|param| format!("| `{param}` |"));
            let line = row.and_then(|row| text.lines().position(|line| line.starts_with(&row))).unwrap_or(0);
            let line = u32::try_from(line).unwrap_or(0);
            let point = llmp_interpreter::ide::lines::Point { line, column: 0 };
            Some((uri_of(&path), range(point, point), range(point, point)))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    include_declaration: bool,
}

/// Every use of a definition, in every program that knows it.
pub(super) fn references(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct References {
        text_document: crate::wire::Document,
        position: Position,
        context: Context,
    }
    let params: References = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&params.text_document.uri, params.position)?;
    let Some((path, at)) = target.analysis.identity(&world.registry, target.file, offset) else {
        return Ok(Json::Null);
    };
    let mut found: Vec<(String, Json)> = Vec::new();
    for main in related(world, &target.path, &path) {
        let analysis = world.analysis(&main);
        let places = Places::new(&analysis, world.encoding);
        for (span, declares) in analysis.uses_of(&world.registry, &path, at.clone()) {
            if declares && !params.context.include_declaration {
                continue;
            }
            let Some(uri) = world.uri(&analysis, span.file) else { continue };
            let one = (uri, places.range(span));
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    Ok(found.into_iter().map(|(uri, range)| json!({ "uri": uri, "range": range })).collect())
}

/// Programs in which a definition may be used: those of the file at hand and those of the file that defines it.
pub(super) fn related(world: &mut World, here: &str, there: &str) -> Vec<String> {
    let mut mains = world.mains(here);
    if !there.starts_with("std/") {
        for main in world.mains(there) {
            if !mains.contains(&main) {
                mains.push(main);
            }
        }
    }
    mains
}

/// Uses in the same document.
pub(super) fn highlight(world: &mut World, params: Json) -> Answer {
    let at: At = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&at.text_document.uri, at.position)?;
    let Some(id) = target.analysis.symbol_at(&world.registry, target.file, offset) else {
        return Ok(Json::Null);
    };
    let places = Places::new(&target.analysis, world.encoding);
    let index = target.analysis.word_index(&world.registry);
    let uses = index.occurrences(id).filter(|(span, _)| span.file == target.file);
    Ok(uses
        .map(|(span, declares)| json!({ "range": places.range(span), "kind": if declares { 3 } else { 2 } }))
        .collect())
}

/// Texts that name files.
pub(super) fn links(world: &mut World, params: Json) -> Answer {
    let of: Of = serde_json::from_value(params)?;
    let target = world.target(&of.text_document.uri)?;
    let places = Places::new(&target.analysis, world.encoding);
    let links = target.analysis.links(&world.registry, target.file);
    let one = |link: llmp_interpreter::ide::outline::Link| {
        let file = target.analysis.file(&link.path).and_then(|file| world.uri(&target.analysis, file));
        let uri = file.unwrap_or_else(|| world.address(&link.path));
        json!({ "range": places.range(link.at), "target": uri, "tooltip": link.path })
    };
    Ok(links.into_iter().map(one).collect())
}
