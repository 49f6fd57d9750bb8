//! What does not change a plan, in every shipped program: comments, empty lines, another order, another layout. And what does:
//! every number of the quickstart.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use llmp_fuzz::corpus::{self, Program};
use llmp_fuzz::judge::{Judge, Verdict};
use llmp_fuzz::random::Random;
use llmp_fuzz::slips::{Sort, sites};
use llmp_grammar::FileId;
use llmp_grammar::ast::ItemKind;

/// Shipped programs without an error, each with its verdict.
fn programs(judge: &Judge) -> Vec<(Program, Verdict)> {
    let all = corpus::shipped().into_iter().map(|program| {
        let verdict = judge.judge(&program.path, &program.text);
        (program, verdict)
    });
    let sound: Vec<_> = all.filter(|(_, verdict)| !verdict.failed()).collect();
    assert!(sound.len() >= 3, "too few programs");
    sound
}

fn same(judge: &Judge, program: &Program, before: &Verdict, text: &str, what: &str) {
    let after = judge.judge(&program.path, text);
    assert!(!after.failed(), "{}: {what}: {:?}", program.path, after.words());
    assert_eq!(after.hash, before.hash, "{}: {what} changes the plan", program.path);
}

/// The lines of a program that a comment can stand before: not those inside of `\\` texts.
fn commented(text: &str, random: &mut Random) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        if !line.trim_start().starts_with("\\\\")
            && !line.trim_start().starts_with('#')
            && random.below(2) == 0
        {
            out.push_str(if random.below(2) == 0 { "# a comment\n" } else { "\n\n" });
        }
        out.push_str(line);
    }
    out
}

/// The items of a program in another order. Imports and the edition stay where they are; comments go with the item behind them.
fn reordered(text: &str, random: &mut Random) -> String {
    let (parse, _) = llmp_grammar::parse(FileId(0), text);
    let mut starts: Vec<usize> = Vec::new();
    let mut head = text.len();
    for item in &parse.file.items {
        if !matches!(item.kind, ItemKind::Use(_)) {
            let start = line_of_comments(text, item.span.start as usize);
            starts.push(start);
            head = head.min(start);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let mut parts: Vec<String> =
        starts.iter().zip(ends).map(|(start, end)| format!("{}\n", text[*start..end].trim_end())).collect();
    random.shuffle(&mut parts);
    format!("{}\n{}", text[..head].trim_end(), parts.concat())
}

/// Start of the comment lines right before an item.
fn line_of_comments(text: &str, start: usize) -> usize {
    let mut at = text[..start].rfind('\n').map_or(0, |at| at + 1);
    while at > 0 {
        let before = text[..at - 1].rfind('\n').map_or(0, |at| at + 1);
        if !text[before..at].trim_start().starts_with('#') {
            break;
        }
        at = before;
    }
    at
}

#[test]
fn comments_order_and_layout_leave_the_plan_alone() {
    let judge = Judge::new();
    let mut random = Random::new(5);
    for (program, before) in programs(&judge) {
        for _ in 0..3 {
            same(&judge, &program, &before, &commented(&program.text, &mut random), "a comment");
            let other = reordered(&program.text, &mut random);
            assert_ne!(other, program.text, "{}: the order must change", program.path);
            same(&judge, &program, &before, &other, "another order");
        }
        let windows = program.text.replace('\n', "\r\n");
        same(&judge, &program, &before, &windows, "other line ends");
        let blanks: String = program.text.lines().map(|line| format!("{line}  \t\n")).collect();
        if !program.text.contains("\\\\") {
            same(&judge, &program, &before, &blanks, "blanks at line ends");
        }
        same(&judge, &program, &before, &llmp_grammar::format(&program.text).unwrap(), "formatting");
    }
}

/// Numbers of the quickstart that do not belong to the plan, each with its line: the bounds of a check that holds either way.
const DO_NOT_MATTER: [&str; 2] = ["check small.parameters in 2M..4M", "2M..4M"];

#[test]
fn every_number_of_the_quickstart_matters() {
    let judge = Judge::new();
    let path = "examples/quickstart.llmp";
    let text = std::fs::read_to_string(corpus::root().join(path)).unwrap();
    let before = judge.judge(path, &text);
    assert!(!before.failed(), "{:?}", before.words());
    let (parse, _) = llmp_grammar::parse(FileId(0), &text);
    let mut changed = 0;
    let mut idle = Vec::new();
    for site in
        sites(&text, &parse.file, judge.registry()).into_iter().filter(|site| site.sort == Sort::Number)
    {
        let line = text[..site.range.start].rfind('\n').map_or(0, |at| at + 1);
        let whole = text[line..].lines().next().unwrap_or("");
        // The first digit that is not zero becomes another.
        let at = site.range.start + text[site.range.clone()].find(|c| ('1'..='9').contains(&c)).unwrap();
        let digit = text.as_bytes()[at];
        let other = if digit == b'9' { b'7' } else { digit + 1 };
        let mutated = format!("{}{}{}", &text[..at], char::from(other), &text[at + 1..]);
        let after = judge.judge(path, &mutated);
        if after.failed() || after.hash != before.hash {
            changed += 1;
        } else if !DO_NOT_MATTER.iter().any(|known| whole.contains(known)) {
            idle.push(format!("{}: {whole}", site.text));
        }
    }
    assert!(idle.is_empty(), "these numbers change nothing: {idle:#?}");
    assert!(changed >= 15, "only {changed} numbers");
}
