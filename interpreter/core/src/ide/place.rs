//! What is expected at a cursor: the bracket it stands in, and the types of the value there.

use llmp_grammar::FileId;
use llmp_stdlib::{Form, Kind, Registry, Signature, Ty};

use super::Analysis;
use super::cursor::{Cursor, Frame};
use super::index::{Sort, Symbol};
use super::types::{callee, elements, flat, inside, of_form, parameter, values};
use crate::load::{Trees, Vfs};
use crate::program::{Meaning, Row};

/// What a bracket holds.
#[derive(Clone)]
pub(crate) enum Slot {
    /// The file itself.
    Top,
    /// Members of an item of a kind.
    Members(&'static Kind),
    /// Keys of an open block.
    Keys,
    /// Paths of a variant.
    Variant,
    /// Items of rounds.
    Round,
    /// Names of an import.
    Use,
    /// Arguments of a built-in.
    Args(&'static Signature),
    /// Arguments of a chain of the program.
    Chain(usize),
    /// Fields of a record.
    Fields(Vec<Ty>),
    /// Arguments of an attribute.
    Attribute,
    /// Elements of a list, or something that no type is known of.
    Plain,
}

/// What is expected at a cursor.
pub(crate) struct Place {
    /// What the innermost bracket holds.
    pub(crate) slot: Slot,
    /// Types of the value at the cursor.
    pub(crate) types: Vec<Ty>,
    /// `none` is one of the values.
    pub(crate) optional: bool,
    /// The default of what is given there.
    pub(crate) default: Option<&'static str>,
}

/// What is needed to look at a program that is not there: texts, built-ins, trees.
pub struct Engine<'e> {
    /// Texts of files.
    pub vfs: &'e dyn Vfs,
    /// Built-ins.
    pub registry: &'e Registry,
    /// Trees of earlier loads.
    pub trees: &'e mut Trees,
}

/// Files with one of them changed.
pub(crate) struct Changed<'v> {
    /// The others.
    pub(crate) vfs: &'v dyn Vfs,
    /// The path of the changed one.
    pub(crate) path: &'v str,
    /// Its text.
    pub(crate) text: &'v str,
}

impl Vfs for Changed<'_> {
    fn read(&self, path: &str) -> Option<String> {
        if path == self.path { Some(self.text.to_owned()) } else { self.vfs.read(path) }
    }

    fn exists(&self, path: &str) -> bool {
        path == self.path || self.vfs.exists(path)
    }
}

impl Analysis {
    /// A definition that a name stands for at a cursor.
    pub(crate) fn named(
        &self,
        registry: &Registry,
        unit: usize,
        cursor: &Cursor,
        name: &str,
    ) -> Option<(usize, &Symbol)> {
        let index = self.word_index(registry);
        let scope = index.scopes.get(unit)?;
        let around = cursor.words.get(1).and_then(|item| scope.get(item));
        let inner = around.and_then(|id| index.inner.get(id)).and_then(|inner| inner.get(name));
        let id = inner.or_else(|| scope.get(name)).copied()?;
        let id = index.behind(id);
        Some((id, &index.symbols[id]))
    }

    /// What is expected at a cursor of a unit.
    pub(crate) fn place(&self, registry: &Registry, unit: usize, cursor: &Cursor) -> Place {
        let first = cursor.words.first().map_or("", String::as_str);
        let kind = registry.kind(first);
        let types = kind.map(|k| of_form(k.form)).unwrap_or_default();
        let mut place = Place { slot: Slot::Top, types, optional: false, default: None };
        for pair in cursor.frames.windows(2) {
            let [outer, frame] = pair else { continue };
            let types = if outer.pipe.is_some() { Vec::new() } else { std::mem::take(&mut place.types) };
            place.slot = self.slot(registry, unit, cursor, &place.slot, outer, frame, &types);
            place.optional = false;
            place.default = None;
            place.types = self.inner_types(registry, &mut place, frame, &types);
        }
        place
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one bracket")]
    fn slot(
        &self,
        registry: &Registry,
        unit: usize,
        cursor: &Cursor,
        around: &Slot,
        outer: &Frame,
        frame: &Frame,
        types: &[Ty],
    ) -> Slot {
        let first = cursor.words.first().map_or("", String::as_str);
        let of_kind = |kind: Option<&'static Kind>| match kind {
            Some(Kind { form: Form::Open(_), .. }) => Slot::Keys,
            Some(kind) => Slot::Members(kind),
            None => Slot::Plain,
        };
        let head = outer.name.is_none() && frame.open == '{';
        match (around, frame.open) {
            (Slot::Top, '{') if head && first == "use" => return Slot::Use,
            (Slot::Top, '{') if head && first == "variant" => return Slot::Variant,
            (Slot::Top, '{') if head && first == "rounds" => return Slot::Round,
            (Slot::Top, '{') if head => return of_kind(registry.kind(first)),
            (Slot::Round, '{') if head => {
                let written = self.written(unit, outer.start, frame.at);
                return of_kind(written.split_whitespace().next().and_then(|word| registry.kind(word)));
            }
            (Slot::Top, '(') if frame.callee.as_deref().is_some_and(attribute) => {
                return Slot::Attribute;
            }
            _ => {}
        }
        match (frame.open, frame.callee.as_deref()) {
            ('[', _) => Slot::Plain,
            (_, Some("unpublished" | "about")) => Slot::Plain,
            (_, Some(name)) => match callee(name, types, registry) {
                Some(signature) => Slot::Args(signature),
                None => match self.named(registry, unit, cursor, name) {
                    Some((id, _)) => Slot::Chain(id),
                    None => Slot::Plain,
                },
            },
            ('{', None) => Slot::Fields(types.to_vec()),
            _ => Slot::Plain,
        }
    }

    fn written(&self, unit: usize, from: usize, to: usize) -> &str {
        self.loaded.units.get(unit).and_then(|u| self.text(u.file).get(from..to)).unwrap_or("")
    }

    fn inner_types(&self, registry: &Registry, place: &mut Place, frame: &Frame, types: &[Ty]) -> Vec<Ty> {
        let name = frame.name.as_deref();
        let mut of = |param: &'static llmp_stdlib::Param| {
            place.optional = matches!(param.ty, Ty::Optional(_));
            place.default = param.default;
            flat(&param.ty)
        };
        match &place.slot {
            Slot::Members(kind) => {
                let Some(name) = name else { return Vec::new() };
                let mut path = name.split('.').map(|part| part.split('[').next().unwrap_or(part).trim());
                let first = path.next().unwrap_or("");
                let Some(param) = kind.signature.param(first) else { return Vec::new() };
                let start = of(param);
                path.fold(start, |types, part| {
                    inside(&types, part, registry).map(|(_, p)| of(p)).unwrap_or_default()
                })
            }
            Slot::Round => {
                let kind =
                    name.and_then(|n| n.split_whitespace().next()).and_then(|word| registry.kind(word));
                kind.map(|k| of_form(k.form)).unwrap_or_default()
            }
            Slot::Keys => Vec::new(),
            Slot::Args(signature) => {
                let named = frame.given.len().min(frame.commas);
                let position = if name.is_none() { frame.commas.saturating_sub(named) } else { 0 };
                let Some(param) = parameter(signature, name, position) else { return Vec::new() };
                let types = of(param);
                if param.many && name.is_none() { elements(&types) } else { types }
            }
            Slot::Fields(fields) => {
                let open = values(fields);
                match name {
                    Some(name) => inside(fields, name, registry).map(|(_, p)| of(p)).unwrap_or(open),
                    None => Vec::new(),
                }
            }
            Slot::Plain if frame.open == '[' => elements(types),
            Slot::Plain if frame.callee.is_some() && frame.commas == 0 => types.to_vec(),
            Slot::Plain if frame.callee.is_none() => types.to_vec(),
            _ => Vec::new(),
        }
    }

    /// The row that the step at a cursor is given: the program is checked with that step cut off.
    pub(crate) fn row_at(&self, engine: &mut Engine<'_>, file: FileId, cursor: &Cursor) -> Option<Row> {
        let depth = cursor.frames.iter().rposition(|frame| frame.pipe.is_some())?;
        let pipe = cursor.frames[depth].pipe?;
        let text = self.text(file);
        let unit = self.unit(file)?;
        let mut changed = text.get(..pipe)?.to_owned();
        changed.push_str("|> ");
        let at = u32::try_from(changed.len()).ok()?;
        changed.push_str("step_at_the_cursor()");
        for frame in cursor.frames.get(1..=depth).unwrap_or(&[]).iter().rev() {
            changed.push_str(match frame.open {
                '{' => "\n}",
                '[' => "]",
                _ => ")",
            });
        }
        changed.push('\n');
        changed.push_str(text.get(cursor.chunk_end..).unwrap_or(""));
        let path = &self.loaded.units[unit].path;
        let vfs = Changed { vfs: engine.vfs, path, text: &changed };
        let other = Analysis::new(&vfs, &self.program.main, engine.registry, engine.trees);
        let file = other.file(path)?;
        other.program.meanings.iter().find_map(|(span, meaning)| match meaning {
            Meaning::Data(row) if span.file == file && span.start == at => Some(row.clone()),
            _ => None,
        })
    }
}

fn attribute(name: &str) -> bool {
    matches!(name, "allow" | "only")
}

/// Names that a scope knows at a cursor, aliases followed.
pub(crate) fn in_scope<'a>(
    analysis: &'a Analysis,
    registry: &Registry,
    unit: usize,
    cursor: &Cursor,
    offset: u32,
) -> Vec<(&'a str, &'a Symbol)> {
    let index = analysis.word_index(registry);
    let Some(scope) = index.scopes.get(unit) else { return Vec::new() };
    let around = cursor.words.get(1).and_then(|item| scope.get(item));
    let inner = around.and_then(|id| index.inner.get(id)).into_iter().flatten();
    let all = inner.chain(scope).map(|(name, id)| (name.as_str(), &index.symbols[index.behind(*id)]));
    let file = analysis.loaded.units[unit].file;
    let locals = index.symbols.iter().filter(|s| {
        let around = s.parent.map(|p| index.symbols[p].span);
        matches!(s.sort, Sort::Parameter) && around.is_some_and(|a| a.file == file && a.touches(offset))
    });
    all.chain(locals.map(|s| (s.name.as_str(), s))).collect()
}
