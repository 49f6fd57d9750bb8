//! What the sides of the comparison share: arguments, tokens, and the protocol of `vs_pytorch/main.rs`.

use std::io::{BufRead, Write};
use std::time::Instant;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The arguments that `run.py` gives.
pub struct Arguments {
    pub tokens: Vec<u32>,
    pub folder: String,
    pub rows: usize,
    pub config: Config,
}

/// What of `config.json` the model is made of.
#[derive(Clone)]
pub struct Config {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub hidden: usize,
    pub vocab: usize,
    pub context: usize,
    pub eps: f64,
    pub base: f64,
}

impl Arguments {
    pub fn read() -> Result<Arguments> {
        let args: Vec<String> = std::env::args().collect();
        let value = |name: &str| {
            args.iter().skip_while(|a| *a != name).nth(1).cloned().ok_or(format!("{name} is missing"))
        };
        let bytes = std::fs::read(value("--tokens")?)?;
        let tokens = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let folder = value("--folder")?;
        let config: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(format!("{folder}/config.json"))?)?;
        let number = |name: &str| config[name].as_u64().map(|n| n as usize).ok_or(format!("config: {name}"));
        let base = config["rope_theta"].as_f64().or(config["rope_parameters"]["rope_theta"].as_f64());
        let config = Config {
            layers: number("num_hidden_layers")?,
            width: number("hidden_size")?,
            heads: number("num_attention_heads")?,
            kv_heads: number("num_key_value_heads")?,
            head_dim: number("head_dim")?,
            hidden: number("intermediate_size")?,
            vocab: number("vocab_size")?,
            context: number("max_position_embeddings")?,
            eps: config["rms_norm_eps"].as_f64().ok_or("config: rms_norm_eps")?,
            base: base.ok_or("config: rope_theta")?,
        };
        Ok(Arguments { tokens, folder, rows: value("--rows")?.parse()?, config })
    }

    /// Inputs and targets of a step.
    pub fn batch(&self, done: usize) -> (Vec<u32>, Vec<u32>) {
        let n = self.rows * self.config.context;
        let at = |i: usize| self.tokens[(done * n + i) % self.tokens.len()];
        ((0..n).map(at).collect(), (1..=n).map(at).collect())
    }
}

impl Config {
    /// Cosines and sines of the rotation, (context, head_dim / 2).
    pub fn angles(&self) -> (Vec<f32>, Vec<f32>) {
        let half = self.head_dim / 2;
        let angle = |i: usize| (i / half) as f64 * self.base.powf(-((i % half) as f64) / half as f64);
        let angles = || (0..self.context * half).map(angle);
        (angles().map(|a| a.cos() as f32).collect(), angles().map(|a| a.sin() as f32).collect())
    }
}

/// The rate of a step: 100 steps of warm-up.
pub fn rate(done: usize) -> f64 {
    5e-4 * ((done + 1) as f64 / 100.0).min(1.0)
}

/// Runs as many steps as each line of the input asks for.
pub fn serve(name: &str, mut step: impl FnMut(usize) -> Result<f64>) -> Result<()> {
    println!("{}", serde_json::json!({ "name": name }));
    let mut done = 0;
    for line in std::io::stdin().lock().lines() {
        let steps: usize = line?.trim().parse()?;
        let (mut seconds, mut losses) = (Vec::new(), Vec::new());
        for _ in 0..steps {
            let begin = Instant::now();
            losses.push(step(done)?);
            seconds.push(begin.elapsed().as_secs_f64());
            done += 1;
        }
        println!("{}", serde_json::json!({ "seconds": seconds, "losses": losses }));
        std::io::stdout().flush()?;
    }
    Ok(())
}
