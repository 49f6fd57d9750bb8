//! Estimates as `llmp plan` prints them.

use std::fmt::Write;

use llmp_stdlib::number::{human, to_f64};
use llmp_stdlib::{Estimate, Plan, Rational};

use super::estimate::{OnHardware, StageEstimate};
use crate::lineage::Consumed;

/// One paragraph for each stage: what it reads, what it costs, how long it takes.
pub fn estimates_text(estimates: &[StageEstimate]) -> String {
    let mut text = String::new();
    for stage in estimates {
        let cost = stage.cost;
        let steps = grouped(cost.steps);
        let _ = writeln!(text, "  {}: {} tokens in {steps} steps", stage.name, human(cost.tokens as f64));
        let six = stage.six_pt().map_or_else(String::new, |n| format!(", {n:.2e} as 6·P·tokens"));
        line(&mut text, "FLOPs", &format!("{:.2e}{six}", cost.flops));
        line(&mut text, "memory", &memory(stage));
        if cost.checkpoint_bytes > 0 {
            line(&mut text, "on disk", &format!("{} of checkpoints", bytes(cost.checkpoint_bytes)));
        }
        for part in &stage.parts {
            line(&mut text, &part.name, &consumed(part));
        }
        if let Some(share) = stage.synthetic.filter(|share| share.generation > 0) {
            let plural = if share.generation == 1 { "" } else { "s" };
            let shown = percents(share.low, share.high);
            let words =
                format!("{shown} written by models, {} generation{plural} from people", share.generation);
            line(&mut text, "synthetic", &words);
        }
        for on in &stage.on {
            machine(&mut text, on);
        }
    }
    text
}

/// Comparisons: their arms, their runs, and how much these share.
pub fn comparisons_text(plan: &Plan) -> String {
    let mut text = String::new();
    for (name, size) in &plan.comparisons {
        let (runs, shared) = (size.runs, size.shared());
        let _ = writeln!(
            text,
            "  {name}: {runs} runs, {shared}% shared: {} steps for {}",
            size.distinct, size.steps
        );
        for (arm, tokens, flops) in &size.arms {
            line(&mut text, arm, &format!("{} tokens, {flops:.2e} FLOPs in a run", human(*tokens as f64)));
        }
    }
    text
}

fn line(text: &mut String, name: &str, words: &str) {
    let _ = writeln!(text, "    {name:<12} {words}");
}

fn memory(stage: &StageEstimate) -> String {
    let cost = stage.cost;
    let all = format!("about {}", bytes(cost.memory_bytes));
    if cost.weight_bytes == 0 {
        return all;
    }
    format!(
        "{all}: weights and gradients {}, optimizer {}, activations {}",
        bytes(cost.weight_bytes),
        bytes(cost.optimizer_bytes),
        bytes(cost.activation_bytes)
    )
}

fn consumed(part: &Consumed) -> String {
    let percent = |share| format!("{:.4}", to_f64(share) * 100.0);
    let plain = |text: String| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    let share = part.share.map_or_else(String::new, |share| format!("{}% ", plain(percent(share))));
    let from = if part.sources == [part.name.clone()] {
        String::new()
    } else {
        format!("   ({})", part.sources.join(", "))
    };
    let Some(repeat) = part.repeat else {
        return format!("{share}of sources whose size is not known{from}");
    };
    let tokens = human(to_f64(repeat.tokens));
    let passes = match repeat.most {
        Some(most) if most == repeat.least => format!("{} passes", human(to_f64(most))),
        Some(most) => format!("{} to {} passes", human(to_f64(repeat.least)), human(to_f64(most))),
        None => format!("at least {} passes", human(to_f64(repeat.least))),
    };
    let available = part.available.map_or_else(String::new, |e| format!(" over {}", amount(e)));
    format!("{share}{tokens} tokens, {passes}{available}{from}")
}

fn amount(estimate: Estimate) -> String {
    let (low, high) = (human(to_f64(estimate.low)), human(to_f64(estimate.high)));
    match (estimate.is_exact(), estimate.low == Rational::from(0)) {
        (true, _) => format!("{high} tokens"),
        (false, true) => format!("at most {high} tokens"),
        (false, false) => format!("{low} to {high} tokens"),
    }
}

fn percents(low: Rational, high: Rational) -> String {
    let show = |n: Rational| human(to_f64(n) * 100.0);
    if low == high { format!("{}%", show(low)) } else { format!("{} to {}%", show(low), show(high)) }
}

fn machine(text: &mut String, on: &OnHardware) {
    let price = on.price.map_or_else(String::new, |p| format!(", {} dollars", human(p)));
    let hours = human(on.device_hours);
    let words = format!(
        "{} on {} device{}, {hours} device hours{price}",
        time(on.seconds),
        grouped(on.devices),
        if on.devices == 1 { "" } else { "s" }
    );
    line(text, &on.title, &words);
    line(text, "", &format!("= {}", on.formula));
    if let Some((hours, six, own)) = on.published {
        let words = format!(
            "published {} device hours: a utilisation of {:.1}% by 6·P·tokens, {:.1}% by our own count",
            human(hours),
            six * 100.0,
            own * 100.0
        );
        line(text, "", &words);
    }
}

/// Seconds for people: `54 days`, `3.2 h`, `12 min`.
fn time(seconds: f64) -> String {
    for (limit, name) in [(86_400.0, "days"), (3_600.0, "h"), (60.0, "min")] {
        if seconds >= limit {
            return format!("{:.1} {name}", seconds / limit);
        }
    }
    format!("{seconds:.1} s")
}

fn bytes(n: u64) -> String {
    let shown = human(n as f64);
    // `B` is the suffix of 10⁹ for counts, and the unit here.
    match shown.strip_suffix('B') {
        Some(digits) => format!("{digits} GB"),
        None => match shown.chars().last() {
            Some(unit) if unit.is_alphabetic() => format!("{} {unit}B", shown.trim_end_matches(unit)),
            _ => format!("{shown} bytes"),
        },
    }
}

/// `2_654_208`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|c| std::str::from_utf8(c).ok()).collect();
    groups.join("_")
}
