//! ARPA files, as KenLM, SRILM and others write them: plain, gzip or Zstandard.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::{Entry, LONGEST, NgramModel, Table, UNKNOWN, longer, word_hash};
use crate::error::{DataError, Result};

impl NgramModel {
    /// Reads an ARPA file; gzip and Zstandard are recognised by their first bytes.
    ///
    /// Errors: the file cannot be read, or is no such model; the place is its line.
    pub fn open(path: &Path) -> Result<NgramModel> {
        let io = |e| DataError::io("read", path, e);
        let mut head = [0; 4];
        let size = File::open(path).map_err(io)?.read(&mut head).map_err(io)?;
        let file = File::open(path).map_err(io)?;
        let reader: Box<dyn Read> = match &head[..size] {
            [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(file)),
            [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::new(file).map_err(io)?),
            _ => Box::new(file),
        };
        NgramModel::read(BufReader::with_capacity(1 << 20, reader))
            .map_err(|what| DataError::artifact(path, what))
    }

    /// Reads the text of an ARPA file. Errors: words with the line.
    pub fn read(reader: impl BufRead) -> Result<NgramModel, String> {
        let mut lines = Lines { reader, line: Vec::new(), number: 0 };
        let counts = header(&mut lines)?;
        let mut entries = Vec::with_capacity(counts.len());
        for (index, &count) in counts.iter().enumerate() {
            // A count is a promise: room is taken as n-grams come, not for what a damaged header announces.
            let mut table = Table::with_capacity(count.min(1 << 20));
            section(&mut lines, index + 1, count, &mut table)?;
            entries.push(table);
        }
        match lines.next()? {
            Some("\\end\\") => {}
            _ => return Err(format!("line {}: expected \\end\\", lines.number)),
        }
        let unknown = entries[0].get(word_hash(UNKNOWN)).copied();
        // Without the word `<unk>` a word that is not known has the probability that KenLM gives it: nearly none.
        let unknown = unknown.unwrap_or(Entry { probability: -100.0, backoff: 0.0 });
        Ok(NgramModel { order: counts.len(), entries, unknown })
    }
}

struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    /// The next line that is not blank.
    fn next(&mut self) -> Result<Option<&str>, String> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.reader.read_until(b'\n', &mut self.line);
            if read.map_err(|e| format!("line {}: {e}", self.number))? == 0 {
                return Ok(None);
            }
            if self.number == 1 && self.line.starts_with(b"mmap lm ") {
                return Err("is a binary file of KenLM: give the ARPA file that it was built from".into());
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        let number = self.number;
        let text = std::str::from_utf8(&self.line).map_err(|_| format!("line {number} is not UTF-8"))?;
        Ok(Some(text.trim_matches(['\n', '\r', ' '])))
    }
}

/// The numbers of n-grams of each length.
fn header<R: BufRead>(lines: &mut Lines<R>) -> Result<Vec<usize>, String> {
    loop {
        match lines.next()?.map(str::to_owned).as_deref() {
            Some("\\data\\") => break,
            // Text before the model is a comment, but a file of something else should not be read to its end.
            Some(_) if lines.number < 1000 => {}
            _ => return Err("is not an ARPA file: it has no \\data\\ section".into()),
        }
    }
    let mut counts = Vec::new();
    loop {
        let line = lines.next()?.unwrap_or_default().to_owned();
        let Some(rest) = line.strip_prefix("ngram ") else {
            let first = line == "\\1-grams:";
            return if first && (1..=LONGEST).contains(&counts.len()) {
                Ok(counts)
            } else {
                let number = lines.number;
                Err(format!(
                    "line {number}: expected `ngram N=count` for N from 1 to {LONGEST}, then \\1-grams:"
                ))
            };
        };
        let (n, count) = rest.split_once('=').unwrap_or_default();
        match (n.trim().parse::<usize>(), count.trim().parse::<usize>()) {
            (Ok(n), Ok(count)) if n == counts.len() + 1 => counts.push(count),
            _ => {
                let (number, n) = (lines.number, counts.len() + 1);
                return Err(format!("line {number}: `{rest}` is not the number of {n}-grams"));
            }
        }
    }
}

/// The n-grams of one length.
fn section<R: BufRead>(
    lines: &mut Lines<R>,
    n: usize,
    count: usize,
    table: &mut Table<Entry>,
) -> Result<(), String> {
    if n > 1 {
        let wanted = format!("\\{n}-grams:");
        if lines.next()?.is_none_or(|line| line != wanted) {
            return Err(format!("line {}: expected {wanted}", lines.number));
        }
    }
    for _ in 0..count {
        let line = lines.next()?.unwrap_or_default();
        let parsed = entry(line, n);
        let (hash, value) = parsed.ok_or_else(|| {
            let number = lines.number;
            format!("line {number}: expected a logarithm, {n} words and at most a back-off weight")
        })?;
        *table.entry(hash, Entry::default) = value;
    }
    Ok(())
}

fn entry(line: &str, n: usize) -> Option<(u64, Entry)> {
    let number = |text: &str| text.parse::<f32>().ok().filter(|x| !x.is_nan());
    let mut fields = line.split(['\t', ' ']).filter(|field| !field.is_empty());
    let probability = number(fields.next()?).filter(|&p| p <= 0.0)?;
    let mut words = [0; LONGEST];
    for word in &mut words[..n] {
        *word = word_hash(fields.next()?);
    }
    let backoff = fields.next().map_or(Some(0.0), number)?;
    if fields.next().is_some() {
        return None;
    }
    let (last, rest) = words[..n].split_last()?;
    let hash = rest.iter().rev().fold(*last, |hash, word| longer(hash, *word));
    Some((hash, Entry { probability, backoff }))
}
