//! What the server knows: open documents, files through the desk, checked programs.

use std::collections::BTreeMap;
use std::rc::Rc;

use llmp_grammar::{FileId, Span};
use llmp_interpreter::ide::lines::{Encoding, Lines};
use llmp_interpreter::ide::{Analysis, Engine};
use llmp_interpreter::{Trees, Vfs};
use llmp_stdlib::Registry;
use serde_json::Value as Json;

use crate::documents::Document;
use crate::imports::Imports;
use crate::wire::{Failure, Position, Range, path_of, uri_of};

/// The outside: files, as the command line gives them.
pub trait Desk: Vfs {
    /// Programs in a folder and below, by path.
    fn programs(&self, folder: &str) -> Vec<String>;

    /// The path of a readable copy of a text that is no file: the library, the documentation of a built-in.
    fn publish(&self, name: &str, text: &str) -> Option<String>;
}

/// What the client can do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Client {
    /// It asks for diagnostics.
    pub(crate) pulls: bool,
    /// It can be asked to ask again.
    pub(crate) refreshes: bool,
    /// Proposals may hold places to fill.
    pub(crate) snippets: bool,
    /// Edits of several documents may carry versions.
    pub(crate) document_changes: bool,
    /// Definitions may say what they are the definition of.
    pub(crate) links: bool,
    /// It can be asked to watch files.
    pub(crate) watches: bool,
    /// The outline may be a tree.
    pub(crate) tree: bool,
}

/// Programs that are kept as a whole; of others only what is wrong with them is kept.
const KEPT: usize = 12;

/// What is wrong with a program, by file.
pub(crate) type Said = Rc<BTreeMap<String, Vec<Json>>>;

/// A program that was checked.
struct Known {
    /// All of it, unless it was not asked for in a while.
    analysis: Option<Rc<Analysis>>,
    /// What is wrong with it, once that was asked for.
    said: Option<Said>,
    epoch: u64,
    revisions: Vec<(String, Option<u64>)>,
    used: u64,
}

/// Everything.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) desk: Box<dyn Desk>,
    /// What each code means.
    pub(crate) codes: BTreeMap<&'static str, &'static llmp_grammar::Info>,
    pub(crate) documents: BTreeMap<String, Document>,
    pub(crate) encoding: Encoding,
    pub(crate) client: Client,
    pub(crate) roots: Vec<String>,
    pub(crate) imports: Imports,
    /// Raised whenever something on the disk may have changed.
    pub(crate) epoch: u64,
    revision: u64,
    trees: Trees,
    programs: BTreeMap<String, Known>,
    /// Programs of older texts: freed when nothing waits, because that takes a tenth of the time of a check.
    old: Vec<Rc<Analysis>>,
    /// The proposals sent last, for their documentation.
    pub(crate) proposals: Vec<llmp_interpreter::ide::complete::Completion>,
    /// Colours sent last, by path: number and data.
    pub(crate) colours: BTreeMap<String, (u64, Vec<u32>)>,
    /// What was published, by path.
    pub(crate) published: BTreeMap<String, Json>,
}

/// Open documents before files.
pub(crate) struct Texts<'w> {
    documents: &'w BTreeMap<String, Document>,
    desk: &'w dyn Desk,
}

impl Texts<'_> {
    /// Programs in a folder and below.
    pub(crate) fn programs(&self, folder: &str) -> Vec<String> {
        self.desk.programs(folder)
    }
}

impl Vfs for Texts<'_> {
    fn read(&self, path: &str) -> Option<String> {
        match self.documents.get(path) {
            Some(document) => Some(document.text.clone()),
            None => self.desk.read(path),
        }
    }

    fn exists(&self, path: &str) -> bool {
        self.documents.contains_key(path) || self.desk.exists(path)
    }
}

/// A document of a request, looked up in the program that is checked for it.
pub(crate) struct Target {
    pub(crate) path: String,
    pub(crate) analysis: Rc<Analysis>,
    pub(crate) file: FileId,
}

impl World {
    /// Nothing open.
    pub(crate) fn new(settings: crate::Settings) -> World {
        World {
            registry: settings.registry,
            desk: settings.desk,
            codes: settings.codes.into_iter().map(|info| (info.code, info)).collect(),
            documents: BTreeMap::new(),
            encoding: Encoding::default(),
            client: Client::default(),
            roots: Vec::new(),
            imports: Imports::default(),
            epoch: 0,
            revision: 0,
            trees: Trees::default(),
            programs: BTreeMap::new(),
            old: Vec::new(),
            proposals: Vec::new(),
            colours: BTreeMap::new(),
            published: BTreeMap::new(),
        }
    }

    /// A number that no text has had.
    pub(crate) fn next_revision(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    /// Texts of documents and files.
    pub(crate) fn texts(&self) -> Texts<'_> {
        Texts { documents: &self.documents, desk: &*self.desk }
    }

    /// A program as it is now.
    pub(crate) fn analysis(&mut self, main: &str) -> Rc<Analysis> {
        let used = self.next_revision();
        if self.current(main)
            && let Some(known) = self.programs.get_mut(main)
            && let Some(analysis) = &known.analysis
        {
            known.used = used;
            return Rc::clone(analysis);
        }
        let texts = Texts { documents: &self.documents, desk: &*self.desk };
        let analysis = Rc::new(Analysis::new(&texts, main, &self.registry, &mut self.trees));
        let paths = analysis.loaded.units.iter().filter(|unit| !unit.library).map(|unit| unit.path.clone());
        let revision = |path: &String| self.documents.get(path).map(|d| d.revision);
        let revisions = paths.map(|path| (path.clone(), revision(&path))).collect();
        let said =
            if self.current(main) { self.programs.remove(main).and_then(|known| known.said) } else { None };
        let kept = Some(Rc::clone(&analysis));
        let known = Known { analysis: kept, said, epoch: self.epoch, revisions, used };
        let before = self.programs.insert(main.to_owned(), known);
        self.old.extend(before.and_then(|known| known.analysis));
        if self.old.len() > KEPT {
            self.rest();
        }
        let whole = self.programs.values().filter(|known| known.analysis.is_some());
        if whole.clone().count() > KEPT
            && let Some(oldest) = whole.map(|known| known.used).min()
        {
            let old = self.programs.values_mut().filter(|known| known.used == oldest);
            old.for_each(|known| known.analysis = None);
        }
        analysis
    }

    /// Frees what is not needed any more.
    pub(crate) fn rest(&mut self) {
        self.old.clear();
    }

    /// Whether what is known of a program is of the texts as they are now.
    fn current(&self, main: &str) -> bool {
        let revision = |path: &String| self.documents.get(path).map(|d| d.revision);
        self.programs.get(main).is_some_and(|known| {
            known.epoch == self.epoch && known.revisions.iter().all(|(path, old)| revision(path) == *old)
        })
    }

    /// What is wrong with a program, by file.
    pub(crate) fn said(&mut self, main: &str) -> Said {
        if self.current(main)
            && let Some(said) = self.programs.get(main).and_then(|known| known.said.clone())
        {
            return said;
        }
        let analysis = self.analysis(main);
        let said: Said = Rc::new(self.reports(&analysis));
        if let Some(known) = self.programs.get_mut(main) {
            known.said = Some(Rc::clone(&said));
        }
        said
    }

    /// Runs `work` with what is needed to check a program that is not there.
    pub(crate) fn with_engine<T>(&mut self, work: impl FnOnce(&mut Engine<'_>) -> T) -> T {
        let texts = Texts { documents: &self.documents, desk: &*self.desk };
        let mut engine = Engine { vfs: &texts, registry: &self.registry, trees: &mut self.trees };
        work(&mut engine)
    }

    /// Programs that are forgotten when nothing open belongs to them.
    pub(crate) fn forget(&mut self) {
        let mut wanted: Vec<String> = Vec::new();
        for path in self.documents.keys().cloned().collect::<Vec<_>>() {
            wanted.extend(self.mains(&path));
        }
        self.programs.retain(|main, _| wanted.contains(main));
        self.colours.retain(|path, _| self.documents.contains_key(path));
    }

    /// Programs that a file belongs to: itself, and those that import it and are not imported themselves.
    pub(crate) fn mains(&mut self, path: &str) -> Vec<String> {
        let mut imports = std::mem::take(&mut self.imports);
        let texts = Texts { documents: &self.documents, desk: &*self.desk };
        let mains = imports.mains(path, &texts, self.epoch, &self.roots, &self.documents);
        self.imports = imports;
        mains
    }

    /// The document of a request.
    pub(crate) fn target(&mut self, uri: &str) -> Result<Target, Failure> {
        let path = path_of(uri);
        if !self.documents.contains_key(&path) {
            return Err(Failure::failed(format!("{uri} is not open")));
        }
        let analysis = self.analysis(&path);
        let file = analysis.file(&path).ok_or_else(|| Failure::failed("the document is not known"))?;
        Ok(Target { path, analysis, file })
    }

    /// The document of a request, and the offset of the place that it speaks of.
    pub(crate) fn pointed(&mut self, uri: &str, at: Position) -> Result<(Target, u32), Failure> {
        let target = self.target(uri)?;
        let offset = self.offset(&target.path, at);
        Ok((target, offset))
    }

    /// The offset of a place in an open document.
    pub(crate) fn offset(&self, path: &str, at: Position) -> u32 {
        self.documents.get(path).map_or(0, |d| d.lines.offset(&d.text, at.into(), self.encoding))
    }

    /// The offsets of a range.
    pub(crate) fn offsets(&self, path: &str, range: Range) -> std::ops::Range<u32> {
        self.offset(path, range.start)..self.offset(path, range.end)
    }

    /// The address of a file of a program; library files are published first.
    pub(crate) fn uri(&self, analysis: &Analysis, file: FileId) -> Option<String> {
        let unit = analysis.loaded.units.iter().find(|unit| unit.file == file)?;
        if unit.library {
            return self.desk.publish(&unit.path, analysis.text(file)).map(|path| uri_of(&path));
        }
        Some(self.address(&unit.path))
    }

    /// The address of a path, as the client writes it where the document is open.
    pub(crate) fn address(&self, path: &str) -> String {
        self.documents.get(path).map_or_else(|| uri_of(path), |d| d.uri.clone())
    }

    /// Edits as the protocol writes them: by document.
    pub(crate) fn workspace_edit(&self, edits: &[(String, Json)]) -> Json {
        let mut by_path: BTreeMap<&str, Vec<&Json>> = BTreeMap::new();
        for (path, edit) in edits {
            by_path.entry(path).or_default().push(edit);
        }
        if self.client.document_changes {
            let changes: Vec<Json> = by_path
                .into_iter()
                .map(|(path, edits)| {
                    let version = self.documents.get(path).map(|d| d.version);
                    serde_json::json!({ "textDocument": { "uri": self.address(path), "version": version }, "edits": edits })
                })
                .collect();
            return serde_json::json!({ "documentChanges": changes });
        }
        let changes: BTreeMap<String, Vec<&Json>> =
            by_path.into_iter().map(|(path, edits)| (self.address(path), edits)).collect();
        serde_json::json!({ "changes": changes })
    }

    /// Edits of files of a program, with their paths.
    pub(crate) fn edits(&self, analysis: &Analysis, edits: &[llmp_grammar::Edit]) -> Vec<(String, Json)> {
        let places = crate::wire::Places::new(analysis, self.encoding);
        edits
            .iter()
            .map(|edit| {
                let path = analysis.program.sources.path(edit.span.file).to_owned();
                (path, serde_json::json!({ "range": places.range(edit.span), "newText": edit.replacement }))
            })
            .collect()
    }

    /// Edits of one open document.
    pub(crate) fn text_edits(&self, path: &str, edits: &[llmp_grammar::Edit]) -> Vec<Json> {
        let Some(document) = self.documents.get(path) else { return Vec::new() };
        let place = |span: Span| crate::wire::range_in(&document.text, &document.lines, span, self.encoding);
        edits
            .iter()
            .map(|e| serde_json::json!({ "range": place(e.span), "newText": e.replacement }))
            .collect()
    }

    /// Line table and text of any file, for ranges outside of a program.
    pub(crate) fn text_of(&self, path: &str) -> Option<(String, Lines)> {
        match self.documents.get(path) {
            Some(document) => Some((document.text.clone(), document.lines.clone())),
            None => {
                let text = self.desk.read(path)?;
                let lines = Lines::new(&text);
                Some((text, lines))
            }
        }
    }
}
