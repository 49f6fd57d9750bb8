//! Using a model folder outside a plan: `score`, `generate` and `chat`.

use std::path::Path;

use llmp_train::chat::Chat;
pub use llmp_train::chat::{Ended, Session};
use llmp_train::folder::ModelFolder;
pub use llmp_train::generate::Sampling;
pub use llmp_train::score::Score;

use crate::failure::Failure;
use crate::operations::train_failure;

/// Log-probabilities of a text under the model of a Hugging Face folder.
pub fn score(model: &Path, text: &str) -> Result<Score, Failure> {
    let folder = ModelFolder::open(model).map_err(train_failure)?;
    llmp_train::score::score(&folder, text).map_err(train_failure)
}

/// Continues a prompt with the model of a Hugging Face folder; `heard` gets the text as it grows and says whether to go on.
pub fn generate(model: &Path, prompt: &str, sampling: &Sampling) -> Result<String, Failure> {
    let folder = ModelFolder::open(model).map_err(train_failure)?;
    let generated =
        llmp_train::generate::generate(&folder, prompt, sampling, &mut |_| true).map_err(train_failure)?;
    Ok(generated.text)
}

/// Opens a model folder with its own chat template; `now` (seconds since 1970) is the date that some templates write. The last is what is
/// to be said where template, tokenizer and settings of generation do not agree on what ends an answer.
pub fn open_chat(model: &Path, now: u64) -> Result<(ModelFolder, Chat, Option<String>), Failure> {
    let folder = ModelFolder::open(model).map_err(train_failure)?;
    let template = llmp_train::chat::template_of(model, folder.vocabulary.path()).map_err(train_failure)?;
    let chat = Chat::of(template.as_deref(), &folder.vocabulary, Some(now)).map_err(train_failure)?;
    let words = chat.disagreement(&folder.ends);
    Ok((folder, chat, words))
}
