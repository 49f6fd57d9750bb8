//! Where the turns of a conversation stand, in its text and among its tokens.

use std::ops::Range;

use llmp_data::row::Message;

use super::Token;
use super::engine::Engine;
use crate::error::{Result, TrainError};

/// One turn among the tokens of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: String,
    /// What the template writes before it; of the first turn, from the beginning of the text on.
    pub header: Range<usize>,
    /// What is said.
    pub content: Range<usize>,
    /// The special token behind it; empty where the template writes none.
    pub end: Range<usize>,
}

impl Turn {
    /// What the speaker says with the token that ends it: what a loss counts.
    pub fn said(&self) -> Range<usize> {
        self.content.start..self.end.end
    }
}

/// A conversation as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// All tokens.
    pub ids: Vec<u32>,
    /// Where the turns stand.
    pub turns: Vec<Turn>,
}

/// One turn in the text of a conversation, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    from: usize,
    /// Where what is said begins.
    said: usize,
    /// Where it ends; not known where the template writes something else than the content.
    end: Option<usize>,
    to: usize,
}

/// The turns of a text. Errors: the text of the first turns is not its beginning; a turn of which nothing is written.
pub(super) fn pieces(engine: &Engine, messages: &[Message], text: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::with_capacity(messages.len());
    let mut from = 0;
    for at in 0..messages.len() {
        let to = if at + 1 == messages.len() {
            text.len()
        } else {
            match engine.write(&messages[..=at], false) {
                Ok(begun) if text.starts_with(&begun) => begun.len(),
                Ok(_) => return Err(no_prefix(at + 1)),
                // Some templates refuse a system prompt alone: it shares the text of the next turn.
                Err(_) => continue,
            }
        };
        while pieces.len() < at {
            let turn = &messages[pieces.len()];
            let piece = found(turn, text, from, to).ok_or_else(|| unwritten(pieces.len(), turn))?;
            let end = piece.end.unwrap_or(to);
            from = end;
            pieces.push(Piece { to: end, ..piece });
        }
        pieces.push(piece(engine, messages, at, text, from..to)?);
        from = to;
    }
    Ok(pieces)
}

/// The turn `at`, which ends where its text does.
fn piece(engine: &Engine, messages: &[Message], at: usize, text: &str, own: Range<usize>) -> Result<Piece> {
    let turn = &messages[at];
    let Range { start: from, end: to } = own;
    if from == to {
        return Err(unwritten(at, turn));
    }
    let plain = found(turn, text, from, to);
    if turn.role != "assistant" {
        return Ok(plain.unwrap_or(Piece { from, said: from, end: None, to }));
    }
    // An answer begins where a model is asked to go on.
    let asked = engine.write(&messages[..at], true).ok().filter(|asked| text.starts_with(asked.as_str()));
    let said = asked.map(|asked| asked.len()).filter(|said| (from..=to).contains(said));
    let said = said.or(plain.map(|piece| piece.said)).unwrap_or(from);
    let end = found(turn, text, said, to).and_then(|piece| piece.end);
    Ok(Piece { from, said, end, to })
}

/// The content of a turn in a part of a text; templates may trim it.
fn found(turn: &Message, text: &str, from: usize, to: usize) -> Option<Piece> {
    let content = turn.text().trim();
    if content.is_empty() {
        return None;
    }
    let said = from + text.get(from..to)?.find(content)?;
    Some(Piece { from, said, end: Some(said + content.len()), to })
}

fn no_prefix(turns: usize) -> TrainError {
    TrainError::Template(format!(
        "it lacks the prefix property: the text of the first {turns} turns is not the beginning of the whole \
         conversation's, so what is trained would not be what is asked for"
    ))
}

fn unwritten(at: usize, turn: &Message) -> TrainError {
    TrainError::Template(format!("it writes nothing for turn {}, said by `{}`", at + 1, turn.role))
}

/// The turns among the tokens. A token that lies across the beginning of what is said belongs to it.
pub(super) fn rendered(messages: &[Message], pieces: &[Piece], tokens: &[Token]) -> Rendered {
    let at = |byte: usize| tokens.partition_point(|token| token.from < byte);
    let over = |byte: usize| tokens.partition_point(|token| token.to <= byte);
    let turn = |(message, piece): (&Message, &Piece)| {
        let (from, said, to) = (at(piece.from), over(piece.said), at(piece.to));
        let said = said.clamp(from, to);
        let special = |place: &usize| tokens[*place].special;
        let end = match piece.end {
            Some(end) => (at(end).clamp(said, to)..to).find(special),
            None => (said..to).rev().find(special),
        };
        let (content, end) = match end {
            Some(end) => (said..end, end..end + 1),
            None => (said..to, to..to),
        };
        Turn { role: message.role.clone(), header: from..said, content, end }
    };
    Rendered {
        ids: tokens.iter().map(|token| token.id).collect(),
        turns: messages.iter().zip(pieces).map(turn).collect(),
    }
}
