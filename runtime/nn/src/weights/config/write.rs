//! The members of `config.json` of each family.

use serde_json::{Map, Value, json};

use crate::spec::{Activation, Architecture, ChunkForm, Family, Order, Reach, Rotary, Stretch};

/// What a folder of the family says about the architecture, which the family can hold.
pub(super) fn members(family: Family, a: &Architecture) -> Map<String, Value> {
    let mut all = if family == Family::Gpt2 { gpt2(a) } else { base(a) };
    let own = match family {
        Family::Llama => json!({ "attention_bias": a.bias, "mlp_bias": a.bias }),
        Family::Mistral => json!({ "sliding_window": window(a) }),
        Family::Qwen2 => qwen_windows(a),
        Family::Qwen2Moe => qwen2_moe(a),
        Family::Gemma2 => gemma2(a),
        Family::Gpt2 => json!({}),
    };
    if family == Family::Gemma2 {
        all.remove("hidden_act");
    }
    all.insert("architectures".into(), json!([family.class()]));
    all.insert("model_type".into(), family.model_type().into());
    for part in [own, json!({ "tie_word_embeddings": a.tied, "initializer_range": a.init_std })] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    all
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn base(a: &Architecture) -> Map<String, Value> {
    let mut all = object(json!({
        "hidden_act": activation(a.ffn.activation, "gelu_pytorch_tanh"),
        "hidden_size": a.width,
        "intermediate_size": a.ffn.hidden,
        "num_hidden_layers": a.layers,
        "num_attention_heads": a.heads,
        "num_key_value_heads": a.kv_heads,
        "head_dim": a.head_dim,
        "vocab_size": a.vocab,
        "max_position_embeddings": a.context,
        "rms_norm_eps": a.norm.eps,
    }));
    if let Order::Rotary(rotary) = &a.order {
        let (stretch, plain) = (stretch(rotary), rotary.stretch == Stretch::None);
        // Both spellings: transformers 4 reads the first two, transformers 5 the third.
        all.insert("rope_theta".into(), rotary.base.into());
        all.insert("rope_scaling".into(), if plain { Value::Null } else { stretch.clone() });
        let mut parameters = object(stretch);
        parameters.insert("rope_theta".into(), rotary.base.into());
        all.insert("rope_parameters".into(), parameters.into());
        if let Some(ChunkForm { trained, chunk }) = rotary.chunks {
            // The names of vLLM, which runs it; transformers reads up to the trained length without it.
            let form = json!({ "chunk_size": trained, "local_size": trained - chunk });
            all.insert("dual_chunk_attention_config".into(), form);
        }
    }
    all
}

fn stretch(rotary: &Rotary) -> Value {
    match rotary.stretch {
        Stretch::None => json!({ "rope_type": "default" }),
        Stretch::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
        Stretch::Llama3 { factor, low, high, original } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": original,
        }),
        Stretch::Yarn { factor, original, fast, slow, attention } => json!({
            "rope_type": "yarn",
            "factor": factor,
            "original_max_position_embeddings": original,
            "beta_fast": fast,
            "beta_slow": slow,
            "attention_factor": attention,
        }),
    }
}

fn activation(activation: Activation, tanh: &str) -> &str {
    match activation {
        Activation::Silu => "silu",
        Activation::GeluTanh => tanh,
        Activation::Gelu => "gelu",
        Activation::Relu2 => "relu2",
    }
}

/// The one window of a pattern.
fn window(a: &Architecture) -> Option<usize> {
    a.pattern.iter().find_map(|reach| if let Reach::Window(window) = reach { Some(*window) } else { None })
}

fn layer_types(a: &Architecture) -> Vec<&'static str> {
    let name = |reach| if matches!(reach, Reach::Window(_)) { "sliding_attention" } else { "full_attention" };
    (0..a.layers).map(|block| name(a.reach(block))).collect()
}

fn qwen_windows(a: &Architecture) -> Value {
    let types = layer_types(a);
    // Versions without `layer_types` know one border: full attention before it, windows behind it.
    let border = types.iter().position(|t| *t == "sliding_attention").unwrap_or(a.layers);
    json!({
        "use_sliding_window": window(a).is_some(),
        "sliding_window": window(a),
        "max_window_layers": border,
        "layer_types": types,
    })
}

fn qwen2_moe(a: &Architecture) -> Value {
    let mut all = object(qwen_windows(a));
    all.insert("qkv_bias".into(), a.qkv_bias.into());
    if let Some(e) = a.experts {
        all.extend(object(json!({
            "num_experts": e.routed,
            "num_experts_per_tok": e.active,
            "moe_intermediate_size": e.hidden,
            "shared_expert_intermediate_size": e.shared,
            "norm_topk_prob": e.renormalise,
            "router_aux_loss_coef": e.balance,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
        })));
    }
    Value::Object(all)
}

fn gemma2(a: &Architecture) -> Value {
    let scalar = a.score_scale.map_or(a.head_dim as f64, |scale| 1.0 / (scale * scale));
    // 1 / 0.0625^2 is 256; another scale may have no whole number.
    let whole = (scalar - scalar.round()).abs() < 1e-9 * scalar;
    json!({
        "hidden_activation": activation(a.ffn.activation, "gelu_pytorch_tanh"),
        "query_pre_attn_scalar": if whole { json!(scalar.round() as u64) } else { json!(scalar) },
        "attn_logit_softcapping": a.attention_cap,
        "final_logit_softcapping": a.logit_cap,
        "sliding_window": window(a).unwrap_or(a.context),
        "layer_types": layer_types(a),
        "attention_bias": false,
    })
}

fn gpt2(a: &Architecture) -> Map<String, Value> {
    object(json!({
        "activation_function": activation(a.ffn.activation, "gelu_new"),
        "n_embd": a.width,
        "n_head": a.heads,
        "n_layer": a.layers,
        "n_inner": a.ffn.hidden,
        "n_positions": a.context,
        "vocab_size": a.vocab,
        "layer_norm_epsilon": a.norm.eps,
        "resid_pdrop": a.dropout,
        "embd_pdrop": a.dropout,
        "attn_pdrop": a.dropout,
    }))
}
