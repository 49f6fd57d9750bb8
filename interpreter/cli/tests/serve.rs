//! `llmp serve` over its socket: the page and the language server for the page itself, nothing for anybody else.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// A server on a free port; ends with the test.
struct Served {
    child: Child,
    host: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(args: &[&str]) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_llmp"))
            .args([&["serve", "--port", "0"], args].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let host = line.trim().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        assert!(host.starts_with("127.0.0.1:"), "{host}");
        Served { child, host }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends a head and a body as they are; the whole answer.
    fn raw(&self, text: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str, headers: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.host))
    }

    fn post(&self, session: &str, origin: &str, messages: &Value) -> String {
        let body = messages.to_string();
        self.raw(&format!(
            "POST /messages?session={session} HTTP/1.1\r\nHost: {}\r\n{origin}Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        ))
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

#[test]
fn the_page_gets_its_parts_and_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.llmp");
    std::fs::write(&file, "llmp 1\n").unwrap();
    let served = Served::start(&[file.to_str().unwrap()]);
    for path in ["/", "/style.css", "/editor.js", "/LICENSES.txt"] {
        let answer = served.get(path, "Sec-Fetch-Site: same-origin\r\n");
        assert_eq!(status(&answer), "200", "{path}");
        assert!(answer.contains("Content-Security-Policy: default-src 'none'"), "{path}");
    }
    let page = served.get("/", "");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing is loaded from elsewhere");
    let program = served.get("/program", "");
    let program: Value = serde_json::from_str(program.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(program["text"], "llmp 1\n");
    assert!(program["uri"].as_str().unwrap().ends_with("/a%20b.llmp"), "{program}");
    assert_eq!(status(&served.get("/etc/passwd", "")), "404");
}

#[test]
fn no_other_page_is_answered() {
    let served = Served::start(&[]);
    let host = &served.host;
    for head in [
        format!("GET /program HTTP/1.1\r\nHost: evil.example:{}\r\n\r\n", host.split(':').nth(1).unwrap()),
        format!("GET /program HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\n"),
        format!("GET /program HTTP/1.1\r\nHost: {host}\r\nOrigin: null\r\n\r\n"),
        format!("GET /program HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
        format!("GET /events HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: same-site\r\n\r\n"),
        format!("GET /program HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n"),
        "GET /program HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        assert_eq!(status(&served.raw(&head)), "403", "{head}");
    }
    assert_eq!(status(&served.post("1", "", &json!([]))), "403", "a post says where it comes from");
    assert_eq!(status(&served.post("1", "Origin: http://127.0.0.1:1\r\n", &json!([]))), "403");
    assert_eq!(status(&served.raw("nonsense\r\n\r\n")), "400");
    let long = format!("GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999\r\n\r\n");
    assert_eq!(status(&served.raw(&long)), "400");
}

#[test]
fn a_page_speaks_with_a_server_of_its_own() {
    let served = Served::start(&[]);
    let mut stream = served.connect();
    write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", served.host).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let session = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    let origin = format!("Origin: http://{}\r\n", served.host);
    let text = "llmp 1\n\nmodel tiny { layrs = 4 }\n";
    let document = json!({ "uri": "file:///a.llmp", "languageId": "llmp", "version": 1, "text": text });
    let messages = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "capabilities": {} } },
        { "jsonrpc": "2.0", "method": "initialized", "params": {} },
        { "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": { "textDocument": document } },
    ]);
    assert_eq!(status(&served.post(&session, &origin, &messages)), "200");
    let mut told = lines.filter_map(|line| {
        line.strip_prefix("data: ").map(|json| serde_json::from_str::<Value>(json).unwrap())
    });
    let first = told.next().unwrap();
    assert_eq!((&first["id"], &first["jsonrpc"]), (&json!(1), &json!("2.0")));
    assert_eq!(first["result"]["capabilities"]["hoverProvider"], true);
    let said = told.find(|one| one["method"] == "textDocument/publishDiagnostics").unwrap();
    assert!(said["params"]["diagnostics"].to_string().contains("layrs"), "{said}");
    assert_eq!(status(&served.post("77", &origin, &json!([]))), "400", "another session is not there");
    assert_eq!(status(&served.post(&session, &origin, &json!("no list"))), "400");
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_llmp")).args(["serve", "missing.llmp"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing.llmp"));
}
