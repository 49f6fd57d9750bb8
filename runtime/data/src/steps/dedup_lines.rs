//! Removes lines that a bucket of documents repeats.

use std::sync::Arc;

use llmp_stdlib::Problem;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use xxhash_rust::xxh3::xxh3_64;

use super::{Barrier, Built, Mark, Outcome, Step, amount::Documents, arguments::above_zero};
use crate::{
    document::Document,
    engine::{Desk, Packed, Sorter},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Removes lines that a bucket of documents repeats, as ccNet does (F40).
    ///
    /// Llama 3.1: lines seen more than 6 times in each bucket of 30M documents (section 3.1.1). All occurrences go. A bucket is so many
    /// documents that follow each other. Lines are compared as in ccNet (Wenzek et al. 2020, arXiv:1911.00359): in lower case, without
    /// accents and punctuation, digits as 0, by a 64-bit hash; lines without letters and digits stay and are not counted. The sort
    /// spills to disk, so memory does not grow with the set. A document without lines left is
    /// dropped. Reason: `repeated lines`.
    ///
    /// ```llmp
    /// dataset clean = web |> dedup_lines(bucket = 30M docs, more_than = 6)
    /// ```
    DedupLines = "dedup_lines", rev 1, whole Docs -> Docs, check lines {
        /// Documents of a bucket; lines are counted inside it.
        bucket: Documents = "30M docs",
        /// Most occurrences of a line that stays.
        more_than: u64 = "6",
    }
}

fn lines(it: &DedupLines) -> Vec<Problem> {
    [above_zero("bucket", it.bucket.0), above_zero("more_than", it.more_than)].into_iter().flatten().collect()
}

impl Step for DedupLines {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

/// Bucket, hash of a line, number of the document, where the line begins and ends in it.
type Row = (u64, u64, u64, u32, u32);

impl Barrier for DedupLines {
    fn name(&self) -> &'static str {
        "dedup_lines"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        let (mut at, mut plain) = (0, String::new());
        for line in doc.text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            normal(line, &mut plain);
            if !plain.is_empty() {
                (xxh3_64(plain.as_bytes()), start as u32, at as u32).pack(out);
            }
        }
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let mut lines: Sorter<'_, Row> = desk.sorter();
        desk.each(|number, mut sketch| {
            while !sketch.is_empty() {
                let (hash, start, end) = desk.unpack(&mut sketch)?;
                lines.push((number / self.bucket.0.max(1), hash, number, start, end))?;
            }
            Ok(())
        })?;
        let cut =
            |desk: &mut Desk<'_>, row: &Row| desk.mark(row.2, &Mark::cut(row.3 as usize..row.4 as usize));
        // The occurrences of a line, until they are too many.
        let mut few: Vec<Row> = Vec::new();
        let (mut same, mut count) = ((0, 0), 0);
        for row in lines.sorted()? {
            let row = row?;
            if (row.0, row.1) != same {
                (same, count) = ((row.0, row.1), 0);
                few.clear();
            }
            count += 1;
            if count <= self.more_than {
                few.push(row);
                continue;
            }
            few.drain(..).try_for_each(|row| cut(desk, &row))?;
            cut(desk, &row)?;
        }
        Ok(())
    }

    fn apply(&self, doc: &mut Document, mark: Option<&Mark>) -> Outcome {
        let Some(mark) = mark else { return Outcome::Keep };
        mark.apply(doc);
        if doc.text.trim().is_empty() { Outcome::Drop("repeated lines".into()) } else { Outcome::Keep }
    }
}

/// A line as it is compared.
fn normal(line: &str, plain: &mut String) {
    plain.clear();
    let mut space = false;
    let mut add = |c: char, plain: &mut String| {
        if c.is_whitespace() {
            space = !plain.is_empty();
        } else if c.is_alphanumeric() {
            if std::mem::take(&mut space) {
                plain.push(' ');
            }
            if c.is_numeric() { plain.push('0') } else { plain.extend(c.to_lowercase()) }
        }
    };
    if line.is_ascii() {
        line.chars().for_each(|c| add(c, plain));
    } else {
        line.nfd().filter(|c| !is_combining_mark(*c)).for_each(|c| add(c, plain));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_compared_without_case_accents_digits_and_punctuation() {
        let plain = |line: &str| {
            let mut plain = String::new();
            normal(line, &mut plain);
            plain
        };
        assert_eq!(plain("  Café, 12:30!\n"), "cafe 0000");
        assert_eq!(plain("CAFE 99 00"), "cafe 00 00");
        assert_eq!(plain(" -- \n"), "");
    }
}
