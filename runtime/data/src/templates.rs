//! Chat templates: how the turns of a conversation become one text.

use llmp_stdlib::{Arg, Ty, Value, choices};

choices! {
    /// Templates that llmp knows by name; the texts stand in `std/templates`.
    Known = "template" {
        /// ChatML: `<|im_start|>role`, the text, `<|im_end|>` (Qwen, SmolLM).
        Chatml = "chatml",
        /// Llama 3: `<|start_header_id|>role<|end_header_id|>`, the text, `<|eot_id|>`.
        Llama3 = "llama_3_instruct",
        /// Gemma: `<start_of_turn>user` and `model`, the text, `<end_of_turn>`; no system role.
        Gemma = "gemma",
        /// `User:` and `Assistant:` lines; for models without special tokens.
        Plain = "plain",
    }
}

/// A template by name, or its text in the form of Hugging Face (`chat_template`).
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// By name.
    Known(Known),
    /// By its text.
    Text(String),
}

impl Arg for Template {
    const TY: Ty = Ty::OneOf(&[Known::TY, Ty::Text]);
    fn read(value: &Value) -> Result<Self, String> {
        Known::read(value).map(Template::Known).or_else(|_| String::read(value).map(Template::Text))
    }
}

impl Template {
    /// Whether it has a turn for the system prompt; not known for a text.
    pub fn has_system(&self) -> Option<bool> {
        match self {
            Template::Known(known) => Some(*known != Known::Gemma),
            Template::Text(_) => None,
        }
    }
}
