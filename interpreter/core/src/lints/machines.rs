//! Stages against declared hardware: memory, time, room for checkpoints.

use llmp_grammar::Diag;
use llmp_stdlib::arg::Seconds;
use llmp_stdlib::hardware::Bytes;
use llmp_stdlib::kind::Cost;
use llmp_stdlib::number::human;
use llmp_stdlib::{StageCost, View, Yields};

use super::{Look, also};
use crate::codes::{DiskFull, DoesNotFit, TooLong};
use crate::plan::estimate::{memory, seconds};

/// What does not fit on the machines of the program.
pub(super) fn fits(look: &Look<'_>, diags: &mut Vec<Diag>) {
    let machines: Vec<View<'_>> = look.views().filter(|view| view.kind.yields == Yields::Hardware).collect();
    if machines.is_empty() {
        return;
    }
    for stage in look.views() {
        let Some(Cost::Stage(cost)) = (stage.kind.cost)(&stage) else { continue };
        for machine in &machines {
            diags.extend(one(look, &stage, &cost, machine));
        }
    }
}

fn bytes(n: u64) -> String {
    format!("{} GB", human(n as f64 / 1e9))
}

fn one(look: &Look<'_>, stage: &View<'_>, cost: &StageCost, machine: &View<'_>) -> Vec<Diag> {
    let mut found = Vec::new();
    let here = look.place(stage.name, &[]);
    let names = || (stage.name.to_owned(), machine.name.to_owned());
    if let Some(room) = memory(machine).filter(|room| cost.memory_bytes > *room) {
        let (stage, machine) = names();
        let (needs, has) = (bytes(cost.memory_bytes), bytes(room));
        let at = look.place(&machine, &["memory"]);
        let parts = format!(
            "weights and gradients {}, optimizer {}, activations {}",
            bytes(cost.weight_bytes),
            bytes(cost.optimizer_bytes),
            bytes(cost.activation_bytes)
        );
        found.push(
            Diag::from(DoesNotFit { stage, machine, needs, has, at: here })
                .note(parts)
                .label(at, "this much on a device"),
        );
    }
    if let (Some(limit), Some(takes)) = (machine.read::<Seconds>("limit"), seconds(machine, cost.flops))
        && takes > limit.0
    {
        let (stage, machine) = names();
        let days = |s: f64| format!("{} h", human(s / 3600.0));
        let at = look.place(&machine, &["limit"]);
        let facts = TooLong { stage, machine, takes: days(takes), limit: days(limit.0), at };
        found.push(also(facts.into(), Some(here), "this stage"));
    }
    if let Some(room) = machine.read::<Bytes>("disk").filter(|room| cost.checkpoint_bytes > room.0) {
        let (stage, machine) = names();
        let at = look.place(&machine, &["disk"]);
        let facts = DiskFull { stage, needs: bytes(cost.checkpoint_bytes), has: bytes(room.0), at };
        found.push(also(facts.into(), Some(here), "this stage"));
    }
    found
}
