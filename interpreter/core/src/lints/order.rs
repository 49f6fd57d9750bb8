//! The order of steps in a pipe: dear ones after cheap ones, duplicates out before samples are drawn.

use llmp_grammar::Diag;
use llmp_grammar::ast::{Body, Expr};
use llmp_stdlib::{Registry, Signature, State, Ty, Yields};

use crate::check::{flatten, parts};
use crate::codes::{CostlyFirst, DedupAfterSample};
use crate::resolve::DeclRef;

struct Written<'e> {
    expr: &'e Expr,
    signature: &'static Signature,
}

/// Looks at one item or chain whose value is a pipe.
pub(super) fn steps(registry: &Registry, decl: &DeclRef<'_>, diags: &mut Vec<Diag>) {
    let Body::Value(body) = &decl.decl.body else { return };
    let (head, rest) = flatten(body);
    let all: Vec<Option<Written<'_>>> = std::iter::once(head)
        .chain(rest)
        .map(|expr| {
            let name = parts(expr)?.callee.as_name()?;
            registry.step(name).map(|signature| Written { expr, signature })
        })
        .collect();
    for (index, step) in all.iter().enumerate() {
        let Some(step) = step else { continue };
        let before = all.iter().take(index).flatten();
        if step.signature.name.starts_with("dedup")
            && let Some(sample) = before.clone().find(|s| draws(s.signature))
        {
            let facts = DedupAfterSample {
                dedup: step.signature.name.into(),
                sample: sample.signature.name.into(),
                at: step.expr.span,
                sampled: sample.expr.span,
            };
            diags.push(facts.into());
        }
        let previous = index.checked_sub(1).and_then(|i| all.get(i)).and_then(Option::as_ref);
        if let Some(costly) = previous.filter(|p| runs_model(p.signature) && cheap(step, p)) {
            diags.push(costly_first(costly, step));
        }
    }
}

fn costly_first(costly: &Written<'_>, cheap: &Written<'_>) -> Diag {
    let facts = CostlyFirst {
        costly: costly.signature.name.into(),
        cheap: cheap.signature.name.into(),
        at: costly.expr.span,
        filter: cheap.expr.span,
    };
    facts.into()
}

fn runs_model(signature: &Signature) -> bool {
    let model = |ty: &Ty| matches!(ty, Ty::Item(yields) if yields.contains(&Yields::Model));
    signature.name.starts_with("classify") || signature.params.iter().any(|p| model(&p.ty))
}

/// A filter on text alone that could as well stand before the other step.
fn cheap(step: &Written<'_>, costly: &Written<'_>) -> bool {
    let Some(flow) = step.signature.flow else { return false };
    let Some(before) = costly.signature.flow else { return false };
    let filter =
        ["gopher_", "c4_", "fineweb_", "word_count"].iter().any(|n| step.signature.name.starts_with(n));
    let same = flow.from == [State::Docs] && before.from.contains(&State::Docs);
    let reads = flow.needs.iter().any(|need| before.adds.iter().any(|(name, _)| name == need));
    filter && same && flow.row_wise && !reads
}

/// A step that takes some of the rows by chance.
fn draws(signature: &Signature) -> bool {
    ["sample", "subsample", "upsample", "repeat", "take"].contains(&signature.name)
}
