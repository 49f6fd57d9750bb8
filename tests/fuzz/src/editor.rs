//! An editor in the same process: it keeps its own texts and counts lines and columns by itself.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::Duration;

use llmp_interpreter::Vfs;
use llmp_lsp::{Desk, Settings};
use lsp_server::{Connection, Message, Notification, Request, Response};
use serde_json::{Value as Json, json};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Files in memory.
struct Shelf(BTreeMap<String, String>);

impl Vfs for Shelf {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).cloned()
    }
}

impl Desk for Shelf {
    fn programs(&self, folder: &str) -> Vec<String> {
        let below = |path: &&String| path.starts_with(&format!("{folder}/")) && path.ends_with(".llmp");
        self.0.keys().filter(below).cloned().collect()
    }

    fn publish(&self, name: &str, _text: &str) -> Option<String> {
        Some(format!("/library/{name}"))
    }
}

/// A client with open documents.
pub struct Editor {
    connection: Connection,
    server: Option<JoinHandle<bool>>,
    number: i32,
    version: i64,
    /// Notifications that nobody has waited for.
    inbox: Vec<Notification>,
    /// Texts as the client has them, by path.
    pub texts: BTreeMap<String, String>,
    /// What the server can do.
    pub capabilities: Json,
    /// Whether columns count UTF-16 units; else bytes.
    utf16: bool,
}

/// What a modern client can do.
pub fn modern() -> Json {
    json!({
        "general": { "positionEncodings": ["utf-16"] },
        "workspace": { "workspaceEdit": { "documentChanges": true } },
        "textDocument": {
            "diagnostic": { "relatedDocumentSupport": true },
            "completion": { "completionItem": { "snippetSupport": true } },
            "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
        },
    })
}

/// What every client can do.
pub fn plain() -> Json {
    json!({})
}

/// The address of a path.
pub fn uri(path: &str) -> String {
    format!("file://{path}")
}

impl Editor {
    /// Starts a server on files and greets it.
    pub fn start(files: &[(&str, &str)], capabilities: &Json) -> Editor {
        let files: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let (ours, theirs) = Connection::memory();
        // As much stack as the main thread of a process has.
        let thread = std::thread::Builder::new().stack_size(8 << 20);
        let server = thread.spawn(move || {
            let settings = Settings {
                registry: llmp_exec::registry(),
                desk: Box::new(Shelf(files)),
                codes: llmp_exec::codes(),
                version: "test",
            };
            llmp_lsp::serve(&theirs, settings)
        });
        let server = server.unwrap();
        let mut editor = Editor {
            connection: ours,
            server: Some(server),
            number: 0,
            version: 0,
            inbox: Vec::new(),
            texts: BTreeMap::new(),
            capabilities: Json::Null,
            utf16: true,
        };
        let params = json!({ "processId": null, "rootUri": null, "capabilities": capabilities });
        editor.capabilities = editor.ask("initialize", params).unwrap()["capabilities"].clone();
        editor.utf16 = editor.capabilities["positionEncoding"] == "utf-16";
        editor.tell("initialized", json!({}));
        editor
    }

    /// Sends a notification.
    pub fn tell(&self, method: &str, params: Json) {
        self.connection.sender.send(Notification::new(method.to_owned(), params).into()).unwrap();
    }

    /// Sends a request; gives its number.
    pub fn send(&mut self, method: &str, params: Json) -> i32 {
        self.number += 1;
        self.connection
            .sender
            .send(Request::new(self.number.into(), method.to_owned(), params).into())
            .unwrap();
        self.number
    }

    /// Waits for the answer to a request.
    pub fn wait(&mut self, number: i32) -> Result<Json, (i32, String)> {
        loop {
            match self.connection.receiver.recv_timeout(PATIENCE).expect("an answer in time") {
                Message::Response(response) if response.id == number.into() => {
                    return response.response_result.map_err(|error| (error.code, error.message));
                }
                Message::Response(_) => {}
                Message::Notification(notification) => self.inbox.push(notification),
                Message::Request(request) => {
                    self.connection.sender.send(Response::new_ok(request.id, Json::Null).into()).unwrap();
                }
            }
        }
    }

    /// A request with its answer.
    pub fn ask(&mut self, method: &str, params: Json) -> Result<Json, (i32, String)> {
        let number = self.send(method, params);
        self.wait(number)
    }

    /// Waits for a notification that fits.
    pub fn told(&mut self, method: &str, fits: impl Fn(&Json) -> bool) -> Json {
        loop {
            if let Some(at) = self.inbox.iter().position(|n| n.method == method && fits(&n.params)) {
                return self.inbox.remove(at).params;
            }
            match self.connection.receiver.recv_timeout(PATIENCE).expect("a notification in time") {
                Message::Notification(notification) => self.inbox.push(notification),
                Message::Request(request) => {
                    self.connection.sender.send(Response::new_ok(request.id, Json::Null).into()).unwrap();
                }
                Message::Response(_) => {}
            }
        }
    }

    /// Opens a document.
    pub fn open(&mut self, path: &str, text: &str) {
        self.version += 1;
        self.texts.insert(path.to_owned(), text.to_owned());
        let item = json!({ "uri": uri(path), "languageId": "llmp", "version": self.version, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": item }));
    }

    /// The place of an offset as the client counts.
    pub fn position(&self, path: &str, offset: usize) -> Json {
        let text = &self.texts[path];
        let (mut line, mut column) = (0, 0);
        let mut chars = text[..offset].chars().peekable();
        while let Some(c) = chars.next() {
            let pair = c == '\r'
                && (chars.peek() == Some(&'\n')
                    || (chars.peek().is_none() && text[offset..].starts_with('\n')));
            if c == '\n' || (c == '\r' && !pair) {
                (line, column) = (line + 1, 0);
            } else {
                column += if self.utf16 { c.len_utf16() } else { c.len_utf8() };
            }
        }
        json!({ "line": line, "character": column })
    }

    /// The offset of a place.
    pub fn offset(&self, path: &str, place: &Json) -> usize {
        let text = &self.texts[path];
        let wanted = (place["line"].as_u64().unwrap(), place["character"].as_u64().unwrap());
        let offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        offsets
            .into_iter()
            .find(|at| {
                let here = self.position(path, *at);
                (here["line"].as_u64().unwrap(), here["character"].as_u64().unwrap()) >= wanted
            })
            .unwrap_or(text.len())
    }

    /// Replaces a range of a document, as typing does.
    pub fn edit(&mut self, path: &str, start: usize, end: usize, text: &str) {
        let range = json!({ "start": self.position(path, start), "end": self.position(path, end) });
        self.texts.get_mut(path).unwrap().replace_range(start..end, text);
        self.changed(path, json!([{ "range": range, "text": text }]));
    }

    fn changed(&mut self, path: &str, changes: Json) {
        self.version += 1;
        let document = json!({ "uri": uri(path), "version": self.version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// Diagnostics of a document, asked for.
    pub fn diagnostics(&mut self, path: &str) -> Vec<Json> {
        let report =
            self.ask("textDocument/diagnostic", json!({ "textDocument": { "uri": uri(path) } })).unwrap();
        report["items"].as_array().unwrap().clone()
    }

    /// A request about a place of a document.
    pub fn at(&mut self, method: &str, path: &str, offset: usize) -> Json {
        let position = self.position(path, offset);
        self.ask(method, json!({ "textDocument": { "uri": uri(path) }, "position": position })).unwrap()
    }

    /// A request about a whole document.
    pub fn of(&mut self, method: &str, path: &str) -> Json {
        self.ask(method, json!({ "textDocument": { "uri": uri(path) } })).unwrap()
    }

    /// Applies edits of the server to open documents, from the last to the first, and tells it.
    pub fn apply(&mut self, edit: &Json) {
        let mut by_path: Vec<(String, Vec<Json>)> = Vec::new();
        for change in edit["documentChanges"].as_array().into_iter().flatten() {
            let path =
                change["textDocument"]["uri"].as_str().unwrap().trim_start_matches("file://").to_owned();
            by_path.push((path, change["edits"].as_array().unwrap().clone()));
        }
        for (uri, edits) in edit["changes"].as_object().into_iter().flatten() {
            by_path.push((uri.trim_start_matches("file://").to_owned(), edits.as_array().unwrap().clone()));
        }
        for (path, edits) in by_path {
            self.apply_to(&path, &edits);
        }
    }

    /// Applies text edits to one open document.
    pub fn apply_to(&mut self, path: &str, edits: &[Json]) {
        let place = |e: &Json| {
            (
                self.offset(path, &e["range"]["start"]),
                self.offset(path, &e["range"]["end"]),
                e["newText"].as_str().unwrap().to_owned(),
            )
        };
        let mut edits: Vec<(usize, usize, String)> = edits.iter().map(place).collect();
        edits.sort();
        for (start, end, text) in edits.into_iter().rev() {
            self.edit(path, start, end, &text);
        }
    }

    /// The text that the server has.
    pub fn server_text(&mut self, path: &str) -> String {
        self.of("llmp/text", path).as_str().unwrap().to_owned()
    }

    /// Says goodbye; whether the server ended as it should.
    pub fn stop(mut self) -> bool {
        self.ask("shutdown", Json::Null).unwrap();
        self.tell("exit", Json::Null);
        self.server.take().is_some_and(|server| server.join().unwrap())
    }
}
