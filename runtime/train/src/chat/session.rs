//! A conversation that goes on: turns, answers as they grow, a cache of what was said.

use llmp_data::row::Message;
use llmp_nn::Decoder;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Chat;
use crate::error::{Result, TrainError};
use crate::folder::ModelFolder;
use crate::generate::Sampling;

/// A conversation with a model.
pub struct Session<'m> {
    folder: &'m ModelFolder,
    chat: Chat,
    decoder: Decoder<'m>,
    /// What the decoder holds.
    held: Vec<u32>,
    system: Option<String>,
    turns: Vec<Message>,
    answers: u64,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The model ended it.
    Itself,
    /// The listener stopped it.
    Stopped,
    /// It has as many tokens as it may have.
    Long,
}

/// An answer with what happened to the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What was said.
    pub text: String,
    /// How it ended.
    pub ended: Ended,
    /// Turns at the beginning that no longer fit into the context and were forgotten.
    pub forgotten: usize,
}

impl<'m> Session<'m> {
    /// A conversation that begins. The model's own settings of generation say what ends an answer, besides the template.
    pub fn new(folder: &'m ModelFolder, chat: Chat) -> Session<'m> {
        let decoder = Decoder::new(&folder.model);
        Session { folder, chat, decoder, held: Vec::new(), system: None, turns: Vec::new(), answers: 0 }
    }

    /// Begins again, with this system prompt.
    pub fn begin(&mut self, system: Option<String>) {
        self.system = system;
        self.turns.clear();
    }

    /// The system prompt.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Says something and gives the answer, which becomes part of the conversation. `heard` gets the text as it grows; it
    /// returns whether to go on. Errors: a message that does not fit into the context, a template that refuses it; the
    /// conversation is then as before.
    pub fn say(
        &mut self,
        text: &str,
        sampling: &Sampling,
        heard: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Reply> {
        let before = self.turns.len();
        self.turns.push(Message::new("user", text));
        match self.answer(sampling, heard) {
            Ok(reply) => {
                self.turns.push(Message::new("assistant", reply.text.clone()));
                Ok(reply)
            }
            Err(error) => {
                self.turns.truncate(before);
                Err(error)
            }
        }
    }

    fn answer(&mut self, sampling: &Sampling, heard: &mut dyn FnMut(&str) -> bool) -> Result<Reply> {
        let context = self.folder.model.spec().context;
        let (prompt, forgotten) = self.prompt(context)?;
        let shared = self.held.iter().zip(&prompt).take_while(|(a, b)| a == b).count().min(prompt.len() - 1);
        self.decoder.truncate(0, shared);
        self.held.truncate(shared);
        let mut logits = self.decoder.prefill(&prompt[shared..])?;
        self.held.clone_from(&prompt);

        // Every answer has dice of its own, so that the same words are not always answered alike.
        let mut random = ChaCha8Rng::seed_from_u64(sampling.seed.wrapping_add(self.answers));
        self.answers += 1;
        let mut writing = Writing::default();
        let most = sampling.max_tokens.min(context.saturating_sub(prompt.len()));
        let mut ended = Ended::Long;
        while writing.ids.len() < most {
            let id = sampling.choose(&logits, &mut random);
            if self.chat.stops().contains(&id) || self.folder.ends.contains(&id) {
                ended = Ended::Itself;
                break;
            }
            let more = writing.add(id, self.folder)?;
            if !heard(&more) {
                ended = Ended::Stopped;
                break;
            }
            logits = self.decoder.step(id)?;
            self.held.push(id);
        }
        let rest = writing.rest(self.folder)?;
        if !rest.is_empty() {
            heard(&rest);
        }
        let text = self.folder.vocabulary.decode(&writing.ids)?.trim().to_owned();
        Ok(Reply { text, ended, forgotten })
    }

    /// What the model goes on from. Turns at the beginning are forgotten, a question with its answer, until an eighth of the
    /// context is left for the answer.
    fn prompt(&mut self, context: usize) -> Result<(Vec<u32>, usize)> {
        let room = context - (context / 8).max(1).min(context - 1);
        let mut forgotten = 0;
        loop {
            let system = self.system.iter().map(|text| Message::new("system", text.as_str()));
            let messages: Vec<Message> = system.chain(self.turns.iter().cloned()).collect();
            let prompt = self.chat.prompt(&messages)?;
            if prompt.len() <= room {
                return Ok((prompt, forgotten));
            }
            if self.turns.len() < 3 {
                let words =
                    format!("the message takes {} tokens, the model's context has {context}", prompt.len());
                return Err(TrainError::Settings(words));
            }
            self.turns.drain(..2);
            forgotten += 2;
        }
    }
}

/// Tokens as they become text: a token may hold a part of a letter, and a space may belong to the token behind it.
#[derive(Default)]
struct Writing {
    ids: Vec<u32>,
    /// Where the text that is compared begins, and where what was given out ends.
    from: usize,
    given: usize,
    /// Whether anything was given out; what is blank before it is the template's, not the answer's.
    begun: bool,
}

impl Writing {
    /// The text that a token adds; nothing while it is not a whole letter.
    fn add(&mut self, id: u32, folder: &ModelFolder) -> Result<String> {
        self.ids.push(id);
        self.new_text(folder, false)
    }

    /// What was held back.
    fn rest(&mut self, folder: &ModelFolder) -> Result<String> {
        self.new_text(folder, true)
    }

    fn new_text(&mut self, folder: &ModelFolder, last: bool) -> Result<String> {
        let decode = |ids: &[u32]| folder.vocabulary.decode(ids);
        let before = decode(&self.ids[self.from..self.given])?;
        let now = decode(&self.ids[self.from..])?;
        if now.len() <= before.len() || (!last && now.ends_with('\u{fffd}')) {
            return Ok(String::new());
        }
        let more = now.get(before.len()..).unwrap_or_default();
        (self.from, self.given) = (self.given, self.ids.len());
        let more = if self.begun { more } else { more.trim_start() };
        self.begun |= !more.is_empty();
        Ok(more.to_owned())
    }
}
