//! The answers that a web archive recorded, whatever their status: what `robots` reads.

use llmp_stdlib::{Settings, Value, literal};

use super::{Body, SourceFile, Tap, Warc, http, reader};
use crate::error::{DataError, Result};

/// An answer: its URL, its status, its body with the encodings undone.
pub(crate) type Answer = (String, u16, Vec<u8>);

/// The answers of an archive, in order. Records that cannot be read are passed over.
///
/// Errors: what the operating system refuses.
pub(crate) fn answers(file: &SourceFile) -> Result<impl Iterator<Item = Result<Answer>>> {
    let value = |default: Option<&str>| match default {
        Some(text) => literal::parse(text),
        None => Ok(Value::text(file.label.clone())),
    };
    let args = Warc::SIGNATURE.params.iter().map(|p| Ok((p.name.to_string(), value(p.default)?)));
    let wrong = |what: String| DataError::Step { step: "warc", what };
    let args = args.collect::<Result<_, String>>().map_err(wrong)?;
    let warc = reader("warc", &args)?.ok_or_else(|| wrong("no such reader".into()))?;
    let records = warc.open(file, Tap::open(file)?)?;
    Ok(records.filter_map(|record| match record {
        Err(error) => Some(Err(error)),
        Ok(record) => match record.body {
            Body::Bytes(bytes) => answer(&bytes).map(Ok),
            Body::Document(_) | Body::Skipped(_) | Body::Bad(_) => None,
        },
    }))
}

fn answer(record: &[u8]) -> Option<Answer> {
    let (head, block) = http::split_head(record)?;
    let url = http::field(head, "WARC-Target-URI")?.trim_matches(['<', '>']).to_string();
    let answer = http::Answer::parse(block).ok()?;
    Some((url, answer.status, answer.body))
}
