//! Settings and dictionary of a model: from the bytes of a text to rows of the input matrix.

use super::bytes::{Bytes, Read};

/// The token that fastText puts at the end of every line.
pub(super) const END_OF_LINE: &[u8] = b"</s>";
/// Tokens that begin with this are labels, not words.
pub(super) const LABEL: &[u8] = b"__label__";
/// The longest n-grams that make sense; a longer one in the header is damage.
const LONGEST: usize = 1000;
/// Marks a free slot of an [`Index`].
const EMPTY: u32 = u32::MAX;

/// The settings of training that prediction depends on.
#[derive(Debug)]
pub(super) struct Args {
    pub(super) dim: usize,
    pub(super) loss: i32,
    pub(super) word_ngrams: usize,
    pub(super) bucket: u32,
    pub(super) min_chars: usize,
    pub(super) max_chars: usize,
}

impl Args {
    pub(super) fn read(bytes: &mut Bytes<'_>, version: i32) -> Read<Args> {
        let dim = bytes.count("the dimension")?;
        for what in ["the window", "the epochs", "the least count", "the negatives"] {
            bytes.i32(what)?;
        }
        let word_ngrams = bytes.count("the length of word n-grams")?;
        let loss = bytes.i32("the loss")?;
        let model = bytes.i32("the kind of model")?;
        let bucket = bytes.i32("the number of buckets")?;
        let min_chars = bytes.i32("the shortest character n-gram")?;
        let max_chars = bytes.i32("the longest character n-gram")?;
        bytes.i32("the rate of learning rate updates")?;
        bytes.f64("the sampling threshold")?;
        if model != 3 {
            return Err("holds word vectors, not a classifier".into());
        }
        // Version 11 had no character n-grams in classifiers, whatever the header says.
        let max_chars = if version == 11 { 0 } else { usize::try_from(max_chars).unwrap_or(0) };
        let hashes = max_chars > 0 || word_ngrams > 1;
        let bucket = match u32::try_from(bucket) {
            Ok(0) | Err(_) if hashes => return Err(format!("has {bucket} buckets for its n-grams")),
            Ok(bucket) => bucket,
            Err(_) => 0,
        };
        if dim == 0 {
            return Err("has dimension 0".into());
        }
        if word_ngrams > LONGEST || max_chars > LONGEST {
            return Err(format!("has n-grams of {word_ngrams} words or {max_chars} characters"));
        }
        Ok(Args {
            dim,
            loss,
            word_ngrams,
            bucket,
            min_chars: usize::try_from(min_chars).unwrap_or(0),
            max_chars,
        })
    }
}

/// Positions by hash: open addressing, at least half of it empty.
#[derive(Debug)]
struct Index(Vec<u32>);

impl Index {
    fn new(hashes: impl ExactSizeIterator<Item = u32>) -> Index {
        let mut slots = vec![EMPTY; (hashes.len().max(1) * 2).next_power_of_two()];
        for (position, hash) in (0u32..).zip(hashes) {
            let mut at = hash as usize & (slots.len() - 1);
            while slots[at] != EMPTY {
                at = (at + 1) & (slots.len() - 1);
            }
            slots[at] = position;
        }
        Index(slots)
    }

    /// The first position with this hash that `is` it.
    fn find(&self, hash: u32, is: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = hash as usize & (self.0.len() - 1);
        while self.0[at] != EMPTY {
            if is(self.0[at] as usize) {
                return Some(self.0[at] as usize);
            }
            at = (at + 1) & (self.0.len() - 1);
        }
        None
    }
}

/// Spreads the low numbers of buckets over the slots of [`Kept`].
fn spread(bucket: u32) -> u32 {
    bucket.wrapping_mul(0x9e37_79b1).rotate_right(15)
}

/// Which buckets a quantised model kept, and as which rows: open addressing, at least half of it empty.
#[derive(Debug)]
struct Kept {
    /// Bucket and row; [`EMPTY`] as bucket marks a free slot.
    slots: Vec<(u32, u32)>,
    /// Rows that the buckets need.
    rows: usize,
}

/// The remainder by a fixed number without a division (Lemire, Kaser and Kurz 2019, arXiv:1902.01961).
#[derive(Debug, Clone, Copy)]
struct Remainder {
    of: u32,
    inverse: u64,
}

impl Remainder {
    /// Of 0 every remainder is 0.
    fn new(of: u32) -> Remainder {
        Remainder { of, inverse: if of == 0 { 0 } else { (u64::MAX / u64::from(of)).wrapping_add(1) } }
    }

    fn by(self, number: u32) -> u32 {
        let fraction = self.inverse.wrapping_mul(u64::from(number));
        ((u128::from(fraction) * u128::from(self.of)) >> 64) as u32
    }
}

/// Words, labels and buckets.
#[derive(Debug)]
pub(super) struct Dictionary {
    args: Args,
    /// Words one after the other; word `i` ends at `ends[i]`.
    text: Vec<u8>,
    ends: Vec<usize>,
    index: Index,
    pub(super) labels: Vec<String>,
    /// How often each label occurred, in descending order.
    pub(super) counts: Vec<i64>,
    kept: Option<Kept>,
}

/// FNV-1a as fastText computes it: each byte is widened with its sign.
fn hash(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, &byte| {
        (hash ^ i32::from(byte.cast_signed()).cast_unsigned()).wrapping_mul(16_777_619)
    })
}

/// Hash of nothing.
const START: u32 = 2_166_136_261;

/// Cuts a line into words as fastText does.
pub(super) fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_space = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c | 0);
    line.split(is_space).filter(|token| !token.is_empty())
}

impl Dictionary {
    /// A dictionary of these words, and labels with their counts in descending order.
    pub(super) fn of(args: Args, words: &[&[u8]], labels: Vec<String>, counts: Vec<i64>) -> Dictionary {
        let ends = words.iter().scan(0, |end, word| {
            *end += word.len();
            Some(*end)
        });
        let ends: Vec<usize> = ends.collect();
        let index = Index::new(words.iter().map(|word| hash(START, word)));
        Dictionary { args, text: words.concat(), ends, index, labels, counts, kept: None }
    }

    /// The settings of a dictionary that is being trained.
    pub(super) fn args(&self) -> &Args {
        &self.args
    }

    /// Another number of buckets, before anything is trained.
    pub(super) fn with_buckets(mut self, bucket: u32) -> Dictionary {
        self.args.bucket = bucket;
        self
    }

    /// Words in their order.
    pub(super) fn words(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|word| word_at(&self.text, &self.ends, word))
    }

    pub(super) fn read(bytes: &mut Bytes<'_>, args: Args) -> Read<Dictionary> {
        let size = bytes.count("the size of the dictionary")?;
        let words = bytes.count("the number of words")?;
        let labels = bytes.count("the number of labels")?;
        bytes.i64("the number of tokens")?;
        let pruned = bytes.i64("the size of the pruning index")?;
        // An entry takes at least 10 bytes.
        if words.checked_add(labels) != Some(size) || size > bytes.left() / 10 {
            return Err(format!("announces {size} entries, {words} words and {labels} labels"));
        }
        if labels == 0 {
            return Err("has no labels".into());
        }
        let (mut text, mut ends, mut names, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for entry in 0..size {
            let word = bytes.c_string("the dictionary")?;
            let count = bytes.i64("the dictionary")?;
            let kind = bytes.u8("the dictionary")?;
            match kind {
                0 if entry < words => {
                    text.extend_from_slice(word);
                    ends.push(text.len());
                }
                1 if entry >= words => {
                    let name = word.strip_prefix(LABEL).unwrap_or(word);
                    let name = std::str::from_utf8(name)
                        .map_err(|_| format!("entry {entry}, a label, is not UTF-8"))?;
                    names.push(name.to_string());
                    counts.push(count);
                }
                other => return Err(format!("entry {entry} of the dictionary has type {other}")),
            }
        }
        let kept = match usize::try_from(pruned) {
            Ok(pruned) => Some(Kept::read(bytes, pruned)?),
            Err(_) => None,
        };
        let hashes = (0..words).map(|word| hash(START, word_at(&text, &ends, word)));
        let index = Index::new(hashes);
        Ok(Dictionary { args, text, ends, index, labels: names, counts, kept })
    }

    /// Rows that the input matrix must have at least.
    pub(super) fn rows(&self) -> usize {
        let hashed = match &self.kept {
            Some(kept) => kept.rows,
            None => self.args.bucket as usize,
        };
        self.ends.len() + hashed
    }

    /// Whether buckets were pruned, as only quantised models have it.
    pub(super) fn is_pruned(&self) -> bool {
        self.kept.is_some()
    }

    /// Dimension of the model.
    pub(super) fn dim(&self) -> usize {
        self.args.dim
    }

    /// The loss that the model was trained with.
    pub(super) fn loss(&self) -> i32 {
        self.args.loss
    }

    /// Calls `row` for every row of the input matrix that a line of text stands for, in fastText's order: words and
    /// their character n-grams, the end of the line, then word n-grams.
    pub(super) fn rows_of(&self, line: &[u8], mut row: impl FnMut(usize)) {
        let mut hashes = Vec::new();
        let mut bounded = Vec::new();
        let buckets = Remainder::new(self.args.bucket);
        for token in tokens(line).chain([END_OF_LINE]) {
            let code = hash(START, token);
            let known = self.index.find(code, |word| word_at(&self.text, &self.ends, word) == token);
            if known.is_none() && token.starts_with(LABEL) {
                continue;
            }
            known.iter().for_each(|&word| row(word));
            if token != END_OF_LINE && self.args.max_chars > 0 {
                bounded.clear();
                bounded.push(b'<');
                bounded.extend_from_slice(token);
                bounded.push(b'>');
                self.char_ngrams(&bounded, buckets, &mut row);
            }
            if self.args.word_ngrams > 1 {
                hashes.push(code);
            }
            if token == END_OF_LINE {
                break;
            }
        }
        self.word_ngrams(&hashes, &mut row);
    }

    /// Rows of a word's character n-grams; `word` carries its `<` and `>`.
    fn char_ngrams(&self, word: &[u8], buckets: Remainder, row: &mut impl FnMut(usize)) {
        let continues = |at: usize| word.get(at).is_some_and(|b| b & 0xc0 == 0x80);
        for start in (0..word.len()).filter(|&start| !continues(start)) {
            let (mut code, mut end) = (START, start);
            for n in 1..=self.args.max_chars {
                if end == word.len() {
                    break;
                }
                let from = end;
                end += 1;
                while continues(end) {
                    end += 1;
                }
                code = hash(code, &word[from..end]);
                let is_mark = n == 1 && (start == 0 || end == word.len());
                if n >= self.args.min_chars && !is_mark {
                    self.bucket(buckets.by(code), row);
                }
            }
        }
    }

    fn word_ngrams(&self, hashes: &[u32], row: &mut impl FnMut(usize)) {
        // fastText keeps the hashes as signed numbers and widens them with their sign.
        let wide = |code: u32| i64::from(code.cast_signed()).cast_unsigned();
        for (at, &first) in hashes.iter().enumerate() {
            let mut code = wide(first);
            for &next in hashes[at + 1..].iter().take(self.args.word_ngrams - 1) {
                code = code.wrapping_mul(116_049_371).wrapping_add(wide(next));
                self.bucket((code % u64::from(self.args.bucket)) as u32, row);
            }
        }
    }

    /// The row of a bucket, if the model kept it.
    fn bucket(&self, bucket: u32, row: &mut impl FnMut(usize)) {
        match &self.kept {
            None => row(self.ends.len() + bucket as usize),
            Some(kept) => {
                if let Some(kept) = kept.row(bucket) {
                    row(self.ends.len() + kept as usize);
                }
            }
        }
    }
}

impl Kept {
    fn read(bytes: &mut Bytes<'_>, size: usize) -> Read<Kept> {
        if u32::try_from(size).is_err() {
            return Err(format!("announces {size} pruned buckets"));
        }
        let (numbers, _) = bytes.items(size, 8, "the pruning index")?.as_chunks::<4>();
        let numbers: Vec<u32> = numbers.iter().map(|&number| u32::from_le_bytes(number)).collect();
        let pairs = numbers.as_chunks::<2>().0;
        let rows = pairs.iter().map(|&[_, row]| row as usize + 1).max().unwrap_or(0);
        let mut slots = vec![(EMPTY, 0); (pairs.len().max(1) * 2).next_power_of_two()];
        for &[bucket, row] in pairs.iter().filter(|pair| pair[0] != EMPTY) {
            let mut at = spread(bucket) as usize & (slots.len() - 1);
            while slots[at].0 != EMPTY && slots[at].0 != bucket {
                at = (at + 1) & (slots.len() - 1);
            }
            // Of a bucket that is named twice the first counts.
            if slots[at].0 == EMPTY {
                slots[at] = (bucket, row);
            }
        }
        Ok(Kept { slots, rows })
    }

    fn row(&self, bucket: u32) -> Option<u32> {
        let mut at = spread(bucket) as usize & (self.slots.len() - 1);
        loop {
            let (its, row) = self.slots[at];
            if its == bucket || its == EMPTY {
                return (its == bucket).then_some(row);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

fn word_at<'a>(text: &'a [u8], ends: &[usize], word: usize) -> &'a [u8] {
    let start = if word == 0 { 0 } else { ends[word - 1] };
    &text[start..ends[word]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_fnv_with_signed_bytes() {
        // Published vectors of FNV-1a, 32 bits; for bytes below 128 the sign makes no difference.
        assert_eq!(hash(START, b""), 0x811c_9dc5);
        assert_eq!(hash(START, b"a"), 0xe40c_292c);
        assert_eq!(hash(START, b"foobar"), 0xbf9c_f968);
        assert_eq!(hash(START, &[0xc3]), (START ^ 0xffff_ffc3).wrapping_mul(16_777_619));
    }

    #[test]
    fn remainders_are_those_of_a_division() {
        for of in [1, 2, 3, 7, 1000, 2_000_000, 0x7fff_ffff, u32::MAX] {
            let remainder = Remainder::new(of);
            for number in [0, 1, 2, 999, of - 1, of, of.wrapping_add(1), 123_456_789, u32::MAX - 1, u32::MAX]
            {
                assert_eq!(remainder.by(number), number % of, "{number} by {of}");
            }
        }
    }

    #[test]
    fn an_index_finds_every_entry_and_nothing_else() {
        let hashes = [7u32, 7, 15, 23, 8];
        let index = Index::new(hashes.into_iter());
        for (at, &hash) in hashes.iter().enumerate() {
            assert_eq!(index.find(hash, |found| found == at), Some(at));
        }
        assert_eq!(index.find(7, |_| false), None);
        assert_eq!(Index::new([].into_iter()).find(3, |_| true), None);
    }
}
