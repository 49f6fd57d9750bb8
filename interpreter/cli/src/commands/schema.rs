//! `llmp schema`: JSON Schemas of the plan and of the kinds.

use llmp_stdlib::schema as schemas;
use serde_json::{Map, json};

use crate::Exit;
use crate::args::Schema;
use crate::output;

pub(crate) fn schema(args: &Schema) -> Exit {
    let registry = llmp_exec::registry();
    let value = match args.name.as_deref() {
        Some("plan") => schemas::plan(),
        Some(name) => match registry.kind(name) {
            Some(kind) => schemas::kind(kind, &registry),
            None => {
                let names = registry.all_kinds().map(|k| k.signature.name).chain(["plan"]);
                let near = llmp_grammar::nearest(name, names);
                let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                output::note(&format!("error: there is no kind `{name}`{hint}"));
                return Exit::Usage;
            }
        },
        None => {
            let kinds: Map<_, _> = registry
                .all_kinds()
                .map(|k| (k.signature.name.to_owned(), schemas::kind(k, &registry)))
                .collect();
            json!({ "plan": schemas::plan(), "kinds": kinds })
        }
    };
    output::print(&format!("{value:#}\n"));
    Exit::Clean
}
