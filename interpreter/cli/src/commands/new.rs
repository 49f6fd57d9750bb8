//! `llmp new FOLDER`: a commented first program and a place for texts.

use crate::Exit;
use crate::args::{Format, New};
use crate::output;

const PROGRAM: &str = include_str!("new.llmp");

pub(crate) fn new(args: &New) -> Exit {
    let main = args.folder.join("main.llmp");
    if main.exists() {
        output::note(&format!("error: {} exists already; nothing was changed", main.display()));
        return Exit::Failed;
    }
    let made =
        std::fs::create_dir_all(args.folder.join("books")).and_then(|()| std::fs::write(&main, PROGRAM));
    if let Err(error) = made {
        output::note(&format!("error: cannot make {}: {error}", args.folder.display()));
        return Exit::Failed;
    }
    if args.format == Format::Json {
        let books = args.folder.join("books");
        output::print(&format!("{:#}\n", serde_json::json!({ "made": [main, books] })));
        return Exit::Clean;
    }
    let folder = args.folder.display();
    output::print(&format!(
        "Made {folder}/main.llmp.\nPut texts into {folder}/books/, then: llmp run {folder}/main.llmp\n"
    ));
    Exit::Clean
}
