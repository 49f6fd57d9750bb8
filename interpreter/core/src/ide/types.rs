//! Types of places: which alternatives there are, and where a path of names leads.

use llmp_stdlib::{Form, Param, Registry, Signature, Ty};

/// The alternatives of a type, `none` left out.
pub(crate) fn flat(ty: &Ty) -> Vec<Ty> {
    match ty {
        Ty::Optional(inner) => flat(inner),
        Ty::OneOf(types) => types.iter().flat_map(flat).collect(),
        other => vec![*other],
    }
}

/// Types of the elements of the lists among some types.
pub(crate) fn elements(types: &[Ty]) -> Vec<Ty> {
    let inner = |ty: &Ty| if let Ty::List(inner) | Ty::Range(inner) = ty { flat(inner) } else { vec![] };
    types.iter().flat_map(inner).collect()
}

/// The type of what stands behind `=` in items of a kind.
pub(crate) fn of_form(form: Form) -> Vec<Ty> {
    match form {
        Form::Value(ty) | Form::Either(ty) | Form::Open(ty) => flat(&ty),
        Form::Block => Vec::new(),
    }
}

/// Constructors that can stand where some types are expected.
pub(crate) fn constructors(types: &[Ty], registry: &Registry) -> Vec<&'static Signature> {
    let mut found: Vec<&'static Signature> = Vec::new();
    for ty in types {
        match ty {
            Ty::Family(family) => found.extend(family.members),
            Ty::Item(yields) => {
                for kind in registry.all_kinds().filter(|k| yields.contains(&k.yields)) {
                    for ty in of_form(kind.form) {
                        if let Ty::Family(family) = ty {
                            found.extend(family.members);
                        }
                    }
                }
                let stands =
                    registry.all_families().filter(|f| f.yields.is_some_and(|y| yields.contains(&y)));
                found.extend(stands.flat_map(|family| family.members.iter().copied()));
                if yields.contains(&llmp_stdlib::Yields::Data) {
                    found.extend(sources(registry));
                }
            }
            Ty::Data(_) => found.extend(sources(registry)),
            _ => {}
        }
    }
    let mut seen: Vec<*const Signature> = Vec::new();
    found.retain(|s| {
        let new = !seen.contains(&std::ptr::from_ref(*s));
        seen.push(std::ptr::from_ref(*s));
        new
    });
    found
}

/// Constructors of data.
pub(crate) fn sources(registry: &Registry) -> Vec<&'static Signature> {
    let makes = |s: &&'static Signature| s.flow.is_some_and(|flow| flow.is_source());
    let members = registry.all_families().flat_map(|f| f.members.iter().copied());
    registry.all_steps().chain(members).filter(makes).collect()
}

/// The built-in that a call of this name means where some types are expected.
pub(crate) fn callee(name: &str, types: &[Ty], registry: &Registry) -> Option<&'static Signature> {
    let expected = constructors(types, registry).into_iter().find(|s| s.name == name);
    expected.or_else(|| registry.step(name)).or_else(|| registry.constructors(name).first().map(|(_, s)| *s))
}

/// The parameter of a call by name, or by its place among positional ones; readers take their attributes besides.
pub(crate) fn parameter(
    signature: &'static Signature,
    name: Option<&str>,
    position: usize,
) -> Option<&'static Param> {
    match name {
        Some(name) => all_params(signature).find(|p| p.name == name),
        None => match signature.params.get(position) {
            Some(param) => Some(param),
            None => signature.params.last().filter(|p| p.many),
        },
    }
}

/// Parameters of a built-in; those that every reader and every step takes among them.
pub(crate) fn all_params(signature: &'static Signature) -> impl Iterator<Item = &'static Param> {
    let reader = llmp_stdlib::source::is_reader(signature);
    let attributes = llmp_stdlib::source::attributes().iter().filter(move |_| reader);
    let own = |p: &&'static Param| signature.param(p.name).is_none();
    let step = signature.flow.is_some_and(|flow| !flow.is_source());
    let common = COMMON.iter().filter(move |_| step);
    signature.params.iter().chain(attributes.filter(own)).chain(common.filter(own))
}

/// What every step takes.
pub(crate) static COMMON: [Param; 2] = [
    Param {
        name: "when",
        doc: "Off: the step is not in the plan.",
        ty: Ty::Bool,
        default: Some("true"),
        binary: false,
        many: false,
        writes: false,
    },
    Param {
        name: "rejects",
        doc: "Where documents are written that the step drops.",
        ty: Ty::Optional(&Ty::Path),
        default: Some("none"),
        binary: false,
        many: false,
        writes: false,
    },
];

/// A field of the records, or an argument of the constructors, among some types.
pub(crate) fn inside(
    types: &[Ty],
    name: &str,
    registry: &Registry,
) -> Option<(Option<&'static Signature>, &'static Param)> {
    for ty in types {
        let found = match ty {
            Ty::Record(fields) => fields.iter().find(|p| p.name == name).map(|p| (None, p)),
            Ty::Family(_) | Ty::Item(_) => constructors(&[*ty], registry)
                .into_iter()
                .find_map(|s| s.param(name).map(|param| (Some(s), param))),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// What the values of a record of open keys are.
pub(crate) fn values(types: &[Ty]) -> Vec<Ty> {
    let inner = |ty: &Ty| if let Ty::Map(inner) = ty { flat(inner) } else { vec![] };
    types.iter().flat_map(inner).collect()
}
