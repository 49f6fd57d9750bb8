//! Chat templates: how the turns of a conversation become one text.

use llmp_stdlib::{Arg, Ty, Value, choices};

use crate::row::Message;

choices! {
    /// Templates that llmp knows by name; the texts stand in `std/templates`.
    Known = "template" {
        /// ChatML: `<|im_start|>role`, the text, `<|im_end|>` (Qwen, SmolLM).
        Chatml = "chatml",
        /// Llama 3: `<|start_header_id|>role<|end_header_id|>`, the text, `<|eot_id|>`.
        Llama3 = "llama_3_instruct",
        /// Gemma: `<start_of_turn>user` and `model`, the text, `<end_of_turn>`; a system prompt opens the first turn.
        Gemma = "gemma",
        /// `User:` and `Assistant:` lines, the end of text behind an answer; for tokenizers without marks of turns.
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

impl Template {
    /// The template in Jinja, as Hugging Face and llama.cpp keep it.
    pub fn jinja(&self) -> String {
        match self {
            Template::Known(known) => known.jinja().to_owned(),
            Template::Text(text) => text.clone(),
        }
    }
}

impl Known {
    /// The texts of `std/templates/chat`.
    fn jinja(self) -> &'static str {
        match self {
            Known::Chatml => {
                r"{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
            }
            Known::Llama3 => {
                r"{{ '<|begin_of_text|>' }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
            }
            Known::Gemma => {
                r"{{ '<bos>' }}{% set system = messages[0]['content'] | trim + '\n\n' if messages[0]['role'] == 'system' else '' %}{% for message in (messages[1:] if system else messages) %}{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' + (system if loop.first else '') + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
            }
            Known::Plain => {
                r"{% for message in messages %}{% if not loop.first %}{{ '\n\n' }}{% endif %}{% if message['role'] == 'user' %}{{ 'User: ' }}{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' }}{% elif message['role'] != 'system' %}{{ message['role'] + ': ' }}{% endif %}{{ message['content'] }}{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '\n\nAssistant:' }}{% endif %}"
            }
        }
    }

    /// Tokens that it marks turns with; a tokenizer that is trained for it holds them whole.
    pub fn marks(self) -> &'static [&'static str] {
        match self {
            Known::Chatml => &["<|im_start|>", "<|im_end|>"],
            Known::Llama3 => &["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
            Known::Gemma => &["<bos>", "<start_of_turn>", "<end_of_turn>"],
            Known::Plain => &[],
        }
    }

    /// Turns as one text. Marks of the beginning and end of a text are the tokenizer's business and are left out. Gemma has no system role: the
    /// system prompt stands at the beginning of the first turn of the user.
    pub fn write(self, turns: &[Message]) -> String {
        let mut text = String::new();
        let mut system = String::new();
        for turn in turns {
            let said = turn.text();
            match self {
                Known::Chatml => {
                    text.push_str(&format!("<|im_start|>{}\n{said}<|im_end|>\n", turn.role));
                }
                Known::Llama3 => {
                    let said = said.trim();
                    text.push_str(&format!(
                        "<|start_header_id|>{}<|end_header_id|>\n\n{said}<|eot_id|>",
                        turn.role
                    ));
                }
                Known::Gemma if turn.role == "system" => {
                    system.push_str(said.trim());
                    system.push_str("\n\n");
                }
                Known::Gemma => {
                    let role = if turn.role == "assistant" { "model" } else { &turn.role };
                    let before = std::mem::take(&mut system);
                    text.push_str(&format!("<start_of_turn>{role}\n{before}{}<end_of_turn>\n", said.trim()));
                }
                Known::Plain => {
                    if !text.is_empty() {
                        text.push_str("\n\n");
                    }
                    match turn.role.as_str() {
                        "system" => text.push_str(said),
                        "user" => text.push_str(&format!("User: {said}")),
                        "assistant" => text.push_str(&format!("Assistant: {said}")),
                        other => text.push_str(&format!("{other}: {said}")),
                    }
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_states_the_same_texts() {
        let library =
            llmp_stdlib::library::library("std/templates/chat.llmp").expect("a file of the library");
        for known in [Known::Chatml, Known::Llama3, Known::Gemma] {
            assert!(library.contains(&format!("r\"{}\"", known.jinja())), "{}", known.name());
        }
    }

    #[test]
    fn each_template_writes_its_marks() {
        let turns = [("system", "Be brief."), ("user", " Why? "), ("assistant", "So.")];
        let turns = turns.map(|(role, said)| Message::new(role, said));
        let chatml = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Why? <|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>\n";
        assert_eq!(Known::Chatml.write(&turns), chatml);
        let gemma =
            "<start_of_turn>user\nBe brief.\n\nWhy?<end_of_turn>\n<start_of_turn>model\nSo.<end_of_turn>\n";
        assert_eq!(Known::Gemma.write(&turns), gemma);
        let llama = "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>";
        assert_eq!(Known::Llama3.write(&turns[1..2]), llama);
        assert_eq!(Known::Plain.write(&turns), "Be brief.\n\nUser:  Why? \n\nAssistant: So.");
    }
}
