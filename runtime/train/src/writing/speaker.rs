//! A model that answers: its weights, its tokenizer, and how conversations are written for it.

use std::path::Path;

use llmp_data::row::Message;
use llmp_data::templates::{Known, Template};

use crate::chat::{Chat, template_of};
use crate::error::Result;
use crate::folder::ModelFolder;

/// A model with the form of its conversations.
#[derive(Debug)]
pub struct Speaker {
    /// The model with its tokenizer.
    pub folder: ModelFolder,
    chat: Chat,
    /// Tokens that end an answer: those of the template, and those of the model's settings.
    stops: Vec<u32>,
    plain: bool,
}

impl Speaker {
    /// Opens the weights of a model and the tokenizer that reads for it. A model without a template is asked in plain lines.
    pub fn open(weights: &Path, tokenizer: &Path) -> Result<Speaker> {
        let folder = ModelFolder::with_tokenizer(weights, tokenizer)?;
        let plain = Template::Known(Known::Plain).jinja();
        let template = template_of(weights, tokenizer)?.unwrap_or_else(|| plain.clone());
        let chat = Chat::new(&template, &folder.vocabulary)?;
        let mut stops = chat.stops().to_vec();
        stops.extend(&folder.ends);
        Ok(Speaker { folder, chat, stops, plain: template == plain })
    }

    /// The tokens of a conversation up to where the answer begins.
    pub fn prompt(&self, turns: &[Message]) -> Result<Vec<u32>> {
        self.chat.prompt(turns)
    }

    /// Tokens that end an answer.
    pub fn stops(&self) -> &[u32] {
        &self.stops
    }

    /// Texts that end an answer where no token does: the next turn of the user in a conversation of plain lines.
    pub fn stop_texts(&self) -> &'static [&'static str] {
        if self.plain { &["\n\nUser:"] } else { &[] }
    }
}
