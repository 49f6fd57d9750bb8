//! `llmp params FILE`: what `--set` takes, with types, ranges, defaults and documentation.

use llmp_grammar::ast::{Item, ItemKind, Param, TypeBase, UseNames};
use llmp_stdlib::{Dim, Value, number};
use serde_json::{Value as Json, json};

use crate::Exit;
use crate::args::{Color, Format, Params};
use crate::load::{self, Checked};
use crate::output;

/// A param of the main file, or one that it imports, under the name that `--set` takes.
struct Found<'a> {
    name: String,
    item: &'a Item,
    param: &'a Param,
}

pub(crate) fn params(args: &Params, color: Color) -> Exit {
    let checked = load::check(&args.file, &args.reading);
    let found = found(&checked);
    match args.format {
        Format::Human => found.iter().for_each(|one| output::print(&line(&checked, one))),
        Format::Json => {
            let objects: Vec<Json> = found.iter().map(|one| object(&checked, one)).collect();
            output::print(&format!("{:#}\n", Json::Array(objects)));
        }
    }
    if checked.failed() {
        checked.print(color);
        return Exit::Failed;
    }
    Exit::Clean
}

fn found(checked: &Checked) -> Vec<Found<'_>> {
    let units = &checked.loaded.units;
    let mut found = Vec::new();
    let Some(main) = units.first() else { return found };
    for item in &main.ast.items {
        match &item.kind {
            ItemKind::Param(param) => found.push(Found { name: param.name.text.clone(), item, param }),
            ItemKind::Use(import) => {
                let Some(unit) = main.imports.get(&import.from.text).and_then(|at| units.get(*at)) else {
                    continue;
                };
                let UseNames::Names(names) = &import.names else { continue };
                for name in names {
                    let is_it = |item: &&Item| matches!(&item.kind, ItemKind::Param(p) if p.name.text == name.name.text);
                    if let Some(item) = unit.ast.items.iter().find(is_it)
                        && let ItemKind::Param(param) = &item.kind
                    {
                        found.push(Found { name: name.local().text.clone(), item, param });
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn type_name(param: &Param) -> String {
    match &param.ty.base {
        TypeBase::Named { name, args } => {
            let inner = args.iter().map(|ty| match &ty.base {
                TypeBase::Named { name, .. } => name.text.clone(),
                TypeBase::Record(_) => "record".into(),
            });
            let inner: Vec<String> = inner.collect();
            if inner.is_empty() { name.text.clone() } else { format!("{}[{}]", name.text, inner.join(", ")) }
        }
        TypeBase::Record(_) => "record".into(),
    }
}

/// The value that the program has now; params of an imported file may be kept under a longer name.
fn value<'c>(checked: &'c Checked, one: &Found<'_>) -> Option<&'c Value> {
    checked.program.params.get(&one.param.name.text)
}

fn line(checked: &Checked, one: &Found<'_>) -> String {
    let sources = checked.sources();
    let range =
        one.param.ty.domain.as_ref().map(|d| format!(" in {}", sources.slice(d.span))).unwrap_or_default();
    let optional = if one.param.ty.optional { "?" } else { "" };
    let default =
        one.param.default.as_ref().map_or("required".to_owned(), |d| format!("= {}", sources.slice(d.span)));
    let doc = one.item.doc.trim().replace('\n', " ");
    let doc = if doc.is_empty() { doc } else { format!("   {doc}") };
    format!("{}: {}{optional}{range} {default}{doc}\n", one.name, type_name(one.param))
}

fn object(checked: &Checked, one: &Found<'_>) -> Json {
    let sources = checked.sources();
    let domain = one.param.ty.domain.as_ref().map(|d| sources.slice(d.span));
    let value = value(checked, one);
    let unit = match value {
        Some(Value::Number(q)) if q.dim != Dim::NONE => Some(q.dim.show()),
        _ => None,
    };
    let at = sources.position(one.param.name.span.file, one.param.name.span.start);
    let mut object = json!({
        "name": one.name,
        "type": type_name(one.param),
        "optional": one.param.ty.optional,
        "domain": domain,
        "default": one.param.default.as_ref().map(|d| sources.slice(d.span)),
        "value": value.map(plain),
        "unit": unit,
        "doc": one.item.doc.trim(),
        "file": sources.path(one.param.name.span.file),
        "start": at,
    });
    if let Some((low, high)) = domain.and_then(|text| text.split_once("..")) {
        let number = |text: &str| match llmp_stdlib::literal::parse(text.trim()) {
            Ok(Value::Number(q)) => Some(number::to_f64(q.amount)),
            _ => None,
        };
        object["min"] = json!(number(low));
        object["max"] = json!(number(high));
    }
    object
}

/// A value as plain JSON: numbers as numbers, where the exact text of other values is canonical.
fn plain(value: &Value) -> Json {
    match value {
        Value::Number(q) => match number::to_u64(q.amount) {
            Some(whole) => json!(whole),
            None => json!(number::to_f64(q.amount)),
        },
        Value::List(items) => items.iter().map(plain).collect(),
        other => other.canonical(),
    }
}
