//! Tools over plans: diff, graph, hash, params, schema, test.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, text};
use serde_json::{Value, json};

fn json_of(project: &Project, args: &[&str]) -> Value {
    let output = project.llmp(args);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}\n{}", text(&output.stderr)))
}

fn git(project: &Project, args: &[&str]) {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=n", "-c", "user.email=e@e", "-c", "commit.gpgsign=false"])
        .args(args)
        .current_dir(project.folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn diff_compares_two_files_by_meaning() {
    let project = Project::new();
    project
        .write("same.llmp", PROGRAM.replace("small", "little").replace("layers    = 2", "layers = 2 # few"));
    let output = project.llmp(&["diff", "main.llmp", "same.llmp"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("model small is now called little") && said.contains("equal plans"), "{said}");

    project
        .write("other.llmp", PROGRAM.replace("width     = 32", "width     = 64").replace("= 16k", "= 24k"));
    let output = project.llmp(&["diff", "main.llmp", "other.llmp"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    for part in [
        "~ model small",
        "width: 32 → 64",
        "tokens: 16k tokens → 24k tokens",
        "small.parameters",
        "run.flops",
        "runs again",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let diff = json_of(&project, &["diff", "main.llmp", "other.llmp", "--format", "json"]);
    assert_eq!(diff["same_plan"], false);
    assert_eq!(diff["files"], json!(["main.llmp", "other.llmp"]));
    let again: Vec<&str> =
        diff["again"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(again, ["run", "quality", "out"]);
    let change = diff["items"].as_array().unwrap().iter().find(|i| i["item"] == "small").unwrap();
    assert!(
        change["values"]
            .as_array()
            .unwrap()
            .contains(&json!({ "path": "width", "before": "32", "after": "64" }))
    );
}

#[test]
fn diff_reads_revisions_of_git_with_what_they_import() {
    let project = Project::new();
    project.write("recipes/size.llmp", "llmp 1\n\nlet size: Int = 32\n");
    let main = PROGRAM
        .replace("books/*.txt", "../books/*.txt")
        .replace("width     = 32", "width     = size")
        .replace("source books", "use { size } from \"./size.llmp\"\n\nsource books");
    project.write("recipes/main.llmp", &main);
    git(&project, &["init", "-q"]);
    git(&project, &["add", "recipes"]);
    git(&project, &["commit", "-q", "-m", "first"]);
    assert!(project.llmp(&["diff", "--rev", "HEAD", "recipes/main.llmp"]).status.success());
    // Only the imported file changes.
    project.write("recipes/size.llmp", "llmp 1\n\nlet size: Int = 64\n");
    for args in [
        ["diff", "--rev", "HEAD", "recipes/main.llmp"],
        ["diff", "recipes/main.llmp@HEAD", "recipes/main.llmp", "--color=never"],
    ] {
        let output = project.llmp(&args);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("width: 32 → 64"), "{}", text(&output.stdout));
    }
    let trouble = |args: &[&str], words: &str| {
        let output = project.llmp(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    };
    trouble(&["diff", "--rev", "no-such", "recipes/main.llmp"], "git knows no revision `no-such`");
    trouble(&["diff", "main.llmp@HEAD", "main.llmp"], "is not in revision `HEAD`");
    trouble(&["diff", "main.llmp"], "name two programs");
    project.write("bad.llmp", PROGRAM.replace("layers", "layerz"));
    trouble(&["diff", "main.llmp", "bad.llmp"], "LLMP0102");
}

#[test]
fn graphs_show_every_step() {
    let project = Project::new();
    let plan = json_of(&project, &["plan", "main.llmp", "--format", "json"]);
    let steps = plan["steps"].as_array().unwrap();
    let graph = json_of(&project, &["graph", "main.llmp", "--format", "json"]);
    assert_eq!(graph["nodes"].as_array().unwrap().len(), steps.len());
    for (format, mark) in [("mermaid", "flowchart TD"), ("dot", "digraph plan {"), ("svg", "<svg xmlns=")] {
        let output = project.llmp(&["graph", "main.llmp", "--format", format]);
        assert!(output.status.success());
        let drawing = text(&output.stdout);
        assert!(drawing.starts_with(mark), "{drawing}");
        for step in steps {
            assert!(drawing.contains(step["name"].as_str().unwrap()), "{format}: {}", step["name"]);
        }
    }
}

#[test]
fn the_hash_is_that_of_the_plan() {
    let project = Project::new();
    let plan = json_of(&project, &["plan", "main.llmp", "--format", "json"]);
    let hash = text(&project.llmp(&["hash", "main.llmp"]).stdout);
    assert_eq!(hash.trim(), plan["hash"]);
    let list = json_of(&project, &["hash", "main.llmp", "--format", "json"]);
    assert_eq!(list, json!([{ "file": "main.llmp", "hash": plan["hash"] }]));
    project.write("bad.llmp", "llmp 1\n\nlet a = b\n");
    assert_eq!(project.llmp(&["hash", "bad.llmp"]).status.code(), Some(1));
}

#[test]
fn params_are_typed() {
    let project = Project::new();
    project.write("shared.llmp", "llmp 1\n\n## Shared.\nparam seed: Int = 7\n");
    let head = "use { seed as start } from \"./shared.llmp\"\n\n## Highest learning rate.\nparam peak: Num in 1e-5..1e-3 = 3e-4\n\nparam budget: Tokens = 16k tokens\n\ncheck start > 0 else \"a seed\"\n\nsource books";
    let main = PROGRAM
        .replace("source books", head)
        .replace("tokens      = 16k", "tokens      = budget\n  schedule    = constant(peak)");
    project.write("main.llmp", main);
    let list = json_of(&project, &["params", "main.llmp", "--format", "json"]);
    let get = |name: &str| list.as_array().unwrap().iter().find(|p| p["name"] == name).unwrap().clone();
    let peak = get("peak");
    assert_eq!(
        (&peak["type"], &peak["default"], &peak["value"]),
        (&json!("Num"), &json!("3e-4"), &json!(3e-4))
    );
    assert_eq!(
        (&peak["min"], &peak["max"], &peak["doc"]),
        (&json!(1e-5), &json!(1e-3), &json!("Highest learning rate."))
    );
    assert_eq!((&get("budget")["value"], &get("budget")["unit"]), (&json!(16000), &json!("tokens")));
    assert_eq!(get("start")["value"], 7);
    let set = json_of(&project, &["params", "main.llmp", "--format", "json", "--set", "peak=2e-4"]);
    assert_eq!(set.as_array().unwrap().iter().find(|p| p["name"] == "peak").unwrap()["value"], json!(2e-4));
}

/// What of a JSON value a schema does not allow: as much of JSON Schema as ours use.
fn wrong(schema: &Value, root: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let count = found.len();
    if let Some(pointer) = schema["$ref"].as_str() {
        let target = root.pointer(pointer.trim_start_matches('#'));
        return wrong(target.unwrap_or_else(|| panic!("{pointer} leads nowhere")), root, value, at, found);
    }
    let is = |ty: &str| match ty {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("type {other}"),
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(ty) => vec![ty],
        Value::Array(all) => all.iter().map(|ty| ty.as_str().unwrap()).collect(),
        _ => vec![],
    };
    if !types.is_empty() && !types.iter().any(|ty| is(ty)) {
        found.push(format!("{at}: {value} is not {types:?}"));
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(key).is_none() {
            found.push(format!("{at}: no `{key}`"));
        }
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        match (schema["properties"].get(key), &schema["additionalProperties"]) {
            (Some(schema), _) => wrong(schema, root, inner, &format!("{at}/{key}"), found),
            (None, Value::Bool(false)) => found.push(format!("{at}: `{key}` is not allowed")),
            (None, more) if more.is_object() => wrong(more, root, inner, &format!("{at}/{key}"), found),
            _ => {}
        }
    }
    if schema["items"].is_object() {
        for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
            wrong(&schema["items"], root, inner, &format!("{at}/{index}"), found);
        }
    }
    if let (Some(list), false) = (schema["enum"].as_array(), found.len() > count)
        && !list.contains(value)
    {
        found.push(format!("{at}: {value} is not one of {list:?}"));
    }
    if let Some(one) = schema.get("const").filter(|one| *one != value) {
        found.push(format!("{at}: {value} is not {one}"));
    }
    for key in ["anyOf", "oneOf"] {
        let Some(choices) = schema[key].as_array() else { continue };
        let fits = |choice: &&Value| {
            let mut inner = Vec::new();
            wrong(choice, root, value, at, &mut inner);
            inner.is_empty()
        };
        let count = choices.iter().filter(fits).count();
        if count == 0 || (key == "oneOf" && count > 1) {
            found.push(format!("{at}: {value} fits {count} of {key}"));
        }
    }
}

#[test]
fn plans_fit_the_schema_of_plans() {
    let project = Project::new();
    let schema = json_of(&project, &["schema", "plan"]);
    let plan = json_of(&project, &["plan", "main.llmp", "--format", "json"]);
    let mut found = Vec::new();
    wrong(&schema, &schema, &plan, "", &mut found);
    assert!(found.is_empty(), "{found:#?}");
    // And what is no plan does not.
    let mut broken = plan.clone();
    broken["steps"][0]["id"] = json!(1);
    wrong(&schema, &schema, &broken, "", &mut found);
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn every_kind_has_a_schema_whose_defaults_fit() {
    let project = Project::new();
    let all = json_of(&project, &["schema"]);
    let kinds = all["kinds"].as_object().unwrap();
    assert!(kinds.len() >= 9, "{:?}", kinds.keys());
    for (name, schema) in kinds {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["title"], name.as_str());
        let one = json_of(&project, &["schema", name]);
        assert_eq!(one, *schema);
        for (member, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(!property["description"].as_str().unwrap().is_empty(), "{name}.{member}");
            let Some(default) = property.get("default").filter(|d| d.get("call").is_none()) else { continue };
            let mut found = Vec::new();
            wrong(property, schema, default, member, &mut found);
            assert!(found.is_empty(), "{name}: {found:?}");
        }
    }
    let pretrain = &kinds["pretrain"];
    assert!(pretrain["required"].as_array().unwrap().contains(&json!("data")), "{pretrain}");
    let output = project.llmp(&["schema", "pretrian"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `pretrain`?"));
}

#[test]
fn tests_compare_golden_plans_and_run_every_check() {
    let project = Project::new();
    let main = format!(
        "{PROGRAM}\ncheck run.tokens <= 16k else \"a small budget\"\n\n@only(base)\ncheck small.width == 32 else \"the small model\"\n\nvariant wide {{\n  small.width = 64\n}}\n"
    );
    project.write("main.llmp", &main);
    let output = project.llmp(&["test", "main.llmp"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    // Base: right, two checks; variant: right, one check.
    assert!(said.ends_with("\n5 passed, 0 failed\n"), "{said}");
    assert!(text(&output.stderr).contains("--update"), "{}", text(&output.stderr));

    assert!(project.llmp(&["test", "--update", "main.llmp"]).status.success());
    let golden = std::fs::read_to_string(project.path("main.hash")).unwrap();
    let base = golden.lines().find_map(|l| l.strip_prefix("base ")).unwrap();
    assert_eq!(base, text(&project.llmp(&["hash", "main.llmp"]).stdout).trim());
    assert!(golden.contains("\nwide "));
    let said = text(&project.llmp(&["test", "main.llmp"]).stdout);
    assert!(said.ends_with("\n7 passed, 0 failed\n"), "{said}");

    // A variant that breaks a check, and another plan.
    project.write("main.llmp", main.replace("small.width = 64", "small.width = 64\n  run.tokens = 20k"));
    let output = project.llmp(&["test", "main.llmp"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.ends_with("\n5 passed, 2 failed\n"), "{said}");
    assert!(
        said.contains("a small budget")
            && said.contains("20000 tokens")
            && said.contains("llmp diff --rev HEAD"),
        "{said}"
    );
    let result = json_of(&project, &["test", "main.llmp", "--format", "json"]);
    assert_eq!((&result["passed"], &result["failed"]), (&json!(5), &json!(2)));
    // A program that is wrong fails as a whole, and only that.
    project.write("main.llmp", main.replace("layers", "layerz"));
    let output = project.llmp(&["test", "main.llmp"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAILED main.llmp [base] is right"), "{}", text(&output.stdout));
}
