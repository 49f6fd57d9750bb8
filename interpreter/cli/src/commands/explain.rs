//! `llmp explain CODE`: why a diagnostic exists, with a failing and a fixed example.

use llmp_grammar::Info;
use llmp_stdlib::docs::undent;

use crate::Exit;
use crate::args::{Explain, Format};
use crate::load::codes;
use crate::output;

pub(crate) fn explain(args: &Explain) -> Exit {
    let all = codes();
    let json = args.format == Format::Json;
    let object = |info: &Info| {
        serde_json::json!({
            "code": info.code, "name": info.name, "severity": info.severity.word(), "doc": undent(info.doc),
            "examples": info.examples(),
        })
    };
    let Some(code) = &args.code else {
        if json {
            let list: Vec<_> = all.iter().map(|info| object(info)).collect();
            output::print(&format!("{:#}\n", serde_json::Value::Array(list)));
            return Exit::Clean;
        }
        for info in &all {
            let summary = undent(info.doc);
            output::print(&format!(
                "{}  {:<8} {}\n",
                info.code,
                info.severity.word(),
                summary.lines().next().unwrap_or("")
            ));
        }
        return Exit::Clean;
    };
    let wanted = code.to_ascii_uppercase();
    let full = if wanted.starts_with("LLMP") { wanted } else { format!("LLMP{wanted}") };
    match all.iter().find(|info| info.code == full) {
        Some(info) if json => {
            output::print(&format!("{:#}\n", serde_json::json!([object(info)])));
            Exit::Clean
        }
        Some(info) => {
            output::print(&format!(
                "# {} {} ({})\n\n{}",
                info.code,
                info.name,
                info.severity.word(),
                undent(info.doc)
            ));
            Exit::Clean
        }
        None => {
            let near = llmp_grammar::nearest(&full, all.iter().map(|info| info.code));
            let hint = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            output::note(&format!("error: no code is called `{code}`{hint}"));
            Exit::Usage
        }
    }
}
