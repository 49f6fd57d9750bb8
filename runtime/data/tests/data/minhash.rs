//! MinHash against exact Jaccard similarities: recall by similarity, precision, known near-duplicates, and splits.

#![allow(clippy::print_stdout, reason = "a table for those who ask for it")]

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{barrier, bytes, documents, examples, run_on, source};
use crate::dedup::{store, through};
use llmp_data::{
    Document,
    engine::{BarrierStage, Input, Packed, Segment},
    readers::Roots,
    steps::{self, Barrier, Built},
};
use llmp_stdlib::{Rational, Settings, Value};

const BANDS: i32 = 14;
const ROWS: i32 = 8;
/// Draws of the hash functions for real pairs.
const DRAWS: i128 = 40;

/// The set of word 5-grams, by the words that the step compares; written down again here on purpose.
fn grams(text: &str) -> BTreeSet<Vec<String>> {
    let letters =
        |word: &str| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let words: Vec<String> = text.split_whitespace().map(letters).filter(|word| !word.is_empty()).collect();
    words.windows(5.min(words.len()).max(1)).map(<[String]>::to_vec).collect()
}

fn jaccard(a: &BTreeSet<Vec<String>>, b: &BTreeSet<Vec<String>>) -> f64 {
    let common = a.intersection(b).count();
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

/// The band hashes of a text.
fn bands(step: &dyn Barrier, text: &str) -> Vec<u64> {
    let mut sketch = Vec::new();
    step.sketch(&Document::new("", text), &mut sketch);
    let mut from = &sketch[..];
    String::unpack(&mut from).unwrap();
    std::iter::from_fn(|| u64::unpack(&mut from)).collect()
}

fn meet(a: &[u64], b: &[u64]) -> bool {
    a.iter().zip(b).any(|(a, b)| a == b)
}

fn chance(s: f64) -> f64 {
    1.0 - (1.0 - s.powi(ROWS)).powi(BANDS)
}

/// Pairs of one bin: how many, how many were found, the expected number and its variance.
type Bins = BTreeMap<u32, (u32, u32, f64, f64)>;

fn count(bins: &mut Bins, s: f64, found: bool) {
    let bin = bins.entry((s * 20.0) as u32).or_default();
    let p = chance(s);
    *bin = (bin.0 + 1, bin.1 + u32::from(found), bin.2 + p, bin.3 + p * (1.0 - p));
}

/// Prints the bins; gives how many lie outside the 95% interval, and the largest distance in standard deviations.
fn table(title: &str, bins: &Bins) -> (usize, f64) {
    println!("{title}\n  similarity    pairs   recall  expected   95% interval");
    let (mut outside, mut worst) = (0, 0f64);
    for (bin, &(pairs, found, expected, variance)) in bins {
        let n = f64::from(pairs);
        // Half a pair on each side, since numbers of pairs are whole.
        let width = 1.96 * variance.sqrt() + 0.5;
        let inside = (f64::from(found) - expected).abs() <= width;
        outside += usize::from(!inside);
        // Where hardly a find is expected, a deviation is measured in whole finds.
        worst = worst.max(((f64::from(found) - expected).abs() - 0.5) / variance.sqrt().max(1.0));
        let (low, high) = (((expected - width) / n).max(0.0), ((expected + width) / n).min(1.0));
        println!(
            "  {:.2} to {:.2}  {pairs:6}   {:.4}    {:.4}   {low:.4} to {high:.4}{}",
            f64::from(*bin) / 20.0,
            f64::from(*bin + 1) / 20.0,
            f64::from(found) / n,
            expected / n,
            if inside { "" } else { "  outside" }
        );
    }
    (outside, worst)
}

fn draw(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*seed >> 33) % below as u64) as usize
}

#[test]
fn recall_on_built_pairs_is_the_formula() {
    let folder = tempfile::tempdir().unwrap();
    let input = source("jsonl", &examples(), "data/sotu-1946-2000.jsonl.gz", &[]);
    run_on(2, &Segment::new(input, folder.path().join("out")));
    let speeches = documents(&folder.path().join("out"));
    let words: Vec<&str> = speeches.iter().flat_map(|doc| doc.text.split_whitespace()).collect();
    let step = barrier("dedup_minhash", &[]);
    let (mut bins, mut seed) = (Bins::new(), 5);
    for pair in 0..6000 {
        let length = 60 + draw(&mut seed, 400);
        let start = draw(&mut seed, words.len() - 2 * length);
        let mut other: Vec<String> = words[start..start + length].iter().map(ToString::to_string).collect();
        let first = other.join(" ");
        // A block of other words, and a few single ones: similarities from 0.3 to 1.
        let block = draw(&mut seed, length / 2);
        let at = draw(&mut seed, length - block);
        let rest = start + length + draw(&mut seed, length - block);
        for k in 0..block {
            other[at + k] = words[rest + k].to_string();
        }
        for k in 0..draw(&mut seed, 3) {
            let at = draw(&mut seed, length);
            other[at] = format!("x{pair}y{k}");
        }
        let second = other.join(" ");
        let s = jaccard(&grams(&first), &grams(&second));
        count(&mut bins, s, meet(&bands(&*step, &first), &bands(&*step, &second)));
    }
    let (outside, worst) = table("6,000 built pairs", &bins);
    assert!(bins.len() >= 12, "{}", bins.len());
    // Of sixteen bins one may lie outside a 95% interval by chance, none far.
    assert!(outside <= 1 && worst < 3.0, "{outside} bins outside, {worst} standard deviations");
}

/// The real documents; books by chapter.
fn real(shared: &std::path::Path) -> Vec<Document> {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    let globs = [
        ("jsonl", "prose/*.jsonl.gz"),
        ("jsonl", "code/code.jsonl.gz"),
        ("text", "prose/books/*.txt"),
        ("text", "licenses/*.txt"),
    ];
    for (k, (reader, glob)) in globs.into_iter().enumerate() {
        let out = folder.path().join(k.to_string());
        run_on(2, &Segment::new(source(reader, &Roots::project(shared), glob, &[]), &out));
        for doc in documents(&out) {
            if glob.contains("books") {
                let chapters = doc.text.split("\n\n").collect::<Vec<_>>();
                all.extend(chapters.chunks(12).zip(0..).map(|(paragraphs, n)| {
                    Document::new(format!("{}/{n}", doc.id), paragraphs.join("\n\n"))
                }));
                all.push(doc);
            } else {
                let name = match doc.columns.get("id") {
                    Some(llmp_data::Cell::Text(id)) => id.clone(),
                    _ => doc.id.clone(),
                };
                all.push(Document { id: name, ..doc });
            }
        }
    }
    all
}

/// All pairs with a similarity of at least `least`, by counting shared grams; grams of many documents are left out of the
/// search, not of the similarity.
fn pairs(sets: &[BTreeSet<Vec<String>>], least: f64) -> Vec<(usize, usize, f64)> {
    let mut places: BTreeMap<&Vec<String>, Vec<usize>> = BTreeMap::new();
    for (k, set) in sets.iter().enumerate() {
        set.iter().for_each(|gram| places.entry(gram).or_default().push(k));
    }
    let mut common: BTreeSet<(usize, usize)> = BTreeSet::new();
    for docs in places.values().filter(|docs| docs.len() <= 60) {
        for (k, &b) in docs.iter().enumerate() {
            common.extend(docs[..k].iter().map(|&a| (a, b)));
        }
    }
    let exact = |(a, b)| (a, b, jaccard(&sets[a], &sets[b]));
    common.into_iter().map(exact).filter(|(_, _, s)| *s >= least).collect()
}

/// Of the pairs that chains of pairs connect, the first of each bin.
fn one_of_each_family(docs: usize, pairs: &[(usize, usize, f64)]) -> Vec<(usize, usize, f64)> {
    let mut family: Vec<usize> = (0..docs).collect();
    for &(a, b, _) in pairs {
        let (old, new) = (family[a].max(family[b]), family[a].min(family[b]));
        family.iter_mut().filter(|own| **own == old).for_each(|own| *own = new);
    }
    let mut seen = BTreeSet::new();
    let first = |&&(a, _, s): &&(usize, usize, f64)| seen.insert((family[a], (s * 20.0) as u32));
    pairs.iter().filter(first).copied().collect()
}

#[test]
fn real_pairs_are_found_as_the_formula_says_and_found_pairs_are_near() {
    let Some(shared) = crate::common::shared() else { return };
    let docs: Vec<Document> = real(&shared).into_iter().filter(|doc| doc.text.len() > 40).collect();
    let sets: Vec<BTreeSet<Vec<String>>> = docs.iter().map(|doc| grams(&doc.text)).collect();
    let pairs = pairs(&sets, 0.2);
    let step = barrier("dedup_minhash", &[]);
    let sketches: Vec<Vec<u64>> = docs.iter().map(|doc| bands(&*step, &doc.text)).collect();
    // Pairs inside one family of texts are found together: each family counts once in a bin, and many draws of the hash
    // functions give the trials.
    let apart = one_of_each_family(docs.len(), &pairs);
    let mut bins = Bins::new();
    for seed in 1..=DRAWS {
        let step = barrier("dedup_minhash", &[("seed", Value::number(seed))]);
        let mut known: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for &(a, b, s) in &apart {
            for k in [a, b] {
                known.entry(k).or_insert_with(|| bands(&*step, &docs[k].text));
            }
            count(&mut bins, s, meet(&known[&a], &known[&b]));
        }
    }
    let (all, some) = (docs.len(), pairs.len());
    let title =
        format!("{all} real documents, {some} pairs of at least 0.2, {DRAWS} draws of the hash functions");
    let (outside, worst) = table(&title, &bins);
    assert!(outside <= 1 && worst < 3.0, "{outside} bins outside, {worst} standard deviations");
    // Precision: what shares a band, by its exact similarity.
    let mut found = Vec::new();
    for a in 0..docs.len() {
        for b in 0..a {
            if meet(&sketches[a], &sketches[b]) {
                found.push(jaccard(&sets[a], &sets[b]));
            }
        }
    }
    let share = |least: f64| found.iter().filter(|s| **s >= least).count() as f64 / found.len() as f64;
    println!(
        "precision of {} found pairs: {:.4} at least 0.5, {:.4} at least 0.6, {:.4} at least 0.7, {:.4} at least 0.8",
        found.len(),
        share(0.5),
        share(0.6),
        share(0.7),
        share(0.8)
    );
    assert!(found.len() > 50 && share(0.5) > 0.97, "{}", share(0.5));
    // Both versions of nom: files of one name that are near are in one cluster.
    let near: Vec<_> = pairs
        .iter()
        .filter(|(a, b, s)| {
            let name = |k: &usize| docs[*k].id.split_once('/').map(|(_, name)| name);
            docs[*a].id.starts_with("nom-7")
                && docs[*b].id.starts_with("nom-8")
                && name(a) == name(b)
                && *s >= 0.8
        })
        .collect();
    let met = near.iter().filter(|(a, b, _)| meet(&sketches[*a], &sketches[*b])).count();
    println!("nom 7 and 8: {met} of {} files with a similarity of at least 0.8 found", near.len());
    assert!(near.len() > 5 && met == near.len());
}

#[test]
fn no_near_duplicate_crosses_a_split() {
    let Some(shared) = crate::common::shared() else { return };
    let docs: Vec<Document> = real(&shared).into_iter().filter(|doc| doc.text.len() > 40).collect();
    let (marked, _folder) = through("dedup_minhash", &[("drop", Value::Bool(false))], &docs);
    let folder = tempfile::tempdir().unwrap();
    store(&folder.path().join("in"), &marked);
    let given = [("heldout", Value::number(Rational::new(1, 4)))];
    let args = crate::common::args(steps::Split::SIGNATURE, &given);
    let Ok(Some(Built::Split(split))) = steps::build("split", &args, &examples()) else { panic!() };
    let held: Vec<bool> = marked.iter().map(|doc| split.holds_out(doc)).collect();
    let sets: Vec<BTreeSet<Vec<String>>> = marked.iter().map(|doc| grams(&doc.text)).collect();
    let pairs = pairs(&sets, 0.5);
    let (mut near, mut crossing) = (0, Vec::new());
    for &(a, b, s) in &pairs {
        near += usize::from(s >= 0.8);
        if held[a] != held[b] {
            crossing.push(s);
        }
    }
    crossing.sort_by(f64::total_cmp);
    let out = held.iter().filter(|held| **held).count();
    println!(
        "{} documents, {out} held out; {} pairs of at least 0.5, {near} of at least 0.8; across the split: {crossing:.3?}",
        marked.len(),
        pairs.len()
    );
    assert!(near > 50 && out > 100);
    assert!(crossing.iter().all(|s| *s < 0.8), "{crossing:?}");
    // Found pairs never cross, whatever their similarity.
    let clusters: BTreeMap<&str, bool> = BTreeMap::new();
    let mut clusters = clusters;
    for (doc, held) in marked.iter().zip(&held) {
        let Some(llmp_data::Cell::Text(cluster)) = doc.columns.get("cluster") else { panic!("{}", doc.id) };
        assert_eq!(clusters.entry(cluster).or_insert(*held), held, "{}", doc.id);
    }
}

#[test]
fn adding_a_source_leaves_the_order_and_the_choice_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, glob) in [("perl", "data/perl-pod.jsonl.gz"), ("sotu", "data/sotu-1946-2000.jsonl.gz")] {
        run_on(2, &Segment::new(source("jsonl", &examples(), glob, &[]), at(name)));
    }
    let run = |inputs: &[&str], out: &str| {
        let mut segment = Segment::new(Input::Stored(inputs.iter().map(|name| at(name)).collect()), at(out));
        segment.barrier = Some(BarrierStage { barrier: barrier("dedup_minhash", &[]), rejects: None });
        let given = [("heldout", Value::number(Rational::new(1, 5)))];
        let args = crate::common::args(steps::Split::SIGNATURE, &given);
        let Ok(Some(Built::Split(split))) = steps::build("split", &args, &examples()) else { panic!() };
        segment.split = Some((split, at(&format!("{out}-heldout"))));
        run_on(2, &segment);
        [documents(&at(out)), documents(&at(&format!("{out}-heldout")))]
    };
    let alone = run(&["sotu"], "alone");
    let both = run(&["perl", "sotu"], "both");
    let after = run(&["sotu", "perl"], "after");
    for (alone, more) in alone.iter().zip(&both).chain(alone.iter().zip(&after)) {
        let own: Vec<&Document> = more.iter().filter(|doc| doc.id.contains("sotu")).collect();
        assert_eq!(own, alone.iter().collect::<Vec<_>>());
        assert!(!alone.is_empty());
    }
    assert!(both[0].len() > alone[0].len());
    assert!(!bytes(&at("both")).is_empty());
}
