//! The type that is written at an item (`source books: Docs = …`) against what the item is.

use llmp_grammar::ast::{TypeBase, TypeRef};
use llmp_grammar::{Diag, nearest};
use llmp_stdlib::{State, Yields};

use super::Checker;
use crate::codes::{Mismatch, UnknownName};
use crate::resolve::{DeclRef, suggest};

impl<'a> Checker<'a> {
    /// Data are in the state that stands there, everything else is what its kind makes. A state that is not known yet
    /// is not contradicted.
    pub(crate) fn written_type(&mut self, decl: &DeclRef<'a>, state: Option<State>) {
        let Some(ty) = &decl.decl.ty else { return };
        let kind = decl.kind;
        let data = kind.yields == Yields::Data;
        let name = plain(ty);
        let is_data = |name: &str| name == Yields::Data.name() || State::ALL.iter().any(|s| s.show() == name);
        let fits = match (name, state) {
            (Some(name), Some(state)) if data => name == state.show() || name == kind.yields.name(),
            (Some(name), None) if data => is_data(name),
            (name, _) => name == Some(kind.yields.name()),
        };
        if fits {
            return;
        }
        let names = || {
            let states = State::ALL.iter().map(|state| state.show());
            states.chain(Yields::ALL.iter().map(|yields| yields.name()))
        };
        if let Some(name) = name.filter(|name| !names().any(|n| n == *name) && self.type_of(ty).is_none()) {
            let diag = Diag::from(UnknownName { what: "type".into(), name: name.to_owned(), at: ty.span });
            self.report(suggest(diag, nearest(name, names()), ty.span));
            return;
        }
        let right = state.filter(|_| data).map_or(kind.yields.name(), State::show);
        let of = match (data, state) {
            (true, None) => "a state of data such as `Docs`".to_owned(),
            (true, Some(_)) => format!("`{right}`, the state of `{}`", decl.decl.name.text),
            (false, _) => format!("`{right}`, the type of every {}", kind.signature.name),
        };
        let found = format!("`{}`", self.loaded.sources.slice(ty.span));
        let diag = Diag::from(Mismatch { expected: of, found, at: ty.span });
        let diag = diag.label(decl.decl.name.span, format!("this is {right}"));
        self.report(match (data, state) {
            (true, None) => diag,
            _ => diag.fix(format!("write `{right}`"), ty.span, right),
        });
    }
}

/// A type that is a bare name.
fn plain(ty: &TypeRef) -> Option<&str> {
    match &ty.base {
        TypeBase::Named { name, args } if args.is_empty() && !ty.optional && ty.domain.is_none() => {
            Some(&name.text)
        }
        _ => None,
    }
}
