//! From items to steps: defaults are filled in, references become inputs, equal steps are one.

mod diff;
pub(crate) mod estimate;
mod estimate_text;
mod external;
mod graph;
mod runs;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use llmp_grammar::{Sink, Span};
use llmp_stdlib::kind::Cost;
use llmp_stdlib::plan::wire;
use llmp_stdlib::{
    Call, Guard, ItemRef, Output, Plan, Planner, Port, Problem, Record, Registry, Signature, Step, StepId,
    Value, Yields,
};

use crate::check::trains;
use crate::program::{Item, Program};

pub use diff::{Change, Diff, ItemChange, StepChange, diff};
pub use estimate::{OnHardware, StageEstimate, estimates, json as estimates_json};
pub use estimate_text::{comparisons_text, estimates_text};
pub use external::{External, externals, frozen};
pub use graph::{Class, Edge, Graph, Node, graph};

/// What a run can tell of data: how many documents they are.
const DOCUMENTS: &str = "documents";

/// Revision of the step that turns documents into tokens.
const TOKENIZE_REV: u32 = 1;

/// Items that may be made inside of one another.
const DEEP: usize = 32;

/// Makes the plan of a program: the steps that what is trained, evaluated and released needs.
///
/// Where none of these is in the program, every item that no other uses is wanted.
pub fn plan(program: &Program, registry: &Registry) -> (Plan, Sink) {
    plan_roots(program, registry, roots(program), |_, _| true)
}

/// The plan of some items alone, with the conditions of the program that are about them and what they need.
///
/// Errors: a name that no item has, with the names that there are.
pub fn plan_items(
    program: &Program,
    registry: &Registry,
    names: &[String],
) -> Result<(Plan, Sink), UnknownItem> {
    let runs = |item: &Item| !matches!(item.kind.yields, Yields::Chain | Yields::Hardware);
    let all = || program.items.values().filter(|i| !i.preset && runs(i)).map(|i| i.name.clone());
    if let Some(name) = names.iter().find(|name| !all().any(|own| own == **name)) {
        return Err(UnknownItem { name: name.clone(), items: all().collect() });
    }
    let about = |maker: &Maker<'_>, guard: &crate::program::Guard| {
        guard.reads.iter().all(|(item, _)| maker.outputs.contains_key(&item.item))
    };
    let (mut plan, sink) = plan_roots(program, registry, names.to_vec(), about);
    plan.stages.retain(|name, _| plan.items.contains_key(name));
    Ok((plan, sink))
}

/// A name that no item has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownItem {
    /// The name.
    pub name: String,
    /// The items that there are.
    pub items: Vec<String>,
}

fn plan_roots(
    program: &Program,
    registry: &Registry,
    roots: Vec<String>,
    applies: impl Fn(&Maker<'_>, &crate::program::Guard) -> bool,
) -> (Plan, Sink) {
    let mut maker = Maker::new(program, registry);
    let mut wanted = BTreeSet::new();
    for name in roots {
        let reference = ItemRef { item: name.clone(), part: None };
        maker.ahead(&name);
        if let Ok(output) = maker.item(&reference) {
            wanted.extend(ports(&output).into_iter().map(|p| p.step));
        }
        maker.plan.roots.push(name);
    }
    for guard in &program.guards {
        if applies(&maker, guard) {
            wanted.extend(maker.guard(guard));
        }
    }
    let kept = program.items.values().filter(|item| item.keep);
    maker.plan.kept = kept.map(|item| item.name.clone()).collect();
    maker.costs();
    maker.finish(wanted)
}

/// The steps that one item needs.
pub(crate) fn plan_of(program: &Program, registry: &Registry, name: &str) -> Plan {
    let mut maker = Maker::new(program, registry);
    maker.ahead(name);
    let output = maker.item(&ItemRef { item: name.to_owned(), part: None });
    let wanted = output.iter().flat_map(ports).map(|p| p.step).collect();
    maker.finish(wanted).0
}

/// Items that are wanted for themselves.
fn roots(program: &Program) -> Vec<String> {
    let items = || program.items.values().filter(|item| !item.preset);
    let wanted =
        |item: &&Item| matches!(item.kind.yields, Yields::Metrics | Yields::Release) || trains(item.kind);
    let roots: Vec<String> = items().filter(wanted).map(|i| i.name.clone()).collect();
    if !roots.is_empty() {
        return roots;
    }
    let used: BTreeSet<&String> = program.items.values().flat_map(|i| &i.mentions).collect();
    let last = |item: &&Item| {
        let runs = !matches!(item.kind.yields, Yields::Chain | Yields::Hardware);
        runs && !used.contains(&item.name)
    };
    items().filter(last).map(|i| i.name.clone()).collect()
}

fn ports(output: &Output) -> Vec<Port> {
    match output {
        Output::Nothing => Vec::new(),
        Output::Port(port) => vec![port.clone()],
        Output::Mix(parts) => parts.iter().map(|p| p.port.clone()).collect(),
        Output::Model { tokenizer, weights, .. } => tokenizer.iter().chain(weights).cloned().collect(),
    }
}

struct Maker<'p> {
    program: &'p Program,
    registry: &'p Registry,
    steps: IndexMap<StepId, Step>,
    outputs: BTreeMap<String, Option<Output>>,
    /// Where the parts of data are: the step with parts that its pipe went through last.
    carriers: BTreeMap<Port, Port>,
    plan: Plan,
    /// Items that are being made, innermost last.
    open: Vec<String>,
    sink: Sink,
}

/// A problem that was reported already, or follows from one.
fn silent() -> Problem {
    Problem::error("", "", "")
}

impl<'p> Maker<'p> {
    fn new(program: &'p Program, registry: &'p Registry) -> Maker<'p> {
        Maker {
            program,
            registry,
            steps: IndexMap::new(),
            outputs: BTreeMap::new(),
            carriers: BTreeMap::new(),
            plan: Plan::default(),
            open: Vec::new(),
            sink: Sink::new(),
        }
    }
}

impl Maker<'_> {
    fn here(&self) -> Option<&Item> {
        self.program.items.get(self.open.last()?)
    }

    /// Makes what an item needs before it where that is a long chain: making nests otherwise.
    fn ahead(&mut self, root: &str) {
        let program = self.program;
        let next = |name: &str| program.items.get(name).map(|item| item.mentions.iter()).unwrap_or_default();
        let mut seen: BTreeSet<&str> = [root].into();
        let mut open = vec![(root, next(root))];
        let mut done = Vec::new();
        let mut deepest = 0;
        while let Some((name, rest)) = open.last_mut() {
            match rest.next() {
                Some(other) if program.items.contains_key(other) && !self.outputs.contains_key(other) => {
                    if seen.insert(other) {
                        open.push((other, next(other)));
                        deepest = deepest.max(open.len());
                    }
                }
                Some(_) => {}
                None => {
                    done.push(*name);
                    open.pop();
                }
            }
        }
        if deepest > DEEP {
            for name in done {
                let _ = self.item(&ItemRef { item: name.to_owned(), part: None });
            }
        }
    }

    fn named(&mut self, id: &StepId, name: String) {
        let names = self.plan.names.entry(id.clone()).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }

    fn add(&mut self, op: &str, rev: u32, args: Record, inputs: Vec<Port>, at: Option<Span>) -> Port {
        let revs = self.revs(&args);
        let step = Step::with_revs(op, rev, args, inputs, revs);
        let id = step.id.clone();
        if let Some(at) = at.or_else(|| self.here().map(|item| item.at)) {
            self.plan.spans.entry(id.clone()).or_insert(at);
        }
        self.steps.entry(id.clone()).or_insert(step);
        Port { step: id, part: None }
    }

    /// Revisions above one of the constructors among arguments: what they make has changed.
    fn revs(&self, args: &Record) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        let mut open: Vec<&Value> = args.values().collect();
        while let Some(value) = open.pop() {
            match value {
                Value::List(items) => open.extend(items),
                Value::Range(low, high) => open.extend([&**low, &**high]),
                Value::Record(record) => open.extend(record.values()),
                Value::Call(call) => {
                    open.extend(call.args.values());
                    if let Some(signature) = self.signature(&call.name).filter(|s| s.rev > 1) {
                        found.insert(call.name.clone(), signature.rev);
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// A condition for the run; what it reads is needed.
    fn guard(&mut self, guard: &crate::program::Guard) -> Vec<StepId> {
        let mut reads = Vec::new();
        for (item, field) in &guard.reads {
            let Ok(output) = self.item(item) else { return Vec::new() };
            let Some(port) = ports(&output).pop() else { return Vec::new() };
            reads.push((Value::Item(item.clone()).to_string(), port, field.clone()));
        }
        let needed = reads.iter().map(|(_, port, _)| port.step.clone()).collect();
        if guard.formula.is_none() || reads.iter().any(|(_, _, field)| field != DOCUMENTS) {
            let what = "a check that only the run can decide, of anything but a number of documents,".into();
            self.plan.lacks.push(crate::codes::NotAvailable { what, at: guard.at }.into());
        }
        self.plan.guards.push(Guard {
            condition: guard.condition.clone(),
            words: guard.words.clone(),
            formula: guard.formula.clone(),
            reads,
            span: guard.at,
        });
        needed
    }

    /// A constructor inside an item: its step is called after the item and itself.
    fn inner(&mut self, call: &Call) -> Result<Port, Problem> {
        let port = self.call(call, &[])?;
        if let (false, Some(item)) = (self.plan.names.contains_key(&port.step), self.here()) {
            let name = format!("{}.{}", item.name, call.name);
            self.named(&port.step, name);
        }
        Ok(port)
    }

    /// Items, pipes and sources among arguments become ports; a described model stays a description.
    fn ports_in(&mut self, args: Record) -> Result<Record, Problem> {
        let mut failed = None;
        let args = llmp_stdlib::value::map_record(args, &mut |value| {
            if failed.is_some() {
                return value;
            }
            match self.port_value(value) {
                Ok(value) => value,
                Err(problem) => {
                    failed = Some(problem);
                    Value::None
                }
            }
        });
        failed.map_or(Ok(args), Err)
    }

    fn port_value(&mut self, value: Value) -> Result<Value, Problem> {
        let output = match &value {
            Value::Item(item) => self.item(item)?,
            Value::Pipe(..) => self.data(&value)?,
            Value::Call(call) if self.makes_item(&call.name) => Output::Port(self.inner(call)?),
            _ => return Ok(value),
        };
        Ok(match output {
            Output::Port(port) | Output::Model { weights: Some(port), .. } => Value::Port(port),
            Output::Model { spec, tokenizer, weights: None } => {
                let mut spec = spec;
                if let Some(port) = tokenizer {
                    spec.insert("tokenizer".into(), Value::Port(port));
                }
                Value::Record(spec)
            }
            Output::Mix(parts) => Value::List(parts.into_iter().map(part_value).collect()),
            Output::Nothing => Value::None,
        })
    }

    /// Arguments of a step on data, in which a model stands for its weights and its tokenizer: a step that runs it reads texts.
    fn speakers(&mut self, args: Record) -> Result<Record, Problem> {
        args.into_iter().map(|(name, value)| Ok((name, self.speaker(value)?))).collect()
    }

    fn speaker(&mut self, value: Value) -> Result<Value, Problem> {
        let item = match value {
            Value::Item(item) => item,
            Value::List(items) => {
                let items = items.into_iter().map(|item| self.speaker(item));
                return items.collect::<Result<_, _>>().map(Value::List);
            }
            Value::Call(call) if self.gives_model(&call.name) => {
                let first = if let Some(Value::List(models)) = call.args.get("models") {
                    models.first()
                } else {
                    None
                };
                let Some(Value::Item(first)) = first else {
                    let message = "a model is named by an item: write `model m = …` first";
                    return Err(Problem::error("LLMP0703", "model", message));
                };
                let Output::Model { tokenizer, .. } = self.item(first)? else { return Err(silent()) };
                let weights = self.inner(&call)?;
                return Ok(speaker_value(weights, tokenizer));
            }
            Value::Call(call) => {
                return Ok(Value::Call(Call { args: self.speakers(call.args)?, name: call.name }));
            }
            other => return Ok(other),
        };
        match self.program.items.get(&item.item).map(|item| item.kind.yields) {
            Some(Yields::Model | Yields::Reward) => {}
            _ => return Ok(Value::Item(item)),
        }
        match self.item(&item)? {
            Output::Model { weights: Some(weights), tokenizer, .. } => Ok(speaker_value(weights, tokenizer)),
            Output::Model { weights: None, .. } => {
                let message = format!("`{}` describes a model; it has no weights yet", item.item);
                Err(Problem::error("LLMP0201", "model", message).help("name the stage that trains it"))
            }
            Output::Nothing | Output::Port(_) | Output::Mix(_) => Ok(Value::Item(item)),
        }
    }

    /// Whether a constructor stands for a model.
    fn gives_model(&self, name: &str) -> bool {
        let chooses = |(family, _): &(&llmp_stdlib::Family, &Signature)| family.yields == Some(Yields::Model);
        let models = self.registry.all_kinds().filter(|kind| kind.yields == Yields::Model);
        let opens = models.filter_map(|kind| match kind.form {
            llmp_stdlib::Form::Either(llmp_stdlib::Ty::Family(family)) => Some(family),
            _ => None,
        });
        self.registry.constructors(name).iter().any(chooses)
            || opens.into_iter().any(|f| f.get(name).is_some())
    }

    /// Whether a constructor stands for an item of its own: a source, a tokenizer.
    fn makes_item(&self, name: &str) -> bool {
        let source = |s: &Signature| s.flow.is_some_and(|f| f.is_source());
        let item_family = |yields: Yields| {
            let kinds = self.registry.all_kinds().filter(move |k| k.yields == yields);
            let families = kinds.filter_map(|k| match k.form {
                llmp_stdlib::Form::Value(llmp_stdlib::Ty::Family(f))
                | llmp_stdlib::Form::Either(llmp_stdlib::Ty::Family(f)) => Some(f),
                _ => None,
            });
            families.into_iter().any(|f| f.get(name).is_some())
        };
        let stands = |(family, _): &(&llmp_stdlib::Family, &Signature)| family.yields.is_some();
        self.signature(name).is_some_and(source)
            || self.registry.constructors(name).iter().any(stands)
            || item_family(Yields::Tokenizer)
            || item_family(Yields::Model)
    }

    fn signature(&self, name: &str) -> Option<&'static Signature> {
        let step = self.registry.step(name);
        step.or_else(|| self.registry.constructors(name).first().map(|(_, s)| *s))
    }

    /// The built-in that a call means: of several with one name (`hf`) the one whose parameters its arguments fill.
    fn meant(&self, name: &str, args: &Record) -> Option<&'static Signature> {
        self.registry.meant(name, args)
    }

    /// Sizes of models and stages, for those that are right.
    fn costs(&mut self) {
        for item in self.program.items.values().filter(|item| item.complete && !item.preset) {
            match (item.kind.cost)(&item.view(self.program)) {
                Some(Cost::Model(cost)) => {
                    self.plan.models.insert(item.name.clone(), cost);
                }
                Some(Cost::Stage(cost)) => {
                    self.plan.stages.insert(item.name.clone(), cost);
                }
                None => {}
            }
        }
    }

    /// Leaves out what no root needs.
    fn finish(mut self, wanted: BTreeSet<StepId>) -> (Plan, Sink) {
        let mut needed: BTreeSet<StepId> = BTreeSet::new();
        let mut open: Vec<StepId> = wanted.into_iter().collect();
        while let Some(id) = open.pop() {
            if needed.insert(id.clone()) {
                open.extend(
                    self.steps.get(&id).into_iter().flat_map(|s| s.inputs.iter().map(|p| p.step.clone())),
                );
            }
        }
        self.plan.steps =
            std::mem::take(&mut self.steps).into_values().filter(|s| needed.contains(&s.id)).collect();
        self.plan.order =
            self.plan.steps.iter().enumerate().map(|(at, step)| (step.id.clone(), at)).collect();
        self.planned();
        self.plan.names.retain(|id, _| needed.contains(id));
        self.plan.spans.retain(|id, _| needed.contains(id));
        self.plan.items.retain(|_, port| needed.contains(&port.step));
        (self.plan, self.sink)
    }

    /// What the runtime lacks of the steps and of the constructors in their arguments; a built-in that it does not have
    /// at all is said once.
    fn planned(&mut self) {
        let mut said: BTreeSet<String> = BTreeSet::new();
        let mut lacks = Vec::new();
        for step in &self.plan.steps {
            let mut calls = vec![(step.op.clone(), step.args.clone())];
            llmp_stdlib::value::map_record(step.args.clone(), &mut |value| {
                if let Value::Call(call) = &value {
                    calls.push((call.name.clone(), call.args.clone()));
                }
                value
            });
            let at = self.plan.spans.get(&step.id).copied().unwrap_or_default();
            for (name, args) in calls {
                let meant = self.meant(&name, &args);
                for problem in meant.iter().flat_map(|signature| (signature.lacks)(&args)) {
                    lacks.push(crate::check::place_problem(problem, &[], &BTreeMap::new(), at));
                }
                let kind = || self.registry.kind(&name).map(|k| k.signature);
                let planned = meant.or_else(kind).is_some_and(|s| s.planned);
                if planned && said.insert(name.clone()) {
                    lacks.push(crate::codes::NotAvailable { what: format!("`{name}`"), at }.into());
                }
            }
        }
        self.plan.lacks.extend(lacks);
    }

    fn make(&mut self, name: &str) -> Result<Output, Problem> {
        let Some(item) = self.program.items.get(name) else { return Err(silent()) };
        if !item.complete || self.open.iter().any(|n| n == name) {
            return Err(silent());
        }
        self.open.push(name.to_owned());
        let lacks = (item.kind.lacks)(&item.view(self.program)).into_iter();
        self.plan.lacks.extend(lacks.map(|p| crate::check::place_problem(p, &[], &item.places, item.at)));
        let made = (item.kind.elaborate)(&item.view(self.program), self);
        self.open.pop();
        let output = made.map_err(|problem| {
            if !problem.code.is_empty() {
                self.sink.push(crate::check::place_problem(problem, &[], &item.places, item.at));
            }
            silent()
        })?;
        let main = match &output {
            Output::Port(port) | Output::Model { weights: Some(port), .. } => Some(port.clone()),
            Output::Nothing | Output::Mix(_) | Output::Model { weights: None, .. } => None,
        };
        if let Some(port) = main {
            if port.part.is_none() {
                self.named(&port.step, name.to_owned());
            }
            self.plan.items.insert(name.to_owned(), port);
        }
        Ok(output)
    }
}

/// A model that reads and writes texts.
fn speaker_value(weights: Port, tokenizer: Option<Port>) -> Value {
    let tokenizer = tokenizer.map_or(Value::None, Value::Port);
    let fields = [("weights", Value::Port(weights)), ("tokenizer", tokenizer)];
    Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn part_value(part: llmp_stdlib::Part) -> Value {
    let mut record = Record::new();
    let then = part.later();
    record.insert("name".into(), Value::Text(part.name));
    record.insert("data".into(), Value::Port(part.port));
    record.insert("share".into(), Value::number(part.share));
    record.insert("max_epochs".into(), part.max_epochs.map_or(Value::None, Value::number));
    record.extend(then.map(|then| ("then".to_owned(), then)));
    Value::Record(record)
}

impl Planner for Maker<'_> {
    fn item(&mut self, item: &ItemRef) -> Result<Output, Problem> {
        let output = match self.outputs.get(&item.item) {
            Some(known) => known.clone(),
            None => {
                let made = self.make(&item.item).ok();
                self.outputs.insert(item.item.clone(), made.clone());
                made
            }
        };
        let output = output.ok_or_else(silent)?;
        match (&item.part, output) {
            (None, output) => Ok(output),
            (Some(part), Output::Port(port)) => {
                let carrier = self.carriers.get(&port).cloned().unwrap_or(port);
                Ok(Output::Port(Port { step: carrier.step, part: Some(part.clone()) }))
            }
            (Some(_), _) => Err(silent()),
        }
    }

    fn data(&mut self, value: &Value) -> Result<Output, Problem> {
        match value {
            Value::Item(item) => self.item(item),
            Value::Call(call) => self.inner(call).map(Output::Port),
            Value::Port(port) => Ok(Output::Port(port.clone())),
            Value::Pipe(head, calls) => {
                let Output::Port(mut port) = self.data(head)? else {
                    return Err(Problem::error("LLMP0201", "", "steps follow data, not a mixture"));
                };
                let owner = self.here().map(|item| item.name.clone());
                for call in calls {
                    let carrier = self.carriers.get(&port).cloned();
                    let next = self.call(call, std::slice::from_ref(&port))?;
                    let parts =
                        self.signature(&call.name).and_then(|s| s.flow).is_some_and(|f| !f.parts.is_empty());
                    if parts {
                        self.carriers.insert(next.clone(), next.clone());
                    } else if let Some(carrier) = carrier {
                        self.carriers.insert(next.clone(), carrier);
                    }
                    if let Some(owner) = &owner {
                        self.named(&next.step, format!("{owner}.{}", call.name));
                    }
                    port = next;
                }
                Ok(Output::Port(port))
            }
            other => Err(Problem::error("LLMP0201", "", format!("expected data, found {other}"))),
        }
    }

    fn call(&mut self, call: &Call, before: &[Port]) -> Result<Port, Problem> {
        let meant = self.meant(&call.name, &call.args);
        let rev = meant.map_or(0, |s| s.rev);
        let mut args = call.args.clone();
        let reader = meant.filter(|s| llmp_stdlib::source::is_reader(s));
        let attributes = reader.map(|signature| llmp_stdlib::source::take_attributes(signature, &mut args));
        let gained = meant.and_then(|s| s.flow).map(|flow| (flow.gains)(&args)).unwrap_or_default();
        let args = if meant.is_some_and(|s| s.flow.is_some()) { self.speakers(args)? } else { args };
        let mut args = self.ports_in(args)?;
        // A port has no name: a column that is called after an item is named while the item still is.
        if let (Some((column, _)), Some(Value::None)) = (gained.first(), args.get("as")) {
            args.insert("as".into(), Value::Text(column.clone()));
        }
        let (args, inputs) = wire(args, before);
        let port = self.add(&call.name, rev, args, inputs, None);
        if let Some(attributes) = attributes.filter(|a| !a.is_empty()) {
            self.plan.attributes.insert(port.step.clone(), attributes);
        }
        Ok(port)
    }

    fn step(&mut self, op: &str, rev: u32, args: Record) -> Port {
        let args = match self.ports_in(args.clone()) {
            Ok(args) => args,
            Err(problem) => {
                if let (false, Some(item)) = (problem.code.is_empty(), self.here()) {
                    let diag = crate::check::place_problem(problem, &[], &item.places, item.at);
                    self.sink.push(diag);
                }
                args
            }
        };
        let (args, inputs) = wire(args, &[]);
        self.add(op, rev, args, inputs, None)
    }

    fn runs(&mut self, compare: &llmp_stdlib::View<'_>) -> Result<Vec<llmp_stdlib::compare::Run>, Problem> {
        self.comparison(compare)
    }

    fn name(&mut self, step: &Port, name: String) {
        self.named(&step.step, name);
    }

    fn tokens(&mut self, docs: Port, tokenizer: Port) -> Port {
        let mut args = Record::new();
        args.insert("docs".into(), Value::Port(docs.clone()));
        args.insert("tokenizer".into(), Value::Port(tokenizer));
        let (args, inputs) = wire(args, &[]);
        let port = self.add("tokenize", TOKENIZE_REV, args, inputs, None);
        let of = self.plan.names.get(&docs.step).and_then(|names| names.last()).cloned();
        let name = match (of, &docs.part) {
            (Some(of), Some(part)) => format!("{of}.{part}.tokens"),
            (Some(of), None) => format!("{of}.tokens"),
            (None, _) => "tokens".into(),
        };
        self.named(&port.step, name);
        port
    }
}
