//! Every mistake is reported once, at its place, with a fix that works.

use llmp_grammar::{Diag, FileId, codes, parse};

fn run(text: &str) -> Vec<Diag> {
    let (parsed, sink) = parse(FileId(0), text);
    assert_eq!(parsed.syntax().text().to_string(), text, "lossless");
    sink.into_sorted()
}

/// `line:column code` of each diagnostic.
fn places(text: &str) -> Vec<String> {
    let mut sources = llmp_grammar::Sources::new();
    let file = sources.add("a.llmp", text);
    let show = |diag: Diag| {
        let at = sources.position(file, diag.span().expect("a place").start);
        format!("{}:{} {}", at.line, at.column, &diag.code[4..])
    };
    run(text).into_iter().map(show).collect()
}

fn apply(text: &str, diag: &Diag) -> Option<String> {
    let fix = diag.fixes.first()?;
    let mut edits = fix.edits.clone();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span));
    let mut text = text.to_string();
    for edit in edits {
        text.replace_range(edit.span.range(), &edit.replacement);
    }
    Some(text)
}

#[test]
fn examples_of_codes_show_what_they_say() {
    for info in codes::ALL {
        let examples = info.examples();
        if info.code == "LLMP0901" {
            assert!(examples.is_empty(), "no program can show a mistake of the formatter");
            continue;
        }
        let [wrong, right] = examples.as_slice() else { panic!("{}: two examples", info.code) };
        let mark = format!("# {}[{}]", info.severity.word(), info.code);
        assert!(wrong.contains(&mark), "{}: {mark} in {wrong}", info.code);
        let found: Vec<&str> = run(wrong).iter().map(|diag| diag.code).collect();
        assert_eq!(found, [info.code], "{wrong}\n{:#?}", run(wrong));
        assert_eq!(run(right), [], "{right}");
    }
}

#[test]
fn fixes_of_examples_repair_them() {
    let with_fix = ["0002", "0003", "0004", "0006", "0007", "0008", "0009", "0010", "0014", "0016"];
    for info in codes::ALL {
        for wrong in info.examples().iter().take(1) {
            let diags = run(wrong);
            assert_eq!(!diags[0].fixes.is_empty(), with_fix.contains(&&info.code[4..]), "{}", info.code);
            if let Some(fixed) = apply(wrong, &diags[0]) {
                assert_eq!(run(&fixed), [], "{}:\n{fixed}", info.code);
            }
        }
    }
}

/// Text, what is reported, and whether the first fixes of all of it together lead to a clean file.
const TABLE: &[(&str, &[&str], bool)] = &[
    ("model m {\n  lr     =\n  clip = 1\n}\n", &["3:10 0005"], false),
    ("mix m {\n  web = rest\n  code 30%\n}\n", &["4:7 0006"], true),
    ("model m {\n  heads: 32\n}\n", &["3:8 0006"], true),
    ("model m {\n  width = 4096,,\n  heads = 2\n}\n", &["3:16 0007"], true),
    ("let betas = [0.9, 0.95)\n", &["2:23 0003"], true),
    ("model m {\n  layers = 4\n\nmodel n {\n  layers = 4\n}\n", &["2:9 0002"], true),
    ("model m {\n  layers = 4\n  ffn = swiglu(hidden = 3\n  width = 3\n}\n", &["4:15 0002"], true),
    ("dataset d = f([1, 2)\nlet x = 1\n", &["2:15 0002"], true),
    ("model m { layers = 4 }\n}\nlet x = 1\n", &["3:1 0003"], true),
    ("let x = \"abc\nlet y = 2\n", &["2:9 0004"], true),
    ("let x = f(\"abc, 3)\nlet y = 2\n", &["2:11 0004"], true),
    ("dataset d = a |>\n  b() |>\n  c()\n", &["2:15 0008", "3:7 0008"], true),
    ("dataset d = a |> keep_if(.x > 1 && .y)\n", &["2:33 0009"], true),
    ("dataset d = a |> keep_if(!.y || .x)\n", &["2:26 0009", "2:30 0009"], true),
    ("let x = [True, None, null]\n", &["2:10 0009", "2:16 0009", "2:22 0009"], true),
    ("let x = 'abc'\n", &["2:9 0009"], true),
    ("let x = 3 // three\n", &["2:11 0009"], true),
    ("let x = f\"a {y}\"\n", &["2:9 0009"], true),
    ("let x = keep(lambda d: d.x)\n", &["2:14 0009"], false),
    ("lr = 3\nlet y = 2\n", &["2:1 0010"], true),
    ("let x 3\n", &["2:6 0006"], true),
    ("dataset d books |> f()\n", &["2:10 0006"], true),
    ("eval e { model = run suites = [a b] }\n", &["2:21 0007", "2:33 0007"], true),
    ("let x = f(a = 1 b = 2)\n", &["2:16 0007"], true),
    ("let x = f(a: 1, \"s\")\n", &["2:12 0006"], true),
    ("let x = 3 + \n", &["2:11 0001"], false),
    ("let x = 3 4\n", &["2:11 0001"], false),
    ("dataset d = a |> |> b()\n", &["2:18 0001"], false),
    (
        "model m {\n  lr = = 3\n  x: 3\n}\n\nmodel n {\n  y = 3 *\n}\n",
        &["3:8 0001", "4:4 0006", "8:9 0001"],
        false,
    ),
    ("model m {\n  \"layers\": 3\n  heads = 2\n}\n", &["3:3 0006"], true),
    ("model m\n", &["2:8 0001"], false),
    ("check a.b <= 3\nlet x = 1\n", &["2:15 0001"], false),
    ("optimizer { lr = 3 }\n", &["2:1 0001"], false),
    ("let x = if a then b\n", &["2:19 0001"], false),
];

#[test]
fn mistakes_are_reported_once_and_at_their_place() {
    let mut wrong = vec![];
    for (body, wanted, fixable) in TABLE {
        let text = format!("llmp 1\n{body}");
        let found = places(&text);
        if found != *wanted {
            wrong.push(format!(
                "{text}wanted {wanted:?}, found {found:?}: {:?}",
                run(&text).iter().map(|d| d.message.clone()).collect::<Vec<_>>()
            ));
            continue;
        }
        if *fixable {
            let mut fixed = text.clone();
            for diag in run(&text).iter().rev() {
                fixed = apply(&fixed, diag).unwrap_or(fixed);
            }
            if !run(&fixed).is_empty() {
                wrong.push(format!("{text}fixed:\n{fixed}{:?}", places(&fixed)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
}

#[test]
fn misspelt_keywords_are_restored() {
    for (wrong, right) in [
        ("llmp 1\ncehck a.b in 1..2 else \"c\"\n", "llmp 1\ncheck a.b in 1..2 else \"c\"\n"),
        ("llmp 1\nues { a } from \"./b.llmp\"\n", "llmp 1\nuse { a } from \"./b.llmp\"\n"),
        ("llmp 1\nsue a from \"./b.llmp\"\n", "llmp 1\nuse a from \"./b.llmp\"\n"),
        (
            "llmp 1\nround p for r in 1..2 {\n  carry a = b\n}\n",
            "llmp 1\nrounds p for r in 1..2 {\n  carry a = b\n}\n",
        ),
    ] {
        let diags = run(wrong);
        assert_eq!(diags.len(), 1, "{diags:#?}");
        assert_eq!(apply(wrong, &diags[0]).as_deref(), Some(right));
        assert_eq!(run(right), []);
    }
}
