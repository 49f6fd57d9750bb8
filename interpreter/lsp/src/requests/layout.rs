//! Layout: of documents, of parts, behind keys.

use llmp_grammar::Edit;
use llmp_interpreter::ide::layout;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::wire::{Answer, Document, Of, Position, Within, path_of};
use crate::world::World;

fn written(world: &World, path: &str, edits: impl FnOnce(&str) -> Vec<Edit>) -> Answer {
    let Some(document) = world.documents.get(path) else { return Ok(Json::Null) };
    Ok(json!(world.text_edits(path, &edits(&document.text))))
}

/// The whole document.
pub(super) fn whole(world: &mut World, params: Json) -> Answer {
    let of: Of = serde_json::from_value(params)?;
    written(world, &path_of(&of.text_document.uri), layout::format)
}

/// What touches a range.
pub(super) fn range(world: &mut World, params: Json) -> Answer {
    let within: Within = serde_json::from_value(params)?;
    let path = path_of(&within.text_document.uri);
    let range = world.offsets(&path, within.range);
    written(world, &path, |text| layout::format_range(text, range))
}

/// Behind `}` and a new line.
pub(super) fn on_type(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        text_document: Document,
        position: Position,
        ch: String,
    }
    let typed: Typed = serde_json::from_value(params)?;
    let path = path_of(&typed.text_document.uri);
    let offset = world.offset(&path, typed.position);
    written(world, &path, |text| layout::on_type(text, offset, &typed.ch))
}
