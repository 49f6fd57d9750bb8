//! A language server for each page that is open: its messages go out as events, those of the page come in posts.

use std::collections::BTreeMap;
use std::io::{Result, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lsp_server::{Connection, Message};

use super::http;
use crate::commands::lsp;

/// How often a quiet page is looked after: one that has gone is noticed by then.
const PULSE: Duration = Duration::from_secs(5);

/// Pages that are open, by the number of their session.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    number: u64,
    /// The page's end of its connection.
    pages: BTreeMap<String, Arc<Connection>>,
}

impl Sessions {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a server, sends what it says, and ends it when the page has gone.
    pub(super) fn events(&self, mut stream: TcpStream) -> Result<()> {
        let (ours, page) = Connection::memory();
        std::thread::spawn(move || llmp_lsp::serve(&ours, lsp::settings()));
        let page = Arc::new(page);
        let name = {
            let mut open = self.open();
            open.number += 1;
            let name = open.number.to_string();
            open.pages.insert(name.clone(), Arc::clone(&page));
            name
        };
        let ended = forward(&mut stream, &name, &page);
        // Without the page's end the server has nobody to listen to, and ends.
        self.open().pages.remove(&name);
        ended
    }

    /// Takes messages of a page, in order. Errors: why they cannot be taken, in words.
    pub(super) fn take(&self, session: &str, body: &[u8]) -> std::result::Result<(), String> {
        let messages: Vec<Message> =
            serde_json::from_slice(body).map_err(|error| format!("not a list of messages: {error}"))?;
        let open = self.open();
        let page = open.pages.get(session).ok_or("there is no such session: reload the page")?;
        for message in messages {
            page.sender.send(message).map_err(|_| "the language server has ended: reload the page")?;
        }
        Ok(())
    }
}

fn forward(stream: &mut TcpStream, name: &str, page: &Connection) -> Result<()> {
    let head = http::start(200, "text/event-stream");
    write!(stream, "{head}Connection: close\r\n\r\nevent: session\ndata: {name}\n\n")?;
    loop {
        match page.receiver.recv_timeout(PULSE) {
            Ok(message) => {
                let mut json = serde_json::to_value(&message)?;
                json["jsonrpc"] = "2.0".into();
                write!(stream, "data: {json}\n\n")?;
            }
            Err(error) if error.is_timeout() => write!(stream, ":\n\n")?,
            Err(_) => return Ok(()),
        }
        stream.flush()?;
    }
}
