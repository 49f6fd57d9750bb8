//! Changes that are offered for a place.

use llmp_interpreter::ide::actions::Action;
use llmp_interpreter::ide::layout;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::wire::{Answer, Document, Range};
use crate::world::{Target, World};

#[derive(Deserialize)]
struct Context {
    #[serde(default)]
    diagnostics: Vec<Json>,
    only: Option<Vec<String>>,
}

/// Fixes, extractions, and changes of the whole document.
pub(super) fn actions(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wanted {
        text_document: Document,
        range: Range,
        context: Context,
    }
    let params: Wanted = serde_json::from_value(params)?;
    let only = params.context.only.as_deref();
    let wants = |kind: &str| {
        let within = |only: &String| {
            kind == only || kind.strip_prefix(only.as_str()).is_some_and(|r| r.starts_with('.'))
        };
        only.is_none_or(|only| only.iter().any(within))
    };
    let named = |kind: &str| only.is_some_and(|_| wants(kind));
    let target = world.target(&params.text_document.uri)?;
    let range = world.offsets(&target.path, params.range);
    let mut found: Vec<Json> = Vec::new();
    if wants("quickfix") {
        let mut seen: Vec<Json> = Vec::new();
        for main in world.mains(&target.path) {
            let analysis = world.analysis(&main);
            let Some(file) = analysis.file(&target.path) else { continue };
            for action in analysis.fixes(file, range.clone()) {
                let edits = world.edits(&analysis, &action.edits);
                let mut one = action_of(world, &action, "quickfix", &edits);
                let code = action.diag.map(|n| analysis.diags[n].code);
                let about = params.context.diagnostics.iter().filter(|d| d["code"].as_str() == code);
                let about: Vec<&Json> = about.collect();
                if !about.is_empty() {
                    one["diagnostics"] = json!(about);
                }
                if action.preferred {
                    one["isPreferred"] = json!(true);
                }
                if !seen.contains(&one["edit"]) {
                    seen.push(one["edit"].clone());
                    found.push(one);
                }
            }
        }
    }
    if wants("refactor.extract") && range.start < range.end {
        let all = world.with_engine(|engine| target.analysis.extract(engine, target.file, range.clone()));
        for action in all {
            let edits = world.edits(&target.analysis, &action.edits);
            found.push(action_of(world, &action, "refactor.extract", &edits));
        }
    }
    // Found by trying: only where it is asked for.
    if named("source.fixAll.llmp") {
        let edits = world.with_engine(|engine| target.analysis.fix_all(engine, target.file));
        if let Some(edits) = edits {
            found.push(whole(world, &target.path, "Fix all that can be fixed", "source.fixAll.llmp", &edits));
        }
    }
    if named("source.organizeImports") {
        let edits = sorted_imports(&target);
        if !edits.is_empty() {
            found.push(whole(world, &target.path, "Sort the imports", "source.organizeImports", &edits));
        }
    }
    Ok(Json::Array(found))
}

/// Edits of the layout that bring the imports into their order.
fn sorted_imports(target: &Target) -> Vec<llmp_grammar::Edit> {
    let text = target.analysis.text(target.file);
    let unit = target.analysis.unit(target.file).map(|unit| &target.analysis.loaded.units[unit].ast);
    let imports = unit.into_iter().flat_map(|ast| &ast.items);
    let imports = imports.filter(|item| matches!(item.kind, llmp_grammar::ast::ItemKind::Use(_)));
    let (first, last) = imports.fold((usize::MAX, 0), |(first, last), item| {
        (first.min(item.span.range().start), last.max(item.span.range().end))
    });
    // From the first import to the end of the line of the last: an import that moves is taken out and put in here.
    let end = text.get(last..).and_then(|t| t.find('\n')).map_or(text.len(), |n| last + n + 1);
    let inside = |e: &llmp_grammar::Edit| first <= e.span.range().start && e.span.range().end <= end;
    layout::format(text).into_iter().filter(inside).collect()
}

fn action_of(world: &World, action: &Action, kind: &str, edits: &[(String, Json)]) -> Json {
    json!({ "title": action.title, "kind": kind, "edit": world.workspace_edit(edits) })
}

fn whole(world: &World, path: &str, title: &str, kind: &str, edits: &[llmp_grammar::Edit]) -> Json {
    let edits: Vec<(String, Json)> =
        world.text_edits(path, edits).into_iter().map(|edit| (path.to_owned(), edit)).collect();
    json!({ "title": title, "kind": kind, "edit": world.workspace_edit(&edits) })
}
