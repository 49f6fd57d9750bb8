//! What is wrong, by file: pulled where the client can, else pushed; never both.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use llmp_grammar::{Diag, Severity};
use llmp_interpreter::ide::Analysis;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::wire::{Answer, Document, Places, path_of};
use crate::world::World;

/// Codes of things that could be left out.
const UNNECESSARY: [&str; 2] = ["LLMP0108", "LLMP0902"];

impl World {
    /// Everything that is wrong in a file, in any program that it belongs to.
    pub(crate) fn diagnostics(&mut self, path: &str) -> Vec<Json> {
        let mut found: Vec<Json> = Vec::new();
        let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
        for main in self.mains(path) {
            for one in self.said(&main).get(path).into_iter().flatten() {
                if seen.insert((one["range"].to_string(), format!("{}{}", one["code"], one["message"]))) {
                    found.push(one.clone());
                }
            }
        }
        found
    }

    /// Everything that is wrong with a program, by file; every file of the project has its entry.
    pub(crate) fn reports(&self, analysis: &Analysis) -> BTreeMap<String, Vec<Json>> {
        let places = Places::new(analysis, self.encoding);
        let ours = analysis.loaded.units.iter().filter(|unit| !unit.library);
        let mut by: BTreeMap<String, Vec<Json>> =
            ours.clone().map(|unit| (unit.path.clone(), Vec::new())).collect();
        for diag in &analysis.diags {
            let file = diag.span().map(|span| span.file);
            if let Some(unit) = ours.clone().find(|unit| Some(unit.file) == file) {
                let one = self.diagnostic(analysis, &places, diag);
                by.entry(unit.path.clone()).or_default().push(one);
            }
        }
        by
    }

    fn diagnostic(&self, analysis: &Analysis, places: &Places<'_>, diag: &Diag) -> Json {
        let at = diag.span().unwrap_or_default();
        let mut message = diag.message.clone();
        let own = diag.primary().map_or("", |label| label.text.as_str());
        if !own.is_empty() {
            message.push_str(&format!("\n{own}"));
        }
        for (word, text) in
            diag.help.iter().map(|h| ("help", h)).chain(diag.notes.iter().map(|n| ("note", n)))
        {
            message.push_str(&format!("\n{word}: {text}"));
        }
        let others = diag.labels.iter().filter(|label| label.span != at && !label.text.is_empty());
        let related: Vec<Json> = others
            .filter_map(|label| {
                let uri = self.uri(analysis, label.span.file)?;
                let location = json!({ "uri": uri, "range": places.range(label.span) });
                Some(json!({ "location": location, "message": label.text }))
            })
            .collect();
        let severity = match diag.severity {
            Severity::Error => 1,
            Severity::Warning => 2,
            Severity::Info => 3,
        };
        let mut one = json!({
            "range": places.range(at),
            "severity": severity,
            "code": diag.code,
            "source": "llmp",
            "message": message,
        });
        if let Some(href) = self.explanation(diag.code) {
            one["codeDescription"] = json!({ "href": href });
        }
        if UNNECESSARY.contains(&diag.code) {
            one["tags"] = json!([1]);
        }
        if !related.is_empty() {
            one["relatedInformation"] = Json::Array(related);
        }
        if !diag.fixes.is_empty() {
            let titles: Vec<&str> = diag.fixes.iter().map(|fix| fix.title.as_str()).collect();
            one["data"] = json!({ "fixes": titles });
        }
        one
    }

    /// The page of a code.
    fn explanation(&self, code: &'static str) -> Option<String> {
        let info = self.codes.get(code)?;
        let doc = llmp_stdlib::docs::undent(info.doc);
        let text = format!("# {code}: {}\n\n{doc}", info.name);
        self.desk.publish(&format!("errors/{code}.md"), &text).map(|path| crate::wire::uri_of(&path))
    }

    /// Files of the programs of a file, the file itself and the library left out.
    pub(crate) fn relatives(&mut self, path: &str) -> Vec<String> {
        let mut found: BTreeSet<String> = BTreeSet::new();
        for main in self.mains(path) {
            found.extend(self.said(&main).keys().cloned());
        }
        found.remove(path);
        found.into_iter().collect()
    }
}

/// The answer to a pull.
pub(crate) fn pull(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pull {
        text_document: Document,
        previous_result_id: Option<String>,
    }
    let params: Pull = serde_json::from_value(params)?;
    let path = path_of(&params.text_document.uri);
    if !world.documents.contains_key(&path) {
        return Ok(full(&[]));
    }
    let items = world.diagnostics(&path);
    let mut report = full(&items);
    if params.previous_result_id.is_some()
        && report["resultId"].as_str() == params.previous_result_id.as_deref()
    {
        report = json!({ "kind": "unchanged", "resultId": report["resultId"] });
    }
    let mut related: BTreeMap<String, Json> = BTreeMap::new();
    for other in world.relatives(&path) {
        let items = world.diagnostics(&other);
        // Files without a word are named too: what was said of them before is taken back.
        related.insert(world.address(&other), full(&items));
    }
    if !related.is_empty() {
        report["relatedDocuments"] = json!(related);
    }
    Ok(report)
}

fn full(items: &[Json]) -> Json {
    let mut hasher = DefaultHasher::new();
    for item in items {
        item.to_string().hash(&mut hasher);
    }
    json!({ "kind": "full", "resultId": format!("{:016x}", hasher.finish()), "items": items })
}

/// Diagnostics to publish for one file, if they are not what was published last.
pub(crate) fn push(world: &mut World, path: &str) -> Option<Json> {
    let items = world.diagnostics(path);
    let mut params = json!({ "uri": world.address(path), "diagnostics": items });
    if let Some(document) = world.documents.get(path) {
        params["version"] = json!(document.version);
    }
    let known = world.published.get(path);
    if known == Some(&params) || (known.is_none() && items.is_empty() && !world.documents.contains_key(path))
    {
        return None;
    }
    world.published.insert(path.to_owned(), params.clone());
    Some(params)
}

/// Files whose diagnostics may have changed with a file: those of its programs, and closed ones that were spoken of before.
/// With no file, all: open ones and what their programs read.
pub(crate) fn concerned(world: &mut World, path: &str) -> Vec<String> {
    let changed: Vec<String> = match path {
        "" => world.documents.keys().cloned().collect(),
        path => vec![path.to_owned()],
    };
    let mut all: BTreeSet<String> = changed.iter().cloned().collect();
    for path in &changed {
        all.extend(world.relatives(path));
    }
    if !path.is_empty() {
        let closed = world.published.keys().filter(|path| !world.documents.contains_key(*path));
        all.extend(closed.cloned());
    }
    all.into_iter().collect()
}
