//! `llmp doc NAME`: the documentation of a built-in, from the one place where it is declared.

use std::path::Path;

use llmp_stdlib::{Registry, Signature, docs};
use serde_json::json;

use crate::Exit;
use crate::args::{Doc, Format};
use crate::load::codes;
use crate::output;

pub(crate) fn doc(args: &Doc) -> Exit {
    let registry = llmp_exec::registry();
    match (&args.write, &args.name) {
        (Some(folder), _) => write(&registry, folder),
        (None, name) if args.format == Format::Json => objects(&registry, name.as_deref()),
        (None, Some(name)) => one(&registry, name),
        (None, None) => {
            all(&registry);
            Exit::Clean
        }
    }
}

fn one(registry: &Registry, name: &str) -> Exit {
    let mut found: Vec<&Signature> = registry.kind(name).map(|k| k.signature).into_iter().collect();
    found.extend(registry.step(name));
    found.extend(registry.constructors(name).into_iter().map(|(_, signature)| signature));
    for signature in &found {
        output::print(&docs::markdown(signature, 1));
    }
    if let Some(function) = registry.function(name) {
        output::print(&format!("# `{}`\n\n{}", function.name, docs::undent(function.doc)));
    } else if found.is_empty() {
        let names = names(registry);
        let near = llmp_grammar::nearest(name, names.iter().map(String::as_str));
        let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        output::note(&format!("error: no built-in is called `{name}`{hint}"));
        return Exit::Usage;
    }
    Exit::Clean
}

/// Everything, or what has this name, for programs.
fn objects(registry: &Registry, name: Option<&str>) -> Exit {
    let object = |what: &str, s: &Signature| {
        let param = |p: &llmp_stdlib::Param| json!({ "name": p.name, "type": p.ty.show(), "default": p.default, "doc": docs::undent(p.doc).trim() });
        let params: Vec<_> = s.params.iter().map(param).collect();
        json!({ "name": s.name, "what": what, "doc": docs::undent(s.doc).trim(), "params": params })
    };
    let kinds = registry.all_kinds().map(|k| object("kind", k.signature));
    let steps = registry.all_steps().map(|s| object("step", s));
    let families = registry.all_families();
    let constructors = families.flat_map(|f| f.members.iter().map(|s| object(f.name, s)).collect::<Vec<_>>());
    let functions = registry.all_functions().map(
        |f| json!({ "name": f.name, "what": "function", "doc": docs::undent(f.doc).trim(), "params": [] }),
    );
    let all = kinds.chain(steps).chain(constructors).chain(functions);
    let found: Vec<_> = all.filter(|o| name.is_none_or(|name| o["name"] == name)).collect();
    if let (Some(name), true) = (name, found.is_empty()) {
        return one(registry, name);
    }
    output::print(&format!("{:#}\n", serde_json::Value::Array(found)));
    Exit::Clean
}

fn names(registry: &Registry) -> Vec<String> {
    let kinds = registry.all_kinds().map(|k| k.signature.name);
    let steps = registry.all_steps().map(|s| s.name);
    let constructors = registry.all_families().flat_map(|f| f.members.iter().map(|s| s.name));
    let functions = registry.all_functions().map(|f| f.name);
    kinds.chain(steps).chain(constructors).chain(functions).map(str::to_owned).collect()
}

fn all(registry: &Registry) {
    let line = |name: &str, summary: &str| output::print(&format!("  {name:<20} {summary}\n"));
    output::print("Kinds\n");
    registry.all_kinds().for_each(|k| line(k.signature.name, k.signature.summary()));
    output::print("\nSteps\n");
    registry.all_steps().for_each(|s| line(s.name, s.summary()));
    for family in registry.all_families() {
        output::print(&format!("\n{} ({})\n", capital(family.name), docs::undent(family.doc).trim()));
        family.members.iter().for_each(|s| line(s.name, s.summary()));
    }
    output::print("\nFunctions of columns\n");
    registry.all_functions().for_each(|f| line(f.name, docs::undent(f.doc).trim()));
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The generated part of `docs/`: one page for each kind, one for steps, one for constructors, one for each code.
fn write(registry: &Registry, folder: &Path) -> Exit {
    let mut pages: Vec<(String, String)> = Vec::new();
    for kind in registry.all_kinds() {
        pages.push((format!("reference/kinds/{}.md", kind.signature.name), kind_page(kind)));
    }
    let steps: Vec<String> = registry.all_steps().map(|s| docs::markdown(s, 2)).collect();
    pages.push(("reference/steps.md".into(), format!("# Steps\n\n{}", steps.join("\n"))));
    for family in registry.all_families() {
        let members: Vec<String> = family.members.iter().map(|s| docs::markdown(s, 2)).collect();
        let text =
            format!("# {}\n\n{}\n{}", capital(family.name), docs::undent(family.doc), members.join("\n"));
        pages.push((format!("reference/constructors/{}.md", family.name), text));
    }
    let function =
        |f: &llmp_stdlib::registry::Function| format!("## `{}`\n\n{}", f.name, docs::undent(f.doc));
    let functions: Vec<String> = registry.all_functions().map(function).collect();
    pages.push((
        "reference/functions.md".into(),
        format!("# Functions of columns\n\n{}", functions.join("\n")),
    ));
    let mut index = String::from("# Diagnostics\n\n| code | severity | what |\n|---|---|---|\n");
    for info in codes() {
        let text = docs::undent(info.doc);
        let summary = text.lines().next().unwrap_or("");
        index.push_str(&format!("| [{0}]({0}.md) | {1} | {2} |\n", info.code, info.severity.word(), summary));
        let page = format!("# {} {} ({})\n\n{text}", info.code, info.name, info.severity.word());
        pages.push((format!("errors/{}.md", info.code), page));
    }
    pages.push(("errors/README.md".into(), index));
    for (name, text) in pages {
        let path = folder.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = made.and_then(|()| std::fs::write(&path, text)) {
            output::note(&format!("error: cannot write {}: {error}", path.display()));
            return Exit::Failed;
        }
    }
    Exit::Clean
}

fn kind_page(kind: &llmp_stdlib::Kind) -> String {
    let mut text = docs::markdown(kind.signature, 1);
    for group in kind.groups {
        let rule = if group.required { "Exactly one of" } else { "At most one of" };
        text.push_str(&format!("\n{rule}: `{}`.\n", group.members.join("`, `")));
    }
    if !kind.fields.is_empty() {
        text.push_str("\nCan be read off it:\n\n");
        kind.fields.iter().for_each(|f| text.push_str(&format!("* `.{}`: {}\n", f.name, f.doc)));
    }
    text
}
