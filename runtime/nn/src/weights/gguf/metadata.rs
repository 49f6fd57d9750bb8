//! The metadata of a model as llama.cpp names it, and what llama.cpp's three families can hold.

use std::io::{Read, Seek};

use crate::gguf::{Metadata, Reader, Storage, Value};
use crate::kinds::NormPlace;
use crate::spec::{Activation, Architecture, Family, FeedForward, NormForm, Order, Reach, Rotary, Stretch};

/// The tensor by whose numbers the rotary frequencies are divided.
pub(super) const FACTORS: &str = "rope_freqs.weight";

/// Llama 3.1's own borders between stretched and kept wavelengths, in turns over the original context, and that
/// context: a file holds only the factors that follow from them.
const LLAMA3: (f64, f64, usize) = (1.0, 4.0, 8192);

/// Members of `{family}.…` that are read.
const KNOWN: &[&str] = &[
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
];

/// The family under which llama.cpp runs this model, or why it cannot.
pub(super) fn family(a: &Architecture) -> Result<Family, String> {
    // A window that is no shorter than the context hides nothing.
    let wide = |r: &Reach| *r == Reach::Global || matches!(r, Reach::Window(n) if *n >= a.context);
    let global = a.pattern.iter().all(wide);
    let seen = if global { Architecture { pattern: vec![Reach::Global], ..a.clone() } } else { a.clone() };
    let words = "GGUF is written for llama, qwen2 and gemma2";
    let family = Family::nearest(&seen).map_err(|reason| format!("{words}: {reason}"))?;
    let is = |activation| a.ffn.activation == activation;
    let scores = 1.0 / (a.head_dim as f64).sqrt();
    let scaled = a.score_scale.is_none_or(|s| (s / scores - 1.0).abs() < 1e-6);
    let alternating = global || matches!(a.pattern[..], [Reach::Window(_), Reach::Global]);
    let obstacle = match family {
        Family::Llama | Family::Qwen2 if !is(Activation::Silu) => "another activation than silu",
        Family::Llama | Family::Qwen2 if !global => "windows",
        Family::Gemma2 if !is(Activation::GeluTanh) => "another activation than geglu",
        Family::Gemma2 if !alternating => "another pattern than [local(…), global]",
        Family::Gemma2 if !scaled => "a scale of scores of its own",
        Family::Gemma2 if a.attention_cap.is_none() || a.logit_cap.is_none() => "no caps",
        Family::Gemma2 if !a.tied => "a head of its own",
        Family::Mistral | Family::Qwen2Moe | Family::Gpt2 => {
            return Err(format!("{words}, this model is a {}", family.model_type()));
        }
        Family::Llama | Family::Qwen2 | Family::Gemma2 => match a.order {
            Order::Rotary(Rotary {
                stretch: Stretch::Yarn { fast, slow, factor, attention, .. }, ..
            }) if fast != 32.0 || slow != 1.0 || (attention - 0.1 * factor.ln() - 1.0).abs() > 1e-6 => {
                "settings of yarn of its own"
            }
            Order::Rotary(Rotary { chunks: Some(_), .. }) => "attention in chunks",
            Order::Rotary(_) | Order::Table | Order::None => return Ok(family),
        },
    };
    Err(format!("llama.cpp runs no {} with {obstacle}", family.model_type()))
}

/// The metadata of a model, the tokenizer left out.
pub(super) fn write(family: Family, a: &Architecture, storage: Storage, name: &str) -> Metadata {
    let file_type: u32 = match storage {
        Storage::F32 => 0,
        Storage::F16 => 1,
        Storage::Q4 => 2,
        Storage::Q41 => 3,
        Storage::Q8 => 7,
        Storage::Bf16 => 32,
    };
    let size = |n: usize| Value::U32(n as u32);
    let number = |x: f64| Value::F32(x as f32);
    let mut all: Metadata = vec![
        ("general.architecture".to_owned(), family.model_type().into()),
        ("general.type".to_owned(), "model".into()),
        ("general.name".to_owned(), name.into()),
        ("general.file_type".to_owned(), file_type.into()),
        ("general.quantization_version".to_owned(), 2.into()),
    ];
    let mut own = vec![
        ("vocab_size", size(a.vocab)),
        ("context_length", size(a.context)),
        ("embedding_length", size(a.width)),
        ("block_count", size(a.layers)),
        ("feed_forward_length", size(a.ffn.hidden)),
        ("attention.head_count", size(a.heads)),
        ("attention.head_count_kv", size(a.kv_heads)),
        ("attention.key_length", size(a.head_dim)),
        ("attention.value_length", size(a.head_dim)),
        ("attention.layer_norm_rms_epsilon", number(a.norm.eps)),
    ];
    if let Order::Rotary(rotary) = &a.order {
        own.extend([("rope.dimension_count", size(a.head_dim)), ("rope.freq_base", number(rotary.base))]);
        match rotary.stretch {
            Stretch::None | Stretch::Llama3 { .. } => {}
            Stretch::Linear { factor } => {
                own.extend([("rope.scaling.type", "linear".into()), ("rope.scaling.factor", number(factor))]);
            }
            Stretch::Yarn { factor, original, .. } => own.extend([
                ("rope.scaling.type", "yarn".into()),
                ("rope.scaling.factor", number(factor)),
                ("rope.scaling.original_context_length", size(original)),
            ]),
        }
    }
    if family == Family::Gemma2 {
        let window = a.pattern.iter().find_map(|r| if let Reach::Window(n) = r { Some(*n) } else { None });
        own.push(("attention.sliding_window", size(window.unwrap_or(a.context))));
        own.extend(a.attention_cap.map(|cap| ("attn_logit_softcapping", number(cap))));
        own.extend(a.logit_cap.map(|cap| ("final_logit_softcapping", number(cap))));
    }
    all.extend(own.into_iter().map(|(key, value)| (format!("{}.{key}", family.model_type()), value)));
    all
}

/// What the rotary frequencies of Llama 3.1 are divided by, pair by pair.
pub(super) fn frequency_factors(a: &Architecture) -> Option<Vec<f32>> {
    let Order::Rotary(Rotary { base, stretch: Stretch::Llama3 { factor, low, high, original }, .. }) =
        a.order
    else {
        return None;
    };
    let original = original as f64;
    let one = |pair: usize| {
        let frequency = base.powf(-2.0 * pair as f64 / a.head_dim as f64);
        let turns = original * frequency / std::f64::consts::TAU;
        if turns > high {
            1.0
        } else if turns < low {
            factor
        } else {
            let smooth = (turns - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    Some((0..a.head_dim / 2).map(|pair| one(pair) as f32).collect())
}

/// The family and sizes that a file describes.
pub(super) fn read<R: Read + Seek>(file: &mut Reader<R>) -> Result<(Family, Architecture), String> {
    let name = file.get("general.architecture").and_then(Value::as_text);
    let name = name.ok_or("`general.architecture` is missing")?;
    let family = [Family::Llama, Family::Qwen2, Family::Gemma2].into_iter().find(|f| f.model_type() == name);
    let family =
        family.ok_or_else(|| format!("the architecture is \"{name}\"; llama, qwen2 and gemma2 are read"))?;
    let own = Own { file, family };
    own.refuse_unknown()?;
    let (width, heads) = (own.size("embedding_length", None)?, own.size("attention.head_count", None)?);
    let gemma = family == Family::Gemma2;
    let head_dim = own.size("attention.key_length", Some(width.checked_div(heads).unwrap_or(0)))?;
    for key in ["attention.value_length", "rope.dimension_count"] {
        if own.size(key, Some(head_dim))? != head_dim {
            return Err(format!("`{name}.{key}` differs from the width of a head, {head_dim}"));
        }
    }
    let vocab = own.file.shape("token_embd.weight").and_then(|shape| shape.first().copied());
    let window = own.size("attention.sliding_window", Some(4096))?;
    let activation = if gemma { Activation::GeluTanh } else { Activation::Silu };
    let plain = Architecture::default();
    let sizes = Architecture {
        vocab: vocab.ok_or("there is no tensor `token_embd.weight`")?,
        layers: own.size("block_count", None)?,
        width,
        heads,
        kv_heads: own.size("attention.head_count_kv", Some(heads))?,
        head_dim,
        ffn: FeedForward { activation, gated: true, hidden: own.size("feed_forward_length", None)? },
        norm: NormForm {
            offset: gemma,
            eps: own
                .number("attention.layer_norm_rms_epsilon")?
                .ok_or("the epsilon of the norms is missing")?,
            ..plain.norm
        },
        norm_place: if gemma { NormPlace::Sandwich } else { NormPlace::Pre },
        order: Order::Rotary(own.rotary()?),
        qkv_bias: family == Family::Qwen2,
        bias: family == Family::Llama && own.file.shape("blk.0.ffn_down.bias").is_some(),
        pattern: if gemma { vec![Reach::Window(window), Reach::Global] } else { vec![Reach::Global] },
        attention_cap: if gemma { own.number("attn_logit_softcapping")?.or(Some(50.0)) } else { None },
        logit_cap: if gemma { own.number("final_logit_softcapping")?.or(Some(30.0)) } else { None },
        embedding_scale: gemma.then(|| (width as f64).sqrt()),
        tied: own.file.shape("output.weight").is_none(),
        context: own.size("context_length", None)?,
        ..plain
    };
    let sizes = with_factors(file, sizes)?;
    Ok((family, sizes))
}

/// Frequencies by factors are known where they are Llama 3.1's.
fn with_factors<R: Read + Seek>(file: &mut Reader<R>, sizes: Architecture) -> Result<Architecture, String> {
    if file.shape(FACTORS).is_none() {
        return Ok(sizes);
    }
    let found = file.read(FACTORS)?;
    let Order::Rotary(rotary) = sizes.order else { return Ok(sizes) };
    let (low, high, original) = LLAMA3;
    let factor = found.last().map_or(1.0, |f| f64::from(*f));
    // A factor between the borders tells the context.
    let between = found.iter().position(|f| *f > 1.001 && f64::from(*f) < factor * 0.999);
    let original = between.map_or(original, |pair| {
        let smooth = (1.0 / f64::from(found[pair]) - 1.0 / factor) / (1.0 - 1.0 / factor);
        let frequency = rotary.base.powf(-2.0 * pair as f64 / sizes.head_dim as f64);
        ((smooth * (high - low) + low) * std::f64::consts::TAU / frequency).round() as usize
    });
    let stretch = Stretch::Llama3 { factor, low, high, original };
    let sizes = Architecture { order: Order::Rotary(Rotary { stretch, ..rotary }), ..sizes };
    let wanted = frequency_factors(&sizes).unwrap_or_default();
    let same =
        found.len() == wanted.len() && found.iter().zip(&wanted).all(|(a, b)| (a / b - 1.0).abs() < 1e-4);
    if same { Ok(sizes) } else { Err(format!("tensor `{FACTORS}` does not hold the factors of Llama 3.1")) }
}

/// The members of a file that begin with its family's name.
struct Own<'a, R> {
    file: &'a Reader<R>,
    family: Family,
}

impl<R: Read + Seek> Own<'_, R> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.file.get(&format!("{}.{key}", self.family.model_type()))
    }

    fn size(&self, key: &str, default: Option<usize>) -> Result<usize, String> {
        let name = self.family.model_type();
        match (self.get(key), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(format!("`{name}.{key}` is missing")),
            (Some(value), _) => value
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .ok_or_else(|| format!("`{name}.{key}` is not one size")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, String> {
        let wrong = || format!("`{}.{key}` is not a number", self.family.model_type());
        self.get(key).map(|value| value.as_f64().ok_or_else(wrong)).transpose()
    }

    fn rotary(&self) -> Result<Rotary, String> {
        let base = self.number("rope.freq_base")?.unwrap_or(10_000.0);
        let factor = self.number("rope.scaling.factor")?;
        let kind = self.get("rope.scaling.type").and_then(Value::as_text).unwrap_or("none");
        let stretch = match (kind, factor) {
            ("none", _) | ("linear", None) => Stretch::None,
            ("linear", Some(factor)) => Stretch::Linear { factor },
            ("yarn", Some(factor)) => Stretch::Yarn {
                factor,
                original: self.size("rope.scaling.original_context_length", None)?,
                fast: 32.0,
                slow: 1.0,
                attention: 0.1 * factor.ln() + 1.0,
            },
            (other, _) => return Err(format!("rotary positions of type \"{other}\" are not known")),
        };
        Ok(Rotary { base, stretch, chunks: None })
    }

    fn refuse_unknown(&self) -> Result<(), String> {
        let prefix = format!("{}.", self.family.model_type());
        let members = self.file.metadata().iter().filter_map(|(key, _)| key.strip_prefix(&prefix));
        match members.into_iter().find(|key| !KNOWN.contains(key)) {
            None => Ok(()),
            Some(key) => Err(format!("`{prefix}{key}` is not known and may change what the model computes")),
        }
    }
}
