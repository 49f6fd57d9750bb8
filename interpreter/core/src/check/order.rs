//! The order of evaluation: what an item mentions comes before it, so that long chains do not nest.

use std::collections::BTreeSet;
use std::rc::Rc;

use llmp_grammar::ast::{Body, Expr, ExprKind, TextPart};

use super::Checker;
use crate::resolve::{Def, Names};

/// A definition whose mentions are being followed.
#[derive(Default)]
struct Frame<'a> {
    /// The item to evaluate when all of them are done.
    item: Option<String>,
    /// Values to look through, each with the scope in which its names are meant.
    values: Vec<(usize, &'a Expr)>,
    /// Definitions to go to.
    names: Vec<String>,
}

impl<'a> Checker<'a> {
    /// Evaluates every item, those that it mentions first.
    pub(crate) fn in_order(&mut self) {
        let names = Rc::clone(&self.names);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for start in names.decls.keys() {
            let mut open: Vec<Frame<'a>> = Vec::new();
            open.extend(self.frame(&names, start, &mut seen));
            while let Some(frame) = open.last_mut() {
                if let Some(name) = frame.names.pop() {
                    open.extend(self.frame(&names, &name, &mut seen));
                } else if let Some((scope, value)) = frame.values.pop() {
                    frame.names = mentioned(&names, scope, value);
                } else if let Some(Frame { item: Some(item), .. }) = open.pop() {
                    self.item(&item);
                }
            }
        }
    }

    /// What a definition leads to, the first time that it is met.
    fn frame(&self, names: &Names<'a>, name: &str, seen: &mut BTreeSet<String>) -> Option<Frame<'a>> {
        let mut frame = Frame::default();
        if let Some(template) = names.templates.get(name) {
            frame.names = template.instances.iter().rev().map(|instance| instance.name.clone()).collect();
        } else if let Some(decl) = names.decls.get(name) {
            frame.item = Some(name.to_owned());
            match &decl.decl.body {
                Body::Value(value) => frame.values.push((decl.scope, value)),
                Body::Block(block) => {
                    frame.values.extend(block.members.iter().map(|member| (decl.scope, &member.value)));
                    // Keys of open blocks are names themselves.
                    let keys = block.members.iter().filter_map(|member| member.name());
                    frame.names.extend(keys.filter_map(|key| target(names, decl.scope, &key.text)));
                }
            }
            let like = decl.decl.like.as_ref().and_then(|like| like.segments.last());
            frame.names.extend(like.and_then(|like| target(names, decl.scope, &like.text)));
            let set = self.targets.get(name).into_iter().flatten();
            frame.values.extend(set.map(|target| (target.scope, &target.member.value)));
        } else {
            let binding = names.lets.get(name)?;
            frame.values.push((binding.scope, binding.value));
        }
        seen.insert(name.to_owned()).then_some(frame)
    }
}

/// The unique name behind a name that needs evaluation.
fn target(names: &Names<'_>, scope: usize, name: &str) -> Option<String> {
    match names.get(scope, name).map(|(def, _)| def) {
        Some(Def::Item(name) | Def::Let(name) | Def::Template(name)) => Some(name.clone()),
        _ => None,
    }
}

/// Definitions that an expression mentions by name.
fn mentioned(names: &Names<'_>, scope: usize, expr: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match &expr.kind {
            ExprKind::Name(name) => found.extend(target(names, scope, name)),
            ExprKind::Text(text) => open.extend(text.parts.iter().filter_map(|part| match part {
                TextPart::Value(value) => Some(value),
                TextPart::Plain(_) => None,
            })),
            ExprKind::List(items) => open.extend(items),
            ExprKind::Comprehension(list) => {
                open.extend([&list.value, &list.list]);
                open.extend(&list.condition);
            }
            ExprKind::Record(block) => open.extend(block.members.iter().map(|member| &member.value)),
            ExprKind::Call { callee, args, .. } => {
                open.push(callee);
                open.extend(args.iter().map(|arg| &arg.value));
            }
            ExprKind::With { base, block } => {
                open.push(base);
                open.extend(block.members.iter().map(|member| &member.value));
            }
            ExprKind::Field { base, .. } => open.push(base),
            ExprKind::Index { base, index } => open.extend([&**base, &**index]),
            ExprKind::Unary { operand, .. } => open.push(operand),
            ExprKind::Binary { left, right, .. } => open.extend([&**left, &**right]),
            ExprKind::Chained { operands, .. } => open.extend(operands),
            ExprKind::If { condition, then, otherwise } => {
                open.extend([&**condition, &**then, &**otherwise]);
            }
            ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::None | ExprKind::Column(_) => {}
            ExprKind::Error => {}
        }
    }
    found
}
