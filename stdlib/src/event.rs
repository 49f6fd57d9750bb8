//! Events of a run: one typed stream that progress bars, JSON lines, reports and tests read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts of one step over documents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// Name of the step for people.
    pub step: String,
    /// Documents that came in.
    pub documents_in: u64,
    /// Documents that went on.
    pub documents_out: u64,
    /// UTF-8 bytes of text that came in.
    pub bytes_in: u64,
    /// UTF-8 bytes of text that went on.
    pub bytes_out: u64,
    /// Why documents were dropped, with counts.
    pub reasons: BTreeMap<String, u64>,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A step begins; `total` is its amount of work when known, in `unit`.
    Started { step: String, op: String, total: Option<u64>, unit: String },
    /// A step's result is in the store already.
    Cached { step: String, op: String },
    /// A step goes on from what an interrupted run left.
    Resumed { step: String, at: String },
    /// Work done so far, in the unit of `Started`.
    Progress { step: String, done: u64 },
    /// A bad record of an input: where and what.
    BadRecord { step: String, file: String, place: String, what: String },
    /// Documents through a step.
    Funnel { funnel: Funnel },
    /// One optimizer step.
    Loss {
        step: String,
        at: u64,
        tokens: u64,
        loss: f64,
        rate: f64,
        gradient_norm: f64,
        tokens_per_second: f64,
        /// FLOPs of the step by the formula of costs, as a share of the products that this machine was measured to
        /// reach in the time; none where `llmp bench` has not measured it.
        mfu: Option<f64>,
    },
    /// The optimizer steps of a stage that this run did are done: together, without saving and evaluating.
    Trained {
        step: String,
        tokens: u64,
        seconds: f64,
        tokens_per_second: f64,
        /// As in `Loss`, over all of these steps.
        mfu: Option<f64>,
    },
    /// A metric of an evaluation.
    Metric { step: String, name: String, value: f64 },
    /// A stage went back, or goes on for longer, as its program says it shall.
    HeldUp { step: String, message: String },
    /// A sample of generated text.
    Sample { step: String, text: String },
    /// A checkpoint or artifact was written.
    Saved { step: String, what: String },
    /// A step's result is in the store; `seconds` of this run were spent on it.
    Finished { step: String, op: String, seconds: f64 },
    /// The run waits for a file that people provide, or for another run that holds a lock.
    Waiting { step: String, what: String },
}
