//! Our parameter names as Hugging Face's `LlamaForCausalLM` calls them.

/// The name in a weight file of the parameter called `name` in the block tree.
pub(crate) fn hugging_face(name: &str) -> String {
    match name {
        "embedding" => return "model.embed_tokens.weight".into(),
        "norm" => return "model.norm.weight".into(),
        "head" => return "lm_head.weight".into(),
        _ => {}
    }
    let rest = name.strip_prefix("blocks.").unwrap_or(name);
    let (block, leaf) = rest.split_once('.').unwrap_or((rest, ""));
    let leaf = match leaf {
        "attention.norm" => "input_layernorm",
        "attention.q" => "self_attn.q_proj",
        "attention.k" => "self_attn.k_proj",
        "attention.v" => "self_attn.v_proj",
        "attention.o" => "self_attn.o_proj",
        "ffn.norm" => "post_attention_layernorm",
        "ffn.gate" => "mlp.gate_proj",
        "ffn.up" => "mlp.up_proj",
        "ffn.down" => "mlp.down_proj",
        other => other,
    };
    format!("model.layers.{block}.{leaf}.weight")
}
