//! Data of post-training: which states a stage takes, and what can be said of data before a run.

use llmp_data::tokens::Bpe;
use llmp_stdlib::{
    Call, Output, Planner, Port, Problem, Rational, Record, Settings, Signature, State, Ty, Value, View,
    Yields,
};

const MIX: Ty = Ty::Item(&[Yields::Mix]);

llmp_stdlib::kept! {
    /// Conversations, answers with their prompts, or a mixture of such data.
    ChatData: Ty::OneOf(&[MIX, Ty::Data(&[State::Chat, State::Answers, State::Docs])])
}
llmp_stdlib::kept! {
    /// Pairs of answers; for some losses labelled answers; for pairs that are sampled, prompts.
    PairData: Ty::OneOf(&[MIX, Ty::Data(&[State::Preference, State::Labelled, State::Prompt])])
}
llmp_stdlib::kept! {
    /// Prompts, or conversations whose last answer is left out.
    PromptData: Ty::OneOf(&[MIX, Ty::Data(&[State::Prompt, State::Chat])])
}
llmp_stdlib::kept! {
    /// What is measured: a model or a reward model.
    SuiteTarget: Ty::Item(&[Yields::Model, Yields::Reward])
}

fn signature(name: &str) -> Option<&'static Signature> {
    let concat = <llmp_data::kinds::Concat as Settings>::SIGNATURE;
    let tables = [llmp_data::readers::SIGNATURES, llmp_data::steps::SIGNATURES, crate::steps::SIGNATURES];
    let all = tables.into_iter().flat_map(|t| t.iter().copied()).chain([concat]);
    all.into_iter().find(|s| s.name == name && s.flow.is_some())
}

/// The state of data; `None` where it is not known or not data.
pub(in crate::kinds) fn state_of(view: &View<'_>, value: &Value) -> Option<State> {
    match value {
        Value::Item(item) => {
            let target = view.program.view(&item.item)?;
            state_of(&target, target.value?)
        }
        Value::Call(call) => match call.args.get("parts") {
            Some(Value::List(parts)) => state_of(view, parts.first()?),
            _ => signature(&call.name)?.flow?.gives(&call.args, None),
        },
        Value::Pipe(head, calls) => calls.iter().try_fold(state_of(view, head)?, |state, call| {
            signature(&call.name)?.flow?.gives(&call.args, Some(state))
        }),
        _ => None,
    }
}

/// Every step that data went through, those of the items it comes from included.
pub(in crate::kinds) fn steps_of<'a>(view: &View<'a>, value: &'a Value) -> Vec<&'a Call> {
    let mut steps = Vec::new();
    let mut open = vec![value];
    // No chain of items is longer than a program; a cycle is reported elsewhere.
    for _ in 0..1000 {
        let Some(value) = open.pop() else { break };
        match value {
            Value::Item(item) => open.extend(view.program.view(&item.item).and_then(|v| v.value)),
            Value::Pipe(head, calls) => {
                open.push(head);
                steps.extend(calls);
            }
            Value::Call(call) => {
                if let Some(Value::List(parts)) = call.args.get("parts") {
                    open.extend(parts);
                }
            }
            _ => {}
        }
    }
    steps
}

/// The columns of data whose source declares them; `None` where nobody says.
pub(in crate::kinds) fn columns_of(view: &View<'_>, value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Item(item) => {
            let target = view.program.view(&item.item)?;
            columns_of(&target, target.value?)
        }
        Value::Call(call) => match call.args.get("columns")? {
            Value::Record(columns) => Some(columns.keys().cloned().collect()),
            _ => None,
        },
        Value::Pipe(head, calls) => calls.iter().try_fold(columns_of(view, head)?, |mut columns, call| {
            columns.extend(signature(&call.name)?.flow?.added(&call.args).into_iter().map(|(name, _)| name));
            Some(columns)
        }),
        _ => None,
    }
}

/// Names of the items that a model was trained from, the nearest first.
pub(in crate::kinds) fn ancestors<'a>(view: &View<'a>) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut at = *view;
    for _ in 0..1000 {
        let Some(next) = at.follow("from").or_else(|| at.follow("model")) else { break };
        names.push(next.name);
        at = next;
    }
    names
}

/// The data of a stage as parts with their shares.
pub(in crate::kinds) fn parts(
    view: &View<'_>,
    member: &str,
    planner: &mut dyn Planner,
) -> Result<Value, Problem> {
    let missing = || Problem::error("LLMP0103", member, format!("`{member}` is missing"));
    let data = planner.data(view.get(member).ok_or_else(missing)?)?;
    let parts: Vec<(Port, Rational, Option<Rational>)> = match data {
        Output::Port(port) => vec![(port, Rational::from(1), None)],
        Output::Mix(parts) if parts.iter().any(|part| !part.then.is_empty()) => {
            let message = "shares of examples do not change on the way in this version";
            let help = "leave `later` out of the mix, or make two stages";
            return Err(Problem::error("LLMP0703", member, message).help(help));
        }
        Output::Mix(parts) => parts.into_iter().map(|p| (p.port, p.share, p.max_epochs)).collect(),
        Output::Nothing | Output::Model { .. } => {
            return Err(Problem::error("LLMP0201", member, "this is not data"));
        }
    };
    let part = |(port, share, max_epochs): (Port, Rational, Option<Rational>)| {
        let fields = [
            ("data", Value::Port(port)),
            ("share", Value::number(share)),
            ("max_epochs", max_epochs.map_or(Value::None, Value::number)),
        ];
        Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
    };
    Ok(Value::List(parts.into_iter().map(part).collect()))
}

/// The parts of a stage's data that a `split` holds out, by the name of their item, as arguments of its step.
pub(in crate::kinds) fn held_out(view: &View<'_>, planner: &mut dyn Planner) -> Result<Value, Problem> {
    let mut ports = Record::new();
    for item in crate::kinds::training::held_out(view) {
        if let Output::Port(port) = planner.item(&item)? {
            ports.insert(item.item.clone(), Value::Port(port));
        }
    }
    Ok(Value::Record(ports))
}

/// Conversations need a template: that of the stage, of the tokenizer, or a file beside the tokenizer, which only a run sees.
pub(in crate::kinds) fn check_template(view: &View<'_>, member: &str) -> Option<Problem> {
    let documents = state_of(view, view.get(member)?) == Some(State::Docs);
    // A stage that was tuned by a template hands it on.
    let stages = std::iter::successors(Some(*view), |stage| stage.follow("from")).take(1000);
    if documents || stages.into_iter().any(|stage| stage.get("template").is_some()) {
        return None;
    }
    let Value::Item(tokenizer) = super::tokenizer(view)? else { return None };
    let tokenizer = view.program.view(&tokenizer.item)?;
    let Some(Value::Call(call)) = tokenizer.value else { return None };
    let silent =
        call.name == Bpe::SIGNATURE.name && matches!(call.args.get("template"), None | Some(Value::None));
    if !silent {
        return None;
    }
    let message = format!(
        "nothing says how conversations are written: neither the stage nor `{}` has a template",
        tokenizer.name
    );
    let help = "`plain` suits every tokenizer; `chatml` needs one that is trained with it: `bpe(…, template = chatml)`";
    Some(Problem::error("LLMP0410", member, message).help(help).fix("use plain turns", "template", "plain"))
}
