//! Functions of conditions: their signatures; `steps::predicate` evaluates them.

use llmp_stdlib::{Column, Ty, registry::Function};

/// Functions of conditions, sorted by name. Patterns are regular expressions (the `regex` crate's syntax).
pub static ALL: &[Function] = &[
    function("bytes", "Length of a text in UTF-8 bytes.", &[Ty::Text], Column::Num),
    function("chars", "Length of a text in characters.", &[Ty::Text], Column::Num),
    function("contains", "Whether a pattern occurs in a text.", &[Ty::Text, Ty::Text], Column::Bool),
    function("count", "How often a pattern occurs in a text.", &[Ty::Text, Ty::Text], Column::Num),
    function("domain", "The host of a URL, in lower case, without `www.`.", &[Ty::Text], Column::Text),
    function("ends_with", "Whether a text ends with another.", &[Ty::Text, Ty::Text], Column::Bool),
    function("exp", "e to the power of a number.", &[Ty::Num], Column::Num),
    function("lines", "Number of lines.", &[Ty::Text], Column::Num),
    function("log", "Natural logarithm.", &[Ty::Num], Column::Num),
    function("log_sigmoid", "Logarithm of the sigmoid.", &[Ty::Num], Column::Num),
    function("lower", "The text in lower case.", &[Ty::Text], Column::Text),
    function("matches", "Whether a pattern covers the whole text.", &[Ty::Text, Ty::Text], Column::Bool),
    function("max", "The larger of two numbers.", &[Ty::Num, Ty::Num], Column::Num),
    function("min", "The smaller of two numbers.", &[Ty::Num, Ty::Num], Column::Num),
    function(
        "share",
        "Share of a text's characters that a pattern covers.",
        &[Ty::Text, Ty::Text],
        Column::Num,
    ),
    function("sigmoid", "1 / (1 + exp(-x)).", &[Ty::Num], Column::Num),
    function("starts_with", "Whether a text begins with another.", &[Ty::Text, Ty::Text], Column::Bool),
    function("upper", "The text in upper case.", &[Ty::Text], Column::Text),
    function("words", "Number of words between whitespace.", &[Ty::Text], Column::Num),
];

const fn function(name: &'static str, doc: &'static str, params: &'static [Ty], result: Column) -> Function {
    Function { name, doc, params, result }
}
