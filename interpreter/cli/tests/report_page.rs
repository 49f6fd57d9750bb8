//! The page of `llmp report` in a real browser: every chart has its data. Without Chromium (`apt-get install chromium`)
//! the test says so and passes.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Project, text};
use serde_json::Value;

const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// What the browser makes of a page after its script has run.
fn opened(page: &Path) -> Option<String> {
    let browser = BROWSERS.iter().find(|name| Command::new(name).arg("--version").output().is_ok())?;
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1360,4000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    Some(text(&output.stdout))
}

/// The numbers of the marks of every figure of a chart, in the order of the page.
fn marks(page: &str, chart: &str) -> Vec<Vec<f64>> {
    let figures = page.split("<figure ").skip(1).map(|rest| rest.split("</figure>").next().unwrap_or(rest));
    let wanted = figures.filter(|figure| figure.contains(&format!("data-chart=\"{chart}\"")));
    let numbers = |figure: &str| {
        figure
            .split("data-value=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect()
    };
    wanted.map(numbers).collect()
}

fn numbers<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<f64> {
    values.into_iter().map(|value| value.as_f64().unwrap()).filter(|n| *n > 0.0).collect()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v Vec<Value> {
    value[key].as_array().unwrap()
}

/// Every chart of a page against the facts of `llmp report --format json`.
fn check(page: &str, facts: &Value) {
    assert!(!page.contains("data-failed"), "a section could not be drawn");
    assert!(!page.contains("data-broken"), "a document ran as a script");
    let drawn: usize =
        page.split("data-drawn=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    assert!(drawn >= 8, "{drawn} charts");

    let funnel = marks(page, "funnel").concat();
    let kept: f64 = list(facts, "funnel").iter().map(|row| row["out"].as_f64().unwrap()).sum();
    let gone: f64 = list(facts, "funnel")
        .iter()
        .map(|row| row["in"].as_f64().unwrap() - row["out"].as_f64().unwrap())
        .sum();
    assert_eq!(funnel.iter().sum::<f64>(), kept + gone);

    let sources = marks(page, "sources").concat();
    let flows = list(facts, "funnel").iter().flat_map(|row| row["sources"].as_object().unwrap().values());
    let through: f64 =
        flows.filter(|flow| flow["in"].as_u64() > Some(0)).map(|flow| flow["out"].as_f64().unwrap()).sum();
    assert_eq!(sources.iter().sum::<f64>(), through);

    let reasons: Vec<f64> = numbers(list(facts, "reasons").iter().map(|reason| &reason["documents"]));
    assert_eq!(marks(page, "reasons").concat(), reasons);
    let first = list(&facts["reasons"][0], "scores");
    let scores: Vec<f64> = first
        .iter()
        .flat_map(|s| list(&s["values"], "bars"))
        .map(|bar| bar["count"].as_f64().unwrap())
        .collect();
    assert_eq!(marks(page, "score").concat().iter().sum::<f64>(), scores.iter().sum::<f64>());

    let set = &facts["sets"][0];
    let lengths: f64 = marks(page, "lengths").concat().iter().sum();
    let lost: f64 = list(&set["lengths"], "lost").iter().map(|n| n.as_f64().unwrap()).sum();
    assert_eq!(lengths, set["documents"].as_f64().unwrap() + lost);
    assert_eq!(marks(page, "column").len(), list(set, "numbers").len());
    assert_eq!(marks(page, "texts").len(), list(set, "texts").len());
    assert_eq!(page.matches("<article class=\"sample\"").count() > 0, !list(set, "samples").is_empty());

    let groups = list(facts, "clusters").iter().flat_map(|one| list(one, "sizes")).map(|size| &size[1]);
    assert_eq!(marks(page, "clusters").concat(), numbers(groups));
    let hits = list(facts, "hits").iter().flat_map(|one| list(one, "sets")).map(|set| &set[1]);
    assert_eq!(marks(page, "contamination").concat(), numbers(hits));
    let parts = list(facts, "stages").iter().flat_map(|stage| list(stage, "parts"));
    let parts = parts.flat_map(|part| [&part["planned"], &part["drawn"]]);
    assert_eq!(marks(page, "mixture").concat(), numbers(parts));
    let amounts = list(facts, "estimates")
        .iter()
        .filter(|one| one["measured"].is_number() || one["planned"].is_array());
    assert_eq!(marks(page, "estimates").is_empty(), amounts.count() == 0);
    let bytes: f64 = list(facts, "sources").iter().map(|source| source["bytes_kept"].as_f64().unwrap()).sum();
    for chart in ["licenses", "synthetic"] {
        assert_eq!(marks(page, chart).concat().iter().sum::<f64>(), bytes, "{chart}");
    }
    assert_eq!(marks(page, "bad").concat().len(), list(&facts["bad"], "first").len());
}

fn report(project: &Project, args: &[&str]) {
    let output = project.llmp(&[&["run"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = project.path("report.html");
    let out = ["--out", page.to_str().unwrap()];
    let output = project.llmp(&[&["report"], args, &out].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = project.llmp(&[&["report"], args, &["--format", "json"]].concat());
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    match opened(&page) {
        Some(dom) => check(&dom, &facts),
        None => eprintln!("skipped: no {} here; apt-get install chromium", BROWSERS.join(" or ")),
    }
}

#[test]
fn every_chart_of_a_report_has_its_data() {
    let project = Project::new();
    let program = common::PROGRAM.replace(
        "  |> gopher_quality(min_doc_words = 50)\n",
        "  |> detect_language()\n  |> keep_if(words(.text) < 2500)\n",
    );
    project.write("main.llmp", program.replace("16k", "4k"));
    let hostile = "</script><script>document.body.dataset.broken = 'yes'</script><img src=x onerror=\"document.body.dataset.broken=1\">";
    project.write("books/moby-dick-000.txt", format!("{hostile} {}", "whale ".repeat(900)));
    project.write("books/moby-dick-000b.txt", format!("{hostile} {}", "whale ".repeat(900)));
    report(&project, &["main.llmp"]);
}

/// The whole data pack, from web archives to packed tokens; without the pack (`../shared/data`) the test says so and passes.
#[test]
fn every_chart_of_the_web_pipeline_has_its_data() {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !pack.join("MANIFEST.tsv").exists() {
        eprintln!("skipped: no data pack at {}", pack.display());
        return;
    }
    let project = Project::new();
    project.write("main.llmp", std::fs::read(common::examples().join("web_to_tokens.llmp")).unwrap());
    let root = format!("data={}", pack.canonicalize().unwrap().display());
    report(&project, &["main.llmp", "--root", &root]);
}
