//! JSON Schemas (2020-12): of the plan as `llmp plan --format json` prints it, and of what each kind takes.

use serde_json::{Map, Value as Json, json};

use crate::kind::{Form, Kind};
use crate::registry::Registry;
use crate::signature::{Param, Signature};
use crate::ty::Ty;
use crate::unit::Dim;

/// The dialect that all schemas are written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The plan.
pub fn plan() -> Json {
    let hash = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    let id = json!({ "type": "string", "pattern": "^[0-9a-f]{16}$" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let step = object(&[
        ("id", id.clone(), "Identity: a hash of the definition."),
        ("name", json!({ "type": "string" }), "What people call it."),
        ("op", json!({ "type": "string" }), "The built-in."),
        ("rev", count.clone(), "Revision of the built-in."),
        ("args", json!({ "type": "object" }), "Arguments with defaults filled in; numbers are exact text."),
        ("cached", json!({ "type": "boolean" }), "Whether its result is in the store."),
        ("inputs", json!({ "type": "array", "items": id }), "Steps whose results it reads."),
    ]);
    let model = object(&[
        ("parameters", count.clone(), "All parameters; a tied matrix counts once."),
        ("non_embedding", count.clone(), "Without the input embedding and an untied head."),
        ("active", count.clone(), "Parameters used for one token."),
    ]);
    let stage = object(&[
        ("tokens", count.clone(), "Tokens consumed."),
        ("steps", count.clone(), "Optimizer steps."),
        (
            "flops",
            json!({ "type": "number", "minimum": 0 }),
            "Floating-point operations of forward and backward.",
        ),
        ("memory_bytes", count, "Estimated peak memory in bytes."),
    ]);
    let mut schema = object(&[
        ("hash", hash, "The plan hash."),
        ("models", json!({ "type": "object", "additionalProperties": model }), "Sizes of models, by item."),
        ("stages", json!({ "type": "object", "additionalProperties": stage }), "Costs of stages, by item."),
        (
            "steps",
            json!({ "type": "array", "items": step }),
            "Steps, inputs before the steps that read them.",
        ),
    ]);
    title(&mut schema, "plan", "What `llmp plan --format json` prints.");
    schema
}

/// An object all of whose properties are always there. Later versions may add some.
fn object(properties: &[(&str, Json, &str)]) -> Json {
    let described = |(name, schema, doc): &(&str, Json, &str)| {
        let mut schema = schema.clone();
        schema["description"] = json!(doc);
        ((*name).to_owned(), schema)
    };
    json!({
        "type": "object",
        "properties": properties.iter().map(described).collect::<Map<_, _>>(),
        "required": properties.iter().map(|p| p.0).collect::<Vec<_>>(),
    })
}

fn title(schema: &mut Json, name: &str, doc: &str) {
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!(name);
    schema["description"] = json!(doc.trim());
}

/// What an item of a kind holds, in the canonical JSON of values (docs/reference/json.md): a number is itself or its
/// exact text with a unit, a constructor is `{"call": name, "with": {…}}`, a reference is `{"item": name}`.
pub fn kind(kind: &Kind, registry: &Registry) -> Json {
    let mut used = Vec::new();
    let block = members(kind.signature, &mut used);
    let mut schema = match &kind.form {
        Form::Block => block,
        Form::Value(ty) => of(ty, &mut used),
        Form::Either(ty) => json!({ "anyOf": [block, of(ty, &mut used)] }),
        Form::Open(ty) => json!({ "type": "object", "additionalProperties": of(ty, &mut used) }),
    };
    if let (Form::Block, false) = (&kind.form, kind.groups.is_empty()) {
        let groups: Vec<Json> = kind.groups.iter().map(group).collect();
        schema["allOf"] = json!(groups);
    }
    title(&mut schema, kind.signature.name, &crate::docs::undent(kind.signature.doc));
    let defs = definitions(used, registry);
    if !defs.is_empty() {
        schema["$defs"] = Json::Object(defs);
    }
    schema
}

/// Members of which one is there: exactly one, or at most one.
fn group(group: &crate::kind::Group) -> Json {
    let one = |member: &&str| json!({ "required": [member] });
    let mut choices: Vec<Json> = group.members.iter().map(one).collect();
    if !group.required {
        let none: Vec<Json> = group.members.iter().map(one).collect();
        choices.push(json!({ "not": { "anyOf": none } }));
    }
    json!({ "oneOf": choices })
}

/// Definitions of the families that a schema refers to, and of those that they refer to.
fn definitions(mut open: Vec<&'static str>, registry: &Registry) -> Map<String, Json> {
    let mut defs = Map::new();
    while let Some(name) = open.pop() {
        let Some(family) = registry.all_families().find(|f| f.name == name) else { continue };
        if defs.contains_key(name) {
            continue;
        }
        let calls: Vec<Json> = family
            .members
            .iter()
            .map(|signature| {
                json!({
                    "type": "object",
                    "description": signature.summary(),
                    "properties": { "call": { "const": signature.name }, "with": members(signature, &mut open) },
                    "required": ["call", "with"],
                    "additionalProperties": false,
                })
            })
            .collect();
        defs.insert(name.to_owned(), json!({ "description": family.doc.trim(), "oneOf": calls }));
    }
    defs.sort_keys();
    defs
}

fn members(signature: &'static Signature, used: &mut Vec<&'static str>) -> Json {
    fields(signature.params, used)
}

fn fields(params: &'static [Param], used: &mut Vec<&'static str>) -> Json {
    let property = |param: &'static Param, used: &mut Vec<&'static str>| {
        let mut schema = of(&param.ty, used);
        schema["description"] = json!(crate::docs::undent(param.doc).trim());
        if let Some(value) = param.default.and_then(|text| crate::literal::parse(text).ok()) {
            schema["default"] = value.canonical();
        }
        (param.name.to_owned(), schema)
    };
    let properties: Map<String, Json> = params.iter().map(|p| property(p, used)).collect();
    let required: Vec<&str> = params.iter().filter(|p| p.default.is_none()).map(|p| p.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// What a type accepts.
fn of(ty: &Ty, used: &mut Vec<&'static str>) -> Json {
    match ty {
        Ty::Bool => json!({ "type": "boolean" }),
        Ty::Text | Ty::Path => json!({ "type": "string" }),
        Ty::Int => number(&[Dim::NONE], true),
        Ty::Num => number(&[Dim::NONE], false),
        Ty::Quantity(dims) => number(dims, false),
        Ty::Estimate(dims) => {
            let ends =
                json!({ "type": "array", "items": { "type": "string" }, "minItems": 3, "maxItems": 3 });
            let about = json!({ "type": "object", "properties": { "about": ends }, "required": ["about"] });
            json!({ "anyOf": [number(dims, false), about] })
        }
        Ty::Optional(ty) => json!({ "anyOf": [of(ty, used), { "type": "null" }] }),
        Ty::List(ty) => json!({ "type": "array", "items": of(ty, used) }),
        Ty::Range(ty) => {
            let ends = json!({ "type": "array", "items": of(ty, used), "minItems": 2, "maxItems": 2 });
            json!({ "type": "object", "properties": { "range": ends }, "required": ["range"] })
        }
        Ty::Choice(set) => json!({ "enum": set.values.iter().map(|v| v.0).collect::<Vec<_>>() }),
        Ty::Family(family) => {
            used.push(family.name);
            json!({ "$ref": format!("#/$defs/{}", family.name) })
        }
        Ty::Item(_) => json!({ "anyOf": [reference(), call()] }),
        Ty::Data(_) => json!({ "anyOf": [reference(), call(), pipe()] }),
        Ty::Predicate | Ty::Formula => json!({
            "anyOf": [
                { "type": ["boolean", "number"] },
                { "type": "object", "required": ["formula"] },
            ],
        }),
        Ty::Record(params) => fields(params, used),
        Ty::Map(ty) => json!({ "type": "object", "additionalProperties": of(ty, used) }),
        Ty::OneOf(tys) => json!({ "anyOf": tys.iter().map(|ty| of(ty, used)).collect::<Vec<_>>() }),
    }
}

/// A number as such where it needs no unit, or its exact text.
fn number(dims: &[Dim], whole: bool) -> Json {
    let units: Vec<String> =
        dims.iter().filter(|d| **d != Dim::NONE).map(|d| format!(" {}", d.show())).collect();
    let bare = dims.contains(&Dim::NONE) || dims.len() == 1;
    let unit = match (units.is_empty(), bare) {
        (true, _) => String::new(),
        (false, true) => format!("({})?", units.join("|")),
        (false, false) => format!("({})", units.join("|")),
    };
    let digits = if whole { "-?[0-9]+" } else { "-?[0-9]+([.][0-9]+|/[0-9]+)?" };
    let plain = if whole { "integer" } else { "number" };
    let types = if bare { json!([plain, "string"]) } else { json!("string") };
    json!({ "type": types, "pattern": format!("^{digits}{unit}$") })
}

fn reference() -> Json {
    json!({
        "type": "object",
        "properties": { "item": { "type": "string" }, "part": { "type": ["string", "null"] } },
        "required": ["item"],
    })
}

fn call() -> Json {
    json!({
        "type": "object",
        "properties": { "call": { "type": "string" }, "with": { "type": "object" } },
        "required": ["call", "with"],
    })
}

fn pipe() -> Json {
    json!({
        "type": "object",
        "properties": { "pipe": {}, "steps": { "type": "array", "items": call() } },
        "required": ["pipe", "steps"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_the_units_that_their_place_takes() {
        let pattern = |dims: &[Dim]| number(dims, false)["pattern"].as_str().unwrap().to_owned();
        assert_eq!(pattern(&[Dim::TOKENS]), "^-?[0-9]+([.][0-9]+|/[0-9]+)?( tokens)?$");
        assert_eq!(pattern(&[Dim::TOKENS, Dim::STEPS]), "^-?[0-9]+([.][0-9]+|/[0-9]+)?( tokens| steps)$");
        assert_eq!(number(&[Dim::TOKENS, Dim::STEPS], false)["type"], "string");
        assert_eq!(number(&[Dim::NONE], true)["type"], json!(["integer", "string"]));
    }
}
