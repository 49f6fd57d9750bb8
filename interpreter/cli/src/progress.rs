//! Events of a run on a terminal: a bar for what is going on, a line for what is done, the funnel of documents.

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use llmp_stdlib::Event;
use llmp_stdlib::number::human;

use crate::output;
use crate::table::count;

/// Bad records that are shown one by one; the rest is counted.
const BAD_SHOWN: u64 = 5;

/// Shows events to a person.
pub(crate) struct Terminal {
    bar: Option<ProgressBar>,
    totals: BTreeMap<String, u64>,
    bad: BTreeMap<String, u64>,
    cached: u64,
    ran: u64,
    /// Documents into and out of the task that ends next.
    documents: Option<(u64, u64)>,
    /// The stage that trains, and its last step.
    at: Option<(String, u64)>,
    /// Speed of the stage that ends next.
    trained: String,
}

impl Terminal {
    pub(crate) fn new() -> Terminal {
        Terminal {
            bar: None,
            totals: BTreeMap::new(),
            bad: BTreeMap::new(),
            cached: 0,
            ran: 0,
            documents: None,
            at: None,
            trained: String::new(),
        }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Started { step, op, total, unit } => self.start(step, op, *total, unit),
            Event::Progress { done, .. } => self.with_bar(|bar| bar.set_position(*done)),
            Event::Cached { .. } => self.cached += 1,
            Event::Resumed { step, at } => self.line(&format!("  resumed {step} at {at}")),
            Event::BadRecord { step, file, place, what } => {
                let seen = self.bad.entry(step.clone()).or_default();
                *seen += 1;
                if *seen <= BAD_SHOWN {
                    self.line(&format!("  bad record: {file}{place}: {what}"));
                }
            }
            Event::Funnel { funnel } => {
                let (first, _) = self.documents.unwrap_or((funnel.documents_in, 0));
                self.documents = Some((first, funnel.documents_out));
            }
            Event::Loss { at, tokens, loss, rate, gradient_norm, tokens_per_second, mfu, step } => {
                let left = self.totals.get(step).map(|total| total.saturating_sub(*tokens));
                let eta = left.map(|left| left as f64 / tokens_per_second.max(1.0));
                let text = format!(
                    "step {at} · loss {loss:.4} · lr {rate:.2e} · norm {gradient_norm:.2} · {}{}",
                    speed(*tokens_per_second, *mfu),
                    eta.map(|s| format!(" · {} left", clock(s))).unwrap_or_default()
                );
                self.at = Some((step.clone(), *at));
                let tokens = *tokens;
                self.with_bar(|bar| {
                    bar.set_position(tokens);
                    bar.set_message(text.clone());
                });
            }
            Event::Metric { step, name, value } => {
                // What a stage measures meanwhile belongs to its last step.
                let at = self.at.as_ref().filter(|(stage, _)| stage == step);
                let at = at.map(|(_, at)| format!("step {at} · ")).unwrap_or_default();
                self.line(&format!("  {at}{name} = {value:.4}"));
            }
            Event::HeldUp { step, message } => self.line(&format!("  {step}: {message}")),
            Event::Trained { tokens_per_second, mfu, .. } => {
                self.trained = format!(", {}", speed(*tokens_per_second, *mfu));
            }
            Event::Sample { text, .. } => self.line(&format!("\n{}\n", indent(text))),
            Event::Saved { what, .. } => self.with_bar(|bar| bar.set_prefix(format!("saved {what}"))),
            Event::Finished { step, op, seconds } => self.finish(step, op, *seconds),
            Event::Waiting { step, what } => self.line(&format!("  {step} waits for {what}")),
        }
    }

    /// Ends the bar and says how much there was to do.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.ran == 0 {
            output::note(&format!("nothing to do: all {} results are in the store", self.cached));
        } else if self.cached > 0 {
            output::note(&format!(
                "{} of {} results were in the store already",
                self.cached,
                self.cached + self.ran
            ));
        }
    }

    fn start(&mut self, step: &str, op: &str, total: Option<u64>, unit: &str) {
        let bar = match total {
            Some(total) => {
                self.totals.insert(step.to_owned(), total);
                let bar = ProgressBar::new(total);
                let template = "{spinner} {prefix} {wide_bar} {human_pos}/{human_len} {msg}";
                bar.set_style(
                    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
                );
                bar
            }
            None => ProgressBar::new_spinner(),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(4));
        bar.set_prefix(format!("{step} ({op}, {unit})"));
        bar.enable_steady_tick(std::time::Duration::from_millis(250));
        self.bar = Some(bar);
    }

    fn finish(&mut self, step: &str, op: &str, seconds: f64) {
        self.ran += 1;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let documents =
            self.documents.take().map(|(from, to)| format!(", {} → {} documents", count(from), count(to)));
        let bad = self.bad.get(step).copied().unwrap_or(0);
        let more = if bad > BAD_SHOWN { format!(", {bad} bad records") } else { String::new() };
        let documents = documents.unwrap_or_default();
        let trained = std::mem::take(&mut self.trained);
        self.line(&format!("✓ {step} ({op}) in {}{documents}{trained}{more}", clock(seconds)));
    }

    fn with_bar(&self, change: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = &self.bar {
            change(bar);
        }
    }

    /// A line above the bar.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(text),
            _ => output::note(text),
        }
    }
}

/// `4.1k tok/s · MFU 61%`; `-` where the machine was not measured.
fn speed(tokens_per_second: f64, mfu: Option<f64>) -> String {
    let mfu = mfu.map_or_else(|| "-".to_owned(), |mfu| format!("{:.0}%", 100.0 * mfu));
    format!("{} tok/s · MFU {mfu}", human(tokens_per_second))
}

fn clock(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{} min {:02} s", (s / 60.0) as u64, (s % 60.0) as u64),
        s => format!("{} h {:02} min", (s / 3600.0) as u64, (s % 3600.0 / 60.0) as u64),
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
