//! A model that answers: its weights, its tokenizer, and how conversations are written for it.

use std::path::Path;

use llmp_data::row::Message;
use llmp_data::templates::{Known, Template};

use crate::error::Result;
use crate::folder::ModelFolder;

/// A model with the form of its conversations.
#[derive(Debug)]
pub struct Speaker {
    /// The model with its tokenizer.
    pub folder: ModelFolder,
    known: Known,
    stops: Vec<u32>,
}

impl Speaker {
    /// Opens the weights of a model and the tokenizer that reads for it.
    pub fn open(weights: &Path, tokenizer: &Path) -> Result<Speaker> {
        let folder = ModelFolder::with_tokenizer(weights, tokenizer)?;
        let beside = tokenizer.with_file_name("chat_template.jinja");
        let text = std::fs::read_to_string(beside).ok();
        let all = [Known::Chatml, Known::Llama3, Known::Gemma];
        let same = |known: &Known| text.as_ref() == Some(&Template::Known(*known).jinja());
        let known = all.into_iter().find(same).unwrap_or(Known::Plain);
        let stops = folder.ends.clone();
        Ok(Speaker { folder, known, stops })
    }

    /// The tokens of a conversation up to where the answer begins.
    pub fn prompt(&self, turns: &[Message]) -> Result<Vec<u32>> {
        let begin = match self.known {
            Known::Chatml => "<|im_start|>assistant\n",
            Known::Llama3 => "<|start_header_id|>assistant<|end_header_id|>\n\n",
            Known::Gemma => "<start_of_turn>model\n",
            Known::Plain => "\n\nAssistant:",
        };
        self.folder.vocabulary.encode(&(self.known.write(turns) + begin))
    }

    /// Tokens that end an answer.
    pub fn stops(&self) -> &[u32] {
        &self.stops
    }

    /// Texts that end an answer where no token does: the next turn of the user in a conversation of plain lines.
    pub fn stop_texts(&self) -> &'static [&'static str] {
        if self.known == Known::Plain { &["\n\nUser:"] } else { &[] }
    }
}
