//! What can be written at a cursor: nothing that the checker would refuse comes before what it takes.

use llmp_grammar::{FileId, Span};
use llmp_stdlib::unit::{SUFFIXES, WORDS};
use llmp_stdlib::{Dim, Form, Kind, Param, Registry, Signature, Ty, Yields};

use super::cursor::{Before, Cursor, cursor};
use super::index::{Sort, Symbol};
use super::place::{Engine, Place, Slot, in_scope};
use super::types::{all_params, constructors};
use super::{Analysis, facts, hover};
use crate::load::Vfs;
use crate::program::{Item, Row};

/// The sort of a proposal, for the icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A kind or a word of the language.
    Keyword,
    /// A member, an argument or a field.
    Field,
    /// A step, constructor or function.
    Function,
    /// A value of a closed set.
    Value,
    /// An item.
    Item,
    /// A `let` or `param`.
    Constant,
    /// A unit.
    Unit,
    /// A column.
    Column,
    /// A file.
    Module,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What is shown, and what the word is compared with.
    pub label: String,
    /// Its icon.
    pub icon: Icon,
    /// A few words behind it.
    pub detail: String,
    /// Markdown.
    pub doc: String,
    /// What is written; `$1` and `${1:name}` are places to fill.
    pub insert: String,
    /// What it takes the place of.
    pub replace: Span,
    /// Proposals of lower rank come first.
    pub rank: u8,
}

/// Words that begin an item besides kinds.
const WORDS_OF_ITEMS: [(&str, &str, &str); 6] = [
    ("use", "names of another file", "use { $1 } from \"$2\""),
    ("param", "a value that `--set` and variants change", "param ${1:name}: ${2:Num} = $0"),
    ("let", "a named value", "let ${1:name} = $0"),
    ("check", "a condition that must hold", "check $1 else \"$2\""),
    ("variant", "a set of changes", "variant ${1:name} {\n  $0\n}"),
    (
        "rounds",
        "items repeated with values carried on",
        "rounds ${1:name} for ${2:r} in 1..${3:2} {\n  $0\n}",
    ),
];

/// Collects proposals.
struct Proposals<'a> {
    analysis: &'a Analysis,
    registry: &'a Registry,
    unit: usize,
    cursor: &'a Cursor,
    offset: u32,
    replace: Span,
    found: Vec<Completion>,
}

impl Analysis {
    /// What can be written at an offset. `modules` are paths that an import can name.
    pub fn complete(
        &self,
        engine: &mut Engine<'_>,
        file: FileId,
        offset: u32,
        modules: &[String],
    ) -> Vec<Completion> {
        let Some(unit) = self.unit(file) else { return Vec::new() };
        let cursor = cursor(self.text(file), offset as usize);
        if cursor.comment {
            return Vec::new();
        }
        let registry = engine.registry;
        let place = self.place(registry, unit, &cursor);
        let replace = Span::new(file, cursor.from, cursor.to);
        let mut all =
            Proposals { analysis: self, registry, unit, cursor: &cursor, offset, replace, found: Vec::new() };
        if let Some(written) = &cursor.text {
            if cursor.words.first().is_some_and(|word| word == "use") {
                all.modules(written, modules);
            }
            return all.found;
        }
        match &cursor.before {
            Before::Nothing => all.items(),
            Before::Start if matches!(place.slot, Slot::Use) => all.exports(engine.vfs),
            Before::Start => all.starts(&place),
            Before::Pipe => {
                let row = self.row_at(engine, file, &cursor);
                all.steps(row.as_ref());
            }
            Before::Dot(names) if names.is_empty() => {
                if let Some(row) = self.row_at(engine, file, &cursor) {
                    all.columns(&row);
                } else {
                    all.metrics();
                }
            }
            Before::Dot(names) => all.fields(names),
            Before::Number => all.units(&place),
            Before::Like => all.likes(),
            Before::At => all.attributes(),
            Before::Value => all.values(&place),
            Before::After => all.after(),
        }
        let mut found = all.found;
        found.sort_by(|a, b| (a.rank, &a.label).cmp(&(b.rank, &b.label)));
        found.dedup_by(|a, b| a.label == b.label && a.insert == b.insert);
        found
    }
}

impl<'a> Proposals<'a> {
    fn add(&mut self, rank: u8, icon: Icon, label: &str, detail: String, doc: String, insert: String) {
        let replace = self.replace;
        let label = label.to_owned();
        self.found.push(Completion { label, icon, detail, doc, insert, replace, rank });
    }

    fn items(&mut self) {
        for kind in self.registry.all_kinds() {
            let signature = kind.signature;
            let doc = hover::summary(signature);
            self.add(0, Icon::Keyword, signature.name, signature.summary().to_owned(), doc, skeleton(kind));
        }
        for (word, detail, insert) in WORDS_OF_ITEMS {
            self.add(1, Icon::Keyword, word, detail.to_owned(), String::new(), insert.to_owned());
        }
        if self.cursor.chunk == 0 && !self.analysis.text(self.replace.file).starts_with("llmp ") {
            self.add(0, Icon::Keyword, "llmp 1", "the edition".into(), String::new(), "llmp 1\n\n".into());
        }
    }

    /// The start of a member, an argument, a key.
    fn starts(&mut self, place: &Place) {
        match &place.slot {
            Slot::Members(kind) => self.members(kind),
            Slot::Keys => self.keys(),
            Slot::Variant => self.paths(),
            Slot::Round => {
                self.items();
                self.add(
                    1,
                    Icon::Keyword,
                    "carry",
                    String::new(),
                    String::new(),
                    "carry ${1:name} = $0".into(),
                );
                self.add(
                    1,
                    Icon::Keyword,
                    "next",
                    String::new(),
                    String::new(),
                    "next ${1:name} = $0".into(),
                );
            }
            Slot::Args(signature) => {
                let given = self.given();
                let free = all_params(signature).filter(|p| !given.contains(&p.name.to_owned()));
                for param in free.collect::<Vec<_>>() {
                    self.argument(param, signature.name);
                }
                self.values(place);
            }
            Slot::Chain(id) => {
                let index = self.analysis.word_index(self.registry);
                let params =
                    index.symbols.iter().filter(|s| s.parent == Some(*id) && s.sort == Sort::Parameter);
                for param in params.map(|s| s.name.clone()).collect::<Vec<_>>() {
                    let insert = format!("{param} = ");
                    self.add(
                        0,
                        Icon::Field,
                        &param,
                        "a parameter of the chain".into(),
                        String::new(),
                        insert,
                    );
                }
                self.values(place);
            }
            Slot::Fields(types) => {
                for ty in types {
                    if let Ty::Record(fields) = ty {
                        fields.iter().for_each(|field| self.argument(field, ""));
                    }
                }
                if types.is_empty() {
                    self.named_values(&[]);
                }
            }
            Slot::Attribute => self.codes(),
            Slot::Top | Slot::Plain | Slot::Use => self.values(place),
        }
    }

    fn given(&self) -> Vec<String> {
        self.cursor.frames.last().map(|frame| frame.given.clone()).unwrap_or_default()
    }

    fn argument(&mut self, param: &'static Param, owner: &str) {
        let rank = if param.default.is_none() { 0 } else { 2 };
        let default = param.default.map_or_else(|| "required".to_owned(), |d| format!("= {d}"));
        let detail = format!("{} {default}", param.ty.show());
        let doc = hover::parameter(param, owner);
        self.add(rank, Icon::Field, param.name, detail, doc, format!("{} = ", param.name));
    }

    fn members(&mut self, kind: &'static Kind) {
        let given = self.given();
        let has = |name: &str| given.iter().any(|g| g.split('.').next() == Some(name));
        let copied = self.cursor.words.iter().any(|word| word == "like");
        for param in kind.signature.params.iter().filter(|p| !has(p.name)) {
            let group = kind.groups.iter().find(|g| g.members.contains(&param.name));
            if group.is_some_and(|g| g.members.iter().any(|m| has(m))) {
                continue;
            }
            let wanted = param.default.is_none() || group.is_some_and(|g| g.required);
            let rank = if wanted && !copied { 0 } else { 2 };
            let default = param.default.filter(|_| !wanted);
            let words = default.map_or_else(|| "required".to_owned(), |d| format!("= {d}"));
            let doc = hover::parameter(param, kind.signature.name);
            let insert = format!("{} = ", param.name);
            self.add(rank, Icon::Field, param.name, format!("{} {words}", param.ty.show()), doc, insert);
        }
    }

    /// Data that a mixture can hold.
    fn keys(&mut self) {
        let given = self.given();
        for (name, symbol) in self.scope() {
            let data = symbol.kind.is_some_and(|k| k.yields == Yields::Data);
            if data && !given.iter().any(|g| g == name) {
                let (detail, doc) = self.about(symbol);
                let key =
                    if symbol.sort == Sort::Family { format!("{name}[$1] = ") } else { format!("{name} = ") };
                self.add(0, Icon::Item, name, detail, doc, key);
            }
        }
    }

    /// What a variant can set.
    fn paths(&mut self) {
        for (name, symbol) in self.scope() {
            let (detail, doc) = self.about(symbol);
            match symbol.sort {
                Sort::Item | Sort::Family | Sort::Rounds => {
                    self.add(0, Icon::Item, name, detail, doc, name.to_owned());
                }
                Sort::Param => self.add(0, Icon::Constant, name, detail, doc, format!("{name} = ")),
                _ => {}
            }
        }
    }

    /// What the file of an import defines; the import itself may not be whole.
    fn exports(&mut self, vfs: &dyn Vfs) {
        let text = self.analysis.text(self.replace.file);
        let chunk = text.get(self.cursor.chunk..self.cursor.chunk_end).unwrap_or("");
        let path = chunk.rsplit_once("from").and_then(|(_, rest)| rest.split('"').nth(1));
        let Some(path) = path else { return };
        let given: Vec<&str> = chunk.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let names = if path.starts_with("std/") {
            offered(path.trim_end_matches(".llmp"))
        } else {
            let own = &self.analysis.loaded.units[self.unit].path;
            let target = crate::load::join(crate::load::folder(own), path);
            let text = vfs.read(&target).or_else(|| vfs.read(&format!("{target}.llmp")));
            defined(&text.unwrap_or_default())
        };
        for (name, kind) in names {
            if !given.contains(&name.as_str()) || self.cursor.prefix == name {
                self.add(0, Icon::Item, &name, kind, String::new(), name.clone());
            }
        }
    }

    fn modules(&mut self, written: &str, modules: &[String]) {
        let end = self.offset as usize;
        self.replace = Span::new(self.replace.file, end - written.len(), end);
        let mut std: Vec<String> = Vec::new();
        for (path, _) in llmp_stdlib::library::FILES {
            std.push(path.trim_end_matches(".llmp").to_owned());
            std.extend(path.rsplit_once('/').map(|(folder, _)| folder.to_owned()));
        }
        std.sort();
        std.dedup();
        for path in modules {
            self.add(0, Icon::Module, path, String::new(), String::new(), path.clone());
        }
        for path in std {
            self.add(1, Icon::Module, &path, "the library".into(), String::new(), path.clone());
        }
    }

    fn steps(&mut self, row: Option<&Row>) {
        let state = row.and_then(|row| row.state);
        for step in self.registry.all_steps() {
            let Some(flow) = step.flow.filter(|flow| !flow.is_source()) else { continue };
            let fits = state.is_none_or(|state| flow.from.contains(&state));
            let has = |column: &str| row.is_none_or(|row| row.columns.contains_key(column) || row.open);
            if fits {
                let rank = if flow.needs.iter().all(|column| has(column)) { 1 } else { 3 };
                let doc = hover::summary(step);
                self.add(rank, Icon::Function, step.name, step.summary().to_owned(), doc, call(step));
            }
        }
        for (name, symbol) in self.scope() {
            if symbol.kind.is_some_and(|k| k.yields == Yields::Chain) {
                let item = self.analysis.items(symbol).next();
                let takes = item.and_then(|item| item.takes);
                if takes.is_none() || state.is_none() || takes == state {
                    let (detail, doc) = self.about(symbol);
                    self.add(0, Icon::Function, name, detail, doc, format!("{name}()"));
                }
            }
        }
    }

    fn columns(&mut self, row: &Row) {
        for (name, column) in &row.columns {
            let detail = facts::column_type(*column).to_owned();
            self.add(0, Icon::Column, name, detail, String::new(), name.clone());
        }
    }

    /// Metrics of the suites of an evaluation, in `require`.
    fn metrics(&mut self) {
        let item = self.cursor.words.get(1).and_then(|name| self.analysis.program.items.get(name));
        let Some(llmp_stdlib::Value::List(suites)) = item.and_then(|item| item.members.get("suites")) else {
            return;
        };
        let names = suites.iter().filter_map(|suite| match suite {
            llmp_stdlib::Value::Call(call) => Some(call.name.clone()),
            _ => None,
        });
        for name in names.collect::<Vec<_>>() {
            self.add(0, Icon::Column, &name, "a metric".into(), String::new(), name.clone());
        }
    }

    /// What can be read off a definition.
    fn fields(&mut self, names: &[String]) {
        let Some((first, rest)) = names.split_first() else { return };
        let Some((mut id, _)) = self.analysis.named(self.registry, self.unit, self.cursor, first) else {
            return;
        };
        let index = self.analysis.word_index(self.registry);
        for name in rest {
            let inner = match index.symbols[id].sort {
                Sort::Space => index.symbols[id].target.and_then(|unit| index.scopes[unit].get(name)),
                _ => index.inner.get(&id).and_then(|inner| inner.get(name)),
            };
            match inner {
                Some(next) => id = index.behind(*next),
                None => return,
            }
        }
        let symbol = &index.symbols[id];
        let below: Vec<(&String, &usize)> = match symbol.sort {
            Sort::Space => symbol.target.into_iter().flat_map(|unit| &index.scopes[unit]).collect(),
            _ => index.inner.get(&id).into_iter().flatten().collect(),
        };
        for (name, id) in below {
            let (detail, doc) = self.about(&index.symbols[index.behind(*id)]);
            self.add(0, Icon::Item, name, detail, doc, name.clone());
        }
        if let Some(item) = self.analysis.items(symbol).last() {
            self.item_fields(item);
        } else if let Some(kind) = symbol.kind {
            kind.signature.params.iter().for_each(|param| self.read(param, kind));
        }
    }

    fn item_fields(&mut self, item: &Item) {
        for part in item.row.iter().flat_map(|row| row.parts.iter()) {
            self.add(0, Icon::Item, part, "a part of the data".into(), String::new(), (*part).to_owned());
        }
        for field in item.kind.fields {
            let value = (field.read)(&item.view(&self.analysis.program));
            let detail = value.map(|v| facts::value(&v)).unwrap_or_default();
            let doc = llmp_stdlib::docs::undent(field.doc);
            self.add(0, Icon::Field, field.name, detail, doc, field.name.to_owned());
        }
        let kind = item.kind;
        kind.signature.params.iter().for_each(|param| self.read(param, kind));
    }

    fn read(&mut self, param: &'static Param, kind: &'static Kind) {
        let doc = hover::parameter(param, kind.signature.name);
        self.add(1, Icon::Field, param.name, param.ty.show(), doc, param.name.to_owned());
    }

    fn units(&mut self, place: &Place) {
        let dims: Vec<Dim> = place
            .types
            .iter()
            .flat_map(|ty| match ty {
                Ty::Quantity(dims) | Ty::Estimate(dims) => dims.to_vec(),
                _ => Vec::new(),
            })
            .collect();
        let text = self.analysis.text(self.replace.file);
        let attached =
            text.get(..self.cursor.from).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
        let wanted = |dim: Dim| dims.is_empty() || dims.contains(&dim);
        if attached {
            for word in SUFFIXES.iter().filter(|w| w.dim == Dim::NONE || wanted(w.dim)) {
                self.add(1, Icon::Unit, word.text, amount(word), String::new(), word.text.to_owned());
            }
            return;
        }
        let plural = |w: &&llmp_stdlib::unit::Word| {
            w.text.ends_with('s')
                || w.text.len() <= 3
                || !WORDS.iter().any(|o| o.text == format!("{}s", w.text))
        };
        for word in WORDS.iter().filter(plural).filter(|w| wanted(w.dim)) {
            self.add(0, Icon::Unit, word.text, amount(word), String::new(), word.text.to_owned());
        }
    }

    /// Items that can be copied.
    fn likes(&mut self) {
        let kind = self.cursor.words.first().cloned().unwrap_or_default();
        for (name, symbol) in self.scope() {
            let same = symbol.kind.is_some_and(|k| k.signature.name == kind);
            if same && Some(name) != self.cursor.words.get(1).map(String::as_str) {
                let (detail, doc) = self.about(symbol);
                self.add(0, Icon::Item, name, detail, doc, format!("{name} {{\n  $0\n}}"));
            }
        }
    }

    fn attributes(&mut self) {
        for (name, detail, insert) in [
            ("allow", "leave a warning out", "allow($1)"),
            ("keep", "the result is never cleaned up", "keep"),
            ("preset", "only to be copied by `like`", "preset"),
            ("only", "a check of one variant", "only(${1:base})"),
        ] {
            self.add(0, Icon::Keyword, name, detail.into(), String::new(), insert.into());
        }
    }

    /// Codes that can be allowed: those said of the item below.
    fn codes(&mut self) {
        let (start, end) = (self.cursor.chunk, self.cursor.chunk_end);
        let here = |d: &&llmp_grammar::Diag| {
            d.span().is_some_and(|s| {
                s.file == self.replace.file && s.range().start >= start && s.range().end <= end
            })
        };
        let said: Vec<(String, String)> = self
            .analysis
            .diags
            .iter()
            .filter(here)
            .filter(|d| !d.is_error())
            .map(|d| (d.code.to_owned(), d.message.clone()))
            .collect();
        for (code, message) in said {
            self.add(0, Icon::Value, &code, message, String::new(), code.clone());
        }
        if self.cursor.frames.last().is_some_and(|f| f.callee.as_deref() == Some("only")) {
            self.add(0, Icon::Value, "base", "without variants".into(), String::new(), "base".into());
        }
    }

    fn after(&mut self) {
        let words = &self.cursor.words;
        let header = self.cursor.frames.len() == 1 && self.cursor.frames[0].name.is_none();
        if header
            && words.len() >= 2
            && self.registry.kind(&words[0]).is_some()
            && !words.contains(&"like".into())
        {
            self.add(0, Icon::Keyword, "like", "copy another item".into(), String::new(), "like ".into());
        }
    }

    /// Values of the types that are expected.
    fn values(&mut self, place: &Place) {
        for ty in &place.types {
            match ty {
                Ty::Choice(set) => {
                    for (value, doc) in set.values {
                        let doc = llmp_stdlib::docs::undent(doc);
                        self.add(0, Icon::Value, value, set.name.to_owned(), doc, (*value).to_owned());
                    }
                }
                Ty::Bool => {
                    for value in ["true", "false"] {
                        self.add(0, Icon::Value, value, String::new(), String::new(), value.into());
                    }
                }
                Ty::Predicate | Ty::Formula => {
                    for function in self.registry.all_functions() {
                        let doc = llmp_stdlib::docs::undent(function.doc);
                        let insert = format!("{}($1)", function.name);
                        self.add(1, Icon::Function, function.name, "of columns".into(), doc, insert);
                    }
                }
                _ => {}
            }
        }
        for signature in constructors(&place.types, self.registry) {
            let doc = hover::summary(signature);
            self.add(1, Icon::Function, signature.name, signature.summary().to_owned(), doc, call(signature));
        }
        if place.optional {
            self.add(2, Icon::Value, "none", String::new(), String::new(), "none".into());
        }
        let plain = |d: &&str| !d.contains('(') && *d != "none" && *d != "true" && *d != "false";
        if let Some(default) = place.default.filter(plain) {
            self.add(1, Icon::Value, default, "the default".into(), String::new(), default.to_owned());
        }
        self.named_values(&place.types);
    }

    /// Definitions whose value fits.
    fn named_values(&mut self, types: &[Ty]) {
        let own = self.cursor.words.get(1).cloned();
        for (name, symbol) in self.scope() {
            if Some(name) == own.as_deref() && self.cursor.frames.len() <= 2 && symbol.sort != Sort::Index {
                continue;
            }
            let rank = match self.fits(symbol, types) {
                Some(rank) => rank,
                None => continue,
            };
            let (detail, doc) = self.about(symbol);
            let (icon, insert) = match symbol.sort {
                Sort::Family => (Icon::Item, format!("{name}[$1]")),
                Sort::Item | Sort::Rounds | Sort::Space | Sort::Carry => (Icon::Item, name.to_owned()),
                _ => (Icon::Constant, name.to_owned()),
            };
            self.add(rank, icon, name, detail, doc, insert);
        }
    }

    /// Whether a definition can stand where some types are expected, and how likely it is meant.
    fn fits(&self, symbol: &Symbol, types: &[Ty]) -> Option<u8> {
        let Some(kind) = symbol.kind else {
            return match symbol.sort {
                Sort::Variant => None,
                Sort::Local | Sort::Index | Sort::Parameter | Sort::Carry => Some(1),
                _ => Some(3),
            };
        };
        if types.is_empty() {
            return Some(3);
        }
        let item = self.analysis.items(symbol).last();
        if item.is_some_and(|item| item.preset) {
            return None;
        }
        let state = item.and_then(|item| item.row.as_ref()).and_then(|row| row.state);
        let fit = |ty: &Ty| match ty {
            Ty::Item(yields) => yields.contains(&kind.yields),
            Ty::Data(states) => {
                kind.yields == Yields::Data && state.is_none_or(|state| states.contains(&state))
            }
            _ => false,
        };
        types.iter().any(fit).then_some(0)
    }

    fn scope(&self) -> Vec<(&'a str, &'a Symbol)> {
        in_scope(self.analysis, self.registry, self.unit, self.cursor, self.offset)
    }

    fn about(&self, symbol: &Symbol) -> (String, String) {
        let kind = symbol.kind.map_or("", |k| k.signature.name);
        let item = self.analysis.items(symbol).last();
        let short = item.and_then(|item| facts::short(&self.analysis.program, item));
        let detail = match (kind, short) {
            ("", _) => String::new(),
            (kind, None) => kind.to_owned(),
            (kind, Some(short)) => format!("{kind} · {short}"),
        };
        (detail, symbol.doc.trim().to_owned())
    }
}

fn amount(word: &llmp_stdlib::unit::Word) -> String {
    let factor = llmp_stdlib::Rational::new(word.factor.0, word.factor.1);
    let unit = if word.dim == Dim::NONE { String::new() } else { format!(" {}", word.dim.show()) };
    format!("{}{unit}", llmp_stdlib::number::show(factor))
}

/// Names that a file or folder of the library defines, with their kinds.
fn offered(path: &str) -> Vec<(String, String)> {
    match llmp_stdlib::library::library(&format!("{path}.llmp")) {
        Some(text) => defined(text),
        None => llmp_stdlib::library::folder(path).flat_map(|(_, text)| defined(text)).collect(),
    }
}

/// Names that a text defines, with their kinds.
fn defined(text: &str) -> Vec<(String, String)> {
    let (parse, _) = llmp_grammar::parse(FileId(0), text);
    let one = |item: &llmp_grammar::ast::Item| {
        let kind = match &item.kind {
            llmp_grammar::ast::ItemKind::Decl(decl) => decl.kind.text.clone(),
            _ => String::new(),
        };
        Some((item.name()?.text.clone(), kind))
    };
    parse.file.items.iter().filter_map(one).collect()
}

/// A call with places for what must be given.
fn call(signature: &Signature) -> String {
    let required: Vec<&Param> = signature.params.iter().filter(|p| p.default.is_none()).collect();
    match required.as_slice() {
        [] if signature.params.is_empty() => format!("{}()", signature.name),
        [] => format!("{}($0)", signature.name),
        [_] => format!("{}($1)", signature.name),
        several => {
            let one = |(n, p): (usize, &&Param)| format!("{} = ${}", p.name, n + 1);
            let args: Vec<String> = several.iter().enumerate().map(one).collect();
            format!("{}({})", signature.name, args.join(", "))
        }
    }
}

/// An item of a kind with places for what must be given.
fn skeleton(kind: &Kind) -> String {
    let name = kind.signature.name;
    match kind.form {
        Form::Value(_) => format!("{name} ${{1:name}} = $0"),
        Form::Open(_) => format!("{name} ${{1:name}} {{\n  $0\n}}"),
        Form::Block | Form::Either(_) => {
            let grouped =
                kind.groups.iter().filter(|g| g.required).filter_map(|g| g.members.first().copied());
            let required = kind.signature.params.iter().filter(|p| p.default.is_none()).map(|p| p.name);
            let lines: Vec<String> = grouped
                .chain(required)
                .enumerate()
                .map(|(n, member)| format!("  {member} = ${}", n + 2))
                .collect();
            let lines = if lines.is_empty() { "  $0".to_owned() } else { lines.join("\n") };
            format!("{name} ${{1:name}} {{\n{lines}\n}}")
        }
    }
}
