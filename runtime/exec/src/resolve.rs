//! From tasks to definitions: canonical arguments and the content of every input, external files included.

use std::collections::BTreeMap;

use llmp_data::readers::{Roots, SourceFile};
use llmp_stdlib::hub::Named;
use llmp_stdlib::value::canonical_record;
use llmp_stdlib::{Port, Registry, Step, StepId, Value};

use crate::failure::Failure;
use crate::found;
use crate::store::files::Index;
use crate::store::{Definition, Input, Manifest, Member};
use crate::task::Task;

/// A finished result: where it lies and what it holds.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Folder in the store.
    pub folder: std::path::PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Finished {
    /// Folder or file of a part; `""` is the main one.
    pub fn part(&self, part: &str) -> Option<std::path::PathBuf> {
        self.manifest.parts.get(part).map(|content| self.folder.join(&content.path))
    }
}

/// Results by the step that gave them.
pub type Results = BTreeMap<StepId, Finished>;

/// External files that a step names: parameter, path as written, content.
fn external(
    registry: &Registry,
    step: &Step,
    roots: &Roots,
    index: &mut Index,
) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    if let Some(named) = Named::of(&step.op, &step.args) {
        let found = found::repository(&named, roots).map_err(|f| f.at(&step.id))?;
        inputs.push(files(named.key(), found.files, step, index)?);
    }
    // Of a program the files that its command names count; a name such as `python3` is none.
    if step.op == "external"
        && let Some(Value::List(words)) = step.args.get("command")
    {
        let texts =
            words.iter().filter_map(|word| if let Value::Text(word) = word { Some(word) } else { None });
        for word in texts.filter(|word| roots.path(word).is_file()) {
            let file = SourceFile { label: word.clone(), path: roots.path(word), bytes: 0 };
            inputs.push(files(word.clone(), vec![file], step, index)?);
        }
    }
    for (_, written) in registry.paths(&step.op, &step.args) {
        let found = found::of_step(step, &written, roots).map_err(|failure| failure.at(&step.id))?;
        inputs.push(files(written, found.files, step, index)?);
    }
    let measures = ["eval", "pick"].contains(&step.op.as_str());
    let sets = if measures { llmp_train::suites::files_of(&step.args) } else { Vec::new() };
    for glob in llmp_data::steps::inner_files(&step.op, &step.args).into_iter().chain(sets) {
        let found = roots.files(&glob).map_err(|e| Failure::new("LLMP1002", e.to_string()).at(&step.id));
        let found = found.map_err(|failure| {
            failure.help(
                "evaluation sets lie in the folder `eval` of the project, or where --root eval=FOLDER says",
            )
        })?;
        inputs.push(files(glob, found, step, index)?);
    }
    Ok(inputs)
}

/// The content of files under the name that the program gives them.
fn files(name: String, files: Vec<SourceFile>, step: &Step, index: &mut Index) -> Result<Input, Failure> {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let hash = index.hash(&file.path).map_err(|f| f.at(&step.id))?;
        hasher.update(format!("{}\n{hash}\n", file.label).as_bytes());
    }
    Ok(Input { name: format!("files {name}"), content: hasher.finalize().to_hex().to_string() })
}

/// The definition of a task, once all its inputs are there; `None` while one is not.
pub fn definition(
    task: &Task<'_>,
    results: &Results,
    registry: &Registry,
    roots: &Roots,
    index: &mut Index,
    name: impl Fn(&StepId) -> String,
) -> Result<Option<Definition>, Failure> {
    let mut inputs = Vec::new();
    for port in task.inputs() {
        let Some(content) = content(results, port) else { return Ok(None) };
        let part = port.part.as_ref().map(|p| format!(".{p}")).unwrap_or_default();
        inputs.push(Input { name: format!("{}{part}", name(&port.step)), content });
    }
    let mut members = Vec::new();
    for step in &task.steps {
        inputs.extend(external(registry, step, roots, index)?);
        let args = canonical_record(&step.args);
        members.push(Member { name: name(&step.id), op: step.op.clone(), rev: step.rev, args });
    }
    Ok(Some(Definition { members, inputs }))
}

fn content(results: &Results, port: &Port) -> Option<String> {
    let part = port.part.as_deref().unwrap_or("");
    results.get(&port.step)?.manifest.parts.get(part).map(|c| c.hash.clone())
}
