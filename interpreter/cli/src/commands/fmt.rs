//! `llmp fmt`: the one layout.

use std::io::Read;
use std::path::Path;

use llmp_grammar::{Sources, render};

use crate::Exit;
use crate::args::{Color, Fmt, Format};
use crate::output;

pub(crate) fn fmt(args: &Fmt, color: Color) -> Exit {
    let mut exit = Exit::Clean;
    let mut objects = Vec::new();
    for path in &args.files {
        let outcome = if path.as_os_str() == "-" { standard_input() } else { one(path, args.check) };
        match outcome {
            Ok(changed) => {
                objects.push(serde_json::json!({ "file": path, "changed": changed }));
                if changed && args.check {
                    exit = Exit::Failed;
                    if args.format == Format::Human {
                        output::print(&format!("{}\n", path.display()));
                    }
                }
            }
            Err(Trouble::Io(text)) => {
                output::note(&format!("error: {text}"));
                exit = Exit::Failed;
            }
            Err(Trouble::Diag(diag, text)) => {
                let mut sources = Sources::default();
                sources.add(path.display().to_string(), text);
                output::note(&render::terminal(&[*diag], &sources, output::colored(color)));
                exit = Exit::Failed;
            }
        }
    }
    if args.format == Format::Json {
        output::print(&format!("{:#}\n", serde_json::Value::Array(objects)));
    }
    exit
}

enum Trouble {
    Io(String),
    Diag(Box<llmp_grammar::Diag>, String),
}

fn formatted(text: &str) -> Result<String, Trouble> {
    llmp_grammar::format(text).map_err(|diag| Trouble::Diag(Box::new(diag), text.to_owned()))
}

fn standard_input() -> Result<bool, Trouble> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| Trouble::Io(format!("standard input: {e}")))?;
    output::print(&formatted(&text)?);
    Ok(false)
}

/// Whether the file was not in the one layout; with `check` it stays as it is.
fn one(path: &Path, check: bool) -> Result<bool, Trouble> {
    let io = |e: std::io::Error| Trouble::Io(format!("{}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(io)?;
    let new = formatted(&text)?;
    if new == text || check {
        return Ok(new != text);
    }
    llmp_exec::durable::write(path, new.as_bytes(), &llmp_exec::durable::no_hook)
        .map_err(|failure| Trouble::Io(failure.to_string()))?;
    Ok(true)
}
