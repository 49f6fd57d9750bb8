//! One running copy of a program: a line in, a line out.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of standard error that are kept for messages: the last ones.
const KEPT: usize = 4 << 10;
/// The longest answer; a program that writes more on one line has gone wild.
const LONGEST: u64 = 1 << 30;
/// How long a program may take to end once its input has ended, in tenths of a second.
const ENDING: u32 = 100;

#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<Vec<u8>>,
    errors: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts a program in a folder. Errors: it is not there or may not run, in words.
    pub(super) fn start(command: &[String], folder: &Path) -> Result<Program, String> {
        let (name, arguments) = command.split_first().ok_or("no program is named")?;
        let mut child = Command::new(name)
            .args(arguments)
            .current_dir(folder)
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("`{name}` cannot be started: {e}"))?;
        let (input, output, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // One answer is read ahead at most: the program waits, not the memory.
        let (send, answers) = sync_channel(1);
        if let Some(output) = output {
            std::thread::spawn(move || {
                let mut output = BufReader::new(output);
                loop {
                    let mut line = Vec::new();
                    let read = output.by_ref().take(LONGEST).read_until(b'\n', &mut line);
                    if !matches!(read, Ok(n) if n > 0) || send.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let errors = Arc::new(Mutex::new(Vec::new()));
        let kept = errors.clone();
        let listener = said.map(|mut said| {
            std::thread::spawn(move || {
                let mut piece = [0; 1024];
                while let Ok(read @ 1..) = said.read(&mut piece) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(&piece[..read]);
                    let over = kept.len().saturating_sub(KEPT);
                    kept.drain(..over);
                }
            })
        });
        Ok(Program { child, input, answers, errors, listener })
    }

    /// Gives the program a line and waits for its answer. Errors: in words; the program is then to be ended.
    pub(super) fn ask(&mut self, line: &[u8], timeout: Duration) -> Result<Vec<u8>, String> {
        let input = self.input.as_mut().ok_or("has no input any more")?;
        // A program that has ended breaks the pipe: what it said at its end is the message.
        let written =
            input.write_all(line).and_then(|()| input.write_all(b"\n")).and_then(|()| input.flush());
        match self.answers.recv_timeout(timeout) {
            Ok(answer) => match written {
                Ok(()) => Ok(answer),
                Err(e) => Err(format!("takes no input: {e}")),
            },
            Err(RecvTimeoutError::Timeout) => {
                let seconds = timeout.as_secs_f64();
                Err(format!("no answer within {seconds} s (does the program write out each line at once?)"))
            }
            Err(RecvTimeoutError::Disconnected) => Err("it ended without an answer".to_owned()),
        }
    }

    /// Ends the program: its input is closed, and after some seconds (`now`: at once, unless it has ended by itself) it is killed.
    ///
    /// Errors: an exit status other than 0, with what the program said, to be put behind other words.
    pub(super) fn end(mut self, now: bool) -> Result<(), String> {
        drop(self.input.take());
        let mut status = None;
        for wait in 0..if now { 5 } else { ENDING } {
            status = self.child.try_wait().ok().flatten();
            if status.is_some() {
                break;
            }
            // The first looks are quick ones.
            std::thread::sleep(Duration::from_millis(if wait < 10 { 10 } else { 100 }));
        }
        let killed = status.is_none();
        if killed {
            // It can only fail when the program has just ended.
            let _ = self.child.kill();
            status = self.child.wait().ok();
        }
        if let Some(listener) = self.listener.take().filter(|_| !killed) {
            let _ = listener.join();
        }
        let said = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let ending = match status {
            _ if killed && now => String::new(),
            _ if killed => "; it did not end when its input ended".to_owned(),
            Some(status) if status.success() => return Ok(()),
            Some(status) => format!("; {status}"),
            None => String::new(),
        };
        let said = if said.is_empty() { String::new() } else { format!("; it said:\n{said}") };
        Err(format!("{ending}{said}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.input.take());
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
