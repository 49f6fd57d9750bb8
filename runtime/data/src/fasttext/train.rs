//! Training of a linear classifier as `fasttext supervised` does it (Joulin et al. 2016), with the same result on any
//! number of threads.
//!
//! fastText lets its threads write into one matrix without order. Here texts are taken in batches of [`BATCH`]: all
//! gradients of a batch are taken at the weights before it, and every row is changed in the order of the texts, so a
//! thread may own any set of rows.

use indexmap::IndexMap;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::dictionary::{Args, Dictionary, END_OF_LINE, LABEL, tokens};
use super::{Loss, Matrix, Model};

/// Texts whose gradients are taken at the same weights.
const BATCH: usize = 8;
/// Multiplications of a batch below which one thread does it.
const SMALL: usize = 1 << 18;
/// Texts whose rows are looked up at a time.
const AHEAD: usize = 512;
/// The number of softmax in a file's header.
const SOFTMAX: i32 = 3;
/// More different labels than this are no labels.
const MOST_LABELS: usize = 10_000;

/// A text with its label.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// The text; line breaks count as spaces.
    pub text: &'a str,
    /// Its label.
    pub label: &'a str,
}

/// How a model is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Numbers of an embedding.
    pub width: usize,
    /// Longest n-grams of words.
    pub word_ngrams: usize,
    /// Shortest and longest n-grams of characters; 0 and 0: none.
    pub chars: (usize, usize),
    /// Most buckets that n-grams are hashed into.
    pub buckets: u32,
    /// Fewest occurrences of a word.
    pub min_count: u64,
    /// Learning rate at the start; it falls to 0.
    pub rate: f64,
    /// Passes over the texts.
    pub epochs: f64,
    /// Seed of weights and order.
    pub seed: u64,
}

impl Default for Settings {
    /// What `fasttext supervised` takes, but for the buckets (2 million there).
    fn default() -> Settings {
        Settings {
            width: 100,
            word_ngrams: 1,
            chars: (0, 0),
            buckets: 2_000_000,
            min_count: 1,
            rate: 0.1,
            epochs: 5.0,
            seed: 0,
        }
    }
}

/// Trains a classifier. `go_on` is asked between batches.
///
/// Errors, in words: fewer than two labels, too many, a label that cannot be stored; `None` inside: it was told to stop.
pub fn train(
    examples: &[Example<'_>],
    settings: &Settings,
    go_on: &dyn Fn(f64) -> bool,
) -> Result<Option<Model>, String> {
    let (labels, numbers) = labels(examples)?;
    let dictionary = dictionary(examples, settings, labels);
    let width = settings.width.max(1);
    let mut weights = Weights {
        width,
        input: initial(&dictionary, examples, width, settings.seed),
        output: vec![0.0; dictionary.labels.len() * width],
        labels: dictionary.labels.len(),
    };
    let total = (settings.epochs * examples.len() as f64).round().max(1.0) as usize;
    let mut order: Vec<(u64, u32)> = Vec::new();
    let mut next = Vec::with_capacity(AHEAD);
    for at in 0..total {
        if at % examples.len() == 0 {
            let epoch = xxh3_64_with_seed(&(at as u64).to_le_bytes(), settings.seed);
            let key = |k: usize| xxh3_64_with_seed(&(k as u64).to_le_bytes(), epoch);
            order = (0..examples.len()).map(|k| (key(k), k as u32)).collect();
            order.par_sort_unstable();
        }
        next.push(order[at % examples.len()].1 as usize);
        if next.len() == AHEAD || at + 1 == total {
            let done = (at + 1 - next.len()) as f64;
            if !go_on(done / total as f64) {
                return Ok(None);
            }
            let rows: Vec<(Vec<u32>, usize)> =
                next.par_iter().map(|&k| (rows(&dictionary, examples[k].text), numbers[k])).collect();
            for (k, batch) in rows.chunks(BATCH).enumerate() {
                let progress = (done + (k * BATCH) as f64) / total as f64;
                weights.learn(batch, (settings.rate * (1.0 - progress)) as f32);
            }
            next.clear();
        }
    }
    let counts = &dictionary.counts;
    let loss = Loss::new(SOFTMAX, counts)?;
    let (input, output) = (Matrix::dense(width, weights.input), Matrix::dense(width, weights.output));
    Ok(Some(Model { dictionary, input, output, loss }))
}

/// Labels with their counts, and of each example the number of its label.
type Labels = (Vec<(String, i64)>, Vec<usize>);

/// Labels with their counts, the most frequent first, and the number of each example's label.
fn labels(examples: &[Example<'_>]) -> Result<Labels, String> {
    let mut counts: IndexMap<&str, i64> = IndexMap::new();
    for example in examples {
        *counts.entry(example.label).or_default() += 1;
    }
    if let Some(label) = counts.keys().find(|label| label.is_empty() || label.contains('\0')) {
        return Err(format!("the label {label:?} cannot be one"));
    }
    match counts.len() {
        0 => return Err("there are no texts with labels".to_owned()),
        1 => {
            return Err(format!(
                "all {} texts have the label {:?}: there is nothing to learn",
                examples.len(),
                examples[0].label
            ));
        }
        n if n > MOST_LABELS => {
            return Err(format!(
                "there are {n} different labels, more than {MOST_LABELS}: is this the right column?"
            ));
        }
        _ => {}
    }
    counts.sort_by(|a, x, b, y| y.cmp(x).then(a.cmp(b)));
    let numbers = examples.iter().map(|e| counts.get_index_of(e.label).unwrap_or(0)).collect();
    Ok((counts.into_iter().map(|(label, count)| (label.to_owned(), count)).collect(), numbers))
}

/// Words that occur often enough, the most frequent first; of equals the first to occur. The end of the line is one.
fn dictionary(examples: &[Example<'_>], settings: &Settings, labels: Vec<(String, i64)>) -> Dictionary {
    let mut words: IndexMap<&[u8], u64> = IndexMap::new();
    for example in examples {
        for token in tokens(example.text.as_bytes()).chain([END_OF_LINE]).filter(|t| !t.starts_with(LABEL)) {
            *words.entry(token).or_default() += 1;
        }
    }
    words.retain(|_, count| *count >= settings.min_count);
    words.sort_by(|_, x, _, y| y.cmp(x));
    let words: Vec<&[u8]> = words.into_keys().collect();
    let hashes = settings.word_ngrams > 1 || settings.chars.1 > 0;
    let args = Args {
        dim: settings.width.max(1),
        loss: SOFTMAX,
        word_ngrams: settings.word_ngrams.max(1),
        bucket: if hashes { settings.buckets.clamp(1, i32::MAX as u32) } else { 0 },
        min_chars: settings.chars.0,
        max_chars: settings.chars.1,
    };
    let (names, counts) = labels.into_iter().unzip();
    let dictionary = Dictionary::of(args, &words, names, counts);
    if !hashes {
        return dictionary;
    }
    // A small set leaves most buckets empty: eight times as many as its n-grams fill are enough.
    let known = words.len();
    let bucket = dictionary.args().bucket;
    let mut filled = vec![false; bucket as usize];
    for example in examples {
        dictionary.rows_of(example.text.as_bytes(), |row| {
            if let Some(bucket) = row.checked_sub(known) {
                filled[bucket] = true;
            }
        });
    }
    let used = filled.into_iter().filter(|filled| *filled).count();
    let enough = (used.max(128) * 8).next_power_of_two();
    dictionary.with_buckets(bucket.min(u32::try_from(enough).unwrap_or(u32::MAX)))
}

fn rows(dictionary: &Dictionary, text: &str) -> Vec<u32> {
    let mut rows = Vec::new();
    dictionary.rows_of(text.as_bytes(), |row| rows.push(row as u32));
    rows
}

/// Rows begin between -1/width and 1/width, as in fastText; those that no text reaches are 0, not noise.
fn initial(dictionary: &Dictionary, examples: &[Example<'_>], width: usize, seed: u64) -> Vec<f32> {
    let mut reached = vec![false; dictionary.rows()];
    for example in examples {
        dictionary.rows_of(example.text.as_bytes(), |row| reached[row] = true);
    }
    let mut input = vec![0.0f32; reached.len() * width];
    let seed = xxh3_64_with_seed(b"rows", seed);
    input.par_chunks_mut(width).zip(&reached).enumerate().for_each(|(row, (numbers, reached))| {
        let mut state = xxh3_64_with_seed(&(row as u64).to_le_bytes(), seed);
        for number in numbers.iter_mut().filter(|_| *reached) {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let unit = ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 24) as f32;
            *number = (2.0 * unit - 1.0) / width as f32;
        }
    });
    input
}

struct Weights {
    width: usize,
    input: Vec<f32>,
    output: Vec<f32>,
    labels: usize,
}

/// What one text changes: its hidden vector, the change of each label's row, the change of its own rows.
struct Change {
    hidden: Vec<f32>,
    labels: Vec<f32>,
    rows: Vec<f32>,
}

impl Weights {
    /// One batch: gradients at the weights as they are, then all changes in order.
    fn learn(&mut self, batch: &[(Vec<u32>, usize)], rate: f32) {
        let change = |(rows, label): &(Vec<u32>, usize)| self.change(rows, *label, rate);
        // Short texts are done before another thread has heard of them.
        let work = batch.iter().map(|(rows, _)| rows.len()).sum::<usize>() * self.width;
        let small = work < SMALL;
        let changes: Vec<Change> =
            if small { batch.iter().map(change).collect() } else { batch.par_iter().map(change).collect() };
        for change in &changes {
            for (row, alpha) in self.output.chunks_exact_mut(self.width).zip(&change.labels) {
                add(row, *alpha, &change.hidden);
            }
        }
        // Each thread owns a range of rows; within it texts come in order.
        let width = self.width;
        let apply = |(part, input, own): (usize, &mut [f32], usize)| {
            let (from, to) = (part * own, part * own + input.len() / width);
            for ((rows, _), change) in batch.iter().zip(&changes) {
                for row in rows.iter().map(|&row| row as usize).filter(|row| (from..to).contains(row)) {
                    add(&mut input[(row - from) * width..][..width], 1.0, &change.rows);
                }
            }
        };
        let rows = self.input.len() / width;
        if small {
            apply((0, &mut self.input, rows));
            return;
        }
        let own = rows.div_ceil(rayon::current_num_threads().max(1)).max(1);
        let parts = self.input.par_chunks_mut(own * width).enumerate();
        parts.for_each(|(part, input)| apply((part, input, own)));
    }

    fn change(&self, rows: &[u32], label: usize, rate: f32) -> Change {
        let width = self.width;
        let mut hidden = vec![0.0; width];
        for &row in rows {
            add(&mut hidden, 1.0, &self.input[row as usize * width..][..width]);
        }
        // The end of the line is always a row, unless it is too rare a word.
        let scale = 1.0 / rows.len().max(1) as f32;
        hidden.iter_mut().for_each(|x| *x *= scale);
        let score = |row: &[f32]| row.iter().zip(&hidden).map(|(a, b)| a * b).sum::<f32>();
        let mut labels: Vec<f32> = self.output.chunks_exact(width).map(score).collect();
        let most = labels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        labels.iter_mut().for_each(|x| *x = (*x - most).exp());
        let total: f32 = labels.iter().sum();
        for (k, x) in labels.iter_mut().enumerate() {
            *x = rate * (f32::from(u8::from(k == label)) - *x / total);
        }
        let mut own = vec![0.0; width];
        for (row, alpha) in self.output.chunks_exact(width).zip(&labels).take(self.labels) {
            add(&mut own, *alpha, row);
        }
        own.iter_mut().for_each(|x| *x *= scale);
        Change { hidden, labels, rows: own }
    }
}

fn add(to: &mut [f32], factor: f32, from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<(String, &'static str)> {
        let cats = ["purr", "whiskers", "mouse", "cat", "meow"];
        let dogs = ["bark", "fetch", "bone", "dog", "woof"];
        let text = |words: &[&str; 5], k: usize| {
            (0..12).map(|i| words[(k * 7 + i * i) % 5]).chain(["and", "the"]).collect::<Vec<_>>().join(" ")
        };
        (0..200).map(|k| if k % 2 == 0 { (text(&cats, k), "cat") } else { (text(&dogs, k), "dog") }).collect()
    }

    fn trained(threads: usize, settings: &Settings) -> Vec<u8> {
        let texts = texts();
        let examples: Vec<Example<'_>> = texts.iter().map(|(text, label)| Example { text, label }).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let model = pool.install(|| train(&examples, settings, &|_| true)).unwrap().unwrap();
        let mut bytes = Vec::new();
        model.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_learns_and_its_file_reads_back() {
        let settings =
            Settings { width: 16, word_ngrams: 2, chars: (3, 4), buckets: 5_000, ..Settings::default() };
        let model = Model::from_bytes(&trained(1, &settings)).unwrap();
        let best = |text: &str| model.predict(text, 1)[0].label.to_owned();
        assert_eq!((best("meow purr cat"), best("woof woof\nbone")), ("cat".into(), "dog".into()));
        let probabilities: f32 = model.predict("meow", 2).iter().map(|p| p.probability).sum();
        assert!((probabilities - 1.0).abs() < 1e-3);
    }

    #[test]
    fn threads_change_nothing_and_seeds_do() {
        // Wide enough that several threads share the work of a batch.
        let settings =
            Settings { width: 2_048, word_ngrams: 2, buckets: 1_000, epochs: 1.0, ..Settings::default() };
        assert!(BATCH * 20 * settings.width > SMALL);
        let one = trained(1, &settings);
        assert!(one == trained(3, &settings) && one != trained(1, &Settings { seed: 1, ..settings }));
    }

    #[test]
    fn what_cannot_be_learnt_is_said() {
        let said = |labels: &[&str]| {
            let examples: Vec<_> = labels.iter().map(|label| Example { text: "a", label }).collect();
            train(&examples, &Settings::default(), &|_| true).unwrap_err()
        };
        assert!(said(&[]).contains("no texts") && said(&["a", "a"]).contains("nothing to learn"));
        assert!(said(&["a", "b\0"]).contains("cannot be one"));
        let examples = [Example { text: "a", label: "x" }, Example { text: "b", label: "y" }];
        assert!(train(&examples, &Settings::default(), &|_| false).unwrap().is_none());
    }
}
