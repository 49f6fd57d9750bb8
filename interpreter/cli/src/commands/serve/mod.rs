//! `llmp serve`: a page with an editor, on this machine only; what it knows comes from the language server.

mod http;
mod session;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::Exit;
use crate::args::Serve;
use crate::output;
use http::{Reply, Request};
use session::Sessions;

/// The parts of the page: `playground/build.sh` makes the script.
const PAGE: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("../../../playground/page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../../../playground/page/style.css")),
    ("/editor.js", "text/javascript; charset=utf-8", include_str!("../../../playground/page/editor.js")),
    ("/LICENSES.txt", "text/plain; charset=utf-8", include_str!("../../../playground/page/LICENSES.txt")),
];

/// What the page shows when no file is named.
const EXAMPLE: &str = include_str!("../new.llmp");

/// What the connections share.
struct Desk {
    port: u16,
    /// The file that is shown.
    file: Option<PathBuf>,
    sessions: Sessions,
}

pub(crate) fn serve(args: &Serve) -> Exit {
    let file = match args.file.as_ref().map(|path| (path, path.canonicalize())) {
        None => None,
        Some((_, Ok(path))) => Some(path),
        Some((path, Err(error))) => {
            output::note(&format!("error: cannot read {}: {error}", path.display()));
            return Exit::Usage;
        }
    };
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .and_then(|listener| listener.local_addr().map(|at| (listener, at.port())));
    let (listener, port) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            output::note(&format!(
                "error: port {} cannot be had: {error}; `--port 0` takes a free one",
                args.port
            ));
            return Exit::Failed;
        }
    };
    if let Err(error) = ctrlc::set_handler(|| std::process::exit(0)) {
        output::note(&format!("note: Ctrl-C ends at once ({error})"));
    }
    output::print(&format!("http://127.0.0.1:{port}/\n"));
    output::note("open this address in a browser; nothing is written to the disk; Ctrl-C ends");
    let desk = Arc::new(Desk { port, file, sessions: Sessions::default() });
    for stream in listener.incoming().flatten() {
        let desk = Arc::clone(&desk);
        // A connection that breaks is the browser's affair.
        std::thread::spawn(move || desk.connection(stream));
    }
    Exit::Failed
}

impl Desk {
    /// Answers the one request of a connection.
    fn connection(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let reply = match http::read(&mut stream)? {
            Err(words) => Reply::refused(400, words),
            Ok(request) if !self.is_ours(&request) => {
                Reply::refused(403, "only the page of this program may ask")
            }
            Ok(request) if request.is("GET", "/events") => return self.sessions.events(stream),
            Ok(request) => self.answer(&request),
        };
        reply.write(&mut stream)
    }

    /// Whether a request comes from our page, or from a person who types its address. A name that was pointed at this
    /// machine is not ours, and no other page may post or read.
    fn is_ours(&self, request: &Request) -> bool {
        let hosts = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        let host = request.header("host").is_some_and(|host| hosts.iter().any(|ours| ours == host));
        let same = |origin: &str| hosts.iter().any(|ours| origin.strip_prefix("http://") == Some(ours));
        let origin = match request.header("origin") {
            Some(origin) => same(origin),
            None => request.method == "GET",
        };
        let site = request.header("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
        host && origin && site
    }

    fn answer(&self, request: &Request) -> Reply {
        if request.is("POST", "/messages") {
            let known = self.sessions.take(request.query("session").unwrap_or_default(), &request.body);
            return known.map_or_else(|words| Reply::refused(400, words), |()| Reply::new("text/plain", ""));
        }
        if request.is("GET", "/program") {
            return match self.program() {
                Ok(program) => Reply::new("application/json", program.to_string()),
                Err(error) => Reply::refused(500, format!("the program cannot be read: {error}")),
            };
        }
        let part = PAGE.iter().find(|(path, _, _)| request.is("GET", path));
        part.map_or_else(
            || Reply::refused(404, "there is no such page"),
            |(_, kind, text)| Reply::new(kind, *text),
        )
    }

    /// The program that is shown, with its address.
    fn program(&self) -> std::io::Result<Json> {
        let Some(path) = &self.file else {
            return Ok(json!({ "name": "example.llmp", "uri": "file:///example.llmp", "text": EXAMPLE }));
        };
        let text = std::fs::read_to_string(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let uri = llmp_lsp::uri_of(&path.to_string_lossy().replace('\\', "/"));
        Ok(json!({ "name": name, "uri": uri, "text": text }))
    }
}
