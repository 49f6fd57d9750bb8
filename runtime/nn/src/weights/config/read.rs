//! The members of `config.json` of each family, as an architecture. Defaults are those of transformers.

use serde_json::{Map, Value, json};

use super::Config;
use crate::kinds::NormPlace;
use crate::spec::{
    Activation, Architecture, ChunkForm, ExpertForm, Family, FeedForward, NormForm, Order, Reach, Rotary,
    Stretch,
};

type Read<T> = Result<T, String>;

/// What `config.json` says about a model of the family.
pub(super) fn architecture(family: Family, c: &Config<'_>) -> Read<Architecture> {
    if family == Family::Gpt2 {
        return gpt2(c);
    }
    let sizes = base(c)?;
    match family {
        Family::Llama => llama(c, sizes),
        Family::Mistral => {
            let window = if c.map.contains_key("sliding_window") { None } else { Some(4096) };
            let window = window.or(optional_size(c, "sliding_window")?);
            Ok(Architecture { pattern: vec![window.map_or(Reach::Global, Reach::Window)], ..sizes })
        }
        Family::Qwen2 => Ok(Architecture { qkv_bias: true, pattern: qwen_pattern(c, &sizes)?, ..sizes }),
        Family::Qwen2Moe => qwen2_moe(c, sizes),
        Family::Gemma2 | Family::Gpt2 => gemma2(c, sizes),
    }
}

fn optional_size(c: &Config<'_>, key: &str) -> Read<Option<usize>> {
    c.get(key).map(|_| c.size(key, None)).transpose()
}

/// What all families but GPT-2 share.
fn base(c: &Config<'_>) -> Read<Architecture> {
    let (width, heads) = (c.size("hidden_size", None)?, c.size("num_attention_heads", None)?);
    let derived = (heads > 0 && width.is_multiple_of(heads)).then(|| width / heads);
    let plain = Architecture::default();
    Ok(Architecture {
        vocab: c.size("vocab_size", None)?,
        layers: c.size("num_hidden_layers", None)?,
        width,
        heads,
        kv_heads: c.size("num_key_value_heads", Some(heads))?,
        head_dim: c.size("head_dim", derived)?,
        ffn: FeedForward {
            activation: activation(c.text("hidden_act", "silu")?, "hidden_act")?,
            gated: true,
            hidden: c.size("intermediate_size", None)?,
        },
        norm: NormForm { eps: c.number("rms_norm_eps", Some(1e-6))?, ..plain.norm },
        order: Order::Rotary(rotary(c)?),
        tied: c.flag("tie_word_embeddings", false)?,
        context: c.size("max_position_embeddings", Some(2048))?,
        init_std: c.number("initializer_range", Some(0.02))?,
        ..plain
    })
}

fn llama(c: &Config<'_>, sizes: Architecture) -> Read<Architecture> {
    let (attention, ffn) = (c.flag("attention_bias", false)?, c.flag("mlp_bias", false)?);
    if attention != ffn {
        return Err(format!(
            "`attention_bias` is {attention} and `mlp_bias` {ffn}; only both or none are known"
        ));
    }
    Ok(Architecture { bias: ffn, ..sizes })
}

fn qwen2_moe(c: &Config<'_>, sizes: Architecture) -> Read<Architecture> {
    c.must_be("decoder_sparse_step", 1)?;
    c.must_be("mlp_only_layers", json!([]))?;
    let experts = ExpertForm {
        routed: c.size("num_experts", Some(60))?,
        active: c.size("num_experts_per_tok", Some(4))?,
        hidden: c.size("moe_intermediate_size", Some(1408))?,
        shared: c.size("shared_expert_intermediate_size", Some(5632))?,
        shared_gate: true,
        renormalise: c.flag("norm_topk_prob", false)?,
        balance: c.number("router_aux_loss_coef", Some(0.001))?,
    };
    let pattern = qwen_pattern(c, &sizes)?;
    Ok(Architecture { experts: Some(experts), qkv_bias: c.flag("qkv_bias", true)?, pattern, ..sizes })
}

fn gemma2(c: &Config<'_>, sizes: Architecture) -> Read<Architecture> {
    c.must_be("attention_bias", false)?;
    c.must_be("use_bidirectional_attention", false)?;
    // Old files name two activations; the second one is used.
    let act = c.text("hidden_activation", "gelu_pytorch_tanh")?;
    let scalar = c.number("query_pre_attn_scalar", Some(256.0))?;
    let head_dim = c.size("head_dim", Some(256))?;
    if scalar <= 0.0 {
        return Err(format!("`query_pre_attn_scalar` is {scalar}, it must be above 0"));
    }
    let window = c.size("sliding_window", Some(4096))?;
    let default = |block: usize| if block.is_multiple_of(2) { Reach::Window(window) } else { Reach::Global };
    Ok(Architecture {
        ffn: FeedForward { activation: activation(act, "hidden_activation")?, ..sizes.ffn },
        norm: NormForm { offset: true, ..sizes.norm },
        norm_place: NormPlace::Sandwich,
        kv_heads: c.size("num_key_value_heads", Some(4))?,
        head_dim,
        pattern: pattern(c, &sizes, Some(window), default)?,
        score_scale: (scalar != head_dim as f64).then(|| scalar.powf(-0.5)),
        attention_cap: c.optional("attn_logit_softcapping")?,
        logit_cap: c.optional("final_logit_softcapping")?,
        embedding_scale: Some((sizes.width as f64).sqrt()),
        tied: c.flag("tie_word_embeddings", true)?,
        ..sizes
    })
}

fn gpt2(c: &Config<'_>) -> Read<Architecture> {
    let (width, heads) = (c.size("n_embd", None)?, c.size("n_head", None)?);
    c.must_be("scale_attn_weights", true)?;
    for key in ["scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention"] {
        c.must_be(key, false)?;
    }
    for (key, _) in c.map.iter().filter(|(key, _)| key.starts_with("summary_")) {
        c.get(key);
    }
    let drops = ["resid_pdrop", "embd_pdrop", "attn_pdrop"].map(|key| c.number(key, Some(0.1)));
    let [resid, embd, attn] = drops;
    let (dropout, others) = (resid?, [embd?, attn?]);
    if others.iter().any(|other| *other != dropout) {
        return Err(
            "`resid_pdrop`, `embd_pdrop` and `attn_pdrop` differ; one share of dropout is known".to_owned()
        );
    }
    let act = c.text("activation_function", "gelu_new")?;
    Ok(Architecture {
        vocab: c.size("vocab_size", None)?,
        layers: c.size("n_layer", None)?,
        width,
        heads,
        kv_heads: heads,
        head_dim: width.checked_div(heads).filter(|d| d * heads == width).unwrap_or(0),
        ffn: FeedForward {
            activation: activation(act, "activation_function")?,
            gated: false,
            hidden: c.size("n_inner", Some(4 * width))?,
        },
        norm: NormForm {
            rms: false,
            bias: true,
            offset: false,
            eps: c.number("layer_norm_epsilon", Some(1e-5))?,
        },
        order: Order::Table,
        bias: true,
        tied: c.flag("tie_word_embeddings", true)?,
        dropout,
        context: c.size("n_positions", None)?,
        init_std: c.number("initializer_range", Some(0.02))?,
        ..Architecture::default()
    })
}

fn activation(name: &str, key: &str) -> Read<Activation> {
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu_pytorch_tanh" | "gelu_new" => Ok(Activation::GeluTanh),
        "gelu" => Ok(Activation::Gelu),
        "relu2" => Ok(Activation::Relu2),
        _ => {
            Err(format!("`{key}` is \"{name}\"; silu, gelu_pytorch_tanh, gelu_new, gelu and relu2 are known"))
        }
    }
}

/// Which layers see a window: by `layer_types`, else by the family's own rule.
fn pattern(
    c: &Config<'_>,
    sizes: &Architecture,
    window: Option<usize>,
    rule: impl Fn(usize) -> Reach,
) -> Read<Vec<Reach>> {
    let Some(types) = c.get("layer_types") else {
        return Ok(shortest((0..sizes.layers).map(rule).collect()));
    };
    let wrong = || {
        format!(
            "`layer_types` is {types}; {} names of layers with or without a window are wanted",
            sizes.layers
        )
    };
    let types = types.as_array().filter(|types| types.len() == sizes.layers).ok_or_else(wrong)?;
    let one = |name: &Value| match (name.as_str(), window) {
        (Some("full_attention"), _) => Ok(Reach::Global),
        (Some("sliding_attention"), Some(window)) => Ok(Reach::Window(window)),
        _ => Err(wrong()),
    };
    types.iter().map(one).collect::<Read<_>>().map(shortest)
}

fn qwen_pattern(c: &Config<'_>, sizes: &Architecture) -> Read<Vec<Reach>> {
    let (used, given) = (c.flag("use_sliding_window", false)?, c.get("sliding_window").is_some());
    let window = if used && given { Some(c.size("sliding_window", None)?) } else { None };
    let first = c.size("max_window_layers", Some(28))?;
    let rule = |block| match window {
        Some(window) if block >= first => Reach::Window(window),
        _ => Reach::Global,
    };
    pattern(c, sizes, window, rule)
}

/// The shortest start of the list whose repetition is the list.
fn shortest(all: Vec<Reach>) -> Vec<Reach> {
    let repeats = |n: &usize| all.iter().enumerate().all(|(i, reach)| *reach == all[i % n]);
    let n = (1..=all.len()).find(repeats).unwrap_or(0);
    let mut all = all;
    all.truncate(n);
    if all.is_empty() { vec![Reach::Global] } else { all }
}

/// The base stands at the top (transformers 4) or in `rope_parameters` (transformers 5).
fn rotary(c: &Config<'_>) -> Read<Rotary> {
    c.must_be("partial_rotary_factor", 1.0)?;
    let mut rotary =
        Rotary { base: c.number("rope_theta", Some(10_000.0))?, stretch: Stretch::None, chunks: None };
    for key in ["rope_scaling", "rope_parameters"] {
        let Some(value) = c.get(key) else { continue };
        let Value::Object(map) = value else { return Err(format!("`{key}` is {value}, not an object")) };
        let inner = Config { map, asked: Default::default() };
        rotary.base = inner.number("rope_theta", Some(rotary.base))?;
        let longest = c.size("max_position_embeddings", Some(2048))?;
        rotary.stretch = stretch(&inner, map, longest).map_err(|words| format!("`{key}`: {words}"))?;
        inner.refuse_unknown().map_err(|words| format!("`{key}`: {words}"))?;
    }
    rotary.chunks = chunks(c).map_err(|words| format!("`{CHUNKS}`: {words}"))?;
    Ok(rotary)
}

const CHUNKS: &str = "dual_chunk_attention_config";

/// Dual chunk attention under the names of vLLM.
fn chunks(c: &Config<'_>) -> Read<Option<ChunkForm>> {
    let Some(value) = c.get(CHUNKS) else { return Ok(None) };
    let Value::Object(map) = value else { return Err(format!("{value} is not an object")) };
    let inner = Config { map, asked: Default::default() };
    let (trained, near) = (inner.size("chunk_size", None)?, inner.size("local_size", None)?);
    inner.must_be("original_max_position_embeddings", trained)?;
    inner.refuse_unknown()?;
    let chunk = trained.checked_sub(near).filter(|chunk| *chunk > 0);
    let chunk = chunk.ok_or_else(|| format!("`local_size` {near} leaves nothing of a chunk of {trained}"))?;
    Ok(Some(ChunkForm { trained, chunk }))
}

fn stretch(c: &Config<'_>, map: &Map<String, Value>, longest: usize) -> Read<Stretch> {
    c.must_be("partial_rotary_factor", 1.0)?;
    let older = map.get("type").and_then(Value::as_str).unwrap_or("default");
    c.get("type");
    match c.text("rope_type", older)? {
        "default" => Ok(Stretch::None),
        "linear" => Ok(Stretch::Linear { factor: c.number("factor", None)? }),
        "llama3" => Ok(Stretch::Llama3 {
            factor: c.number("factor", None)?,
            low: c.number("low_freq_factor", None)?,
            high: c.number("high_freq_factor", None)?,
            original: c.size("original_max_position_embeddings", None)?,
        }),
        "yarn" => {
            c.must_be("truncate", true)?;
            let factor = c.number("factor", None)?;
            Ok(Stretch::Yarn {
                factor,
                original: c.size("original_max_position_embeddings", Some(longest))?,
                fast: c.number("beta_fast", Some(32.0))?,
                slow: c.number("beta_slow", Some(1.0))?,
                attention: c.number("attention_factor", Some(0.1 * factor.ln() + 1.0))?,
            })
        }
        other => {
            Err(format!("rotary positions of type \"{other}\" are not known (default, linear, llama3, yarn)"))
        }
    }
}
