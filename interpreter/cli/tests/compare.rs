//! Comparisons from text to table: what is held is what was used, laws are fitted, pages have their plots without a script.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, events, ran, text};
use serde_json::Value;

/// The suites' program with a width and a budget to vary, and a comparison in place of what it releases.
fn program(budget: &str, compare: &str) -> String {
    let program = PROGRAM
        .replace("llmp 1\n", "llmp 1\n\nparam width: Int = 32\nparam compute: Flops = 1B flops\n")
        .replace("width     = 32", "width     = width")
        .replace("tokens      = 16k", budget)
        .replace("release out { model = run }", "");
    format!(
        "{program}\ncompare sizes {{\n  of      = run\n  seeds   = 1\n  measure = [bits_per_byte(clean.heldout)]\n{compare}\n}}\n"
    )
}

fn comparison(events: &[Value]) -> Value {
    events.iter().find(|e| e["event"] == "comparison").unwrap()["comparison"].clone()
}

#[test]
fn arms_that_used_different_amounts_are_refused_and_what_was_trained_is_kept() {
    let project = Project::new();
    project.write("main.llmp", program("tokens = 2k", "  vary    = { width = [16, 32] }\n  hold    = flops"));
    let output = project.llmp(&["run", "main.llmp"]);
    let words = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    for part in ["LLMP1204", "`width = 16`, seed 0, used", "`width = 32`, seed 0, used", "compare sizes"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    project
        .write("main.llmp", program("tokens = 2k", "  vary    = { width = [16, 32] }\n  hold    = tokens"));
    let events = project.run();
    assert_eq!(ran(&events), ["sizes"]);
    let arms = comparison(&events)["metrics"]["bits_per_byte"].clone();
    assert_eq!(arms.as_array().unwrap().len(), 2);
}

#[test]
fn a_law_is_fitted_to_sizes_at_equal_compute_and_drawn() {
    let project = Project::new();
    let compare = "  vary    = { compute = [1B flops, 3B flops], width = [16, 32, 48] }\n  hold    = none\n  fit     = isoflop(at = 1T flops)";
    project.write("main.llmp", program("flops = compute", compare));
    let output = project.llmp(&["run", "main.llmp", "--format", "json"]);
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    let law = comparison(&events(&output))["laws"]["bits_per_byte"].clone();
    let budgets = law["budgets"].as_array().unwrap();
    assert_eq!(budgets.iter().map(|b| b["runs"].as_array().unwrap().len()).collect::<Vec<_>>(), [3, 3]);
    assert!(budgets.iter().all(|b| b["parabola"].is_array()));

    let folder = project.path("runs/main/sizes");
    let page = std::fs::read_to_string(folder.join("comparison.html")).unwrap();
    for chart in ["comparison", "law", "loss"] {
        assert_eq!(page.matches(&format!("data-chart=\"{chart}\"")).count(), 1, "{chart}");
    }
    let table = std::fs::read_to_string(folder.join("comparison.txt")).unwrap();
    assert!(table.contains("best tokens"), "{table}");
    for foreign in ["http", "<script", "src="] {
        assert!(!page.contains(foreign), "{foreign}");
    }

    let report = project.llmp(&["report", "main.llmp"]);
    assert!(report.status.success(), "{}", text(&report.stderr));
    let page = std::fs::read_to_string(project.path("runs/main/report.html")).unwrap();
    let section = page.split("<section id=\"training\"").nth(1).unwrap().split("</section>").next().unwrap();
    // Six runs, each with its loss and its rate.
    assert_eq!(section.matches("<polyline").count(), 12);
}
