//! What every source can say of its data: size, rights, origin. Stated once for all readers.

use crate::arg::Arg;
use crate::estimate::Estimate;
use crate::kind::Yields;
use crate::number::Rational;
use crate::signature::{Settings, Signature};
use crate::ty::Ty;
use crate::value::{Record, Value};

crate::choices! {
    /// A licence that allows everything but to leave out the notice.
    Permissive = "license" {
        /// One of the licences without conditions on use: MIT, Apache-2.0, BSD, ISC, CC-BY, public domain.
        Permissive = "permissive",
    }
}

/// A licence: an SPDX name as text, or `permissive`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum License {
    /// Any licence without conditions on use.
    Permissive,
    /// An SPDX name.
    Named(String),
}

/// Names that count as permissive; a version may follow after `-`.
const PERMISSIVE: &[&str] = &[
    "0bsd",
    "apache",
    "artistic",
    "bsd",
    "cc-by",
    "cc-pddc",
    "cc0",
    "isc",
    "mit",
    "odc-by",
    "pddl",
    "public-domain",
    "unlicense",
    "zlib",
];

impl License {
    /// Whether a release that allows this licence may hold data under the other.
    pub fn allows(&self, other: &License) -> bool {
        match (self, other) {
            (License::Permissive, License::Permissive) => true,
            (License::Permissive, License::Named(name)) => is_permissive(name),
            (License::Named(allowed), License::Named(name)) => allowed.eq_ignore_ascii_case(name),
            (License::Named(_), License::Permissive) => false,
        }
    }
}

fn is_permissive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let conditional = ["-nc", "-nd", "-sa"].iter().any(|mark| name.contains(mark));
    let begins =
        |known: &&str| name.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    !conditional && PERMISSIVE.iter().any(begins)
}

impl std::fmt::Display for License {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            License::Permissive => f.write_str("permissive"),
            License::Named(name) => f.write_str(name),
        }
    }
}

impl Arg for License {
    const TY: Ty = Ty::OneOf(&[<Permissive as Arg>::TY, Ty::Text]);
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Choice(_) => Ok(License::Permissive),
            Value::Text(name) if name.eq_ignore_ascii_case("permissive") => Ok(License::Permissive),
            Value::Text(name) => Ok(License::Named(name.clone())),
            _ => Err(format!("expected a license, found {value}")),
        }
    }
}

crate::choices! {
    /// What was done about robots.txt when the pages were fetched.
    Robots = "robots" {
        /// The files were honoured.
        Obeyed = "obeyed",
        /// They were not looked at.
        Ignored = "ignored",
        /// Nothing is known of it.
        Unknown = "unknown",
    }
}

crate::choices! {
    /// What was done about rights holders who do not want their data used.
    OptOut = "opt_out" {
        /// Their data are left out.
        Honoured = "honoured",
        /// Their data may be in it.
        Ignored = "ignored",
        /// Nothing is known of it.
        Unknown = "unknown",
    }
}

/// Who wrote synthetic data: the name of a model elsewhere, or a model of the program.
#[derive(Debug, Clone, PartialEq)]
pub struct Writer(pub Value);

impl Arg for Writer {
    const TY: Ty = Ty::OneOf(&[Ty::Item(&[Yields::Model]), Ty::Text]);
    fn read(value: &Value) -> Result<Self, String> {
        Ok(Writer(value.clone()))
    }
}

crate::def! {
    /// Text that a model wrote.
    Synthetic = "synthetic", rev 1 {
        /// The model: an item of the program, or the name of one as text.
        by: Writer,
        /// How far it is from people: 1 for a model trained on what people wrote, 2 for one trained on such text, …
        generation: u64 = "1",
    }
}

/// [`Synthetic`] as a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Synthesis(pub Synthetic);

impl Arg for Synthesis {
    const TY: Ty = Ty::Record(Synthetic::SIGNATURE.params);
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else {
            return Err(format!("expected {}, found {value}", Self::TY.show()));
        };
        let words = |problems: Vec<crate::Problem>| {
            problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ")
        };
        Synthetic::read(record).map(Synthesis).map_err(words)
    }
}

crate::def! {
    /// What every reader takes besides its own arguments. Nothing of it changes what is read, so nothing of it is part
    /// of a step's identity, `awaits` excepted.
    Attributes = "source attributes", rev 1 {
        /// How much there is: `3B tokens`, `40GB`, `2M docs`, or `about(8T tokens)`.
        size: Option<Estimate> = "none",
        /// The licence of the texts, as an SPDX name, or `permissive`.
        license: Option<License> = "none",
        /// What was done about robots.txt when the pages were fetched.
        robots: Option<Robots> = "none",
        /// What was done about rights holders who do not want their data used.
        opt_out: Option<OptOut> = "none",
        /// For text that a model wrote: which one, and how far from people.
        synthetic: Option<Synthesis> = "none",
        /// The file may come later: a run ends cleanly with what it waits for, and the next one goes on.
        awaits: bool = "false",
        /// Questions and answers of a benchmark: they never reach training.
        evaluation: bool = "false",
    }
}

/// Whether a constructor reads files: a source that is not made of other data.
pub fn is_reader(signature: &Signature) -> bool {
    let joins = |ty: &Ty| match ty {
        Ty::Data(_) => true,
        Ty::List(inner) | Ty::Optional(inner) => matches!(inner, Ty::Data(_)),
        _ => false,
    };
    signature.flow.is_some_and(|flow| flow.is_source()) && !signature.params.iter().any(|p| joins(&p.ty))
}

/// Names of the attributes that every reader takes.
pub fn attribute_names() -> impl Iterator<Item = &'static str> {
    Attributes::SIGNATURE.params.iter().map(|p| p.name)
}

/// Those attributes.
pub fn attributes() -> &'static [crate::Param] {
    Attributes::SIGNATURE.params
}

/// Takes the attributes out of a reader's arguments, those apart that are the reader's own. `awaits = true` stays.
pub fn take_attributes(signature: &Signature, args: &mut Record) -> Record {
    let mut taken = Record::new();
    for param in Attributes::SIGNATURE.params {
        if signature.param(param.name).is_some() {
            continue;
        }
        let Some(value) = args.shift_remove(param.name) else { continue };
        if param.name == "awaits" && value == Value::Bool(true) {
            args.insert(param.name.to_owned(), value.clone());
        }
        taken.insert(param.name.to_owned(), value);
    }
    taken
}

/// The attributes that a reader was given; what was not written has its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rights {
    /// How much there is, as declared.
    pub size: Option<Estimate>,
    /// The licence.
    pub license: Option<License>,
    /// robots.txt.
    pub robots: Option<Robots>,
    /// Wishes of rights holders.
    pub opt_out: Option<OptOut>,
    /// Text of a model.
    pub synthetic: Option<Synthetic>,
    /// A benchmark.
    pub evaluation: bool,
}

impl Rights {
    /// Reads them off the arguments of a reader.
    pub fn of(args: &Record) -> Rights {
        fn read<T: Arg>(args: &Record, name: &str) -> Option<T> {
            T::read(args.get(name).filter(|v| **v != Value::None)?).ok()
        }
        Rights {
            size: read(args, "size"),
            license: read(args, "license"),
            robots: read(args, "robots"),
            opt_out: read(args, "opt_out"),
            synthetic: read::<Synthesis>(args, "synthetic").map(|s| s.0),
            evaluation: read(args, "evaluation").unwrap_or(false),
        }
    }
}

/// Tokens in a text of that size: between a sixth and two fifths of its bytes, which holds for tokenizers of 4k to 256k
/// entries on prose and code. `None` for documents, whose length is not known.
pub fn tokens_in(size: Estimate) -> Option<Estimate> {
    use crate::unit::Dim;
    match size.dim {
        Dim::TOKENS => Some(size),
        Dim::BYTES => {
            let low = crate::number::arithmetic(size.low, '/', Rational::from(6))?;
            let high = crate::number::arithmetic(size.high, '*', Rational::new(2, 5))?;
            Some(Estimate { low, high, dim: Dim::TOKENS })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissive_licenses_are_known() {
        let named = |name: &str| License::Named(name.to_owned());
        for name in ["MIT", "Apache-2.0", "CC-BY-4.0", "CC0-1.0", "BSD-3-Clause"] {
            assert!(License::Permissive.allows(&named(name)), "{name}");
        }
        for name in ["CC-BY-NC-4.0", "CC-BY-SA-4.0", "GPL-3.0", "MITX"] {
            assert!(!License::Permissive.allows(&named(name)), "{name}");
        }
        assert!(named("mit").allows(&named("MIT")) && !named("MIT").allows(&License::Permissive));
    }

    #[test]
    fn attributes_leave_the_arguments() {
        let signature = Synthetic::SIGNATURE;
        let mut args: Record = [
            ("license", Value::text("MIT")),
            ("awaits", Value::Bool(true)),
            ("generation", Value::number(1)),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        let taken = take_attributes(signature, &mut args);
        assert_eq!(taken.keys().map(String::as_str).collect::<Vec<_>>(), ["license", "awaits"]);
        assert_eq!(args.keys().map(String::as_str).collect::<Vec<_>>(), ["generation", "awaits"]);
    }
}
