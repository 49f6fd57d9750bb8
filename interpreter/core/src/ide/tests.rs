//! Editors' questions about small programs; `$` is the cursor.

use std::collections::BTreeMap;

use llmp_grammar::{Edit, FileId};
use llmp_stdlib::Registry;

use super::goto::Target;
use super::{Analysis, Engine, actions, rename};
use crate::Trees;
use crate::test_registry::registry;
use crate::tests::NEWCOMER;

struct Desk {
    files: BTreeMap<String, String>,
    registry: Registry,
    trees: Trees,
    offset: u32,
}

impl Desk {
    /// Files of a project; the cursor stands in the first.
    fn new(files: &[(&str, &str)]) -> Desk {
        let offset = files[0].1.find('$').unwrap_or(0);
        let files = files.iter().map(|(k, v)| ((*k).to_owned(), v.replace('$', ""))).collect();
        Desk { files, registry: registry(), trees: Trees::default(), offset: u32::try_from(offset).unwrap() }
    }

    fn one(text: &str) -> Desk {
        Desk::new(&[("main.llmp", text)])
    }

    fn analysis(&mut self) -> Analysis {
        Analysis::new(&self.files, "main.llmp", &self.registry, &mut self.trees)
    }

    fn hover(&mut self) -> String {
        let analysis = self.analysis();
        analysis.hover(&self.registry, FileId(0), self.offset).map(|h| h.text).unwrap_or_default()
    }

    fn complete(&mut self) -> Vec<(String, String)> {
        let analysis = self.analysis();
        let mut engine = Engine { vfs: &self.files, registry: &self.registry, trees: &mut self.trees };
        let found = analysis.complete(&mut engine, FileId(0), self.offset, &["./data.llmp".to_owned()]);
        found.into_iter().map(|c| (c.label, c.insert)).collect()
    }

    fn labels(&mut self) -> Vec<String> {
        self.complete().into_iter().map(|c| c.0).collect()
    }

    fn definition(&mut self) -> String {
        let analysis = self.analysis();
        match analysis.definition(&self.registry, FileId(0), self.offset).first() {
            Some(Target::Place(at, _)) => {
                let sources = &analysis.loaded.sources;
                let place = sources.position(at.file, at.start);
                format!("{}:{}:{} {}", sources.path(at.file), place.line, place.column, sources.slice(*at))
            }
            Some(Target::BuiltIn(signature, param)) => format!("{}.{}", signature.name, param.unwrap_or("")),
            Some(Target::File(file)) => analysis.loaded.sources.path(*file).to_owned(),
            None => String::new(),
        }
    }

    fn rename(&mut self, new: &str) -> Result<BTreeMap<String, String>, String> {
        let analysis = self.analysis();
        analysis.can_rename(&self.registry, FileId(0), self.offset)?;
        let (path, range) = analysis.identity(&self.registry, FileId(0), self.offset).unwrap();
        let mut engine = Engine { vfs: &self.files, registry: &self.registry, trees: &mut self.trees };
        let edits = rename::rename(&[&analysis], &mut engine, &path, range, new)?;
        let mut files = self.files.clone();
        for (path, text) in &mut files {
            let mine: Vec<Edit> = edits
                .iter()
                .filter(|e| e.path == *path)
                .map(|e| Edit { span: e.at, replacement: e.text.clone() })
                .collect();
            *text = actions::apply(text, &mine);
        }
        Ok(files)
    }
}

/// The newcomer's program with a cursor behind the first place of some text.
fn at(before: &str) -> String {
    NEWCOMER.replacen(before, &format!("{before}$"), 1)
}

#[test]
fn hover_shows_what_is_computed() {
    let shown = Desk::one(&at("model ti")).hover();
    assert!(shown.contains("parameters |") && shown.starts_with("```llmp\nmodel tiny\n```"), "{shown}");
    let shown = Desk::one(&at("layers  ")).hover();
    assert!(shown.is_empty(), "blanks say nothing: {shown}");
    let shown = Desk::one(&at("layer")).hover();
    assert!(shown.contains("**layers** of `model`") && shown.contains("value: `4`"), "{shown}");
    assert!(shown.contains("from: written here"), "{shown}");
    let shown = Desk::one(&at("pretrain ru")).hover();
    assert!(shown.contains("| tokens | 4M |") && shown.contains("| steps |"), "{shown}");
    let shown = Desk::one(&at(".lan")).hover();
    assert!(shown.contains(".lang: Text") && shown.contains("detect_language"), "{shown}");
    let shown = Desk::one(&at("detect_language() |")).hover();
    assert!(shown.contains("before: `Docs + .id .lang .lang_score`"), "{shown}");
    let shown = Desk::one(&at("tokens = 4")).hover();
    assert!(shown.contains("4M tokens (4000000)"), "{shown}");
}

#[test]
fn hover_tells_where_a_value_comes_from() {
    let text = format!(
        "{NEWCOMER}model deep like tiny {{ layers = 8 }}\nvariant small {{\n  deep.wi$dth = 96\n}}\n"
    );
    let shown = Desk::one(&text).hover();
    assert!(shown.contains("value: `192`") && shown.contains("from: `like tiny` (`192`)"), "{shown}");
    assert!(shown.contains("variant `small`: `96`"), "{shown}");
    let text = NEWCOMER
        .replace("model tiny", "param size: Int = 192\n\nmodel tiny")
        .replace("= 192\n  ", "= size\n  ");
    let shown = Desk::one(&text.replace("width ", "wid$th ")).hover();
    assert!(shown.contains("value: `192`") && shown.contains("changed by: `--set size=…`"), "{shown}");
    let shown = Desk::one(&text.replace("param size", "param si$ze")).hover();
    assert!(shown.contains("changed by: `--set size=…`"), "{shown}");
}

#[test]
fn definitions_are_found_through_files_and_built_ins() {
    assert_eq!(Desk::one(&at("model  = ti")).definition(), "main.llmp:9:7 tiny");
    assert_eq!(Desk::one(&at("clean.held")).definition(), "main.llmp:5:9 clean");
    assert_eq!(Desk::one(&at(".lan")).definition(), "main.llmp:5:26 detect_language");
    assert_eq!(Desk::one(&at("dedup_min")).definition(), "dedup_minhash.");
    assert_eq!(Desk::one(&at("layer")).definition(), "model.layers");
    let main = "llmp 1\nuse { books as b } from \"./data.llmp\"\ndataset d = $b |> dedup_minhash()\n";
    let data = "llmp 1\n\nsource books = text(\"books/*.txt\")\n";
    let files = [("main.llmp", main), ("data.llmp", data)];
    assert_eq!(Desk::new(&files).definition(), "data.llmp:3:8 books");
    let llama = "llmp 1\nuse { lla$ma } from \"std/arch\"\nmodel m like llama {}\n";
    assert!(Desk::one(llama).definition().starts_with("std/arch/llama.llmp:"));
}

#[test]
fn renames_change_every_use_and_nothing_else() {
    let main = "llmp 1\n\nuse { books } from \"./data.llmp\"\n\ndataset d = bo$oks |> dedup_minhash()\nmix m {\n  books = 50%\n  d = rest\n}\n";
    let data = "llmp 1\n\nsource books = text(\"books/*.txt\")\n";
    let files = [("main.llmp", main), ("data.llmp", data)];
    let after = Desk::new(&files).rename("novels").unwrap();
    assert!(after["main.llmp"].contains("use { novels }") && after["main.llmp"].contains("  novels = 50%"));
    assert!(after["main.llmp"].contains("= novels |>"));
    assert_eq!(after["data.llmp"], "llmp 1\n\nsource novels = text(\"books/*.txt\")\n");
    assert!(Desk::new(&files).rename("d").unwrap_err().contains("is taken"));
    assert!(Desk::new(&files).rename("in").unwrap_err().contains("word of the language"));
    assert!(Desk::one(&at("dedup_min")).rename("x").unwrap_err().contains("built-in"));
}

#[test]
fn completion_offers_what_fits() {
    let labels = Desk::one("llmp 1\n\n$").labels();
    assert!(labels.contains(&"model".into()) && labels.contains(&"param".into()), "{labels:?}");
    let members = Desk::one(&at("context   = 256\n")).labels();
    assert!(members.contains(&"vocab".into()) && !members.contains(&"layers".into()), "{members:?}");
    let empty = Desk::one("llmp 1\nmodel m {\n  $\n}\n").complete();
    assert_eq!(empty[0].1, format!("{} = ", empty[0].0), "{empty:?}");
    assert!(empty.iter().position(|m| m.0 == "layers") < empty.iter().position(|m| m.0 == "vocab"));
    let values = Desk::one(&NEWCOMER.replace("tokenizer = tok", "tokenizer = $")).labels();
    assert!(values.contains(&"tok".into()) && !values.contains(&"clean".into()), "{values:?}");
    let steps = Desk::one("llmp 1\nsource a = text(\"x\")\ndataset d = a\n  |> $").labels();
    assert!(steps.contains(&"detect_language".into()), "{steps:?}");
    let columns =
        Desk::one("llmp 1\nsource a = text(\"x\")\ndataset d = a |> detect_language() |> keep_if(.$\n")
            .labels();
    assert_eq!(columns, ["id", "lang", "lang_score", "text"]);
    let units = Desk::one(&NEWCOMER.replace("tokens = 4M", "tokens = 4M $")).labels();
    assert!(units.contains(&"tokens".into()) && !units.contains(&"bytes".into()), "{units:?}");
    let parts = Desk::one(&NEWCOMER.replace("clean.heldout", "clean.$")).labels();
    assert!(parts.contains(&"heldout".into()), "{parts:?}");
    let imports = Desk::one("llmp 1\nuse { x } from \"$\"\n").labels();
    assert!(imports.contains(&"./data.llmp".into()) && imports.contains(&"std/arch".into()), "{imports:?}");
    let names = Desk::one("llmp 1\nuse { $ } from \"std/arch\"\n").labels();
    assert!(names.contains(&"llama".into()), "{names:?}");
    let likes = Desk::one(&format!("{NEWCOMER}model big like $\n")).labels();
    assert_eq!(likes, ["tiny"]);
    let keys = Desk::one(&format!("{NEWCOMER}mix m {{\n  books = 50%\n  $\n}}\n")).labels();
    assert_eq!(keys, ["clean"]);
}

#[test]
fn signatures_show_the_argument_at_the_cursor() {
    let mut desk = Desk::one(&at("bpe(train_on = clean, "));
    let analysis = desk.analysis();
    let call = analysis.signature(&desk.registry, FileId(0), desk.offset).unwrap();
    assert!(call.label.starts_with("bpe(train_on: "), "{}", call.label);
    let mut desk = Desk::one(&at("vocab = 40"));
    let analysis = desk.analysis();
    let call = analysis.signature(&desk.registry, FileId(0), desk.offset).unwrap();
    let active = call.active.map(|n| &call.label[call.params[n].0.clone()]);
    assert!(active.is_some_and(|a| a.starts_with("vocab: ")), "{active:?}");
}

#[test]
fn hints_outline_tokens_and_lenses_say_what_is_computed() {
    let mut desk = Desk::one(NEWCOMER);
    let analysis = desk.analysis();
    let hints = analysis.hints(&desk.registry, FileId(0), 0..u32::MAX);
    let shown: Vec<&str> = hints.iter().map(|h| h.text.as_str()).collect();
    assert!(
        shown.iter().any(|h| h.contains("parameters")) && shown.iter().any(|h| h.contains("4M tokens")),
        "{shown:?}"
    );
    assert!(shown.iter().any(|h| h.contains(": Docs + .id .lang")), "{shown:?}");
    let names: Vec<String> = analysis.outline(FileId(0)).into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["books", "clean", "tok", "tiny", "run", "quality", "stories"]);
    let tokens = analysis.tokens(&desk.registry, FileId(0));
    assert!(tokens.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start), "ranges do not overlap");
    let lenses = analysis.lenses(&desk.registry, FileId(0));
    assert!(lenses.iter().any(|l| l.name == "run" && l.command == "llmp.showPlan"), "{lenses:?}");
    let made = analysis.lineage(&desk.registry, analysis.outline(FileId(0))[4].at, true);
    assert_eq!(made.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["tiny", "clean"]);
}

#[test]
fn fixes_and_extractions_leave_a_clean_program() {
    let text = NEWCOMER.replace("layers ", "layer ").replace("vocab = 4096", "vocb = 4096");
    let mut desk = Desk::one(&text);
    let analysis = desk.analysis();
    let mut engine = Engine { vfs: &desk.files, registry: &desk.registry, trees: &mut desk.trees };
    let edits = analysis.fix_all(&mut engine, FileId(0)).unwrap();
    assert_eq!(actions::apply(&text, &edits), NEWCOMER);
    let start = u32::try_from(NEWCOMER.find("192").unwrap()).unwrap();
    let mut desk = Desk::one(NEWCOMER);
    let analysis = desk.analysis();
    let mut engine = Engine { vfs: &desk.files, registry: &desk.registry, trees: &mut desk.trees };
    let found = analysis.extract(&mut engine, FileId(0), start..start + 3);
    let titles: Vec<&str> = found.iter().map(|a| a.title.as_str()).collect();
    assert_eq!(titles, ["Extract into a `let`", "Extract into a `param`"]);
    let after = actions::apply(NEWCOMER, &found[1].edits);
    assert!(
        after.contains("param setting: Int = 192\n\nmodel tiny {") && after.contains("width     = setting")
    );
}
