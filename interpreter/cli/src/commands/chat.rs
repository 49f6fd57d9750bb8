//! `llmp chat`: talk with a model folder in the terminal.

use std::io::{BufRead, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use llmp_exec::{Ended, Sampling, Session};

use crate::Exit;
use crate::args::Chat;
use crate::output;

const HELP: &str = "/system TEXT  a system prompt; the conversation begins again
/reset        forget the conversation
/help         this list
/exit         leave (also Ctrl-D)
Ctrl-C        ends an answer";

/// Raised by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);
/// Whether the model speaks; when it does not, how often Ctrl-C was pressed.
static SPEAKS: AtomicBool = AtomicBool::new(false);
static IDLE: AtomicU8 = AtomicU8::new(0);

pub(crate) fn chat(args: &Chat) -> Exit {
    let (max_tokens, temperature, seed) = (args.max_tokens, args.temperature, args.seed);
    let sampling =
        Sampling { max_tokens, temperature, seed, ..Sampling::default() }.among(args.top_k, args.top_p);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_secs());
    let opened = llmp_exec::open_chat(&args.model, now);
    let (folder, template, warning) = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            output::note(&format!("error[{}]: {failure}", failure.code));
            return Exit::Failed;
        }
    };
    if let Some(words) = warning {
        output::note(&format!("warning: {words}"));
    }
    let people = std::io::stdin().is_terminal();
    if people && let Err(error) = ctrlc::set_handler(interrupted) {
        output::note(&format!("warning: Ctrl-C ends the program: {error}"));
    }
    let mut session = Session::new(&folder, template);
    session.begin(args.system.clone());
    if people {
        output::note("Type a message; /help lists the commands.");
    }
    converse(&mut session, &sampling, people)
}

/// Reads messages until there are no more.
fn converse(session: &mut Session<'_>, sampling: &Sampling, people: bool) -> Exit {
    let mut exit = Exit::Clean;
    let mut lines = std::io::stdin().lock().lines();
    loop {
        if people {
            output::print("> ");
        }
        let line = match lines.next() {
            Some(Ok(line)) => line,
            Some(Err(error)) => {
                output::note(&format!("error: standard input: {error}"));
                return Exit::Failed;
            }
            None => {
                if people {
                    output::print("\n");
                }
                return exit;
            }
        };
        IDLE.store(0, Ordering::Relaxed);
        let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match command {
            "" => {}
            "/exit" | "/quit" | "/bye" => return exit,
            "/help" | "/?" => output::note(HELP),
            "/reset" | "/clear" => session.begin(session.system().map(str::to_owned)),
            "/system" if rest.trim().is_empty() => {
                output::note(session.system().unwrap_or("(no system prompt)"));
            }
            "/system" => session.begin(Some(rest.trim().to_owned())),
            other if people && other.starts_with('/') => {
                output::note(&format!("`{other}` is no command; /help lists them"));
            }
            _ => {
                if !answer(session, line.trim(), sampling) {
                    // Others may follow; the exit code tells that one was not answered.
                    exit = Exit::Failed;
                }
            }
        }
    }
}

/// Answers a message; whether it could.
fn answer(session: &mut Session<'_>, message: &str, sampling: &Sampling) -> bool {
    STOP.store(false, Ordering::Relaxed);
    SPEAKS.store(true, Ordering::Relaxed);
    let reply = session.say(message, sampling, &mut |text| {
        output::print(text);
        !STOP.load(Ordering::Relaxed)
    });
    SPEAKS.store(false, Ordering::Relaxed);
    match reply {
        Ok(reply) => {
            output::print("\n");
            if reply.forgotten > 0 {
                output::note(&format!("({} earlier turns no longer fit and are forgotten)", reply.forgotten));
            }
            if reply.ended == Ended::Long {
                output::note("(cut: --max-tokens, or the model's context, is reached)");
            }
            true
        }
        Err(error) => {
            output::note(&format!("error[{}]: {error}", error.code()));
            false
        }
    }
}

/// Ctrl-C ends an answer; twice without one, the program.
fn interrupted() {
    if SPEAKS.load(Ordering::Relaxed) {
        STOP.store(true, Ordering::Relaxed);
    } else if IDLE.fetch_add(1, Ordering::Relaxed) == 0 {
        output::note("\n(/exit, Ctrl-D or Ctrl-C once more leaves)");
    } else {
        std::process::exit(130);
    }
}
