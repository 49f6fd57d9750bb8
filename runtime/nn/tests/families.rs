//! Numbers of transformers for models of many families: loss, logits, every gradient, ten steps of AdamW; and each
//! feature of a family matters to them.
#![cfg(feature = "kernels")]

mod common;

use common::{rotary, step};
use llmp_nn::kinds::{NormPlace, QkPlace};
use llmp_nn::optim::{AdamW, adamw};
use llmp_nn::spec::{Activation, FeedForward, NormForm, Order, Reach, Rotary, Stretch};
use llmp_nn::{Architecture, Cpu, Decoder, MicroBatch, Model, Path};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Made by `tests/python/nn_families.py`.
#[derive(Deserialize)]
struct Golden {
    spec: Architecture,
    length: usize,
    inputs: Vec<u32>,
    targets: Vec<u32>,
    doc_start: Vec<u32>,
    loss: f64,
    losses: Vec<f64>,
    #[serde(skip)]
    tensors: BTreeMap<String, Vec<f32>>,
}

const ALL: [&str; 10] =
    ["llama3", "yarn", "mistral", "qwen2", "qwen3", "hunyuan", "smollm3", "arcee", "gemma2", "gpt2"];

fn golden(name: &str) -> Golden {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families");
    let text = std::fs::read_to_string(dir.join(format!("{name}.json"))).expect("the golden file");
    let mut golden: Golden = serde_json::from_str(&text).expect("valid");
    let bytes = std::fs::read(dir.join(format!("{name}.safetensors"))).expect("the golden tensors");
    let tensors = SafeTensors::deserialize(&bytes).expect("valid");
    let floats = |b: &[u8]| b.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    golden.tensors = tensors.iter().map(|(name, view)| (name.to_owned(), floats(view.data()))).collect();
    golden
}

impl Golden {
    /// The golden weights in another architecture, which may lack some of them.
    fn model(&self, spec: &Architecture) -> Model {
        let mut flat = Vec::new();
        for info in spec.params() {
            let values = self.tensors.get(&format!("weights/{}", info.name));
            flat.extend(values.unwrap_or_else(|| panic!("`{}` is there", info.name)));
        }
        Model::from_flat(Cpu::default(), spec.clone(), &flat).expect("a valid spec")
    }

    fn batch(&self) -> MicroBatch {
        let (inputs, targets) = (self.inputs.clone(), self.targets.clone());
        let doc_start = self.doc_start.clone();
        MicroBatch { rows: 2, length: self.length, inputs, targets, doc_start }
    }

    /// Logits of the first row, which is one document.
    fn logits(&self) -> &[f32] {
        &self.tensors["logits"][..self.length * self.spec.vocab]
    }
}

/// Largest difference relative to the largest entry.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    let top = b.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / top
}

#[test]
fn loss_logits_and_every_gradient_are_those_of_transformers() {
    for name in ALL {
        let golden = golden(name);
        let model = golden.model(&golden.spec);
        let logits = model.logits(&golden.inputs[..golden.length]).expect("valid ids");
        let d = apart(&logits, golden.logits());
        assert!(d < 2e-5, "{name}: logits differ by {d:e}");
        let batch = golden.batch();
        let n = batch.counted() as f64;
        let infos = golden.spec.params();
        let grads = golden.tensors.keys().filter(|k| k.starts_with("grads/")).count();
        assert_eq!(infos.len(), grads, "{name}: every tensor of transformers is one of ours");
        let norm = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let largest = infos.iter().map(|i| norm(&golden.tensors[&format!("grads/{}", i.name)]));
        let largest = largest.fold(0.0, f64::max);
        for path in [Path::Fused, Path::Composed] {
            let (sums, grads) = step(&model.clone().with_path(path), &batch, n);
            let loss = sums.nll_sum / n;
            assert!((loss / golden.loss - 1.0).abs() < 1e-4, "{name} {path:?}: {loss}, {}", golden.loss);
            for (i, info) in infos.iter().enumerate() {
                let want = &golden.tensors[&format!("grads/{}", info.name)];
                // The bias of keys moves all scores of a query alike: without turns its gradient is rounding.
                let scale = norm(want).max(1e-3 * largest);
                let distance: Vec<f32> = grads.get(i).iter().zip(want).map(|(a, b)| a - b).collect();
                let d = norm(&distance) / scale;
                assert!(d < 1e-4, "{name} {path:?}: gradient of {} differs by {d:e}", info.name);
            }
        }
    }
}

#[test]
fn ten_steps_of_adamw_follow_pytorch() {
    for name in ALL {
        let golden = golden(name);
        let mut model = golden.model(&golden.spec);
        let batch = golden.batch();
        let n = batch.counted() as f64;
        let infos = golden.spec.params();
        let mut moments: Vec<_> =
            infos.iter().map(|p| (vec![0.0; p.count()], vec![0.0; p.count()])).collect();
        for (at, want) in golden.losses.iter().enumerate() {
            let (sums, grads) = step(&model, &batch, n);
            let loss = sums.nll_sum / n;
            assert!((loss / want - 1.0).abs() < 1e-4, "{name}: loss {loss} at step {at}, PyTorch has {want}");
            for (i, (p, (m, v))) in model.params_mut().into_iter().zip(&mut moments).enumerate() {
                let weight_decay = if infos[i].decay { 0.1 } else { 0.0 };
                let settings =
                    AdamW { lr: 1e-3, betas: (0.9, 0.95), eps: 1e-8, weight_decay, step: at as u64 + 1 };
                adamw(&settings, p, grads.get(i), m, v).expect("finite");
            }
        }
    }
}

#[test]
fn decoding_step_by_step_gives_the_same_logits() {
    for name in ALL {
        let golden = golden(name);
        let model = golden.model(&golden.spec);
        let mut decoder = Decoder::new(&model);
        for (at, &id) in golden.inputs[..golden.length].iter().enumerate() {
            let logits = decoder.step(id).expect("valid ids");
            let want = &golden.logits()[at * golden.spec.vocab..][..golden.spec.vocab];
            assert!(apart(&logits, want) < 1e-4, "{name}: position {at}");
        }
    }
}

/// A family with one feature off or changed.
fn changes(name: &str, s: &Architecture) -> Vec<(&'static str, Architecture)> {
    let with = |what, change: &dyn Fn(&mut Architecture)| {
        let mut changed = s.clone();
        change(&mut changed);
        assert_ne!(&changed, s, "{name}: {what}");
        (what, changed)
    };
    let mut all = vec![
        with("eps", &|s| s.norm.eps *= 3.0),
        with("scale of scores", &|s| s.score_scale = Some(1.03 * f64::from(s.scale()))),
    ];
    if let Order::Rotary(it) = s.order {
        all.push(with("base", &|s| s.order = rotary(it.base * 1.3)));
        all.push(with("turns", &|s| s.order = Order::None));
        if it.stretch != Stretch::None {
            all.push(with("scaling", &|s| s.order = rotary(it.base)));
        }
        if let Stretch::Yarn { factor, original, fast, slow, .. } = it.stretch {
            let stretch = Stretch::Yarn { factor, original, fast, slow, attention: 1.0 };
            all.push(with("temperature", &|s| s.order = Order::Rotary(Rotary { stretch, ..it })));
        }
    }
    for (at, reach) in s.pattern.iter().enumerate() {
        match reach {
            Reach::Window(w) => {
                all.push(with("window", &|s| s.pattern[at] = Reach::Window(w + 1)));
                all.push(with("no window", &|s| s.pattern[at] = Reach::Global));
            }
            Reach::GlobalWithoutOrder => all.push(with("no turns", &|s| s.pattern[at] = Reach::Global)),
            Reach::Global => {}
        }
    }
    if s.pattern.len() > 1 {
        all.push(with("order of reaches", &|s| s.pattern.reverse()));
    }
    if s.qkv_bias {
        all.push(with("biases of queries, keys and values", &|s| s.qkv_bias = false));
    }
    if s.bias {
        all.push(with("biases", &|s| s.bias = false));
        all.push(with("biases, but of queries, keys and values", &|s| (s.bias, s.qkv_bias) = (false, true)));
    }
    if s.qk_norm.is_some() {
        all.push(with("norm of queries and keys", &|s| s.qk_norm = None));
        let other = if s.qk_norm_place == QkPlace::Before { QkPlace::After } else { QkPlace::Before };
        all.push(with("its place", &|s| s.qk_norm_place = other));
    }
    if s.attention_cap.is_some() {
        all.push(with("cap of scores", &|s| s.attention_cap = None));
        all.push(with("cap of logits", &|s| s.logit_cap = None));
        all.push(with("scale of the embedding", &|s| s.embedding_scale = None));
        all.push(with("scale of scores by the width", &|s| s.score_scale = None));
    }
    if s.norm.offset {
        all.push(with("1 + w", &|s| s.norm.offset = false));
        all.push(with("norms after", &|s| s.norm_place = NormPlace::Pre));
    }
    if !s.norm.rms {
        all.push(with("centring", &|s| s.norm = NormForm { rms: true, ..s.norm }));
        all.push(with("bias of norms", &|s| s.norm = NormForm { bias: false, ..s.norm }));
    }
    let bend = if s.ffn.activation == Activation::Silu { Activation::GeluTanh } else { Activation::Silu };
    all.push(with("activation", &|s| s.ffn = FeedForward { activation: bend, ..s.ffn }));
    if s.ffn.activation == Activation::GeluTanh {
        all.push(with("tanh form", &|s| s.ffn.activation = Activation::Gelu));
    }
    if s.order == Order::Table {
        all.push(with("positions", &|s| s.order = Order::None));
    }
    all
}

#[test]
fn every_feature_matters_to_the_golden() {
    for name in ALL {
        let golden = golden(name);
        for (what, spec) in changes(name, &golden.spec) {
            let logits = golden.model(&spec).logits(&golden.inputs[..golden.length]).expect("valid ids");
            let d = apart(&logits, golden.logits());
            assert!(d > 6e-5, "{name}: without its {what} logits differ by {d:e} only");
        }
        let crossed = MicroBatch { doc_start: vec![0; 2 * golden.length], ..golden.batch() };
        let n = crossed.counted() as f64;
        let loss = golden.model(&golden.spec).loss(&crossed).expect("valid").nll_sum / n;
        assert!((loss / golden.loss - 1.0).abs() > 1e-3, "{name}: documents see each other");
    }
}

#[test]
fn the_goldens_are_far_from_fresh_models() {
    for name in ALL {
        let golden = golden(name);
        let largest = golden.logits().iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!(largest > 20.0, "{name}: logits reach {largest}");
        for info in golden.spec.params().iter().filter(|i| i.shape.len() == 1) {
            let values = &golden.tensors[&format!("weights/{}", info.name)];
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            let spread: Vec<f32> = values.iter().map(|x| x - mean).collect();
            assert!(spread.iter().any(|x| x.abs() > 0.15), "{name}: {} is not perturbed", info.name);
        }
    }
}
