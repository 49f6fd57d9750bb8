//! The model in burn on its CPU backend: merged q k v and gate up, grouped heads without copies of keys, its own AdamW.

use burn::module::{Module, Param, ParamId};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::{log_softmax, silu, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData, module};
use rivals::{Arguments, Config, Result, rate, serve};
use safetensors::SafeTensors;

#[derive(Module, Debug)]
struct Block {
    norm1: Param<Tensor<1>>,
    qkv: Param<Tensor<2>>,
    out: Param<Tensor<2>>,
    norm2: Param<Tensor<1>>,
    gate_up: Param<Tensor<2>>,
    down: Param<Tensor<2>>,
}

#[derive(Module, Debug)]
struct Weights {
    embedding: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: Param<Tensor<1>>,
}

/// What does not learn.
struct Fixed {
    config: Config,
    cos: Tensor<4>,
    sin: Tensor<4>,
    mask: Tensor<5>,
}

/// Linear layers are kept as (inputs, outputs), as burn has them.
fn load(folder: &str, config: &Config, device: &Device) -> Result<Weights> {
    let bytes = std::fs::read(format!("{folder}/model.safetensors"))?;
    let file = SafeTensors::deserialize(&bytes)?;
    let read = |name: &str| -> Result<TensorData> {
        let view = file.tensor(name)?;
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(TensorData::new(values.collect::<Vec<f32>>(), view.shape().to_vec()))
    };
    let gain = |name: &str| -> Result<_> { Ok(Param::from_tensor(Tensor::<1>::from_data(read(name)?, device))) };
    let rows = |names: &[String]| -> Result<Tensor<2>> {
        let parts = names.iter().map(|n| Ok(Tensor::<2>::from_data(read(n)?, device))).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(parts, 0))
    };
    // Written out once, so that no step copies a transposed matrix.
    let linear = |i: usize, names: &[&str]| -> Result<_> {
        let names: Vec<_> = names.iter().map(|n| format!("model.layers.{i}.{n}.weight")).collect();
        let turned = rows(&names)?.transpose().into_data();
        Ok(Param::from_tensor(Tensor::<2>::from_data(turned, device)))
    };
    let block = |i: usize| -> Result<Block> {
        Ok(Block {
            norm1: gain(&format!("model.layers.{i}.input_layernorm.weight"))?,
            qkv: linear(i, &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])?,
            out: linear(i, &["self_attn.o_proj"])?,
            norm2: gain(&format!("model.layers.{i}.post_attention_layernorm.weight"))?,
            gate_up: linear(i, &["mlp.gate_proj", "mlp.up_proj"])?,
            down: linear(i, &["mlp.down_proj"])?,
        })
    };
    Ok(Weights {
        embedding: Param::from_tensor(rows(&["model.embed_tokens.weight".into()])?),
        blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
        norm: gain("model.norm.weight")?,
    })
}

impl Fixed {
    fn new(config: Config, device: &Device) -> Fixed {
        let (t, half) = (config.context, config.head_dim / 2);
        let (cos, sin) = config.angles();
        let mask: Vec<f32> = (0..t * t).map(|i| if i % t > i / t { f32::NEG_INFINITY } else { 0.0 }).collect();
        let table = |of| Tensor::from_data(TensorData::new(of, [1, 1, t, half]), device);
        Fixed {
            cos: table(cos),
            sin: table(sin),
            mask: Tensor::from_data(TensorData::new(mask, [1, 1, 1, t, t]), device),
            config,
        }
    }

    fn normed(&self, x: Tensor<3>, gain: &Param<Tensor<1>>) -> Tensor<3> {
        let scale = (x.clone().square().mean_dim(2) + self.config.eps).sqrt().recip();
        x * scale * gain.val().unsqueeze()
    }

    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let parts = x.chunk(2, 3);
        let (a, b) = (parts[0].clone(), parts[1].clone());
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        Tensor::cat(vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin], 3)
    }

    fn attend(&self, block: &Block, x: Tensor<3>) -> Tensor<3> {
        let c = &self.config;
        let [b, t, _] = x.dims();
        let (h, k, d) = (c.heads, c.kv_heads, c.head_dim);
        let g = h / k;
        let y = linear(x, &block.qkv).reshape([b, t, h + 2 * k, d]).swap_dims(1, 2);
        let part = |from, n| y.clone().narrow(1, from, n);
        let (q, key, value) = (self.rotate(part(0, h)), self.rotate(part(h, k)), part(h + k, k));
        let scores = q.reshape([b, k, g * t, d]).matmul(key.transpose()) / (d as f64).sqrt();
        let scores = scores.reshape([b, k, g, t, t]) + self.mask.clone();
        let y = softmax(scores, 4).reshape([b, k, g * t, t]).matmul(value);
        linear(y.reshape([b, h, t, d]).swap_dims(1, 2).reshape([b, t, h * d]), &block.out)
    }

    fn loss(&self, w: &Weights, inputs: Tensor<2, Int>, targets: Tensor<2, Int>) -> Tensor<1> {
        let [b, t] = inputs.dims();
        let mut x = module::embedding(w.embedding.val(), inputs);
        for block in &w.blocks {
            x = x.clone() + self.attend(block, self.normed(x, &block.norm1));
            let parts = linear(self.normed(x.clone(), &block.norm2), &block.gate_up).chunk(2, 2);
            x = x + linear(silu(parts[0].clone()) * parts[1].clone(), &block.down);
        }
        let x = self.normed(x, &w.norm).reshape([b * t, self.config.width]);
        let logits = log_softmax(x.matmul(w.embedding.val().transpose()), 1);
        logits.gather(1, targets.reshape([b * t, 1])).mean().neg()
    }
}

fn linear(x: Tensor<3>, w: &Param<Tensor<2>>) -> Tensor<3> {
    let [b, t, c] = x.dims();
    let n = w.val().dims()[1];
    x.reshape([b * t, c]).matmul(w.val()).reshape([b, t, n])
}

/// Names of matrices and of gains.
fn params(w: &Weights) -> (Vec<ParamId>, Vec<ParamId>) {
    let (mut matrices, mut gains) = (vec![w.embedding.id], vec![w.norm.id]);
    for b in &w.blocks {
        matrices.extend([b.qkv.id, b.out.id, b.gate_up.id, b.down.id]);
        gains.extend([b.norm1.id, b.norm2.id]);
    }
    (matrices, gains)
}

/// Scales gradients whose norm together is above 1.
fn clip(grads: [&mut GradientsParams; 2], (matrices, gains): (&[ParamId], &[ParamId])) {
    let [of_matrices, of_gains] = grads;
    let of = |sum: Tensor<1>| f64::from(sum.into_scalar::<f32>());
    let mut squares = 0.0;
    for id in matrices {
        squares += of_matrices.get::<2>(*id).map_or(0.0, |g| of(g.square().sum()));
    }
    for id in gains {
        squares += of_gains.get::<1>(*id).map_or(0.0, |g| of(g.square().sum()));
    }
    let norm = squares.sqrt();
    if norm <= 1.0 {
        return;
    }
    for id in matrices {
        if let Some(g) = of_matrices.remove::<2>(*id) {
            of_matrices.register(*id, g / (norm + 1e-6));
        }
    }
    for id in gains {
        if let Some(g) = of_gains.remove::<1>(*id) {
            of_gains.register(*id, g / (norm + 1e-6));
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::read()?;
    let device = Device::flex().autodiff();
    let mut weights = Some(load(&arguments.folder, &arguments.config, &device)?);
    let fixed = Fixed::new(arguments.config.clone(), &device);
    let (matrices, gains) = params(weights.as_ref().ok_or("no weights")?);
    let settings = |decay: f32| {
        AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.95).with_epsilon(1e-8).with_weight_decay(decay).init()
    };
    let (mut decays, mut keeps) = (settings(0.1), settings(0.0));
    let shape = [arguments.rows, arguments.config.context];
    serve("burn 0.22 (flex)", |done| {
        let w = weights.take().ok_or("no weights")?;
        let (inputs, targets) = arguments.batch(done);
        let ids = |ids: Vec<u32>| {
            let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();
            Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device)
        };
        let loss = fixed.loss(&w, ids(inputs), ids(targets));
        let mut grads = loss.backward();
        let mut of_matrices = GradientsParams::from_params(&mut grads, &w, &matrices);
        let mut of_gains = GradientsParams::from_params(&mut grads, &w, &gains);
        clip([&mut of_matrices, &mut of_gains], (&matrices, &gains));
        let w = decays.step(rate(done), w, of_matrices);
        weights = Some(keeps.step(rate(done), w, of_gains));
        Ok(f64::from(loss.into_scalar::<f32>()))
    })
}
