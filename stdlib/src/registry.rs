//! The registry: sorted tables of everything that a program can name.

use std::collections::BTreeMap;

use crate::kind::Kind;
use crate::signature::Signature;
use crate::ty::{Family, Ty};
use crate::value::Value;

/// The operation that opens a model folder or file, `folder`: a model's constructor becomes it, so no signature has its
/// name.
pub const OPEN_MODEL: &str = "open_model";

/// A pure function over text columns, for predicates.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it gives, with its unit.
    pub doc: &'static str,
    /// Types of its arguments.
    pub params: &'static [Ty],
    /// Type of its result.
    pub result: crate::Column,
}

/// Whether texts of a type are paths.
fn names_files(ty: &Ty) -> bool {
    match ty {
        Ty::Path => true,
        Ty::Optional(ty) | Ty::List(ty) => names_files(ty),
        Ty::OneOf(tys) => tys.iter().any(names_files),
        _ => false,
    }
}

/// Everything that a program can name, by family.
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, &'static Kind>,
    steps: BTreeMap<&'static str, &'static Signature>,
    functions: BTreeMap<&'static str, &'static Function>,
    families: BTreeMap<&'static str, &'static Family>,
    doubles: Vec<String>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds kinds, and the families that their members use.
    pub fn kinds(mut self, kinds: &[&'static Kind]) -> Self {
        for kind in kinds {
            self.add_families(kind.signature);
            if let crate::Form::Value(ty) | crate::Form::Either(ty) | crate::Form::Open(ty) = &kind.form {
                self.add_ty(ty);
            }
            if self.kinds.insert(kind.signature.name, kind).is_some() {
                self.doubles.push(format!("kind {}", kind.signature.name));
            }
        }
        self
    }

    /// Adds data steps, and the families that their parameters use.
    pub fn steps(mut self, steps: &[&'static Signature]) -> Self {
        for step in steps {
            self.add_families(step);
            if self.steps.insert(step.name, step).is_some() {
                self.doubles.push(format!("step {}", step.name));
            }
        }
        self
    }

    /// Adds text functions.
    pub fn functions(mut self, functions: &'static [Function]) -> Self {
        for function in functions {
            if self.functions.insert(function.name, function).is_some() {
                self.doubles.push(format!("function {}", function.name));
            }
        }
        self
    }

    /// Adds families that no member asks for by name: constructors that stand where an item is expected.
    pub fn families(mut self, families: &[&'static Family]) -> Self {
        families.iter().for_each(|family| self.add_ty(&Ty::Family(family)));
        self
    }

    fn add_families(&mut self, signature: &'static Signature) {
        signature.params.iter().for_each(|p| self.add_ty(&p.ty));
    }

    fn add_ty(&mut self, ty: &Ty) {
        match ty {
            Ty::Optional(ty) | Ty::List(ty) | Ty::Range(ty) | Ty::Map(ty) => self.add_ty(ty),
            Ty::OneOf(tys) => tys.iter().for_each(|ty| self.add_ty(ty)),
            Ty::Record(fields) => fields.iter().for_each(|p| self.add_ty(&p.ty)),
            Ty::Family(family) => match self.families.insert(family.name, family) {
                None => family.members.iter().for_each(|s| self.add_families(s)),
                Some(known) if !std::ptr::eq(known, *family) => {
                    self.doubles.push(format!("family {}", family.name))
                }
                Some(_) => {}
            },
            Ty::Bool
            | Ty::Text
            | Ty::Path
            | Ty::Int
            | Ty::Num
            | Ty::Quantity(_)
            | Ty::Estimate(_)
            | Ty::Choice(_) => {}
            Ty::Item(_) | Ty::Data(_) | Ty::Predicate | Ty::Formula => {}
        }
    }

    /// The kind called `name`.
    pub fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.get(name).copied()
    }

    /// The step called `name`.
    pub fn step(&self, name: &str) -> Option<&'static Signature> {
        self.steps.get(name).copied()
    }

    /// The text function called `name`.
    pub fn function(&self, name: &str) -> Option<&'static Function> {
        self.functions.get(name).copied()
    }

    /// All kinds, by name.
    pub fn all_kinds(&self) -> impl Iterator<Item = &'static Kind> {
        self.kinds.values().copied()
    }

    /// All steps, by name.
    pub fn all_steps(&self) -> impl Iterator<Item = &'static Signature> {
        self.steps.values().copied()
    }

    /// All text functions, by name.
    pub fn all_functions(&self) -> impl Iterator<Item = &'static Function> {
        self.functions.values().copied()
    }

    /// All families of constructors, by name.
    pub fn all_families(&self) -> impl Iterator<Item = &'static Family> {
        self.families.values().copied()
    }

    /// Constructors called `name`, each with its family.
    pub fn constructors(&self, name: &str) -> Vec<(&'static Family, &'static Signature)> {
        self.families.values().filter_map(|f| f.get(name).map(|s| (*f, s))).collect()
    }

    /// Paths of files that a call names, in its own arguments and in those of the constructors among them, each with the
    /// built-in that reads it.
    pub fn paths(&self, op: &str, args: &crate::Record) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if let (OPEN_MODEL, Some(Value::Text(folder))) = (op, args.get("folder")) {
            found.push((op.to_owned(), folder.clone()));
        }
        let params = self.meant(op, args).map_or(&[][..], |s| s.params);
        for (param, value) in params.iter().filter_map(|p| Some((p, args.get(p.name)?))) {
            match value {
                Value::Text(path) if names_files(&param.ty) => found.push((op.to_owned(), path.clone())),
                Value::List(paths) if names_files(&param.ty) => {
                    let texts =
                        paths.iter().filter_map(|p| if let Value::Text(p) = p { Some(p) } else { None });
                    found.extend(texts.map(|path| (op.to_owned(), path.clone())));
                }
                Value::Call(call) => found.extend(self.paths(&call.name, &call.args)),
                _ => {}
            }
        }
        found
    }

    /// The built-in that a call means: of several with one name (`hf`) the one whose parameters its arguments fill.
    pub fn meant(&self, name: &str, args: &crate::Record) -> Option<&'static Signature> {
        let all = || {
            let constructors = self.families.values().filter_map(|family| family.get(name));
            self.step(name).into_iter().chain(constructors)
        };
        let filled = all().filter(|s| s.params.iter().all(|p| args.contains_key(p.name)));
        filled.max_by_key(|s| s.params.len()).or_else(|| all().next())
    }

    /// Names that were added twice in one family: must be empty.
    pub fn doubles(&self) -> &[String] {
        &self.doubles
    }
}
