//! What this machine reaches in matrix products and memory: measured by `llmp bench`, read by every run.

use std::path::{Path, PathBuf};
use std::time::Instant;

use llmp_train::Peak;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::store::durable;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bench {
    /// The machine and what of it was used.
    pub machine: Machine,
    /// Matrix products at sizes that training uses.
    pub products: Vec<Product>,
    /// The best rates, FLOP/s: what the MFU of a stage refers to.
    pub peak: Peak,
    /// Bytes read and written a second.
    pub memory: f64,
}

/// The best rates of one product, in FLOP/s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// Rows, columns and depth.
    pub shape: [usize; 3],
    /// In 32 bits.
    pub f32: f64,
    /// With operands rounded to bf16.
    pub bf16: f64,
}

/// What decides rates: another machine, another number of threads or another build has a measurement of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, as it names itself.
    pub processor: String,
    /// Its instruction set.
    pub instructions: String,
    /// Threads that compute.
    pub threads: usize,
    /// Version of llmp; a build for debugging says so.
    pub llmp: String,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let facts = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = facts.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let build = if cfg!(debug_assertions) { " debug" } else { "" };
        Machine {
            processor: model.map_or_else(|| std::env::consts::OS.to_owned(), |(_, name)| name.to_owned()),
            instructions: crate::numerics::class("cpu").instructions,
            threads: llmp_nn::threads(),
            llmp: format!("{}{build}", env!("CARGO_PKG_VERSION")),
        }
    }

    /// The file in the cache of the user that holds its measurement.
    fn file(&self, cache: &Path) -> PathBuf {
        let hash = blake3::hash(serde_json::json!(self).to_string().as_bytes()).to_hex();
        cache.join("llmp").join(format!("bench-{}.json", &hash[..16]))
    }
}

/// Where programs of the user keep what can be made again: `XDG_CACHE_HOME`, else `~/.cache`.
fn cache() -> PathBuf {
    let get = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || get("HOME").or_else(|| get("USERPROFILE")).unwrap_or_default();
    get("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache"))
}

/// Measures this machine, about `seconds` for each of its three rates, and keeps the result for later runs; gives it with
/// its file.
///
/// Errors: a file that cannot be written.
pub fn measure(seconds: f64) -> Result<(Bench, PathBuf), Failure> {
    let begin = Instant::now();
    let clock = || begin.elapsed().as_secs_f64();
    let [single, half] =
        [llmp_nn::Precision::F32, llmp_nn::Precision::Bf16].map(|p| llmp_nn::rates(p, seconds, &clock));
    let products: Vec<Product> = single
        .iter()
        .zip(&half)
        .map(|(f32, bf16)| Product { shape: f32.shape, f32: f32.flops, bf16: bf16.flops })
        .collect();
    let best = |rate: fn(&Product) -> f64| products.iter().map(rate).fold(0.0, f64::max);
    let peak = Peak { f32: best(|p| p.f32), bf16: best(|p| p.bf16) };
    let memory = llmp_nn::bandwidth(seconds, &clock);
    let bench = Bench { machine: Machine::here(), products, peak, memory };
    let file = bench.machine.file(&cache());
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| Failure::io("create", folder, &e))?;
    durable::write(&file, format!("{:#}\n", serde_json::json!(bench)).as_bytes(), &durable::no_hook)?;
    Ok((bench, file))
}

/// The peak of this machine, if it was measured; a GPU has none yet.
pub(crate) fn kept(device: &str) -> Option<Peak> {
    let machine = Machine::here();
    let text = std::fs::read(machine.file(&cache())).ok().filter(|_| device == "cpu")?;
    let bench: Bench = serde_json::from_slice(&text).ok()?;
    (bench.machine == machine).then_some(bench.peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_of_threads_or_build_is_another_machine() {
        let here = Machine::here();
        let file = |machine: &Machine| machine.file(Path::new("cache"));
        assert_eq!(file(&here), file(&Machine::here()));
        assert_ne!(file(&here), file(&Machine { threads: here.threads + 1, ..here.clone() }));
        assert_ne!(file(&here), file(&Machine { llmp: "0".into(), ..here.clone() }));
    }
}
