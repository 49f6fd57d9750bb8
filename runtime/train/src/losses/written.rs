//! Losses that a program writes out: an expression over the quantities of a pair, differentiated backwards.

use llmp_stdlib::formula::{Formula, Operator};
use llmp_stdlib::number;

use super::{Pair, PairLoss, Slopes, Whole, log_sigmoid, sigmoid};

/// Numbers of a pair that a written loss can read.
pub const QUANTITIES: &[&str] =
    &["chosen", "rejected", "chosen_reference", "rejected_reference", "chosen_length", "rejected_length"];

/// Functions of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Exp,
    Log,
    LogSigmoid,
    Sigmoid,
}

/// One step of the evaluation; operands are steps before it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    Number(f64),
    /// The quantity of that place in [`QUANTITIES`].
    Quantity(usize),
    Negate(usize),
    Add(usize, usize),
    Subtract(usize, usize),
    Multiply(usize, usize),
    Divide(usize, usize),
    Least(usize, usize),
    Most(usize, usize),
    Apply(Function, usize),
}

/// An expression as steps in the order of their evaluation; the last is its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    nodes: Vec<Node>,
}

impl Expression {
    /// Errors: what is no number over the quantities of a pair, in words.
    pub fn new(formula: &Formula) -> Result<Expression, String> {
        let mut nodes = Vec::new();
        push(formula, &mut nodes)?;
        Ok(Expression { nodes })
    }

    /// The value at these quantities, in the order of [`QUANTITIES`], and its slope by each.
    pub fn slopes(&self, quantities: &[f64; 6]) -> (f64, [f64; 6]) {
        let mut values: Vec<f64> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let v = |at: usize| values[at];
            values.push(match *node {
                Node::Number(x) => x,
                Node::Quantity(at) => quantities[at],
                Node::Negate(x) => -v(x),
                Node::Add(l, r) => v(l) + v(r),
                Node::Subtract(l, r) => v(l) - v(r),
                Node::Multiply(l, r) => v(l) * v(r),
                Node::Divide(l, r) => v(l) / v(r),
                Node::Least(l, r) => v(l).min(v(r)),
                Node::Most(l, r) => v(l).max(v(r)),
                Node::Apply(function, x) => function.of(v(x)),
            });
        }
        let mut slopes = [0.0; 6];
        let mut back = vec![0.0; values.len()];
        if let Some(last) = back.last_mut() {
            *last = 1.0;
        }
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let (g, v) = (back[at], |at: usize| values[at]);
            match *node {
                Node::Number(_) => {}
                Node::Quantity(at) => slopes[at] += g,
                Node::Negate(x) => back[x] -= g,
                Node::Add(l, r) => {
                    back[l] += g;
                    back[r] += g;
                }
                Node::Subtract(l, r) => {
                    back[l] += g;
                    back[r] -= g;
                }
                Node::Multiply(l, r) => {
                    back[l] += g * v(r);
                    back[r] += g * v(l);
                }
                Node::Divide(l, r) => {
                    back[l] += g / v(r);
                    back[r] -= g * v(l) / (v(r) * v(r));
                }
                // Of two equal numbers the first is taken.
                Node::Least(l, r) => back[if v(l) <= v(r) { l } else { r }] += g,
                Node::Most(l, r) => back[if v(l) >= v(r) { l } else { r }] += g,
                Node::Apply(function, x) => back[x] += g * function.slope(v(x), v(at)),
            }
        }
        (values.last().copied().unwrap_or_default(), slopes)
    }
}

impl PairLoss for Expression {
    fn of(&self, pair: &Pair, _: &Whole) -> Slopes {
        let (c, r) = (&pair.chosen, &pair.rejected);
        let quantities = [c.logp, r.logp, c.reference, r.reference, c.length(), r.length()];
        let (loss, [chosen, rejected, ..]) = self.slopes(&quantities);
        Slopes { loss, chosen, rejected }
    }
}

impl Function {
    fn of(self, x: f64) -> f64 {
        match self {
            Function::Exp => x.exp(),
            Function::Log => x.ln(),
            Function::LogSigmoid => log_sigmoid(x),
            Function::Sigmoid => sigmoid(x),
        }
    }

    /// The slope at `x`, where the value is `y`.
    fn slope(self, x: f64, y: f64) -> f64 {
        match self {
            Function::Exp => y,
            Function::Log => 1.0 / x,
            Function::LogSigmoid => sigmoid(-x),
            Function::Sigmoid => y * (1.0 - y),
        }
    }
}

/// Adds the steps of a formula; gives the place of its value.
fn push(formula: &Formula, nodes: &mut Vec<Node>) -> Result<usize, String> {
    let node = match formula {
        Formula::Number(x) => Node::Number(number::to_f64(*x)),
        Formula::Column(name) => {
            let at = QUANTITIES.iter().position(|quantity| quantity == name);
            Node::Quantity(at.ok_or_else(|| format!("a pair has no quantity `.{name}`"))?)
        }
        Formula::Negate(x) => Node::Negate(push(x, nodes)?),
        Formula::Binary(operator, l, r) => {
            let make = match operator {
                Operator::Add => Node::Add,
                Operator::Subtract => Node::Subtract,
                Operator::Multiply => Node::Multiply,
                Operator::Divide => Node::Divide,
                other => return Err(format!("`{}` has no place in a loss", other.text())),
            };
            let (l, r) = (push(l, nodes)?, push(r, nodes)?);
            make(l, r)
        }
        Formula::Call(name, args) => call(name, args, nodes)?,
        other => return Err(format!("`{other}` is not a number")),
    };
    nodes.push(node);
    Ok(nodes.len() - 1)
}

fn call(name: &str, args: &[Formula], nodes: &mut Vec<Node>) -> Result<Node, String> {
    let places = args.iter().map(|arg| push(arg, nodes)).collect::<Result<Vec<_>, _>>()?;
    let one = |function| match places[..] {
        [x] => Ok(Node::Apply(function, x)),
        _ => Err(format!("`{name}` takes one number")),
    };
    let two = |make: fn(usize, usize) -> Node| match places[..] {
        [l, r] => Ok(make(l, r)),
        _ => Err(format!("`{name}` takes two numbers")),
    };
    match name {
        "exp" => one(Function::Exp),
        "log" => one(Function::Log),
        "log_sigmoid" => one(Function::LogSigmoid),
        "sigmoid" => one(Function::Sigmoid),
        "min" => two(Node::Least),
        "max" => two(Node::Most),
        _ => Err(format!(
            "`{name}` has no place in a loss: there are exp, log, log_sigmoid, max, min, sigmoid"
        )),
    }
}
