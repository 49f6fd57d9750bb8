//! Results that nobody uses.

use llmp_grammar::Diag;
use llmp_stdlib::Yields;

use super::Look;
use crate::check::Checker;
use crate::codes::ResultUnused;
use crate::lineage::learns;

/// Trained models of the main file that no item uses, in a program that uses another.
pub(super) fn unused(look: &Look<'_>, checker: &Checker<'_>, diags: &mut Vec<Diag>) {
    // An export of data says nothing about models.
    let of_models = |view: &llmp_stdlib::View<'_>| view.kind.signature.name != "export";
    let ends = |yields: Yields| matches!(yields, Yields::Metrics | Yields::Release);
    if !look.views().any(|view| ends(view.kind.yields) && of_models(&view)) {
        return;
    }
    for item in look.items.0.values().filter(|item| learns(item.kind) && item.complete && !item.preset) {
        let scope = checker.names.decls.get(&item.name).and_then(|decl| checker.names.scopes.get(decl.scope));
        let here = scope.is_some_and(|scope| scope.unit == 0);
        let wanted = checker.mentions.values().any(|to| to.contains_key(&item.name));
        if here && !wanted {
            let kind = item.kind.signature.name.to_owned();
            diags.push(ResultUnused { kind, name: item.name.clone(), at: item.at }.into());
        }
    }
}
