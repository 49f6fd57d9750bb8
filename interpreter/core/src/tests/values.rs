//! Values: arithmetic, params, lets, checks, chains, `like`.

use llmp_stdlib::{Dim, Value};

use super::{NEWCOMER, checked, planned, said};
use crate::{Options, Origin, Program};

fn program(text: &str) -> Program {
    let text = if text.starts_with("llmp") { text.to_owned() } else { format!("llmp 1\n{text}") };
    let checked = checked(&[("main.llmp", &text)], &Options::default());
    let errors: Vec<_> = checked.diags.iter().filter(|d| d.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    checked.program
}

/// Whether a condition holds in a program that consists of it alone.
fn holds(condition: &str) -> Vec<String> {
    said(&format!("check {condition} else \"no\"\n"))
}

#[test]
fn numbers_are_exact() {
    for condition in [
        "0.1 + 0.2 == 0.3",
        "7 mod 4 == 3",
        "8 / 3 * 3 == 8",
        "65% == 0.65",
        "4M tokens / 2 == 2M tokens",
        "1h30m == 90 minutes",
        "8Ki == 8192",
        "-2 + 3 == 1",
        "3 in 1..3 and not (4 in 1..3)",
        "2 in [1, 2]",
        "(if true then 1 else 2) == 1",
        "\"a{1 + 1}\" == \"a2\"",
        "[i * 2 for i in 1..3 if i > 1] == [4, 6]",
        "[10, 20][1] == 20",
        "false or true and not false",
    ] {
        assert_eq!(holds(condition), Vec::<String>::new(), "{condition}");
    }
    assert_eq!(holds("1 == 2"), ["0805 2:7"]);
    assert_eq!(holds("4M tokens > 3 steps"), ["0306 2:7"]);
    assert_eq!(holds("1 / 0 > 1"), ["0305 2:7"]);
    assert_eq!(holds("1 < 2 < 3"), ["0205 2:7"]);
    assert_eq!(holds("3"), ["0201 2:7"]);
}

#[test]
fn checks_show_their_operands() {
    let text =
        format!("{NEWCOMER}check run.tokens <= 1M tokens else \"too long for {{tiny.layers}} layers\"\n");
    let checked = checked(&[("main.llmp", &text)], &Options::default());
    let diag = &checked.diags[0];
    assert_eq!((diag.code, diag.message.as_str()), ("LLMP0805", "check failed: too long for 4 layers"));
    assert_eq!(diag.notes, ["run.tokens = 4000000 tokens"]);
    assert_eq!(
        said(&format!("{NEWCOMER}check tiny.parameters in 2M..3M else \"size\"\n")),
        Vec::<String>::new()
    );
    assert_eq!(
        said(&format!(
            "{NEWCOMER}check tok.vocab == 4096 and run.optimizer.weight_decay == 0.1 else \"x\"\n"
        )),
        Vec::<String>::new()
    );
}

#[test]
fn like_copies_what_was_written() {
    let text = format!(
        "{NEWCOMER}model wide like tiny {{ width = 384, ffn = swiglu(multiple = 32) }}\nmodel deep like wide {{ layers = 8, ffn.ratio = 3 }}\nrelease r2 {{ model = run }}\n"
    );
    let program = program(&text);
    let deep = &program.items["deep"];
    assert_eq!(deep.members["width"].to_string(), "384");
    assert_eq!(deep.members["layers"].to_string(), "8");
    assert_eq!(deep.members["ffn"].to_string(), "swiglu(ratio = 3, multiple = 32)");
    assert!(deep.written.contains("context") && !deep.written.contains("vocab"));
    let layers: Vec<&Origin> = deep.layers[&vec!["layers".to_owned()]].iter().map(|l| &l.origin).collect();
    assert_eq!(layers, [&Origin::Like("wide".into()), &Origin::Written]);
    assert_eq!(
        said("model a like b { layers = 1 }\nmodel b like a { layers = 2 }\n")
            .iter()
            .filter(|s| s.starts_with("0106"))
            .count(),
        1
    );
}

#[test]
fn bare_numbers_take_the_dimension_of_their_member() {
    let program = program(NEWCOMER);
    let Value::Number(tokens) = &program.items["run"].members["tokens"] else { panic!("no number") };
    assert_eq!(tokens.dim, Dim::TOKENS);
    assert_eq!(program.items["clean"].row.as_ref().map(|r| r.parts), Some(&["heldout"][..]));
}

#[test]
fn marked_values_are_listed() {
    let text = NEWCOMER.replace("layers    = 4", "layers    = unpublished(4, \"a guess\")");
    let program = program(&text);
    assert_eq!(program.items["tiny"].members["layers"].to_string(), "4");
    assert_eq!(program.unpublished.iter().map(|n| n.why.as_str()).collect::<Vec<_>>(), ["a guess"]);
}

#[test]
fn chains_are_typed_at_their_use() {
    let head = "source pages = warc(\"p/*.gz\")\nsource books = text(\"b/*.txt\")\n";
    let chain =
        "chain web = extract_text() |> detect_language()\nchain en(code: Str) = keep_if(.lang == code)\n";
    assert_eq!(
        said(&format!("{head}{chain}dataset a = pages |> web |> en(code = \"en\")\n")),
        Vec::<String>::new()
    );
    assert_eq!(said(&format!("{head}{chain}dataset a = books |> web\n")), ["0207 6:22"]);
    assert_eq!(said(&format!("{head}{chain}dataset a = books |> en(code = \"en\")\n")), ["0105 5:31"]);
    assert_eq!(said(&format!("{head}{chain}dataset a = pages |> web |> en()\n")), ["0203 6:29"]);
    assert_eq!(said(&format!("{head}chain c = c |> detect_language()\n")), ["0106 4:11"]);
    let mentions = format!("{head}dataset a = concat([books, pages])\n");
    assert_eq!(said(&mentions), ["0210 4:28"]);
    let joined = format!(
        "{head}dataset a = concat([pages, pages]) |> extract_text()\ndataset b = concat([a, books]) |> keep_if(.url == \"x\")\n"
    );
    assert_eq!(said(&joined), ["0105 5:43"]);
}

#[test]
fn columns_follow_the_steps() {
    let head =
        "source rows = jsonl(\"r/*.jsonl\", columns = { score = Num })\nsource wild = jsonl(\"w/*.jsonl\")\n";
    assert_eq!(said(&format!("{head}dataset a = rows |> keep_if(.score > 0.5)\n")), Vec::<String>::new());
    assert_eq!(said(&format!("{head}dataset a = rows |> keep_if(.scor > 0.5)\n")), ["0105 4:29"]);
    assert_eq!(said(&format!("{head}dataset a = rows |> keep_if(.score == \"x\")\n")), ["0205 4:29"]);
    assert_eq!(said(&format!("{head}dataset a = wild |> keep_if(.anything > 0.5)\n")), Vec::<String>::new());
    assert_eq!(said(&format!("{head}dataset a = rows |> token_kl()\n")), ["0105 4:21"]);
    let off = "param on: Bool = false\ndataset a = rows |> detect_language(when = on) |> keep_if(.lang == \"en\", when = on)\n";
    assert_eq!(said(&format!("{head}{off}")), Vec::<String>::new());
    assert_eq!(said(&format!("{head}{}", off.replace("\"en\", when = on", "\"en\""))), ["0105 5:59"]);
}

#[test]
fn paths_of_other_files_stay_right() {
    let data = "llmp 1\nsource crawl = text(\"c/*.txt\")\nsource far = text(\"data:c/*.txt\")\n";
    let main = "llmp 1\nuse { crawl, far } from \"./lib/data.llmp\"\ntokenizer t = bpe(train_on = crawl, vocab = 64)\n";
    let checked = checked(&[("main.llmp", main), ("lib/data.llmp", data)], &Options::default());
    assert_eq!(
        checked.program.items["crawl"].value.as_ref().map(ToString::to_string).as_deref(),
        Some("text(glob = \"lib/c/*.txt\")")
    );
    assert!(
        checked.program.items["far"]
            .value
            .as_ref()
            .is_some_and(|v| v.to_string().contains("\"data:c/*.txt\""))
    );
}

#[test]
fn allow_silences_warnings_only() {
    let text = NEWCOMER
        .replace("vocab = 4096", "vocab = 8k")
        .replace("tokenizer tok", "@allow(LLMP0303)\ntokenizer tok");
    assert_eq!(said(&text), Vec::<String>::new());
    let needless = NEWCOMER.replace("tokenizer tok", "@allow(LLMP0303)\ntokenizer tok");
    assert_eq!(said(&needless), ["0902 7:8"]);
    let error = NEWCOMER
        .replace("vocab = 4096", "vocab = 4.5")
        .replace("tokenizer tok", "@allow(LLMP0201)\ntokenizer tok");
    assert_eq!(said(&error), ["0902 7:8", "0201 8:47"]);
}

#[test]
fn unused_definitions_are_mentioned() {
    let text = format!("{NEWCOMER}let idle = 3\nsource spare = text(\"s/*.txt\")\n");
    let checked = checked(&[("main.llmp", &text)], &Options::default());
    assert_eq!(super::places(&checked, true), ["0108 26:5", "0108 27:8"]);
}

#[test]
fn a_let_keeps_its_written_type() {
    assert_eq!(said("let n: Int = 4\ncheck n + 1 == 5 else \"n\"\n"), Vec::<String>::new());
    assert_eq!(said("let n: Int = 4.5\ncheck n > 1 else \"n\"\n"), ["0201 2:14"]);
    assert_eq!(said("let n: Int in 1..3 = 4\ncheck n > 1 else \"n\"\n"), ["0209 2:22"]);
    assert_eq!(
        said("let n: List[Int] = [i for i in 1..3]\ncheck n[0] == 1 else \"n\"\n"),
        Vec::<String>::new()
    );
    assert_eq!(
        said("let n: List[Int] = [i / 2 for i in 1..3]\ncheck n[0] == 1 else \"n\"\n"),
        ["0201 2:21", "0201 2:21"]
    );
    assert_eq!(
        said("let n: Range[Steps] = 1 steps..3 steps\ncheck 2 steps in n else \"n\"\n"),
        Vec::<String>::new()
    );
    assert_eq!(
        said("let n: Range[Steps] = 1 tokens..3 steps\ncheck 2 steps in n else \"n\"\n"),
        ["0202 2:23"]
    );
    assert_eq!(said("let n: Integer = 4\ncheck n > 1 else \"n\"\n"), ["0101 2:8"]);
}

#[test]
fn written_types_of_items_are_checked() {
    let none = Vec::<String>::new();
    let typed = NEWCOMER
        .replace("source books", "source books: Docs")
        .replace("dataset clean", "dataset clean: Docs")
        .replace("tokenizer tok", "tokenizer tok: Tokenizer")
        .replace("model tiny", "model tiny: Model")
        .replace("pretrain run", "pretrain run: Model")
        .replace("eval quality  ", "eval quality: Metrics");
    let more = "source w[k in [\"a\", \"b\"]]: Docs = text(\"{k}.txt\")\nchain c: Chain = dedup_minhash()\n\
                mix x: Mix { books = 1 }\nsource raw: Data = warc(\"w\")\nmodel like_tiny: Model like tiny { layers = 2 }\n";
    assert_eq!(said(&format!("{typed}{more}")), none);
    assert_eq!(planned(&typed).hash(), planned(NEWCOMER).hash());
    assert_eq!(said("source a: Html = text(\"a\")\n"), ["0201 2:11"]);
    assert_eq!(said("source a[k in [\"x\", \"y\"]]: Html = text(\"{k}\")\n"), ["0201 2:28"]);
    assert_eq!(said("source a = warc(\"a\")\ndataset b: Html = a |> extract_text()\n"), ["0201 3:12"]);
    assert_eq!(said("tokenizer t: Model = tokenizer_file(\"t\")\n"), ["0201 2:14"]);
    assert_eq!(said("tokenizer t: Int = tokenizer_file(\"t\")\n"), ["0201 2:14"]);
    assert_eq!(said("source a: List[Docs] = text(\"a\")\n"), ["0201 2:11"]);
    assert_eq!(said("source a: Docs? = text(\"a\")\n"), ["0201 2:11"]);
    assert_eq!(said("source a: Doc = text(\"a\")\n"), ["0101 2:11"]);
    // Of data whose state is not known, only that they are data.
    assert_eq!(said("dataset b: Chat = nothing\n"), ["0101 2:19"]);
    assert_eq!(said("dataset b: Model = nothing\n"), ["0201 2:12", "0101 2:20"]);
    let checked = checked(
        &[("main.llmp", "llmp 1\nsource a: Html = text(\"a\")\nmodel m: Modell {}\n")],
        &Options::default(),
    );
    let by_code = |code: &str| checked.diags.iter().find(|d| d.code == code).unwrap();
    let (state, kind) = (by_code("LLMP0201"), by_code("LLMP0101"));
    assert_eq!(state.message, "expected `Docs`, the state of `a`, found `Html`");
    assert_eq!(
        (state.fixes[0].edits[0].replacement.as_str(), kind.fixes[0].edits[0].replacement.as_str()),
        ("Docs", "Model")
    );
}

#[test]
fn what_is_not_there_yet_is_said() {
    assert_eq!(said("@fast\nsource a = text(\"a/*.txt\")\n"), ["0703 2:1"]);
    assert_eq!(said("rounds post for r in 1..2 {\n  param a: Int = 2\n}\n"), ["0703 3:3"]);
}

#[test]
fn the_text_of_a_file_is_taken_in() {
    let with = |main: &str| {
        let files = [
            ("p/llmp.lock", ""),
            ("p/q/main.llmp", main),
            ("p/rubric.txt", "Is it clear?"),
            ("out.txt", "no"),
        ];
        let files: std::collections::BTreeMap<String, String> =
            files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let (loaded, _) = crate::load(&files, "p/q/main.llmp");
        let (_, sink) = crate::check(&loaded, &crate::test_registry::registry(), &Options::default());
        sink.into_sorted().into_iter().filter(|d| d.is_error()).map(|d| d.code).collect::<Vec<_>>()
    };
    let check = |path: &str, text: &str| {
        format!("llmp 1\nlet rubric = file(\"{path}\")\ncheck rubric == \"{text}\" else \"differs\"\n")
    };
    assert!(with(&check("../rubric.txt", "Is it clear?")).is_empty());
    assert_eq!(with(&check("../rubric.txt", "Is it true?")), ["LLMP0805"]);
    assert_eq!(with(&check("../missing.txt", "")), ["LLMP0109"]);
    assert_eq!(with(&check("../../out.txt", "no")), ["LLMP0115"]);
    assert_eq!(with("llmp 1\nlet rubric = file(1)\n"), ["LLMP0203"]);
}
