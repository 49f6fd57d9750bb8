//! One function for each message: parameters in, answer out.

mod actions;
mod colours;
mod commands;
mod completion;
mod layout;
mod lineage;
mod names;
mod navigation;
mod outline;
mod text;

use serde_json::Value as Json;

use crate::wire::{Answer, Failure};
use crate::world::World;

pub(crate) use colours::legend;
pub(crate) use commands::COMMANDS;

/// Answers a request.
pub(crate) fn answer(world: &mut World, method: &str, params: Json) -> Answer {
    match method {
        "textDocument/diagnostic" => crate::diagnostics::pull(world, params),
        "textDocument/hover" => text::hover(world, params),
        "textDocument/signatureHelp" => text::signature(world, params),
        "textDocument/inlayHint" => text::hints(world, params),
        "textDocument/codeLens" => text::lenses(world, params),
        "textDocument/completion" => completion::complete(world, params),
        "completionItem/resolve" => completion::resolve(world, params),
        "textDocument/definition" | "textDocument/declaration" => navigation::definition(world, params),
        "textDocument/typeDefinition" => navigation::type_definition(world, params),
        "textDocument/references" => navigation::references(world, params),
        "textDocument/documentHighlight" => navigation::highlight(world, params),
        "textDocument/documentLink" => navigation::links(world, params),
        "textDocument/prepareRename" => names::prepare(world, params),
        "textDocument/rename" => names::rename(world, params),
        "workspace/willRenameFiles" => names::files(world, params),
        "textDocument/documentSymbol" => outline::document(world, params),
        "workspace/symbol" => outline::workspace(world, params),
        "textDocument/foldingRange" => outline::folds(world, params),
        "textDocument/selectionRange" => outline::selection(world, params),
        "textDocument/semanticTokens/full" => colours::full(world, params),
        "textDocument/semanticTokens/full/delta" => colours::delta(world, params),
        "textDocument/semanticTokens/range" => colours::range(world, params),
        "textDocument/codeAction" => actions::actions(world, params),
        "textDocument/formatting" => layout::whole(world, params),
        "textDocument/rangeFormatting" => layout::range(world, params),
        "textDocument/onTypeFormatting" => layout::on_type(world, params),
        "textDocument/prepareCallHierarchy" => lineage::prepare(world, params),
        "callHierarchy/incomingCalls" => lineage::incoming(world, params),
        "callHierarchy/outgoingCalls" => lineage::outgoing(world, params),
        "workspace/executeCommand" => commands::execute(world, params),
        "llmp/text" => text::of_document(world, params),
        _ => Err(Failure { code: -32601, message: format!("`{method}` is not known") }),
    }
}
