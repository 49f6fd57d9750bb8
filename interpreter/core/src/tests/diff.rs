//! Differences of programs, and drawings of their plans.

use super::{NEWCOMER, checked, planned};
use crate::{Change, Diff, ItemChange, Options, diff, graph, plan};

fn compare(before: &str, after: &str) -> Diff {
    let registry = crate::test_registry::registry();
    let read = |text: &str| {
        let checked = checked(&[("main.llmp", text)], &Options::default());
        assert!(!checked.diags.iter().any(|d| d.is_error()), "{:?}", checked.diags);
        let (plan, _) = plan(&checked.program, &registry);
        (checked.program, plan)
    };
    let (a, b) = (read(before), read(after));
    diff((&a.0, &a.1), (&b.0, &b.1))
}

fn changed<'d>(diff: &'d Diff, name: &str) -> &'d [Change] {
    let found = diff.items.iter().find_map(|change| match change {
        ItemChange::Changed { item, values, .. } if item == name => Some(values.as_slice()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{name} did not change: {:?}", diff.items))
}

#[test]
fn equal_programs_differ_in_nothing() {
    let diff = compare(NEWCOMER, &format!("{NEWCOMER}\n# a comment\n"));
    assert!(diff.same_plan() && diff.items.is_empty() && diff.again.is_empty() && diff.costs.is_empty());
    assert_eq!(diff.kept, planned(NEWCOMER).steps.len());
}

#[test]
fn a_member_is_named_with_both_values_and_what_it_costs() {
    let diff = compare(NEWCOMER, &NEWCOMER.replace("tokens = 4M", "tokens = 5M"));
    let change =
        Change { path: "tokens".into(), before: Some("4M tokens".into()), after: Some("5M tokens".into()) };
    assert_eq!(changed(&diff, "run"), [change]);
    assert_eq!(diff.items.len(), 1);
    let again: Vec<&str> = diff.again.iter().map(|s| s.step.as_str()).collect();
    assert_eq!(again, ["run", "quality", "stories"]);
    assert_eq!(diff.again[0].because, ["tokens 4M tokens → 5M tokens"]);
    assert_eq!(diff.again[1].because, ["it reads run"]);
    assert!(diff.gone.is_empty() && !diff.same_plan());
}

#[test]
fn steps_of_a_pipe_are_compared_by_name() {
    let before =
        NEWCOMER.replace("|> dedup_minhash()", "|> gopher_quality(min_words = 40) |> dedup_minhash()");
    let diff = compare(&before, &before.replace("min_words = 40", "min_words = 41"));
    let paths: Vec<&str> = changed(&diff, "clean").iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["|> gopher_quality.min_words"]);
    assert_eq!(diff.again[0].step, "clean.gopher_quality");
    assert_eq!(diff.again[0].because, ["min_words 40 → 41"]);
    let dropped = compare(&before, NEWCOMER);
    assert!(changed(&dropped, "clean").iter().any(|c| c.path == "|> gopher_quality" && c.after.is_none()));
    assert_eq!(dropped.gone, ["clean.gopher_quality"]);
}

#[test]
fn steps_of_a_chain_are_compared_by_name() {
    let before = NEWCOMER.replace(
        "dataset clean = books |> detect_language()",
        "chain good = gopher_quality(min_words = 40)\ndataset clean = books |> good |> detect_language()",
    );
    let diff = compare(&before, &before.replace("min_words = 40", "min_words = 41"));
    let change = &changed(&diff, "good")[0];
    assert_eq!((change.path.as_str(), changed(&diff, "good").len()), ("|> gopher_quality.min_words", 1));
}

#[test]
fn renames_are_found_and_change_no_plan() {
    let after = NEWCOMER.replace("tiny", "small").replace("clean", "tidy");
    let diff = compare(NEWCOMER, &after);
    assert!(diff.same_plan());
    let renamed: Vec<String> = diff
        .items
        .iter()
        .map(|change| match change {
            ItemChange::Renamed { item, to, .. } => format!("{item} {to}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(renamed, ["clean tidy", "tiny small"]);
}

#[test]
fn items_come_and_go() {
    let diff = compare(
        NEWCOMER,
        &NEWCOMER.replace("release stories { model = run }\n", "source more = text(\"more/*.txt\")\n"),
    );
    let words: Vec<String> = diff.items.iter().map(|c| format!("{c:?}")).collect();
    assert_eq!(words.len(), 2);
    assert!(
        words[0].starts_with("Added { item: \"more\"") && words[1].starts_with("Removed { item: \"stories\""),
        "{words:?}"
    );
    assert_eq!(diff.gone, ["stories"]);
}

#[test]
fn a_plan_is_drawn_in_three_forms() {
    let plan = planned(NEWCOMER);
    let graph = graph(&plan, &crate::test_registry::registry());
    assert_eq!(graph.nodes.len(), plan.steps.len());
    let edges: usize = plan.steps.iter().map(|s| s.inputs.len()).sum();
    assert_eq!(graph.edges.len(), edges);
    let mermaid = graph.mermaid();
    assert!(mermaid.starts_with("flowchart TD\n") && mermaid.matches(" -->").count() == edges, "{mermaid}");
    assert!(
        mermaid.contains("|heldout|")
            && mermaid.contains("[\"run<br/><small>pretrain, 4M tokens</small>\"]:::model"),
        "{mermaid}"
    );
    let dot = graph.dot();
    assert!(dot.starts_with("digraph plan {") && dot.matches(" -> ").count() == edges, "{dot}");
    let svg = graph.svg();
    assert_eq!(svg.matches("<rect ").count(), plan.steps.len());
    assert_eq!(svg.matches("class=\"arrow\"").count(), edges);
    assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
    assert!(svg.ends_with("</svg>\n"));
}
