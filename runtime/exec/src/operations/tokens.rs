//! Tokenizers and token shards.

use std::path::Path;

use llmp_data::templates::Template;
use llmp_data::tokens::{self, Bpe, TokenizerFile};
use llmp_data::{Context, Progress};
use llmp_stdlib::hub::Named;
use llmp_stdlib::{Arg, Event, Settings, Value};

use super::{Made, Work, data_failure};
use crate::failure::Failure;
use crate::found;
use crate::store::durable;

/// The file of a chat template, beside `tokenizer.json`.
pub(super) const TEMPLATE: &str = "chat_template.jinja";

/// Trains a tokenizer, or takes one from a file.
pub(super) fn tokenizer(work: &Work<'_>) -> Result<Made, Failure> {
    let path = work.folder.join("tokenizer.json");
    let step = work.step();
    let published = Named::of(&step.op, &step.args);
    let mut beside = None;
    if published.is_some() || step.op == TokenizerFile::SIGNATURE.name {
        work.started(None, "file");
        let from = match &published {
            Some(named) => found::repository(named, &work.options.roots)?.files.remove(0).path,
            None => work.options.roots.path(&work.settings::<TokenizerFile>()?.path.0),
        };
        let bytes = std::fs::read(&from).map_err(|e| Failure::io("read", &from, &e))?;
        tokens::Tokenizer::read(&bytes)
            .map_err(|what| Failure::new("LLMP1101", format!("{}: {what}", from.display())))?;
        durable::write(&path, &bytes, work.options.hook)?;
        beside = Some(from);
    } else {
        let settings: Bpe = work.settings()?;
        let documents = work.input(work.step().args.get("train_on").unwrap_or(&Value::None))?;
        work.started(None, "documents");
        with_progress(work, |ctx| tokens::train_bpe(&[documents], &settings, work.folder, ctx))?;
    }
    let tokenizer = tokens::Tokenizer::open(&path).map_err(data_failure)?;
    let ids = tokenizer.vocab() as u64;
    let mut hash = durable::hash_file(&path)?;
    if let Some(template) = template(work, beside.as_deref())? {
        durable::write(&work.folder.join(TEMPLATE), template.as_bytes(), work.options.hook)?;
        hash = blake3::hash(format!("{hash}\n{template}").as_bytes()).to_hex().to_string();
    }
    Ok(Made::whole("tokenizer.json", hash, &[("ids", ids)]))
}

/// The chat template of a tokenizer: the one that is written, else the one beside its file.
fn template(work: &Work<'_>, beside: Option<&Path>) -> Result<Option<String>, Failure> {
    match work.step().args.get("template") {
        None | Some(Value::None) => {}
        Some(written) => {
            let read = Template::read(written).map_err(|words| Failure::new("LLMP1003", words))?;
            return Ok(Some(read.jinja()));
        }
    }
    let Some(folder) = beside.and_then(Path::parent) else { return Ok(None) };
    if let Ok(text) = std::fs::read_to_string(folder.join(TEMPLATE)) {
        return Ok(Some(text));
    }
    let config = std::fs::read(folder.join("tokenizer_config.json")).ok();
    let config: Option<serde_json::Value> = config.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(config.and_then(|c| c["chat_template"].as_str().map(str::to_owned)))
}

/// Encodes documents.
pub(super) fn tokenize(work: &Work<'_>) -> Result<Made, Failure> {
    let (documents, tokenizer) = (work.stored(work.step(), 0)?, work.stored(work.step(), 1)?);
    let out = work.folder.join("tokens");
    work.started(None, "documents");
    let done = with_progress(work, |ctx| tokens::tokenize(&[documents], &tokenizer, &out, ctx))?;
    let counts = [
        ("documents", done.documents),
        ("tokens", done.tokens),
        ("bytes", done.bytes),
        ("ids", done.vocab as u64),
    ];
    Ok(Made::whole("tokens", done.hash, &counts))
}

fn with_progress<T>(
    work: &Work<'_>,
    run: impl FnOnce(&Context<'_>) -> llmp_data::Result<T>,
) -> Result<T, Failure> {
    let progress = |p: Progress| (work.emit)(Event::Progress { step: work.name(), done: p.records });
    run(&work.context(&progress)).map_err(data_failure)
}
