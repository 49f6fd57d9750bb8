//! `llmp lsp` as editors start it: over standard input and output, with files on the disk.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A server and its cache folder.
fn start(cache: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_llmp"))
        .arg("lsp")
        .env("XDG_CACHE_HOME", cache)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn send(server: &mut Child, message: &Value) {
    let body = message.to_string();
    let input = server.stdin.as_mut().unwrap();
    write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    input.flush().unwrap();
}

/// The answer to a request.
fn answer(output: &mut impl BufRead, id: i64) -> Value {
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            match line.trim().split_once(": ") {
                Some(("Content-Length", n)) => length = n.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        output.read_exact(&mut body).unwrap();
        let message: Value = serde_json::from_slice(&body).unwrap();
        if message["id"] == id && message["method"].is_null() {
            return message["result"].clone();
        }
    }
}

fn request(id: i64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

#[test]
fn an_editor_is_served_and_left_as_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    let main = "llmp 1\n\nuse { llama } from \"std/arch\"\nuse { books } from \"./data.llmp\"\n\ndataset d = books |> dedup_minhash()\n";
    let path = folder.path().join("main.llmp");
    std::fs::write(&path, main).unwrap();
    std::fs::write(folder.path().join("data.llmp"), "llmp 1\n\nsource books = text(\"b/*.txt\")\n").unwrap();
    let uri = format!("file://{}", path.display());
    let mut server = start(&folder.path().join("cache"));
    let mut output = BufReader::new(server.stdout.take().unwrap());
    send(
        &mut server,
        &request(
            1,
            "initialize",
            json!({ "processId": null, "rootUri": null, "capabilities": { "textDocument": { "diagnostic": {} } } }),
        ),
    );
    assert_eq!(answer(&mut output, 1)["serverInfo"]["name"], "llmp");
    send(&mut server, &notification("initialized", json!({})));
    let item = json!({ "uri": uri, "languageId": "llmp", "version": 1, "text": main });
    send(&mut server, &notification("textDocument/didOpen", json!({ "textDocument": item })));
    send(&mut server, &request(2, "textDocument/diagnostic", json!({ "textDocument": { "uri": uri } })));
    let report = answer(&mut output, 2);
    let errors = report["items"].as_array().unwrap().iter().filter(|d| d["severity"] == 1).count();
    assert_eq!(errors, 0, "{report}");
    let at = json!({ "textDocument": { "uri": uri }, "position": { "line": 2, "character": 8 } });
    send(&mut server, &request(3, "textDocument/definition", at));
    let found = answer(&mut output, 3);
    let library = found[0]["uri"].as_str().unwrap().trim_start_matches("file://").to_owned();
    assert!(library.ends_with("std/arch/llama.llmp"), "{found}");
    assert!(std::fs::read_to_string(library).unwrap().contains("model llama"), "the library can be opened");
    send(&mut server, &request(4, "shutdown", Value::Null));
    answer(&mut output, 4);
    send(&mut server, &notification("exit", Value::Null));
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_that_is_not_told_to_leave_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path());
    // The editor is gone before it said anything.
    drop(server.stdin.take());
    let mut rest = Vec::new();
    server.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(1));
}
