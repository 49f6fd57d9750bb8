//! `detect_language` against fastText, the filters of Gopher, C4 and FineWeb against datatrove; damaged model files.

#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::{
    collections::BTreeSet,
    io::Read,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use llmp_data::{
    Cell, DataError, Document,
    fasttext::Model,
    readers::Roots,
    steps::{self, Built, GopherQuality, GopherRepetition, Map, Outcome, robots_txt::Rules},
};
use llmp_stdlib::{Record, Settings, Signature, literal};
use serde_json::Value;

fn examples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn model_bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/lid.176.ftz")).unwrap()
    })
}

/// The arguments of a step that writes none.
fn defaults(signature: &Signature) -> Record {
    let value = |text: &str| literal::parse(text).unwrap();
    signature.params.iter().map(|p| (p.name.to_string(), value(p.default.unwrap()))).collect()
}

fn quality() -> GopherQuality {
    GopherQuality::read(&defaults(GopherQuality::SIGNATURE)).unwrap()
}

fn repetition() -> GopherRepetition {
    GopherRepetition::read(&defaults(GopherRepetition::SIGNATURE)).unwrap()
}

#[test]
fn languages_are_those_of_fasttext() {
    let golden: Vec<Value> = serde_json::from_str(include_str!("golden/languages.json")).unwrap();
    let model = Model::from_bytes(model_bytes()).unwrap();
    assert_eq!((model.labels().len(), model.labels()[0].as_str()), (176, "en"));
    assert!(golden.len() >= 90);
    for entry in &golden {
        let text = entry["text"].as_str().unwrap();
        let expected = entry["top"].as_array().unwrap();
        let found = model.predict(text, expected.len());
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.label, expected[0], "{text}");
            let probability = expected[1].as_f64().unwrap();
            assert!(
                (f64::from(found.probability) - probability).abs() < 1e-4,
                "{text}: {found:?}, not {probability}"
            );
        }
    }
}

/// Compares with a file of `{text, top}` lines, which is too large for the repository.
#[test]
#[ignore = "needs the output of golden/make_languages.py --all in LLMP_LANGUAGES"]
fn languages_of_a_whole_file_are_those_of_fasttext() {
    let path = std::env::vars().find(|(name, _)| name == "LLMP_LANGUAGES").unwrap().1;
    let model = Model::from_bytes(model_bytes()).unwrap();
    let (mut texts, mut labels, mut worst) = (0, 0, 0.0f64);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let found = model.predict(entry["text"].as_str().unwrap(), 1)[0];
        texts += 1;
        labels += usize::from(entry["top"][0][0] == found.label);
        worst = worst.max((f64::from(found.probability) - entry["top"][0][1].as_f64().unwrap()).abs());
    }
    println!("{texts} texts, {labels} equal labels, largest difference of probabilities {worst:e}");
    assert!(texts == labels && worst < 1e-4);
}

#[test]
fn a_detected_language_becomes_two_columns() {
    let args = defaults(steps::DetectLanguage::SIGNATURE);
    let Some(Built::Map(map)) = steps::build("detect_language", &args, &Roots::project(examples())).unwrap()
    else {
        panic!("not a map");
    };
    let mut doc = Document::new("a", "Call me Ishmael. Some years ago,\nnever mind how long precisely");
    assert_eq!(map.apply(&mut doc), Outcome::Keep);
    assert_eq!(doc.columns["lang"], Cell::from("en"));
    // fastText says 0.564150 of the same text with a space for the line break.
    assert!(matches!(doc.columns["lang_score"], Cell::Num(score) if (score - 0.564_150).abs() < 1e-4));
    let mut args = args;
    args.insert("model".into(), llmp_stdlib::Value::text("other.ftz"));
    let missing = steps::build("detect_language", &args, &Roots::project("nowhere")).unwrap_err();
    assert!(
        matches!(missing, DataError::Io { .. }) && missing.to_string().contains("other.ftz"),
        "{missing}"
    );
}

#[test]
fn a_damaged_model_is_an_error_that_names_the_file() {
    let bytes = model_bytes();
    // Every cut in the header and the first entries, then cuts all over the file.
    let cuts = (0..400).chain((400..bytes.len()).step_by(40_009)).chain([bytes.len() - 1]);
    for cut in cuts {
        assert!(Model::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(Model::from_bytes(&longer).unwrap_err().contains("after its end"));
    // Damage of any header byte gives an error or a model that answers; it never panics or asks for much memory.
    for at in (0..120).chain((120..bytes.len()).step_by(60_013)) {
        for value in [0x00, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.to_vec();
            damaged[at] = value;
            if let Ok(model) = Model::from_bytes(&damaged) {
                assert!(model.predict("some words of a text", 3).len() <= 3);
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.ftz");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = Model::open(&path).unwrap_err().to_string();
    assert!(error.contains("half.ftz") && error.contains("ends inside"), "{error}");
}

/// The text of one line of a golden file, made as its script makes it.
fn text_of(entry: &Value) -> String {
    edit(entry["edit"].as_str().unwrap(), &text_of_part(entry))
}

/// The same before its edit.
fn text_of_part(entry: &Value) -> String {
    let path = examples().join(entry["file"].as_str().unwrap());
    let whole = match entry["line"].as_u64() {
        None => std::fs::read_to_string(path).unwrap(),
        Some(line) => {
            let mut lines = String::new();
            flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap())
                .read_to_string(&mut lines)
                .unwrap();
            let row: Value = serde_json::from_str(lines.lines().nth(line as usize).unwrap()).unwrap();
            row["text"].as_str().unwrap().to_string()
        }
    };
    let number = |name: &str| entry[name].as_u64().unwrap() as usize;
    whole.chars().skip(number("from")).take(number("to") - number("from")).collect()
}

fn edit(name: &str, t: &str) -> String {
    let size = t.chars().count();
    let lines = |change: &dyn Fn(&str) -> String| t.split('\n').map(change).collect::<Vec<_>>().join("\n");
    let words = |change: &dyn Fn((usize, &str)) -> String| {
        t.split(' ').enumerate().map(change).collect::<Vec<_>>().join(" ")
    };
    match name {
        "plain" => t.to_string(),
        "hashes" => t.replacen(' ', " #", size / 40),
        "dots" => t.replacen(' ', "... ", size / 40),
        "bullets" => lines(&|line| format!("  - {line}")),
        "open" => lines(&|line| format!("{line}… ")),
        "digits" => words(&|(at, word)| if at % 3 > 0 { word.to_string() } else { "4567".into() }),
        "letters" => words(&|(_, word)| word.chars().take(2).collect()),
        "glue" => t.replacen(' ', "", size / 9),
        "shout" => t.to_uppercase(),
        "twice" => format!("{t}\n\n{t}"),
        "lines" => {
            let head: Vec<&str> = t.split('\n').take(6).collect();
            format!("{t}\n{}", [head.join("\n"), head.join("\n"), head.join("\n")].join("\n"))
        }
        "short_lines" => format!("{t}\n{}", "yes\n".repeat(t.matches('\n').count() + 5)),
        "short_paragraphs" => format!("{t}{}", "\n\nyes".repeat(t.matches("\n\n").count() + 5)),
        "refrain" => t.replace(" the ", " the very same old thing of the sea is the "),
        "echo" => {
            let line = t.replace('\n', " ");
            format!("{line} {}", line.chars().take(size / 4).collect::<String>())
        }
        "again" => t.replace(". ", ". It is what it was, and so it goes on and on. "),
        "and_and" => t.replace(" a ", " and so and so and so "),
        "three" => t.replace(" and ", " one more time "),
        "four" => t.replace(" and ", " at the same time "),
        "seven" => every(t, 7),
        "eight" => every(t, 8),
        "nine" => every(t, 9),
        "ten" => every(t, 10),
        "sentences" => t.replace(". ", ".\n"),
        "cited" => t.replace(". ", ".[12]\r\n").replace(", ", "[edit], [citation needed]"),
        "lorem" => t.replacen(". ", ".\nA Lorem Ipsum in a line.\n", 1),
        "curly" => t.replacen(". ", ".\nA { in a line.\n", 1),
        "script" => t.replace(". ", ".\nPlease enable JavaScript {.\n").replacen("the", "privacy policy", 1),
        "commas" => t.replace('.', ","),
        "column" => t.replace(' ', "\n"),
        "long_word" => t.replacen(' ', "x", 300).replace(". ", ".\n"),
        "danda" => t.replace(". ", "।\n"),
        "long" if t == "CHA" || t == "To " => format!("{t} ").repeat(100_001),
        "long" => t.to_string(),
        other => panic!("no edit {other}"),
    }
}

/// Says n words again after every 5 n words.
fn every(text: &str, n: usize) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let said = |chunk: &[&str]| [chunk, &chunk[..n.min(chunk.len())]].concat().join(" ");
    words.chunks(5 * n).map(said).collect::<Vec<_>>().join(" ")
}

#[test]
fn verdicts_and_reasons_are_those_of_datatrove() {
    let golden: Vec<Value> = serde_json::from_str(include_str!("golden/gopher.json")).unwrap();
    let (quality, repetition) = (quality(), repetition());
    let (mut faults, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for entry in &golden {
        let text = text_of(entry);
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        assert_eq!(u64::from(crc.sum()), entry["crc32"], "another text: {entry}");
        let fault = quality.fault(&text).map(|reason| reason.into_owned()).unwrap_or_default();
        assert_eq!(fault, entry["quality"], "{entry}");
        let repeats = repetition.fault(&text).map(|reason| reason.into_owned()).unwrap_or_default();
        assert_eq!(repeats, entry["repetition"], "{entry}");
        faults.insert(fault);
        repeated.insert(repeats);
    }
    // Every reason occurs, but for the empty text, which has a test of its own; "" is a kept document.
    assert!(golden.len() > 500);
    assert_eq!(faults.len(), 10 + 1, "{faults:?}");
    assert_eq!(repeated.len(), 4 + 3 + 6 + 1, "{repeated:?}");
}

/// As the golden file has it: the reason, or the checksum of the text that stays.
fn after(steps: &[Arc<dyn Map>], text: &str) -> Value {
    let mut doc = Document::new("a", text);
    for step in steps {
        if let Outcome::Drop(reason) = step.apply(&mut doc) {
            return reason.into_owned().into();
        }
    }
    let mut crc = flate2::Crc::new();
    crc.update(doc.text.as_bytes());
    crc.sum().into()
}

#[test]
fn c4_and_fineweb_decide_and_clean_as_datatrove_does() {
    let golden: Vec<Value> = serde_json::from_str(include_str!("golden/c4.json")).unwrap();
    let map = |name: &str, given: &[(&str, &str)]| {
        let mut args = defaults(steps::SIGNATURES.iter().find(|s| s.name == name).unwrap());
        args.extend(given.iter().map(|(name, text)| (name.to_string(), literal::parse(text).unwrap())));
        steps::map(name, &args, &Roots::project(examples())).unwrap().unwrap()
    };
    let quality = map("c4_quality", &[("bad_words", "false")]);
    let c4 = [map("c4_lines", &[]), quality.clone()];
    let any_line_end = [map("c4_lines", &[("terminal", "false")]), quality];
    let fineweb = [map("fineweb_quality", &[("max_duplicated_lines", "1%"), ("max_newlines", "0.3")])];
    let mut reasons = BTreeSet::new();
    let mut both = 0;
    for entry in &golden {
        let name = entry["edit"].as_str().unwrap();
        let text = match name {
            "twice" | "again" => edit("sentences", &text_of_part(entry)),
            _ => text_of(entry),
        };
        let text = match name {
            "twice" => format!("{text}\n{text}"),
            "again" => {
                let size = text_of_part(entry).chars().count();
                format!("{text}\n{}", text.chars().take(size / 12).collect::<String>())
            }
            _ => text,
        };
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        assert_eq!(u64::from(crc.sum()), entry["crc32"], "another text: {entry}");
        for (steps, key) in [(&c4, "c4"), (&any_line_end, "c4_any_line_end")] {
            let found = after(steps, &text);
            // Here the rules on lines come first, then `lorem ipsum`; datatrove goes by lines, and a page may break several.
            let whole = entry[key] == "curly_bracket" || entry[key] == "lorem_ipsum";
            if whole && (found == "few sentences" || found == "lorem ipsum" && text.contains('{')) {
                both += 1;
                continue;
            }
            let found = match found.as_str() {
                Some("few sentences") => "too_few_sentences".into(),
                Some(reason) => reason.replace(' ', "_").into(),
                None => found,
            };
            assert_eq!(found, entry[key], "{key}: {entry}");
            reasons.extend(found.as_str().map(str::to_string));
        }
        let found = match after(&fineweb, &text).as_str() {
            None => "",
            Some("line endings") => "line_punct_ratio",
            Some("short lines") => "short_line_ratio",
            Some("duplicated lines") => "char_dup_ratio",
            Some("list") => "list_ratio",
            Some(other) => panic!("{other}"),
        };
        assert_eq!(found, entry["fineweb"], "{entry}");
        reasons.insert(found.to_string());
    }
    assert!(golden.len() > 300 && both < 100, "{both}");
    assert_eq!(reasons.len(), 3 + 4 + 1, "{reasons:?}");
}

/// Rules of real sites and URLs made out of them; see tests/python/robots_decisions.py.
#[test]
fn robots_are_read_as_protego_reads_them() {
    let golden: Vec<Value> = serde_json::from_str(include_str!("golden/robots.json")).unwrap();
    let (mut allowed, mut forbidden) = (0, 0);
    for site in &golden {
        for (agent, said) in site["allowed"].as_object().unwrap() {
            let rules = Rules::of(site["robots"].as_str().unwrap(), agent);
            for (url, said) in site["urls"].as_array().unwrap().iter().zip(said.as_str().unwrap().chars()) {
                let allows = rules.allow(url.as_str().unwrap());
                assert_eq!(allows, said == '1', "{} {agent} {url}", site["host"]);
                *if allows { &mut allowed } else { &mut forbidden } += 1;
            }
        }
    }
    assert!(allowed > 400 && forbidden > 400);
}

#[test]
fn a_rule_is_off_with_none_and_strict_with_zero() {
    let mut it = repetition();
    assert_eq!(it.fault("").unwrap(), "empty");
    let text = "one line here\n\nanother line there\n\none line here\n\nand the end of all lines";
    assert_eq!(it.fault(text).unwrap(), "top_2_gram");
    it.top_n_grams.clear();
    assert_eq!(it.fault(text), None);
    it.dup_para_frac = Some(0.0);
    assert_eq!(it.fault(text).unwrap(), "dup_para_frac");
    let mut it = quality();
    assert_eq!(it.fault("to be").unwrap(), "gopher_short_doc");
    it.min_doc_words = None;
    it.min_avg_word_length = None;
    assert_eq!(it.fault("to be"), None);
    it.max_symbol_word_ratio = Some(0.0);
    assert_eq!(it.fault("to be #1").unwrap(), "gopher_too_many_hashes");
    assert_eq!(it.fault("").unwrap(), "gopher_below_alpha_threshold");
}

#[test]
fn arguments_that_keep_nothing_or_mean_nothing_are_problems() {
    let checked = |signature: &Signature, name: &str, value: &str| {
        let mut args = defaults(signature);
        args.insert(name.to_string(), literal::parse(value).unwrap());
        (signature.check)(&args)
    };
    assert!(checked(GopherQuality::SIGNATURE, "min_doc_words", "60").is_empty());
    assert!(
        checked(GopherQuality::SIGNATURE, "min_doc_words", "200_000")[0].message.contains("max_doc_words")
    );
    assert!(checked(GopherRepetition::SIGNATURE, "top_n_grams", "[[3, 50%]]").is_empty());
    for bad in ["[[0, 20%]]", "[[2]]", "[[2.5, 20%]]", "[[2, 20%, 1]]"] {
        assert_eq!(checked(GopherRepetition::SIGNATURE, "dup_n_grams", bad).len(), 1, "{bad}");
    }
}
