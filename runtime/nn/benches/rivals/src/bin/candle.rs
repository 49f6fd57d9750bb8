//! The model in candle: merged q k v and gate up, grouped heads without copies of keys, AdamW as candle has it.
//!
//! candle's fused norm, rotation and softmax have no backward pass, so their composed forms stand here, as in candle's own
//! training examples.

use candle_core::backprop::GradStore;
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, ops};
use rivals::{Arguments, Config, Result, rate, serve};

struct Block {
    norm1: Var,
    qkv: Var,
    out: Var,
    norm2: Var,
    gate_up: Var,
    down: Var,
}

struct Decoder {
    config: Config,
    embedding: Var,
    blocks: Vec<Block>,
    norm: Var,
    cos: Tensor,
    sin: Tensor,
    mask: Tensor,
}

impl Decoder {
    fn load(folder: &str, config: Config) -> Result<Decoder> {
        let device = Device::Cpu;
        let weights = candle_core::safetensors::load(format!("{folder}/model.safetensors"), &device)?;
        let get = |names: &[String]| -> Result<Var> {
            let parts = names.iter().map(|n| Ok(weights[n].to_dtype(DType::F32)?)).collect::<Result<Vec<_>>>()?;
            Ok(Var::from_tensor(&Tensor::cat(&parts, 0)?)?)
        };
        let block = |i: usize| -> Result<Block> {
            let of = |names: &[&str]| -> Result<Var> {
                get(&names.iter().map(|n| format!("model.layers.{i}.{n}.weight")).collect::<Vec<_>>())
            };
            Ok(Block {
                norm1: of(&["input_layernorm"])?,
                qkv: of(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])?,
                out: of(&["self_attn.o_proj"])?,
                norm2: of(&["post_attention_layernorm"])?,
                gate_up: of(&["mlp.gate_proj", "mlp.up_proj"])?,
                down: of(&["mlp.down_proj"])?,
            })
        };
        let blocks = (0..config.layers).map(block).collect::<Result<Vec<_>>>()?;
        let (t, half) = (config.context, config.head_dim / 2);
        let (cos, sin) = config.angles();
        let mask: Vec<f32> =
            (0..t * t).map(|i| if i % t > i / t { f32::NEG_INFINITY } else { 0.0 }).collect();
        Ok(Decoder {
            embedding: get(&["model.embed_tokens.weight".into()])?,
            norm: get(&["model.norm.weight".into()])?,
            cos: Tensor::from_vec(cos, (t, half), &device)?,
            sin: Tensor::from_vec(sin, (t, half), &device)?,
            mask: Tensor::from_vec(mask, (t, t), &device)?,
            blocks,
            config,
        })
    }

    /// Matrices and gains.
    fn params(&self) -> (Vec<Var>, Vec<Var>) {
        let (mut matrices, mut gains) = (vec![self.embedding.clone()], vec![self.norm.clone()]);
        for b in &self.blocks {
            matrices.extend([&b.qkv, &b.out, &b.gate_up, &b.down].map(Clone::clone));
            gains.extend([&b.norm1, &b.norm2].map(Clone::clone));
        }
        (matrices, gains)
    }

    fn normed(&self, x: &Tensor, gain: &Var) -> Result<Tensor> {
        let mean = (x.sqr()?.sum_keepdim(D::Minus1)? / self.config.width as f64)?;
        Ok(x.broadcast_div(&(mean + self.config.eps)?.sqrt()?)?.broadcast_mul(gain)?)
    }

    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        Ok(candle_nn::rotary_emb::rope_slow(x, &self.cos, &self.sin)?)
    }

    fn attend(&self, block: &Block, x: &Tensor) -> Result<Tensor> {
        let c = &self.config;
        let (b, t, _) = x.dims3()?;
        let (h, k, d) = (c.heads, c.kv_heads, c.head_dim);
        let y = linear(x, &block.qkv)?.reshape((b, t, h + 2 * k, d))?.transpose(1, 2)?;
        let part = |from: usize, n: usize| -> Result<Tensor> { Ok(y.narrow(1, from, n)?.contiguous()?) };
        let (q, key, value) = (self.rotate(&part(0, h)?)?, self.rotate(&part(h, k)?)?, part(h + k, k)?);
        // Queries of one group share keys: they stand below each other.
        let g = h / k;
        let q = q.reshape((b, k, g * t, d))?;
        let scores = (q.matmul(&key.transpose(2, 3)?.contiguous()?)? / (d as f64).sqrt())?;
        let scores = scores.reshape((b, k, g, t, t))?.broadcast_add(&self.mask)?;
        let weights = ops::softmax(&scores, D::Minus1)?.reshape((b, k, g * t, t))?;
        let y = weights.matmul(&value)?.reshape((b, h, t, d))?.transpose(1, 2)?.contiguous()?;
        linear(&y.reshape((b, t, h * d))?, &block.out)
    }

    fn loss(&self, inputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let (b, t) = inputs.dims2()?;
        let c = self.config.width;
        let mut x = self.embedding.index_select(&inputs.flatten_all()?, 0)?.reshape((b, t, c))?;
        for block in &self.blocks {
            x = (&x + self.attend(block, &self.normed(&x, &block.norm1)?)?)?;
            let y = linear(&self.normed(&x, &block.norm2)?, &block.gate_up)?;
            let parts = y.chunk(2, D::Minus1)?;
            x = (&x + linear(&(ops::silu(&parts[0].contiguous()?)? * parts[1].contiguous()?)?, &block.down)?)?;
        }
        let logits = linear(&self.normed(&x, &self.norm)?, &self.embedding)?.reshape((b * t, self.config.vocab))?;
        Ok(candle_nn::loss::cross_entropy(&logits, &targets.flatten_all()?)?)
    }
}

/// x (b, t, c) times w (n, c) transposed.
fn linear(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let (b, t, c) = x.dims3()?;
    Ok(x.reshape((b * t, c))?.matmul(&w.t()?)?.reshape((b, t, w.dim(0)?))?)
}

/// Scales gradients whose norm together is above 1.
fn clip(grads: &mut GradStore, params: &[Var]) -> Result<()> {
    let mut squares = 0.0;
    for p in params {
        if let Some(g) = grads.get(p) {
            squares += f64::from(g.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
    }
    let norm = squares.sqrt();
    for p in params.iter().filter(|_| norm > 1.0) {
        if let Some(g) = grads.get(p) {
            let scaled = (g / (norm + 1e-6))?;
            grads.insert(p, scaled);
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::read()?;
    let model = Decoder::load(&arguments.folder, arguments.config.clone())?;
    let (matrices, gains) = model.params();
    let all: Vec<Var> = matrices.iter().chain(&gains).cloned().collect();
    let settings = |weight_decay| ParamsAdamW { lr: 0.0, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay };
    let mut optimizers = [AdamW::new(matrices, settings(0.1))?, AdamW::new(gains, settings(0.0))?];
    let shape = (arguments.rows, arguments.config.context);
    serve("candle 0.11", |done| {
        let (inputs, targets) = arguments.batch(done);
        let tensor = |ids| Tensor::from_vec(ids, shape, &Device::Cpu);
        let loss = model.loss(&tensor(inputs)?, &tensor(targets)?)?;
        let mut grads = loss.backward()?;
        clip(&mut grads, &all)?;
        for optimizer in &mut optimizers {
            optimizer.set_learning_rate(rate(done));
            optimizer.step(&grads)?;
        }
        Ok(f64::from(loss.to_scalar::<f32>()?))
    })
}
