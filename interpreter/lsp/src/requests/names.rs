//! Renaming: of definitions, and of files that others import.

use std::rc::Rc;

use llmp_grammar::FileId;
use llmp_grammar::ast::ItemKind;
use llmp_interpreter::Vfs;
use llmp_interpreter::ide::Analysis;
use llmp_interpreter::ide::rename::rename as renamed;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::navigation::related;
use crate::imports::{relative, target as imported};
use crate::wire::{Answer, At, Failure, Places, Position, path_of, range_in};
use crate::world::World;

/// Whether a word can be renamed.
pub(super) fn prepare(world: &mut World, params: Json) -> Answer {
    let at: At = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&at.text_document.uri, at.position)?;
    let places = Places::new(&target.analysis, world.encoding);
    match target.analysis.can_rename(&world.registry, target.file, offset) {
        Ok((span, name)) => Ok(json!({ "range": places.range(span), "placeholder": name })),
        Err(words) => Err(Failure::failed(words)),
    }
}

/// Renames a definition wherever it is used.
pub(super) fn rename(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Rename {
        text_document: crate::wire::Document,
        position: Position,
        new_name: String,
    }
    let params: Rename = serde_json::from_value(params)?;
    let (target, offset) = world.pointed(&params.text_document.uri, params.position)?;
    target.analysis.can_rename(&world.registry, target.file, offset).map_err(Failure::failed)?;
    let Some((path, at)) = target.analysis.identity(&world.registry, target.file, offset) else {
        return Ok(Json::Null);
    };
    let mains = related(world, &target.path, &path);
    let programs: Vec<Rc<Analysis>> = mains.iter().map(|main| world.analysis(main)).collect();
    let borrowed: Vec<&Analysis> = programs.iter().map(|program| &**program).collect();
    let edits = world
        .with_engine(|engine| renamed(&borrowed, engine, &path, at, &params.new_name))
        .map_err(Failure::failed)?;
    let mut written: Vec<(String, Json)> = Vec::new();
    for edit in edits {
        let Some((text, lines)) = world.text_of(&edit.path) else { continue };
        let range = range_in(&text, &lines, edit.at, world.encoding);
        written.push((edit.path, json!({ "range": range, "newText": edit.text })));
    }
    Ok(world.workspace_edit(&written))
}

/// Imports that change when files are renamed.
pub(super) fn files(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct One {
        old_uri: String,
        new_uri: String,
    }
    #[derive(Deserialize)]
    struct Files {
        files: Vec<One>,
    }
    let params: Files = serde_json::from_value(params)?;
    let moves: Vec<(String, String)> =
        params.files.iter().map(|one| (path_of(&one.old_uri), path_of(&one.new_uri))).collect();
    let moved = |path: &str| {
        moves.iter().find_map(|(old, new)| {
            let rest = path.strip_prefix(old.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{new}{rest}"))
        })
    };
    let mut imports = std::mem::take(&mut world.imports);
    let mut all: Vec<String> = Vec::new();
    for (old, _) in &moves {
        all.extend(imports.files(old, &world.texts(), world.epoch, &world.roots));
    }
    world.imports = imports;
    all.extend(world.documents.keys().cloned());
    all.sort();
    all.dedup();
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let mut edits: Vec<(String, Json)> = Vec::new();
    for path in all {
        let Some((text, lines)) = world.text_of(&path) else { continue };
        let (parse, _) = llmp_grammar::parse(FileId(0), &text);
        let home = moved(&path).unwrap_or_else(|| path.clone());
        for item in &parse.file.items {
            let ItemKind::Use(import) = &item.kind else { continue };
            if import.from.text.starts_with("std/") {
                continue;
            }
            let old = imported(&folder(&path), &import.from.text);
            let new = moved(&old).unwrap_or_else(|| old.clone());
            let written = relative(&folder(&home), &new);
            let stays = new == old && folder(&home) == folder(&path);
            if !stays && written != import.from.text && world.texts().exists(&old) {
                let mut span = import.from.span;
                // Between the quotes.
                if text.get(span.range()).is_some_and(|t| t.starts_with('"')) {
                    span.start += 1;
                    span.end -= 1;
                }
                let range = range_in(&text, &lines, span, world.encoding);
                edits.push((path.clone(), json!({ "range": range, "newText": written })));
            }
        }
    }
    if edits.is_empty() { Ok(Json::Null) } else { Ok(world.workspace_edit(&edits)) }
}
