//! The manifest of a result: what made it, from what, what it holds, and under which arithmetic.

use std::collections::BTreeMap;
use std::path::Path;

use llmp_stdlib::event::Funnel;
use serde::{Deserialize, Serialize};

use super::durable::{self, Hook};
use super::key::Definition;
use crate::failure::Failure;

/// One part of a result: the main one has the empty name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Hash of the content, independent of how it is cut into files.
    pub hash: String,
    /// Path below the folder of the result; empty for the folder itself.
    pub path: String,
    /// Counts of what it holds: documents, bytes, tokens.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
}

/// What decides the bytes of a result besides its definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numerics {
    /// `cpu` or `cuda`.
    pub device: String,
    /// Instruction set of the kernels: `x86_64+avx512`, `aarch64`.
    pub instructions: String,
    /// Matrix product: crate and version, or what a GPU runs.
    pub products: String,
    /// Number format: `f32`.
    pub precision: String,
}

/// The manifest of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this file.
    pub format: u32,
    /// Version of llmp that made it.
    pub llmp: String,
    /// What was done to what.
    pub definition: Definition,
    /// Parts of the result by name.
    pub parts: BTreeMap<String, Content>,
    /// Documents through each step.
    #[serde(default)]
    pub funnels: Vec<Funnel>,
    /// Bad records of the inputs: how many, and the first of them.
    #[serde(default)]
    pub bad_records: BadRecords,
    /// Metrics of an evaluation or a stage.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Arithmetic class, for results of training.
    pub numerics: Numerics,
    /// Versions of outside crates that decide bytes.
    pub versions: BTreeMap<String, String>,
}

/// Bad records that were counted and left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BadRecords {
    /// How many.
    pub count: u64,
    /// The first hundred: `file: place: what`.
    pub first: Vec<String>,
}

impl Manifest {
    /// Name of the file inside the folder of a result.
    pub const FILE: &'static str = "manifest.json";

    /// The manifest of a folder, if there is one.
    pub fn open(folder: &Path) -> Result<Option<Manifest>, Failure> {
        let path = folder.join(Self::FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Failure::io("read", &path, &e)),
        };
        serde_json::from_str(&text).map(Some).map_err(|e| {
            let message = format!("{} is not a manifest: {e}", path.display());
            Failure::new("LLMP1301", message)
                .help(format!("remove the folder {} to make it again", folder.display()))
        })
    }

    pub(super) fn write(&self, folder: &Path, hook: Hook<'_>) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Failure::new("LLMP1301", e.to_string()))?;
        durable::write(&folder.join(Self::FILE), format!("{text}\n").as_bytes(), hook)
    }
}
