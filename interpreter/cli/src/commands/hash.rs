//! `llmp hash FILE`: the plan hash, equal for programs that do the same.

use serde_json::json;

use crate::Exit;
use crate::args::{Color, Format, Hash};
use crate::load;
use crate::output;

pub(crate) fn hash(args: &Hash, color: Color) -> Exit {
    let mut objects = Vec::new();
    for file in &args.files {
        let Some(planned) = load::plan(file, &args.reading, color) else { return Exit::Failed };
        let hash = planned.plan.hash();
        match (args.format, args.files.len()) {
            (Format::Json, _) => objects.push(json!({ "file": file.to_string_lossy(), "hash": hash })),
            (Format::Human, 1) => output::print(&format!("{hash}\n")),
            (Format::Human, _) => output::print(&format!("{hash}  {}\n", file.display())),
        }
    }
    if args.format == Format::Json {
        output::print(&format!("{:#}\n", serde_json::Value::Array(objects)));
    }
    Exit::Clean
}
