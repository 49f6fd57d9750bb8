//! The shape of documents: symbols, folds, selections.

use llmp_grammar::FileId;
use llmp_interpreter::ide::index::Sort;
use llmp_interpreter::ide::nodes;
use llmp_interpreter::ide::outline::Entry;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::wire::{Answer, Of, Places, Position, range_in};
use crate::world::World;

fn icon(sort: Sort, kind: &str) -> u32 {
    match (sort, kind) {
        (Sort::Rounds, _) => 3,
        (Sort::Param | Sort::Carry, _) => 13,
        (Sort::Let, _) => 14,
        (Sort::Variant, _) => 10,
        (_, "model" | "hardware") => 5,
        (_, "source" | "dataset" | "mix") => 23,
        (_, "chain") => 12,
        _ => 19,
    }
}

/// Items of a document.
pub(super) fn document(world: &mut World, params: Json) -> Answer {
    let of: Of = serde_json::from_value(params)?;
    let target = world.target(&of.text_document.uri)?;
    let places = Places::new(&target.analysis, world.encoding);
    let entries = target.analysis.outline(target.file);
    if world.client.tree {
        return Ok(entries.iter().map(|entry| tree(entry, &places)).collect());
    }
    let mut flat: Vec<Json> = Vec::new();
    let mut open: Vec<(Entry, Option<String>)> = entries.into_iter().rev().map(|e| (e, None)).collect();
    while let Some((entry, container)) = open.pop() {
        let location = json!({ "uri": of.text_document.uri, "range": places.range(entry.span) });
        let mut one =
            json!({ "name": entry.name, "kind": icon(entry.sort, &entry.kind), "location": location });
        if let Some(container) = container {
            one["containerName"] = json!(container);
        }
        flat.push(one);
        let name = entry.name.clone();
        open.extend(entry.children.into_iter().rev().map(|child| (child, Some(name.clone()))));
    }
    Ok(Json::Array(flat))
}

fn tree(entry: &Entry, places: &Places<'_>) -> Json {
    let children: Vec<Json> = entry.children.iter().map(|child| tree(child, places)).collect();
    json!({
        "name": entry.name,
        "detail": entry.detail,
        "kind": icon(entry.sort, &entry.kind),
        "range": places.range(entry.span),
        "selectionRange": places.range(entry.at),
        "children": children,
    })
}

/// Items of all programs of the workspace whose name holds the letters of a query, in order.
pub(super) fn workspace(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    struct Query {
        query: String,
    }
    let query: Query = serde_json::from_value(params)?;
    let mut imports = std::mem::take(&mut world.imports);
    let mut all: Vec<String> = Vec::new();
    let mut places: Vec<String> = world.roots.iter().map(|root| format!("{root}/main.llmp")).collect();
    places.extend(world.documents.keys().cloned());
    for path in places {
        all.extend(imports.files(&path, &world.texts(), world.epoch, &world.roots));
    }
    world.imports = imports;
    all.extend(world.documents.keys().cloned());
    all.sort();
    all.dedup();
    let fits = |name: &str| {
        let mut letters = name.chars().flat_map(char::to_lowercase);
        query.query.chars().flat_map(char::to_lowercase).all(|wanted| letters.any(|c| c == wanted))
    };
    let mut found: Vec<Json> = Vec::new();
    for path in all {
        let Some((text, lines)) = world.text_of(&path) else { continue };
        let (parse, _) = llmp_grammar::parse(FileId(0), &text);
        for item in &parse.file.items {
            let Some(name) = item.name().filter(|name| fits(&name.text)) else { continue };
            let kind = match &item.kind {
                llmp_grammar::ast::ItemKind::Decl(decl) => decl.kind.text.as_str(),
                _ => "",
            };
            let range = range_in(&text, &lines, name.span, world.encoding);
            let location = json!({ "uri": world.address(&path), "range": range });
            let container = path.rsplit('/').next().unwrap_or("");
            found.push(json!({ "name": name.text, "kind": icon(Sort::Item, kind), "location": location, "containerName": container }));
        }
    }
    Ok(Json::Array(found))
}

/// What can be folded.
pub(super) fn folds(world: &mut World, params: Json) -> Answer {
    let of: Of = serde_json::from_value(params)?;
    let target = world.target(&of.text_document.uri)?;
    let Some(unit) = target.analysis.unit(target.file) else { return Ok(Json::Null) };
    let places = Places::new(&target.analysis, world.encoding);
    let text = target.analysis.text(target.file);
    let mut found: Vec<(u32, u32, Option<&str>)> = nodes::folds(&target.analysis.loaded.units[unit].ast)
        .into_iter()
        .map(|(span, imports)| {
            let lines = places.lines(target.file);
            let end = span
                .end
                .saturating_sub(u32::from(text.get(..span.end as usize).is_some_and(|t| t.ends_with('\n'))));
            (lines.line(span.start), lines.line(end), imports.then_some("imports"))
        })
        .collect();
    found.extend(comments(text));
    found.retain(|(start, end, _)| end > start);
    found.sort_unstable();
    found.dedup_by_key(|(start, end, _)| (*start, *end));
    let one = |(start, end, kind): (u32, u32, Option<&str>)| {
        let mut fold = json!({ "startLine": start, "endLine": end });
        if let Some(kind) = kind {
            fold["kind"] = json!(kind);
        }
        fold
    };
    Ok(found.into_iter().map(one).collect())
}

/// Runs of comments, and what stands between rulers (`# ---- sources`).
fn comments(text: &str) -> Vec<(u32, u32, Option<&'static str>)> {
    let lines: Vec<&str> = text.lines().collect();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut found = Vec::new();
    let mut run: Option<usize> = None;
    let mut ruler: Option<usize> = None;
    for (n, line) in lines.iter().chain(&[""]).enumerate() {
        let comment = line.trim_start().starts_with('#');
        if comment && run.is_none() {
            run = Some(n);
        } else if !comment && let Some(start) = run.take() {
            found.push((number(start), number(n.saturating_sub(1)), Some("comment")));
        }
        if line.starts_with("# ---") {
            if let Some(start) = ruler {
                found.push((number(start), number(n.saturating_sub(1)), Some("region")));
            }
            ruler = Some(n);
        }
    }
    if let Some(start) = ruler {
        found.push((number(start), number(lines.len().saturating_sub(1)), Some("region")));
    }
    found
}

/// Growing selections.
pub(super) fn selection(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Selections {
        text_document: crate::wire::Document,
        positions: Vec<Position>,
    }
    let params: Selections = serde_json::from_value(params)?;
    let target = world.target(&params.text_document.uri)?;
    let places = Places::new(&target.analysis, world.encoding);
    let Some(unit) = target.analysis.unit(target.file) else { return Ok(Json::Null) };
    let one = |position: &Position| {
        let offset = world.offset(&target.path, *position);
        let word = target.analysis.word_index(&world.registry).at(target.file, offset).map(|mark| mark.span);
        let spans = nodes::selection(&target.analysis.loaded.units[unit].ast, word, offset);
        let whole = spans.last().map_or_else(
            || json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } }),
            |span| places.range(*span),
        );
        let inner = spans.iter().rev().skip(1);
        inner.fold(
            json!({ "range": whole }),
            |parent, span| json!({ "range": places.range(*span), "parent": parent }),
        )
    };
    Ok(params.positions.iter().map(one).collect())
}
