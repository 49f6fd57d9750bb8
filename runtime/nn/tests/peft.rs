//! Low-rank adapters: their gradients, their start, and folders of PEFT: the logits that PEFT computes with one, and the same
//! tensors when it is written again.
#![cfg(feature = "kernels")]

mod common;

use std::path::Path;

use common::{model, specs};
use llmp_nn::weights::{as_written, load_adapter, save_adapter};
use llmp_nn::{Architecture, Decoder, Grads, Layers, Lora, MicroBatch, Model, ParamInfo, StorageType};
use safetensors::SafeTensors;

fn sizes() -> Architecture {
    specs()[1].clone()
}

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/peft").join(name)
}

#[test]
fn an_adapter_of_peft_gives_its_logits() {
    let base = Model::load(&golden("base")).expect("reads");
    let (lora, numbers) = load_adapter(&golden("adapter"), base.spec()).expect("reads");
    let mut model = base.clone();
    lora.add(&numbers, &mut model.params_mut()).expect("fits");
    let text = std::fs::read(golden("logits.json")).expect("there");
    let wanted: Vec<Vec<f32>> = serde_json::from_slice(&text).expect("rows");
    let furthest = |model: &Model| {
        let mut decoder = Decoder::new(model);
        let mut far = 0.0f32;
        for (i, row) in wanted.iter().enumerate() {
            let logits = decoder.step((i as u32 * 17 + 3) % 40).expect("runs");
            far = logits.iter().zip(row).map(|(a, b)| (a - b).abs()).fold(far, f32::max);
        }
        far
    };
    assert!(furthest(&model) < 2e-5, "{}", furthest(&model));
    assert!(furthest(&base) > 0.1, "without the adapter it is another model");
}

#[test]
fn what_is_written_is_what_peft_wrote() {
    let base = Model::load(&golden("base")).expect("reads");
    let (lora, numbers) = load_adapter(&golden("adapter"), base.spec()).expect("reads");
    let folder = tempfile::tempdir().expect("a folder");
    save_adapter(folder.path(), base.spec(), &lora, &numbers, StorageType::F32).expect("writes");
    let read = |folder: &Path| std::fs::read(folder.join("adapter_model.safetensors")).expect("there");
    let (theirs, ours) = (read(&golden("adapter")), read(folder.path()));
    let (theirs, ours) = (SafeTensors::deserialize(&theirs), SafeTensors::deserialize(&ours));
    let (mut theirs, mut ours) = (theirs.expect("file").tensors(), ours.expect("file").tensors());
    theirs.sort_by(|a, b| a.0.cmp(&b.0));
    ours.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(theirs.len(), 2 * 2 * 7);
    for ((name, theirs), (own, ours)) in theirs.iter().zip(&ours) {
        assert_eq!((name, theirs.shape(), theirs.data()), (own, ours.shape(), ours.data()));
    }
}

fn numbers(lora: &Lora) -> Vec<f32> {
    let count: usize = lora.params().iter().map(ParamInfo::count).sum();
    (0..count).map(|i| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 0.3).collect()
}

fn with(model: &Model, lora: &Lora, numbers: &[f32]) -> Model {
    let mut model = model.clone();
    lora.add(numbers, &mut model.params_mut()).expect("fits");
    model
}

fn batch() -> MicroBatch {
    MicroBatch::document(&(0..20).map(|i| (i * 17 + 3) % 61).collect::<Vec<u32>>())
}

#[test]
fn with_b_of_zero_it_is_the_model() {
    let model = model(&sizes(), 3);
    let lora = Lora::new(&sizes(), 4, 8.0, &Layers::All).expect("fits");
    let start = lora.init(5);
    assert_eq!(with(&model, &lora, &start).to_flat(), model.to_flat());
    assert!(start != lora.init(6) && start.iter().any(|x| *x != 0.0));
    let changed = with(&model, &lora, &numbers(&lora)).to_flat();
    assert_ne!(changed, model.to_flat());
    assert_eq!(lora.covers().len(), 7 * sizes().layers, "q, k, v, o, gate, up and down of every block");
}

#[test]
fn layers_are_chosen_by_place_or_name() {
    let paths = |layers: &Layers| {
        let lora = Lora::new(&sizes(), 2, 2.0, layers).expect("fits");
        lora.params().into_iter().map(|p| p.name).collect::<Vec<_>>()
    };
    assert!(paths(&Layers::Attention).iter().all(|p| p.contains("attention")));
    assert!(paths(&Layers::FeedForward).iter().all(|p| p.contains("ffn")));
    let ours = paths(&Layers::Named(vec!["q".into(), "v".into()]));
    assert_eq!(ours, paths(&Layers::Named(vec!["q_proj".into(), "v_proj".into()])));
    assert_eq!(ours.len() * 2, paths(&Layers::Attention).len());
    assert!(Lora::new(&sizes(), 2, 2.0, &Layers::Named(vec!["head".into()])).is_err());
    assert!(Lora::new(&sizes(), 0, 2.0, &Layers::All).is_err());
}

#[test]
fn its_gradients_are_those_of_differences() {
    let model = model(&sizes(), 3);
    let lora = Lora::new(&sizes(), 3, 6.0, &Layers::All).expect("fits");
    let start = numbers(&lora);
    let mut grads = Grads::zeros(&sizes());
    with(&model, &lora, &start).loss_and_grads(&batch(), 19.0, &mut grads).expect("runs");
    let own = lora.pull(&start, &grads).expect("fits");
    let mut from = 0;
    for info in lora.params() {
        let part = from..from + info.count();
        from = part.end;
        let norm = own[part.clone()].iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let at = |h: f64| {
            let mut moved = start.clone();
            for (x, g) in moved[part.clone()].iter_mut().zip(&own[part.clone()]) {
                *x += (h * f64::from(*g) / norm) as f32;
            }
            with(&model, &lora, &moved).loss(&batch()).expect("runs").nll_sum / 19.0
        };
        let slope = (at(0.02) - at(-0.02)) / 0.04;
        assert!((slope / norm - 1.0).abs() < 0.03, "{}: {slope} is not {norm}", info.name);
    }
}

#[test]
fn an_adapter_comes_back_from_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let lora = Lora::new(&sizes(), 3, 6.0, &Layers::Attention).expect("fits");
    let count: usize = lora.params().iter().map(|p| p.count()).sum();
    let numbers: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin()).collect();
    for dtype in [StorageType::F32, StorageType::Bf16, StorageType::F16] {
        save_adapter(folder.path(), &sizes(), &lora, &numbers, dtype).expect("writes");
        let (back, read) = load_adapter(folder.path(), &sizes()).expect("reads");
        assert_eq!(back, lora);
        assert_eq!(read, as_written(&numbers, dtype));
    }
    let wider = Architecture { width: 64, ..sizes() };
    assert!(load_adapter(folder.path(), &wider).is_err());
    let text = std::fs::read_to_string(folder.path().join("adapter_config.json")).expect("reads");
    for (from, to) in [("LORA", "IA3"), ("q_proj", "x_proj"), ("\"use_dora\": false", "\"use_dora\": true")] {
        assert!(text.contains(from));
        std::fs::write(folder.path().join("adapter_config.json"), text.replace(from, to)).expect("writes");
        assert!(load_adapter(folder.path(), &sizes()).is_err(), "{to}");
    }
}
