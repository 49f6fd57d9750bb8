//! Commands: the plan as a drawing, and how a program is run.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::wire::{Answer, Failure, path_of};
use crate::world::World;

/// Commands that the server carries out.
pub(crate) const COMMANDS: [&str; 2] = ["llmp.showPlan", "llmp.run"];

/// Carries out a command.
pub(super) fn execute(world: &mut World, params: Json) -> Answer {
    #[derive(Deserialize)]
    struct Call {
        command: String,
        #[serde(default)]
        arguments: Vec<Json>,
    }
    let call: Call = serde_json::from_value(params)?;
    let text = |n: usize| call.arguments.get(n).and_then(Json::as_str).map(str::to_owned);
    let uri = text(0).ok_or_else(|| Failure::failed("which document? give its address"))?;
    match call.command.as_str() {
        "llmp.showPlan" => plan(world, &uri, text(1)),
        // Only the client has a terminal: it is told what to run.
        "llmp.run" => {
            let path = path_of(&uri);
            let target = world.target(&uri)?;
            let item = text(1);
            let variant = item.filter(|name| {
                let index = target.analysis.word_index(&world.registry);
                index
                    .symbols
                    .iter()
                    .any(|s| s.name == *name && s.sort == llmp_interpreter::ide::Sort::Variant)
            });
            let mut words = vec!["llmp".to_owned(), "run".to_owned(), path];
            words.extend(variant.into_iter().flat_map(|name| ["--variant".to_owned(), name]));
            Ok(json!({ "command": words }))
        }
        other => Err(Failure::failed(format!("the command `{other}` is not known"))),
    }
}

/// The plan of a program, or of one item, drawn, and what it costs.
fn plan(world: &mut World, uri: &str, item: Option<String>) -> Answer {
    let target = world.target(uri)?;
    if let Some(error) = target.analysis.diags.iter().find(|d| d.is_error()) {
        return Err(Failure::failed(format!("the program has errors: {}", error.message)));
    }
    let program = &target.analysis.program;
    let (plan, _) = match item.filter(|name| program.items.contains_key(name)) {
        Some(item) => llmp_interpreter::plan_items(program, &world.registry, &[item])
            .map_err(|unknown| Failure::failed(format!("no item is called `{}`", unknown.name)))?,
        None => llmp_interpreter::plan(program, &world.registry),
    };
    let graph = llmp_interpreter::graph(&plan, &world.registry);
    let estimates = llmp_interpreter::estimates(program, &world.registry, &plan);
    Ok(json!({
        "mermaid": graph.mermaid(),
        "svg": graph.svg(),
        "models": plan.models.iter().map(|(name, size)| named(name, size)).collect::<Vec<_>>(),
        "stages": plan.stages.iter().map(|(name, cost)| named(name, cost)).collect::<Vec<_>>(),
        "estimates": llmp_interpreter::estimates_text(&estimates),
    }))
}

/// A record with its name inside.
fn named(name: &str, of: &impl serde::Serialize) -> Json {
    let mut record = json!(of);
    record["name"] = json!(name);
    record
}
