//! The loop: messages in order, edits at once, diagnostics when nothing waits.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use llmp_grammar::Info;
use llmp_interpreter::ide::lines::Encoding;
use llmp_stdlib::Registry;
use lsp_server::{Connection, Message, Notification, Request, RequestId, Response, ResponseError};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::documents::{Change, Document};
use crate::wire::{Failure, path_of};
use crate::world::{Client, Desk, World};
use crate::{diagnostics, requests};

/// What the server is given.
pub struct Settings {
    /// Everything that a program can name.
    pub registry: Registry,
    /// The outside.
    pub desk: Box<dyn Desk>,
    /// Every code with its documentation.
    pub codes: Vec<&'static Info>,
    /// The version that is told to the client.
    pub version: &'static str,
}

/// Serves a client until it goes. True if it went as it should: `shutdown`, then `exit`.
pub fn serve(connection: &Connection, settings: Settings) -> bool {
    let version = settings.version;
    let Ok((id, params)) = connection.initialize_start() else { return false };
    let mut server = Server {
        connection,
        world: World::new(settings),
        queue: VecDeque::new(),
        cancelled: BTreeSet::new(),
        dirty: BTreeSet::new(),
        number: 0,
    };
    server.initialize(&params);
    let capabilities = server.capabilities();
    let info = json!({ "name": "llmp", "version": version });
    server.send(Response::new_ok(id, json!({ "capabilities": capabilities, "serverInfo": info })).into());
    server.run()
}

struct Server<'c> {
    connection: &'c Connection,
    world: World,
    queue: VecDeque<Message>,
    cancelled: BTreeSet<RequestId>,
    /// Documents whose diagnostics are to be published.
    dirty: BTreeSet<String>,
    /// Requests sent.
    number: i32,
}

impl Server<'_> {
    fn initialize(&mut self, params: &Json) {
        let of = |path: &str| params.pointer(&format!("/capabilities/{path}"));
        let on = |path: &str| of(path).and_then(Json::as_bool).unwrap_or(false);
        let offered = of("general/positionEncodings").and_then(Json::as_array);
        let offers = |name: &str| offered.is_some_and(|all| all.iter().any(|one| one == name));
        self.world.encoding = match (offers("utf-8"), offers("utf-32") && !offers("utf-16")) {
            (true, _) => Encoding::Utf8,
            (false, true) => Encoding::Utf32,
            (false, false) => Encoding::Utf16,
        };
        self.world.client = Client {
            pulls: of("textDocument/diagnostic").is_some(),
            refreshes: on("workspace/diagnostics/refreshSupport"),
            snippets: on("textDocument/completion/completionItem/snippetSupport"),
            document_changes: on("workspace/workspaceEdit/documentChanges"),
            links: on("textDocument/definition/linkSupport"),
            watches: on("workspace/didChangeWatchedFiles/dynamicRegistration"),
            tree: on("textDocument/documentSymbol/hierarchicalDocumentSymbolSupport"),
        };
        let folders = params["workspaceFolders"].as_array();
        let folders = folders.into_iter().flatten().filter_map(|folder| folder["uri"].as_str());
        let mut roots: Vec<String> = folders.map(path_of).collect();
        if roots.is_empty() {
            roots.extend(params["rootUri"].as_str().map(path_of));
        }
        self.world.roots = roots.iter().map(|root| root.trim_end_matches('/').to_owned()).collect();
    }

    fn capabilities(&self) -> Json {
        let encoding = match self.world.encoding {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16 => "utf-16",
            Encoding::Utf32 => "utf-32",
        };
        let renames = json!({ "filters": [{ "scheme": "file", "pattern": { "glob": "**/*.llmp" } }] });
        let mut all = json!({
            "positionEncoding": encoding,
            "textDocumentSync": { "openClose": true, "change": 2, "save": { "includeText": false } },
            "hoverProvider": true,
            "definitionProvider": true,
            "declarationProvider": true,
            "typeDefinitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "renameProvider": { "prepareProvider": true },
            "completionProvider": {
                "triggerCharacters": [".", ">", "\"", "/", "@", "=", " "], "resolveProvider": true,
            },
            "signatureHelpProvider": { "triggerCharacters": ["(", ","], "retriggerCharacters": ["="] },
            "inlayHintProvider": true,
            "semanticTokensProvider": { "legend": requests::legend(), "full": { "delta": true }, "range": true },
            "documentSymbolProvider": true,
            "workspaceSymbolProvider": true,
            "foldingRangeProvider": true,
            "selectionRangeProvider": true,
            "codeActionProvider": {
                "codeActionKinds": ["quickfix", "refactor.extract", "source.fixAll.llmp", "source.organizeImports"],
            },
            "documentFormattingProvider": true,
            "documentRangeFormattingProvider": true,
            "documentOnTypeFormattingProvider": { "firstTriggerCharacter": "}", "moreTriggerCharacter": ["\n"] },
            "codeLensProvider": { "resolveProvider": false },
            "documentLinkProvider": { "resolveProvider": false },
            "callHierarchyProvider": true,
            "executeCommandProvider": { "commands": requests::COMMANDS },
            "workspace": {
                "workspaceFolders": { "supported": true, "changeNotifications": true },
                "fileOperations": { "willRename": renames },
            },
        });
        if self.world.client.pulls {
            all["diagnosticProvider"] =
                json!({ "identifier": "llmp", "interFileDependencies": true, "workspaceDiagnostics": false });
        }
        all
    }

    fn run(&mut self) -> bool {
        let mut leaving = false;
        loop {
            while let Ok(message) = self.connection.receiver.try_recv() {
                self.arrive(message);
            }
            let message = match self.queue.pop_front() {
                Some(message) => message,
                None if !self.dirty.is_empty() => {
                    self.publish();
                    continue;
                }
                None => {
                    self.world.rest();
                    match self.connection.receiver.recv() {
                        Ok(message) => {
                            self.arrive(message);
                            continue;
                        }
                        Err(_) => return false,
                    }
                }
            };
            match message {
                Message::Request(request) if request.method == "shutdown" => {
                    leaving = true;
                    self.send(Response::new_ok(request.id, Json::Null).into());
                }
                Message::Request(request) if leaving => {
                    let failure = Failure { code: -32600, message: "the server is shutting down".into() };
                    self.answer(request.id, Err(failure));
                }
                Message::Request(request) => self.request(request),
                Message::Notification(notification) if notification.method == "exit" => return leaving,
                Message::Notification(notification) => self.notification(notification),
                Message::Response(_) => {}
            }
        }
    }

    /// A message goes to the end of the queue; a request that is taken back is remembered at once.
    fn arrive(&mut self, message: Message) {
        if let Message::Notification(notification) = &message
            && notification.method == "$/cancelRequest"
        {
            let id = &notification.params["id"];
            let number = id.as_i64().and_then(|n| i32::try_from(n).ok()).map(RequestId::from);
            let id = number.or_else(|| id.as_str().map(|text| RequestId::from(text.to_owned())));
            let waits = |id: &RequestId| {
                self.queue.iter().any(|m| matches!(m, Message::Request(request) if request.id == *id))
            };
            self.cancelled.extend(id.filter(waits));
            return;
        }
        self.queue.push_back(message);
    }

    fn request(&mut self, request: Request) {
        let Request { id, method, params } = request;
        if self.cancelled.remove(&id) {
            return self
                .answer(id, Err(Failure { code: -32800, message: "taken back by the client".into() }));
        }
        let world = &mut self.world;
        let outcome = catch_unwind(AssertUnwindSafe(|| requests::answer(world, &method, params)));
        let outcome = outcome.unwrap_or_else(|_| {
            self.trouble(&method);
            Err(Failure { code: -32603, message: format!("LLMP0999: internal error in {method}") })
        });
        self.answer(id, outcome);
    }

    fn answer(&self, id: RequestId, outcome: Result<Json, Failure>) {
        let response_result = outcome.map_err(|failure| ResponseError {
            code: failure.code,
            message: failure.message,
            data: None,
        });
        self.send(Response { id, response_result }.into());
    }

    fn notification(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.told(&method, params)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => self.log(&format!("{method}: {}", failure.message)),
            Err(_) => self.trouble(&method),
        }
    }

    fn told(&mut self, method: &str, params: Json) -> Result<(), Failure> {
        match method {
            "initialized" => self.watch(),
            "textDocument/didOpen" => self.open(params)?,
            "textDocument/didChange" => self.change(params)?,
            "textDocument/didClose" => self.close(params)?,
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" | "workspace/didRenameFiles" => {
                self.world.epoch += 1;
                self.everything_is_dirty();
            }
            "workspace/didChangeWorkspaceFolders" => {
                let uris = |key: &str| -> Vec<String> {
                    let all = params.pointer(&format!("/event/{key}")).and_then(Json::as_array);
                    all.into_iter()
                        .flatten()
                        .filter_map(|folder| folder["uri"].as_str())
                        .map(path_of)
                        .collect()
                };
                let gone = uris("removed");
                self.world.roots.retain(|root| !gone.contains(root));
                self.world.roots.extend(uris("added"));
                self.world.epoch += 1;
                self.everything_is_dirty();
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, params: Json) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Item {
            uri: String,
            version: i64,
            text: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Open {
            text_document: Item,
        }
        let Item { uri, version, text } = serde_json::from_value::<Open>(params)?.text_document;
        let path = path_of(&uri);
        // What was looked at on the disk is looked at again only where the text is another.
        if self.world.desk.read(&path).as_deref() != Some(&text) {
            self.world.epoch += 1;
        }
        let revision = self.world.next_revision();
        self.world.documents.insert(path.clone(), Document::new(uri, text, version, revision));
        self.dirty_with(&path);
        Ok(())
    }

    fn change(&mut self, params: Json) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Versioned {
            uri: String,
            version: i64,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Changes {
            text_document: Versioned,
            content_changes: Vec<Change>,
        }
        let Changes { text_document, content_changes } = serde_json::from_value(params)?;
        let path = path_of(&text_document.uri);
        let (revision, encoding) = (self.world.next_revision(), self.world.encoding);
        let Some(document) = self.world.documents.get_mut(&path) else {
            return Err(Failure::failed(format!("{} is not open", text_document.uri)));
        };
        document.change(content_changes, encoding);
        document.version = text_document.version;
        document.revision = revision;
        self.dirty_with(&path);
        Ok(())
    }

    fn close(&mut self, params: Json) -> Result<(), Failure> {
        let of: crate::wire::Of = serde_json::from_value(params)?;
        let path = path_of(&of.text_document.uri);
        let published = !self.world.client.pulls;
        let uri = self.world.address(&path);
        self.world.documents.remove(&path);
        self.world.epoch += 1;
        self.world.forget();
        if published {
            self.world.published.remove(&path);
            self.tell("textDocument/publishDiagnostics", json!({ "uri": uri, "diagnostics": [] }));
            let stays = diagnostics::concerned(&mut self.world, "");
            let gone: Vec<String> =
                self.world.published.keys().filter(|path| !stays.contains(path)).cloned().collect();
            for path in gone {
                self.world.published.remove(&path);
                let uri = self.world.address(&path);
                self.tell("textDocument/publishDiagnostics", json!({ "uri": uri, "diagnostics": [] }));
            }
        }
        self.everything_is_dirty();
        Ok(())
    }

    /// A document and what belongs to it. The document comes first.
    fn dirty_with(&mut self, path: &str) {
        if self.world.client.pulls {
            return;
        }
        self.dirty.insert(format!("0{path}"));
        self.dirty.insert(format!("1{path}"));
    }

    fn everything_is_dirty(&mut self) {
        if self.world.client.pulls {
            if self.world.client.refreshes {
                self.ask("workspace/diagnostic/refresh", Json::Null);
            }
            return;
        }
        self.dirty.insert("1".to_owned());
    }

    /// Publishes one document, or finds out which others there are: those that belong to one, or all.
    fn publish(&mut self) {
        let Some(next) = self.dirty.pop_first() else { return };
        let outcome = catch_unwind(AssertUnwindSafe(|| match next.split_at(1) {
            ("1", path) => {
                let all = diagnostics::concerned(&mut self.world, path);
                self.dirty.extend(all.into_iter().map(|path| format!("2{path}")));
                None
            }
            (_, path) => diagnostics::push(&mut self.world, path),
        }));
        match outcome {
            Ok(Some(params)) => self.tell("textDocument/publishDiagnostics", params),
            Ok(None) => {}
            Err(_) => self.trouble("diagnostics"),
        }
    }

    fn watch(&mut self) {
        if self.world.client.watches {
            let watchers = json!([{ "globPattern": "**/*.llmp" }, { "globPattern": "**/llmp.lock" }]);
            let options = json!({ "watchers": watchers });
            let method = "workspace/didChangeWatchedFiles";
            let one = json!({ "id": "llmp-files", "method": method, "registerOptions": options });
            self.ask("client/registerCapability", json!({ "registrations": [one] }));
        }
    }

    fn ask(&mut self, method: &str, params: Json) {
        self.number += 1;
        self.send(Request::new(self.number.into(), method.to_owned(), params).into());
    }

    fn tell(&self, method: &str, params: Json) {
        self.send(Notification::new(method.to_owned(), params).into());
    }

    fn log(&self, message: &str) {
        self.tell("window/logMessage", json!({ "type": 2, "message": message }));
    }

    fn trouble(&self, method: &str) {
        let message = format!("LLMP0999: internal error in {method}; please report it with the program");
        self.tell("window/logMessage", json!({ "type": 1, "message": message }));
    }

    fn send(&self, message: Message) {
        // The client may have gone: the loop ends when nothing arrives any more.
        let _ = self.connection.sender.send(message);
    }
}
