//! Conversations as token ids, by the chat template of a program or of a tokenizer.
//!
//! The whole conversation is written as one text and encoded as one, as transformers does. Where turns begin and end is
//! found from the texts of its first turns, each of which must be the beginning of the next: a template without this
//! property writes another past after each answer, and what was trained would not be what is asked for.

mod date;
mod engine;
mod marks;
mod session;
mod turns;

use std::collections::BTreeSet;
use std::path::Path;

use llmp_data::row::Message;
use tokenizers::{PostProcessorWrapper, Tokenizer};

use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use engine::Engine;
use marks::Marks;

pub use marks::{FILE, own_template, template_of};
pub use session::{Ended, Reply, Session};
pub use turns::{Rendered, Turn};

/// Roles that templates know. Data of others (`human`, `gpt`) must be renamed first.
const ROLES: &[&str] = &["system", "developer", "user", "assistant", "tool", "ipython", "function"];

/// A chat template with the tokenizer that reads what it writes.
#[derive(Debug, Clone)]
pub struct Chat {
    engine: Engine,
    /// Without its post-processor, which would shift the places of tokens.
    tokenizer: Tokenizer,
    /// Tokens that stand for no letters.
    special: BTreeSet<u32>,
    marks: Marks,
    stops: Vec<u32>,
    end: u32,
}

/// A token with the bytes of the text that it covers.
#[derive(Debug, Clone, Copy)]
struct Token {
    id: u32,
    from: usize,
    to: usize,
    special: bool,
}

impl Chat {
    /// A chat by this template in Jinja. Errors: a template that cannot be read; one that puts no special token of the
    /// tokenizer behind an answer, so that no model would learn to stop; one that begins a text twice.
    pub fn new(template: &str, vocabulary: &Vocabulary) -> Result<Chat> {
        Chat::at(template, vocabulary, None)
    }

    /// [`Chat::new`], for templates that write the date: `now` in seconds since 1970.
    pub fn at(template: &str, vocabulary: &Vocabulary, now: Option<u64>) -> Result<Chat> {
        let marks = Marks::beside(vocabulary)?;
        let engine = Engine::new(template, marks.clone(), now)?;
        let mut tokenizer = vocabulary.tokenizer().clone();
        tokenizer.with_post_processor(None::<PostProcessorWrapper>);
        let special = tokenizer.get_added_vocabulary().get_vocab().values().copied().collect();
        let mut chat = Chat { engine, tokenizer, special, marks, stops: Vec::new(), end: 0 };
        let probe = [Message::new("user", "Why?"), Message::new("assistant", "Because.")];
        let rendered = chat.render(&probe)?;
        let end = rendered.turns.last().and_then(|turn| rendered.ids.get(turn.end.clone())?.first().copied());
        chat.end = end.ok_or_else(|| chat.endless(&probe))?;
        let usual = chat.marks.end.as_ref().and_then(|end| chat.tokenizer.token_to_id(end));
        chat.stops =
            [Some(chat.end), usual, vocabulary.end().map(|(_, id)| id)].into_iter().flatten().collect();
        chat.stops.dedup();
        Ok(chat)
    }

    /// The chat by `template`, else by the one beside the tokenizer; `now` as [`Chat::at`] has it.
    pub fn of(template: Option<&str>, vocabulary: &Vocabulary, now: Option<u64>) -> Result<Chat> {
        match template {
            Some(text) => Chat::at(text, vocabulary, now),
            None => {
                let own = own_template(vocabulary.path())?.ok_or_else(|| without(vocabulary.path()))?;
                Chat::at(&own, vocabulary, now)
            }
        }
    }

    /// A whole conversation. Errors: a role that the template does not know, a template that refuses the conversation or
    /// lacks the prefix property.
    pub fn render(&self, messages: &[Message]) -> Result<Rendered> {
        if let Some((at, turn)) = messages.iter().enumerate().find(|(_, m)| !ROLES.contains(&m.role.as_str()))
        {
            let words =
                format!("turn {} is said by `{}`; templates know {}", at + 1, turn.role, ROLES.join(", "));
            return Err(TrainError::Template(words));
        }
        let text = self.engine.write(messages, false)?;
        let pieces = turns::pieces(&self.engine, messages, &text)?;
        let tokens = self.tokens(&text)?;
        self.check_begin(&tokens)?;
        Ok(turns::rendered(messages, &pieces, &tokens))
    }

    /// The turns before an answer, with the beginning of the assistant's turn behind them: what a model goes on from.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>> {
        let tokens = self.tokens(&self.engine.write(messages, true)?)?;
        self.check_begin(&tokens)?;
        Ok(tokens.into_iter().map(|token| token.id).collect())
    }

    /// A conversation as text, with the beginning of the assistant's next turn behind it if `ask`.
    pub fn text(&self, messages: &[Message], ask: bool) -> Result<String> {
        self.engine.write(messages, ask)
    }

    /// Tokens that end an answer: that of the template first, then those of the tokenizer.
    pub fn stops(&self) -> &[u32] {
        &self.stops
    }

    /// The token that the template puts behind an answer.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// What is to be said where the ends do not agree: that of the template is to be among those of the settings of generation,
    /// or be that of the tokenizer where there are no settings.
    pub fn disagreement(&self, generation: &[u32]) -> Option<String> {
        let name = |id: u32| self.tokenizer.id_to_token(id).unwrap_or_else(|| id.to_string());
        let end = name(self.end);
        if !generation.is_empty() && !generation.contains(&self.end) {
            let others: Vec<String> = generation.iter().map(|id| format!("`{}`", name(*id))).collect();
            return Some(format!(
                "the template ends an answer with `{end}`, generation_config.json stops at {}",
                others.join(", ")
            ));
        }
        let other = self.marks.end.as_ref().filter(|other| **other != end && generation.is_empty())?;
        Some(format!("the template ends an answer with `{end}`, the tokenizer a text with `{other}`"))
    }

    fn tokens(&self, text: &str) -> Result<Vec<Token>> {
        let encoded = self.tokenizer.encode(text, false).map_err(|e| TrainError::Template(e.to_string()))?;
        let token = |(id, (from, to)): (&u32, &(usize, usize))| Token {
            id: *id,
            from: *from,
            to: *to,
            special: self.special.contains(id),
        };
        Ok(encoded.get_ids().iter().zip(encoded.get_offsets()).map(token).collect())
    }

    /// One beginning of a text is enough: a second comes from a template and a tokenizer that both write one.
    fn check_begin(&self, tokens: &[Token]) -> Result<()> {
        let begin = self.marks.begin.as_ref().and_then(|begin| self.tokenizer.token_to_id(begin));
        match (begin, tokens) {
            (Some(begin), [first, second, ..]) if first.id == begin && second.id == begin => {
                let name = self.marks.begin.as_deref().unwrap_or_default();
                Err(TrainError::Template(format!("it begins a text twice with `{name}`")))
            }
            _ => Ok(()),
        }
    }

    fn endless(&self, probe: &[Message]) -> TrainError {
        let text = self.engine.write(probe, false).unwrap_or_default();
        let behind = text.rsplit_once("Because.").map_or("", |(_, behind)| behind);
        let written = match behind.trim() {
            "" => "nothing stands there".to_owned(),
            mark => format!("it writes `{mark}` there, which is no token of the tokenizer"),
        };
        TrainError::Template(format!(
            "no special token ends an answer, so no model would learn to stop: {written}. Use `plain`, write \
             `{{{{ eos_token }}}}` behind an answer, or train the tokenizer with this template"
        ))
    }
}

/// Neither a program nor a tokenizer says how conversations are written.
fn without(tokenizer: &Path) -> TrainError {
    TrainError::Template(format!(
        "{} has none beside it: write `template = chatml` (or `plain`) in the stage or the tokenizer",
        tokenizer.display()
    ))
}
