//! The language server with a client in the same process: every feature once, on small programs.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use llmp_fuzz::editor::{Editor, modern, plain, uri};
use serde_json::{Value as Json, json};

const MAIN: &str = "/p/main.llmp";
const DATA: &str = "/p/data.llmp";

const PROGRAM: &str = r#"llmp 1

use { books } from "./data.llmp"

dataset clean = books
  |> detect_language()
  |> keep_if(.lang == "en")
  |> dedup_minhash()
  |> split(heldout = 2%)

tokenizer tok = bpe(train_on = clean, vocab = 4096)

model tiny {
  tokenizer = tok
  layers    = 4
  width     = 192
  heads     = 6
  kv_heads  = 2
  context   = 256
}

pretrain core {
  model  = tiny
  data   = clean
  tokens = 4M
}

eval quality {
  model  = core
  suites = [bits_per_byte(clean.heldout)]
}

release stories { model = core }

variant small {
  tiny.layers = 2
}
"#;

const BOOKS: &str = "llmp 1\n\n## Novels.\nsource books = text(\"books/*.txt\")\n";

fn files() -> Vec<(&'static str, &'static str)> {
    vec![(MAIN, PROGRAM), (DATA, BOOKS)]
}

/// A modern client with the program open.
fn opened() -> Editor {
    let mut editor = Editor::start(&files(), &modern());
    editor.open(MAIN, PROGRAM);
    editor
}

/// The offset behind the first place of a text.
fn behind(editor: &Editor, path: &str, text: &str) -> usize {
    editor.texts[path].find(text).unwrap() + text.len()
}

fn codes(diagnostics: &[Json]) -> Vec<&str> {
    diagnostics.iter().filter(|d| d["severity"] != 3).map(|d| d["code"].as_str().unwrap()).collect()
}

/// The fixes that are offered for a diagnostic.
fn fixes(editor: &mut Editor, path: &str, diagnostic: &Json) -> Vec<Json> {
    let context = json!({ "diagnostics": [diagnostic], "only": ["quickfix"] });
    let params =
        json!({ "textDocument": { "uri": uri(path) }, "range": diagnostic["range"], "context": context });
    editor.ask("textDocument/codeAction", params).unwrap().as_array().unwrap().clone()
}

#[test]
fn a_clean_program_is_clean_and_the_server_leaves_when_told() {
    let mut editor = opened();
    assert_eq!(codes(&editor.diagnostics(MAIN)), Vec::<&str>::new());
    assert!(editor.stop());
}

#[test]
fn a_typo_in_a_member_is_fixed_at_every_nesting() {
    let cases = [
        ("layers    = 4", "layer    = 4", "LLMP0102"),
        ("vocab = 4096", "vocb = 4096", ""),
        ("kv_heads  = 2\n", "kv_heads  = 2\n  ffn = swiglu(multple = 64)\n", ""),
        ("tokens = 4M\n", "tokens = 4M\n  schedule = cosine(peak = 3e-4, warmpu = 2%)\n", ""),
        ("tokens = 4M\n", "tokens = 4M\n  optimizer = adamw(betas = [0.9, 0.95], weigth_decay = 0.1)\n", ""),
        ("tiny.layers = 2", "tiny.layrs = 2", ""),
        ("detect_language()", "detect_langage()", ""),
        (".lang ==", ".lnag ==", ""),
        ("tokens = 4M\n", "tokns = 4M\n", "LLMP0102"),
        ("bits_per_byte", "bits_per_bite", ""),
    ];
    for (right, wrong, code) in cases {
        let mut editor = opened();
        let at = PROGRAM.find(right).unwrap();
        editor.edit(MAIN, at, at + right.len(), wrong);
        let said = editor.diagnostics(MAIN);
        let found =
            said.iter().find(|d| d["severity"] == 1).unwrap_or_else(|| panic!("{wrong}: {said:?}")).clone();
        assert!(code.is_empty() || found["code"] == code, "{wrong}: {found}");
        let fixes = fixes(&mut editor, MAIN, &found);
        let first = fixes.first().unwrap_or_else(|| panic!("no fix for {wrong}: {found}"));
        assert_eq!(first["isPreferred"], true, "{first}");
        editor.apply(&first["edit"]);
        let said = editor.diagnostics(MAIN);
        assert_eq!(codes(&said), Vec::<&str>::new(), "{wrong} after {}: {said:?}", first["title"]);
        assert_eq!(editor.server_text(MAIN), editor.texts[MAIN]);
    }
}

#[test]
fn diagnostics_are_published_with_versions_to_clients_that_do_not_ask() {
    let mut editor = Editor::start(&files(), &plain());
    assert!(editor.capabilities["diagnosticProvider"].is_null());
    editor.open(MAIN, PROGRAM);
    let first = editor.told("textDocument/publishDiagnostics", |p| p["uri"] == uri(MAIN));
    assert_eq!(codes(first["diagnostics"].as_array().unwrap()), Vec::<&str>::new());
    let at = behind(&editor, MAIN, "layers    = ");
    editor.edit(MAIN, at, at + 1, "x");
    let then = editor.told("textDocument/publishDiagnostics", |p| p["uri"] == uri(MAIN) && p["version"] == 2);
    assert_eq!(codes(then["diagnostics"].as_array().unwrap()).len(), 1, "{then}");
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri(MAIN) } }));
    let last = editor.told("textDocument/publishDiagnostics", |p| p["uri"] == uri(MAIN));
    assert_eq!(last["diagnostics"], json!([]), "closed documents have no diagnostics");
    assert!(editor.stop());
}

#[test]
fn a_mistake_shows_in_the_files_that_import_it() {
    let mut editor = opened();
    editor.open(DATA, BOOKS);
    let at = BOOKS.find("books =").unwrap();
    editor.edit(DATA, at, at + 5, "novels");
    let params = json!({ "textDocument": { "uri": uri(DATA) } });
    let report = editor.ask("textDocument/diagnostic", params).unwrap();
    let related = &report["relatedDocuments"][uri(MAIN)]["items"];
    assert_eq!(codes(related.as_array().unwrap()), ["LLMP0110"], "{report}");
    let again = json!({ "textDocument": { "uri": uri(DATA) }, "previousResultId": report["resultId"] });
    assert_eq!(editor.ask("textDocument/diagnostic", again).unwrap()["kind"], "unchanged");
}

#[test]
fn hover_definition_and_references() {
    let mut editor = opened();
    let at = behind(&editor, MAIN, "model ti");
    let hover = editor.at("textDocument/hover", MAIN, at);
    let text = hover["contents"]["value"].as_str().unwrap();
    assert!(text.contains("| parameters |"), "{text}");
    let at = behind(&editor, MAIN, "clean = boo");
    let found = editor.at("textDocument/definition", MAIN, at);
    assert_eq!(found[0]["uri"], uri(DATA));
    assert_eq!(found[0]["range"]["start"], json!({ "line": 3, "character": 7 }));
    let at = behind(&editor, MAIN, "dedup_min");
    let found = editor.at("textDocument/definition", MAIN, at);
    assert_eq!(found[0]["uri"], uri("/library/built-in/dedup_minhash.md"));
    let at = behind(&editor, MAIN, "model ti");
    let position = editor.position(MAIN, at);
    let params = json!({
        "textDocument": { "uri": uri(MAIN) }, "position": position, "context": { "includeDeclaration": true },
    });
    let uses = editor.ask("textDocument/references", params).unwrap();
    assert_eq!(uses.as_array().unwrap().len(), 3, "{uses}");
    let marks = editor.at("textDocument/documentHighlight", MAIN, at);
    assert_eq!(marks.as_array().unwrap().len(), 3);
    let at = behind(&editor, MAIN, "model  = ti");
    let kind = editor.at("textDocument/typeDefinition", MAIN, at);
    assert_eq!(kind[0]["uri"], uri("/library/built-in/model.md"));
}

#[test]
fn a_rename_reaches_every_file() {
    let mut editor = opened();
    editor.open(DATA, BOOKS);
    let at = behind(&editor, MAIN, "clean = boo");
    let word = editor.at("textDocument/prepareRename", MAIN, at);
    assert_eq!(word["placeholder"], "books");
    let position = editor.position(MAIN, at);
    let params =
        |name: &str| json!({ "textDocument": { "uri": uri(MAIN) }, "position": position, "newName": name });
    let edit = editor.ask("textDocument/rename", params("novels")).unwrap();
    editor.apply(&edit);
    assert!(editor.texts[DATA].contains("source novels ="), "{}", editor.texts[DATA]);
    assert!(editor.texts[MAIN].contains("use { novels }") && editor.texts[MAIN].contains("clean = novels"));
    assert_eq!(codes(&editor.diagnostics(MAIN)), Vec::<&str>::new());
    let at = behind(&editor, MAIN, "dedup_min");
    let position = editor.position(MAIN, at);
    let refused = editor.ask(
        "textDocument/prepareRename",
        json!({ "textDocument": { "uri": uri(MAIN) }, "position": position }),
    );
    assert!(refused.unwrap_err().1.contains("built-in"));
}

#[test]
fn a_column_is_renamed_with_what_names_it() {
    let program = r#"llmp 1

source books = text("books/*.txt")

classifier good {
  backbone = linear()
  labels   = jsonl("labels.jsonl", as = Labelled)
}

dataset kept = books
  |> classify(good)
  |> classify(good, as = "again")
  |> keep_if(.good >= 0.5 and .again >= 0.5)

dataset best = kept |> keep_if(.good >= 0.9 and .id != "x")
"#;
    let rename = |word: &str, new: &str| {
        let mut editor = Editor::start(&[(MAIN, program)], &modern());
        editor.open(MAIN, program);
        assert_eq!(codes(&editor.diagnostics(MAIN)), Vec::<&str>::new());
        let position = editor.position(MAIN, behind(&editor, MAIN, word));
        let params = json!({ "textDocument": { "uri": uri(MAIN) }, "position": position, "newName": new });
        let edit = editor.ask("textDocument/rename", params)?;
        editor.apply(&edit);
        assert_eq!(codes(&editor.diagnostics(MAIN)), Vec::<&str>::new(), "{}", editor.texts[MAIN]);
        Ok::<String, (i32, String)>(editor.texts[MAIN].clone())
    };
    let wanted = program
        .replace("classifier good", "classifier fine")
        .replace("classify(good", "classify(fine")
        .replace(".good", ".fine");
    assert_eq!(rename("best = kept |> keep_if(.go", "fine").unwrap(), wanted);
    assert_eq!(rename("classifier go", "fine").unwrap(), wanted);
    let wanted = program.replace("\"again\"", "\"twice\"").replace(".again", ".twice");
    assert_eq!(rename("and .aga", "twice").unwrap(), wanted);
    let refused = rename("and .i", "key").unwrap_err().1;
    assert!(refused.contains("has its name from"), "{refused}");
}

#[test]
fn completion_and_signatures_while_typing() {
    let mut editor = opened();
    let at = behind(&editor, MAIN, "kv_heads  = 2\n");
    editor.edit(MAIN, at, at, "  no");
    let list = editor.at("textDocument/completion", MAIN, at + 4);
    let items = list["items"].as_array().unwrap();
    let norm = items.iter().find(|i| i["label"] == "norm").unwrap();
    assert_eq!(norm["textEdit"]["newText"], "norm = ");
    assert!(!items.iter().any(|i| i["label"] == "layers"), "layers is set");
    let resolved = editor.ask("completionItem/resolve", norm.clone()).unwrap();
    assert!(resolved["documentation"]["value"].as_str().unwrap().contains("norm"), "{resolved}");
    let mut editor = opened();
    let at = behind(&editor, MAIN, "keep_if(.lang == \"en\")");
    editor.edit(MAIN, at, at, "\n  |> keep_if(.");
    let list = editor.at("textDocument/completion", MAIN, at + 15);
    let labels: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|i| i["label"].as_str().unwrap()).collect();
    assert!(labels.contains(&"lang_score"), "{labels:?}");
    let at = behind(&editor, MAIN, "bpe(");
    let help = editor.at("textDocument/signatureHelp", MAIN, at);
    assert!(help["signatures"][0]["label"].as_str().unwrap().starts_with("bpe("), "{help}");
    assert_eq!(help["activeParameter"], 0);
}

#[test]
fn layout_hints_colours_and_shape() {
    let mut editor = opened();
    let at = behind(&editor, MAIN, "layers ");
    editor.edit(MAIN, at, at + 4, "=");
    let edits = editor
        .ask("textDocument/formatting", json!({ "textDocument": { "uri": uri(MAIN) }, "options": {} }))
        .unwrap();
    editor.apply_to(MAIN, edits.as_array().unwrap());
    assert_eq!(editor.texts[MAIN], PROGRAM);
    let lines = PROGRAM.lines().count();
    let all = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": lines, "character": 0 } });
    let part = json!({ "textDocument": { "uri": uri(MAIN) }, "range": all });
    let hints = editor.ask("textDocument/inlayHint", part.clone()).unwrap();
    let labels: Vec<&str> = hints.as_array().unwrap().iter().map(|h| h["label"].as_str().unwrap()).collect();
    assert!(
        labels.iter().any(|l| l.contains("parameters")) && labels.iter().any(|l| l.contains(".lang")),
        "{labels:?}"
    );
    let full = editor.of("textDocument/semanticTokens/full", MAIN);
    let ranged = editor.ask("textDocument/semanticTokens/range", part).unwrap();
    assert_eq!(full["data"], ranged["data"]);
    let at = behind(&editor, MAIN, "layers    = 4");
    editor.edit(MAIN, at, at, "8");
    let delta = json!({ "textDocument": { "uri": uri(MAIN) }, "previousResultId": full["resultId"] });
    let delta = editor.ask("textDocument/semanticTokens/full/delta", delta).unwrap();
    let mut patched: Vec<Json> = full["data"].as_array().unwrap().clone();
    for edit in delta["edits"].as_array().unwrap() {
        let (start, count) =
            (edit["start"].as_u64().unwrap() as usize, edit["deleteCount"].as_u64().unwrap() as usize);
        patched.splice(start..start + count, edit["data"].as_array().unwrap().clone());
    }
    let whole = editor.of("textDocument/semanticTokens/full", MAIN);
    assert_eq!(Json::Array(patched), whole["data"]);
    let outline = editor.of("textDocument/documentSymbol", MAIN);
    let core = outline.as_array().unwrap().iter().find(|s| s["name"] == "core").unwrap();
    assert!(core["detail"].as_str().unwrap().starts_with("pretrain · 4M tokens"), "{core}");
    let folds = editor.of("textDocument/foldingRange", MAIN);
    assert!(folds.as_array().unwrap().iter().any(|f| f["startLine"] == 4 && f["endLine"] == 8), "{folds}");
    let position = editor.position(MAIN, behind(&editor, MAIN, "vocab = 40"));
    let ranges = json!({ "textDocument": { "uri": uri(MAIN) }, "positions": [position] });
    let ranges = editor.ask("textDocument/selectionRange", ranges).unwrap();
    assert!(ranges[0]["parent"]["parent"]["range"].is_object(), "{ranges}");
    let links = editor.of("textDocument/documentLink", MAIN);
    assert_eq!(links[0]["target"], uri(DATA));
}

#[test]
fn lenses_plans_lineage_and_moved_files() {
    let mut editor = opened();
    let lenses = editor.of("textDocument/codeLens", MAIN);
    let plan =
        lenses.as_array().unwrap().iter().find(|l| l["command"]["command"] == "llmp.showPlan").unwrap();
    let call = json!({ "command": "llmp.showPlan", "arguments": plan["command"]["arguments"] });
    let shown = editor.ask("workspace/executeCommand", call).unwrap();
    assert!(shown["mermaid"].as_str().unwrap().starts_with("flowchart TD"), "{shown}");
    let run = json!({ "command": "llmp.run", "arguments": [uri(MAIN), "small"] });
    let words = editor.ask("workspace/executeCommand", run).unwrap();
    assert_eq!(words["command"], json!(["llmp", "run", MAIN, "--variant", "small"]));
    let at = behind(&editor, MAIN, "pretrain co");
    let item = editor.at("textDocument/prepareCallHierarchy", MAIN, at)[0].clone();
    let names = |calls: &Json, side: &str| -> Vec<String> {
        calls.as_array().unwrap().iter().map(|c| c[side]["name"].as_str().unwrap().to_owned()).collect()
    };
    let outgoing = editor.ask("callHierarchy/outgoingCalls", json!({ "item": item })).unwrap();
    assert_eq!(names(&outgoing, "to"), ["tiny", "clean"]);
    let incoming = editor.ask("callHierarchy/incomingCalls", json!({ "item": item })).unwrap();
    assert_eq!(names(&incoming, "from"), ["quality", "stories"]);
    let moved = json!({ "files": [{ "oldUri": uri(DATA), "newUri": uri("/p/in/books.llmp") }] });
    let edit = editor.ask("workspace/willRenameFiles", moved).unwrap();
    editor.apply(&edit);
    assert!(editor.texts[MAIN].contains("from \"./in/books.llmp\""), "{}", editor.texts[MAIN]);
    let found = editor.ask("workspace/symbol", json!({ "query": "bks" })).unwrap();
    assert_eq!(found[0]["name"], "books");
}

#[test]
fn refactorings_and_fixing_all() {
    let mut editor = opened();
    let start = PROGRAM.find("192").unwrap();
    let range = json!({ "start": editor.position(MAIN, start), "end": editor.position(MAIN, start + 3) });
    let params = |range: &Json, only: &str| json!({ "textDocument": { "uri": uri(MAIN) }, "range": range, "context": { "diagnostics": [], "only": [only] } });
    let found = editor.ask("textDocument/codeAction", params(&range, "refactor")).unwrap();
    assert_eq!(found[1]["title"], "Extract into a `param`");
    editor.apply(&found[1]["edit"]);
    assert!(editor.texts[MAIN].contains("param setting: Int = 192"), "{}", editor.texts[MAIN]);
    assert_eq!(codes(&editor.diagnostics(MAIN)), Vec::<&str>::new());
    let mut editor = opened();
    for (right, wrong) in [("vocab", "vocb"), ("heads     =", "haeds     =")] {
        let at = editor.texts[MAIN].find(right).unwrap();
        editor.edit(MAIN, at, at + right.len(), wrong);
    }
    assert!(!codes(&editor.diagnostics(MAIN)).is_empty());
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } });
    let found = editor.ask("textDocument/codeAction", params(&range, "source.fixAll")).unwrap();
    editor.apply(&found[0]["edit"]);
    assert_eq!(codes(&editor.diagnostics(MAIN)), Vec::<&str>::new(), "{}", editor.texts[MAIN]);
    let more = "use { gopher } from \"std/data\"\nuse { llama } from \"std/arch\"\n";
    let at = behind(&editor, MAIN, "\"./data.llmp\"\n");
    editor.edit(MAIN, at, at, more);
    let found = editor.ask("textDocument/codeAction", params(&range, "source.organizeImports")).unwrap();
    editor.apply(&found[0]["edit"]);
    let sorted = "llmp 1\n\nuse { llama } from \"std/arch\"\nuse { gopher } from \"std/data\"\nuse { books } from \"./data.llmp\"\n\ndataset";
    assert!(editor.texts[MAIN].starts_with(sorted), "{}", editor.texts[MAIN]);
}

#[test]
fn columns_are_counted_as_agreed() {
    let text =
        PROGRAM.replace("## ", "").replace("dataset clean", "# 𝛼ä 𝛼\nlet odd = \"𝛼𝛼\" # 𝛼\ndataset clean");
    for encoding in ["utf-8", "utf-16"] {
        let capabilities = json!({
            "general": { "positionEncodings": [encoding] }, "textDocument": { "diagnostic": {} },
        });
        let mut editor = Editor::start(&files(), &capabilities);
        assert_eq!(editor.capabilities["positionEncoding"], encoding);
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            editor.open(MAIN, &text);
            let at = behind(&editor, MAIN, "\"𝛼");
            editor.edit(MAIN, at, at, "𝛼x");
            assert_eq!(editor.server_text(MAIN), editor.texts[MAIN]);
            let at = behind(&editor, MAIN, "let od");
            let hover = editor.at("textDocument/hover", MAIN, at);
            assert_eq!(editor.offset(MAIN, &hover["range"]["start"]), at - 2, "{hover}");
        }
    }
}

#[test]
fn requests_that_cannot_be_answered_get_an_error_and_the_server_goes_on() {
    let mut editor = opened();
    let unknown = editor.ask("textDocument/nothing", json!({})).unwrap_err();
    assert_eq!(unknown.0, -32601);
    let wrong = editor.ask("textDocument/hover", json!({ "textDocument": 1 })).unwrap_err();
    assert_eq!(wrong.0, -32602);
    let closed =
        editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": "file:///q.llmp" } }));
    assert_eq!(closed.unwrap_err().0, -32803);
    // Both are on their way before the first is answered, or it was answered already: never no answer.
    let number = editor.send("textDocument/diagnostic", json!({ "textDocument": { "uri": uri(MAIN) } }));
    editor.tell("$/cancelRequest", json!({ "id": number }));
    match editor.wait(number) {
        Ok(report) => assert_eq!(report["kind"], "full"),
        Err((code, _)) => assert_eq!(code, -32800),
    }
    editor.open("untitled:Untitled-1", "llmp 1\n\nlet a = 1\n");
    let params = json!({ "textDocument": { "uri": "untitled:Untitled-1" } });
    assert!(editor.ask("textDocument/documentSymbol", params).is_err(), "the client sent another address");
    assert!(editor.stop());
}
