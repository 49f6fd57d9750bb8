//! Columns that a program names itself: after a classifier (`classify(educational)` adds `.educational`), or as text
//! (`as = "quality"`). They are renamed with what names them.

use llmp_grammar::Span;
use llmp_grammar::ast::ExprKind;
use llmp_stdlib::Registry;

use super::goto::Target;
use super::index::What;
use super::{Analysis, nodes};

/// What names a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// A definition, by its number.
    Symbol(usize),
    /// A text, without its quotes.
    Text(Span),
}

impl Analysis {
    /// What names the column at a place; `None` where a built-in or the data do.
    pub(super) fn column_home(&self, registry: &Registry, at: Span, column: &str) -> Option<Home> {
        let Target::Place(_, step) = self.column_source(registry, at.file, at.end, column)? else {
            return None;
        };
        let unit = self.unit(step.file)?;
        let around = nodes::around(&self.loaded.units[unit].ast, step.end);
        let parts = crate::check::parts(around.into_iter().find(|expr| expr.span == step)?)?;
        let index = self.word_index(registry);
        parts.given.iter().find_map(|given| {
            let span = given.value.span;
            match &given.value.kind {
                ExprKind::Name(_) => match index.at(span.file, span.start)?.what {
                    What::Symbol { id, .. } => {
                        let id = index.behind(id);
                        (index.symbols[id].name == column).then_some(Home::Symbol(id))
                    }
                    _ => None,
                },
                ExprKind::Text(text) if text.as_plain() == Some(column) => {
                    let quoted = self.loaded.sources.slice(span).strip_prefix('"')? == format!("{column}\"");
                    quoted.then_some(Home::Text(Span { start: span.start + 1, end: span.end - 1, ..span }))
                }
                _ => None,
            }
        })
    }

    /// Names of columns, without their dots, that something names.
    pub(super) fn columns_of(&self, registry: &Registry, home: Home, name: &str) -> Vec<Span> {
        let named = |mark: &super::Mark| match &mark.what {
            What::Column(column) if column == name => (self.column_home(registry, mark.span, column)
                == Some(home))
            .then(|| name_of(mark.span, name)),
            _ => None,
        };
        self.word_index(registry).marks.iter().filter_map(named).collect()
    }
}

/// The name of a column, without its dot.
pub(super) fn name_of(column: Span, name: &str) -> Span {
    let length = u32::try_from(name.len()).unwrap_or(0);
    Span { start: column.end.saturating_sub(length), ..column }
}
