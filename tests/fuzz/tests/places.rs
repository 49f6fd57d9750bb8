//! Mistakes that lie between two places name both.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::collections::BTreeMap;

use llmp_fuzz::corpus;
use llmp_fuzz::judge::Judge;

/// Cases of the suite whose mistake lies between two places, and the code that names both.
const TWO: [(&str, &str); 13] = [
    ("pages-cleaned-as-if-they-were-text", "LLMP0207"),
    ("pages-and-texts-joined", "LLMP0210"),
    ("a-tokenizer-that-needs-the-model-that-needs-it", "LLMP0106"),
    ("one-source-twice-under-two-names", "LLMP0412"),
    ("a-model-to-begin-with-and-a-stage-to-go-on-from", "LLMP0602"),
    ("three-quarters-too-much", "LLMP0401"),
    ("a-list-closed-by-a-bracket", "LLMP0003"),
    ("evaluation-data-trained-on", "LLMP0406"),
    ("a-source-repeated-forty-times", "LLMP0404"),
    ("a-judge-measured-on-its-own-pairs", "LLMP0612"),
    ("a-release-that-a-license-forbids", "LLMP0409"),
    ("a-teacher-of-equal-size-and-another-tokenizer", "LLMP0505"),
    ("held-out-data-that-depend-on-what-is-varied", "LLMP0613"),
];

/// Programs of the suite under `wrong/`, by name.
fn cases() -> BTreeMap<String, String> {
    let files = corpus::everything().into_iter().filter(|p| p.path.starts_with("tests/suite/wrong/"));
    let texts: Vec<String> = files.map(|p| p.text).collect();
    let parts =
        texts.iter().flat_map(|text| text.split("--- ")).filter_map(|part| part.split_once(" check ---\n"));
    parts.map(|(name, source)| (name.to_owned(), source.to_owned())).collect()
}

#[test]
fn mistakes_between_two_places_name_both() {
    let judge = Judge::new();
    let cases = cases();
    assert!(cases.len() >= 40, "{} wrong programs", cases.len());
    let mut wrong = Vec::new();
    for (name, code) in TWO {
        let text = cases.get(name).unwrap_or_else(|| panic!("no case `{name}`"));
        let verdict = judge.judge("examples/case.llmp", text);
        let places = verdict.diags.iter().filter(|d| d.code == code).map(|d| {
            let spans: std::collections::BTreeSet<_> = d.labels.iter().map(|label| label.span).collect();
            spans.len()
        });
        match places.max() {
            Some(most) if most >= 2 => {}
            found => wrong.push(format!("{name}: {code} names {found:?} places")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
