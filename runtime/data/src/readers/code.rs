//! A folder of source code: one document a file, with its language and license.

use std::{io::Read, path::Path};

use ignore::WalkBuilder;
use llmp_stdlib::{Problem, arg::FilePath};

use super::{Body, Decoded, OnError, Reader, Records, Roots, SourceFile, Tap, licenses, only, text::utf8};
use crate::{
    document::{Cell, Document},
    error::{DataError, Result},
};

llmp_stdlib::def! {
    /// A folder of source code: one document a file, `.git`, hidden files and files that a `.gitignore` or `.ignore` in the folder
    /// names left out.
    ///
    /// `.lang` is the programming language by the file's name (`rust`, `python`, `c`, …), `.path` its path in the folder, `.size`
    /// its length in bytes, `.license` the SPDX name in the file's own first lines (`SPDX-License-Identifier`), else that of the
    /// nearest license file or manifest (`Cargo.toml`, `package.json`, `pyproject.toml`) between the file and the folder. Files of
    /// other languages are left out, longer ones counted as skipped, binary ones and those that are not UTF-8 are bad records.
    ///
    /// ```llmp
    /// source own = code("src", languages = ["rust", "python"])
    /// ```
    Code = "code", rev 1, source Docs, adds [path: Text, lang: Text, size: Num, license: Text], check known {
        /// The folder.
        folder: FilePath,
        /// Languages that are read; an empty list reads all that are known.
        languages: Vec<String> = "[]",
        /// Longest file that is read, in bytes.
        max_bytes: u64 = "1_000_000",
    }
}

/// Languages with the ends of their files' names, sorted.
const LANGUAGES: &[(&str, &[&str])] = &[
    ("ada", &["adb", "ads"]),
    ("assembly", &["asm", "s"]),
    ("c", &["c", "h"]),
    ("clojure", &["clj", "cljc", "cljs"]),
    ("cmake", &["cmake"]),
    ("cpp", &["cc", "cpp", "cxx", "hh", "hpp", "hxx"]),
    ("csharp", &["cs"]),
    ("css", &["css", "less", "scss"]),
    ("cuda", &["cu", "cuh"]),
    ("dart", &["dart"]),
    ("elixir", &["ex", "exs"]),
    ("erlang", &["erl", "hrl"]),
    ("fortran", &["f", "f03", "f90", "f95", "for"]),
    ("fsharp", &["fs", "fsi", "fsx"]),
    ("go", &["go"]),
    ("haskell", &["hs", "lhs"]),
    ("html", &["htm", "html"]),
    ("java", &["java"]),
    ("javascript", &["cjs", "js", "jsx", "mjs"]),
    ("json", &["json"]),
    ("julia", &["jl"]),
    ("kotlin", &["kt", "kts"]),
    ("lean", &["lean"]),
    ("lisp", &["el", "lisp", "lsp"]),
    ("llmp", &["llmp"]),
    ("lua", &["lua"]),
    ("markdown", &["markdown", "md"]),
    ("ocaml", &["ml", "mli"]),
    ("pascal", &["pas", "pp"]),
    ("perl", &["pl", "pm", "t"]),
    ("php", &["php"]),
    ("powershell", &["ps1", "psm1"]),
    ("protobuf", &["proto"]),
    ("python", &["py", "pyi", "pyx"]),
    ("r", &["r"]),
    ("rst", &["rst"]),
    ("ruby", &["rake", "rb"]),
    ("rust", &["rs"]),
    ("scala", &["sbt", "scala"]),
    ("scheme", &["rkt", "scm", "ss"]),
    ("shell", &["bash", "sh", "zsh"]),
    ("sql", &["sql"]),
    ("swift", &["swift"]),
    ("systemverilog", &["sv", "svh"]),
    ("tcl", &["tcl"]),
    ("tex", &["cls", "sty", "tex"]),
    ("toml", &["toml"]),
    ("typescript", &["mts", "ts", "tsx"]),
    ("verilog", &["v", "vh"]),
    ("vhdl", &["vhd", "vhdl"]),
    ("xml", &["xml", "xsd", "xsl"]),
    ("yaml", &["yaml", "yml"]),
    ("zig", &["zig"]),
];

/// Files that are known by their whole name.
const NAMES: &[(&str, &str)] = &[
    ("CMakeLists.txt", "cmake"),
    ("Dockerfile", "dockerfile"),
    ("GNUmakefile", "makefile"),
    ("Makefile", "makefile"),
    ("Rakefile", "ruby"),
    ("makefile", "makefile"),
];

/// The language of a file by its name.
fn language(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    if let Some((_, language)) = NAMES.iter().find(|(own, _)| *own == name) {
        return Some(language);
    }
    let end = path.extension()?.to_str()?.to_ascii_lowercase();
    LANGUAGES.iter().find(|(_, ends)| ends.contains(&end.as_str())).map(|(language, _)| *language)
}

fn known(it: &Code) -> Vec<Problem> {
    let all = || LANGUAGES.iter().map(|(name, _)| *name).chain(["dockerfile", "makefile"]);
    let unknown = it.languages.iter().filter(|name| !all().any(|own| own == name.as_str()));
    let problem = |name: &String| {
        let problem =
            Problem::error("LLMP0209", "languages", format!("code: no language is called `{name}`"));
        problem.help(format!("languages: {}", all().collect::<Vec<_>>().join(", ")))
    };
    unknown.map(problem).collect()
}

impl Reader for Code {
    fn name(&self) -> &'static str {
        "code"
    }

    fn glob(&self) -> &str {
        &self.folder.0
    }

    fn files(&self, roots: &Roots) -> Result<Vec<SourceFile>> {
        let bad = |what: String| DataError::Source { glob: self.folder.0.clone(), what };
        let root = roots.path(&self.folder.0);
        if !root.is_dir() {
            return Err(bad("is not a folder".into()));
        }
        let label = self.folder.0.trim_end_matches('/');
        let mut files = Vec::new();
        // Only what lies in the folder decides: not the user's own git settings, nor folders above.
        let walk = WalkBuilder::new(&root)
            .git_global(false)
            .git_exclude(false)
            .parents(false)
            .require_git(false)
            .build();
        for entry in walk {
            let entry = entry.map_err(|e| bad(e.to_string()))?;
            let Some(language) = language(entry.path()) else { continue };
            let wanted = self.languages.is_empty() || self.languages.iter().any(|own| own == language);
            if !wanted || !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let Ok(inside) = entry.path().strip_prefix(&root) else { continue };
            let inside = inside.to_string_lossy().replace('\\', "/");
            let bytes = entry.metadata().map_err(|e| bad(e.to_string()))?.len();
            let label = format!("{label}/{inside}");
            files.push(SourceFile { label, path: entry.into_path(), bytes });
        }
        files.sort_by(|a, b| a.label.cmp(&b.label));
        if files.is_empty() {
            return Err(bad("holds no file of a known language".into()));
        }
        Ok(files)
    }

    fn on_error(&self) -> OnError {
        OnError::Count
    }

    fn open(&self, file: &SourceFile, tap: Tap) -> Result<Records> {
        let mut bytes = Vec::new();
        let body = if file.bytes > self.max_bytes {
            Body::Skipped("longer than max_bytes")
        } else {
            let whole = |decoded: Decoded| decoded.take(self.max_bytes + 1).read_to_end(&mut bytes);
            match Decoded::new(tap).and_then(whole) {
                Ok(0) => Body::Skipped("empty"),
                Ok(n) if n as u64 > self.max_bytes => Body::Skipped("longer than max_bytes"),
                Ok(_) => Body::Bytes(bytes),
                Err(e) if Decoded::is_fatal(&e) => return Err(DataError::io("read", &file.path, e)),
                Err(e) => Body::Bad(Decoded::explain(&e)),
            }
        };
        Ok(only(body))
    }

    fn parse(&self, file: &SourceFile, index: u64, bytes: Vec<u8>) -> Body {
        if bytes.contains(&0) {
            return Body::Bad("a binary file".into());
        }
        let text = match utf8(bytes) {
            Ok(text) => text,
            Err(what) => return Body::Bad(what),
        };
        let inside = file.label.strip_prefix(self.folder.0.trim_end_matches('/')).unwrap_or(&file.label);
        let inside = inside.trim_start_matches('/');
        let mut doc = Document::new(format!("{}#{index}", file.label), "");
        let license = licenses::of_file(&text).or_else(|| {
            let folders = file.path.ancestors().skip(1).take(inside.split('/').count());
            folders.into_iter().find_map(licenses::of_folder)
        });
        doc.columns.extend(license.map(|name| ("license".to_owned(), Cell::Text(name))));
        doc.columns.extend(language(&file.path).map(|name| ("lang".to_owned(), Cell::from(name))));
        doc.columns.insert("path".into(), inside.into());
        doc.columns.insert("size".into(), Cell::Num(text.len() as f64));
        doc.text = text;
        Body::Document(doc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_languages() {
        for (name, wanted) in [
            ("a/b.rs", Some("rust")),
            ("Makefile", Some("makefile")),
            ("x.PY", Some("python")),
            ("LICENSE", None),
        ] {
            assert_eq!(language(Path::new(name)), wanted, "{name}");
        }
        assert!(LANGUAGES.is_sorted() && NAMES.is_sorted());
    }
}
