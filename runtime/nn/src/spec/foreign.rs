//! What published model families call our parameters in their files, and how transformers joins them in memory.

use std::collections::BTreeMap;

use super::{Activation, Architecture, Order};
use crate::kinds::NormPlace;

/// A model family of Hugging Face's transformers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `LlamaForCausalLM`.
    Llama,
    /// `Qwen2ForCausalLM`.
    Qwen2,
    /// `Qwen2MoeForCausalLM`.
    Qwen2Moe,
    /// `Gemma2ForCausalLM`.
    Gemma2,
    /// `GPT2LMHeadModel`.
    Gpt2,
}

/// Leaves of a block that all families but GPT-2 share.
const COMMON: &[(&str, &str)] = &[
    ("attention.norm", "input_layernorm"),
    ("attention.q", "self_attn.q_proj"),
    ("attention.k", "self_attn.k_proj"),
    ("attention.v", "self_attn.v_proj"),
    ("attention.o", "self_attn.o_proj"),
    ("attention.q_norm", "self_attn.q_norm"),
    ("attention.k_norm", "self_attn.k_norm"),
    ("ffn.gate", "mlp.gate_proj"),
    ("ffn.up", "mlp.up_proj"),
    ("ffn.down", "mlp.down_proj"),
];

const AFTER_ATTENTION: &[(&str, &str)] = &[("ffn.norm", "post_attention_layernorm")];

const EXPERTS: &[(&str, &str)] = &[
    ("ffn.norm", "post_attention_layernorm"),
    ("ffn.router", "mlp.gate"),
    ("ffn.shared.gate", "mlp.shared_expert.gate_proj"),
    ("ffn.shared.up", "mlp.shared_expert.up_proj"),
    ("ffn.shared.down", "mlp.shared_expert.down_proj"),
    ("ffn.shared_gate", "mlp.shared_expert_gate"),
];

const SANDWICH: &[(&str, &str)] = &[
    ("attention.post_norm", "post_attention_layernorm"),
    ("ffn.norm", "pre_feedforward_layernorm"),
    ("ffn.post_norm", "post_feedforward_layernorm"),
];

const GPT2: &[(&str, &str)] = &[
    ("attention.norm", "ln_1"),
    ("attention.q", "attn.c_attn"),
    ("attention.k", "attn.c_attn"),
    ("attention.v", "attn.c_attn"),
    ("attention.o", "attn.c_proj"),
    ("ffn.norm", "ln_2"),
    ("ffn.up", "mlp.c_fc"),
    ("ffn.down", "mlp.c_proj"),
];

impl Family {
    /// All of them.
    pub const ALL: [Family; 5] =
        [Family::Llama, Family::Qwen2, Family::Qwen2Moe, Family::Gemma2, Family::Gpt2];

    /// `model_type` of its `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Family::Llama => "llama",
            Family::Qwen2 => "qwen2",
            Family::Qwen2Moe => "qwen2_moe",
            Family::Gemma2 => "gemma2",
            Family::Gpt2 => "gpt2",
        }
    }

    /// The family whose files can hold this architecture.
    pub fn of(sizes: &Architecture) -> Option<Family> {
        let silu = sizes.ffn.gated && sizes.ffn.activation == Activation::Silu;
        let gelu = sizes.ffn.activation == Activation::GeluTanh;
        let rotary = matches!(sizes.order, Order::Rotary(_)) && !sizes.bias && sizes.qk_norm.is_none();
        let plain = rotary && silu && sizes.norm.rms && !sizes.norm.offset;
        let pre = sizes.norm_place == NormPlace::Pre;
        let offset = sizes.norm.rms && sizes.norm.offset;
        match (&sizes.experts, sizes.qkv_bias) {
            (None, false) if plain && pre => Some(Family::Llama),
            (None, true) if plain && pre => Some(Family::Qwen2),
            (Some(e), true) if plain && pre && e.shared > 0 && e.shared_gate => Some(Family::Qwen2Moe),
            (None, false) if rotary && gelu && sizes.ffn.gated && offset && !pre => {
                (sizes.norm_place == NormPlace::Sandwich).then_some(Family::Gemma2)
            }
            (None, _) if sizes.order == Order::Table && sizes.bias && pre && gelu && !sizes.ffn.gated => {
                (sizes.norm.bias && sizes.heads == sizes.kv_heads).then_some(Family::Gpt2)
            }
            _ => None,
        }
    }

    fn leaves(self) -> [&'static [(&'static str, &'static str)]; 2] {
        match self {
            Family::Llama | Family::Qwen2 => [COMMON, AFTER_ATTENTION],
            Family::Qwen2Moe => [COMMON, EXPERTS],
            Family::Gemma2 => [COMMON, SANDWICH],
            Family::Gpt2 => [GPT2, &[]],
        }
    }

    /// The name in a weight file of the parameter at `path` in the tree of blocks. GPT-2 keeps queries, keys and
    /// values in one tensor, so three paths have one name there.
    pub fn name(self, path: &str) -> String {
        let (path, kind) = path.strip_suffix(".bias").map_or((path, "weight"), |path| (path, "bias"));
        let gpt2 = self == Family::Gpt2;
        let (body, blocks) = if gpt2 { ("transformer.", "h.") } else { ("model.", "layers.") };
        let once = match path {
            "embedding" if gpt2 => Some("transformer.wte"),
            "positions" => Some("transformer.wpe"),
            "norm" if gpt2 => Some("transformer.ln_f"),
            "embedding" => Some("model.embed_tokens"),
            "norm" => Some("model.norm"),
            "head" => Some("lm_head"),
            _ => None,
        };
        if let Some(once) = once {
            return format!("{once}.{kind}");
        }
        let rest = path.strip_prefix("blocks.").unwrap_or(path);
        let (block, leaf) = rest.split_once('.').unwrap_or((rest, ""));
        if let Some((expert, matrix)) = leaf.strip_prefix("ffn.experts.").and_then(|l| l.split_once('.')) {
            return format!("{body}{blocks}{block}.mlp.experts.{expert}.{matrix}_proj.{kind}");
        }
        let found = self.leaves().into_iter().flatten().find(|(ours, _)| *ours == leaf);
        let leaf = found.map_or(leaf, |(_, theirs)| *theirs);
        format!("{body}{blocks}{block}.{leaf}.{kind}")
    }

    /// Names and shapes of the parameters in the memory of transformers 5: GPT-2 stores `[inputs, outputs]`, with
    /// queries, keys and values side by side; the experts of a block are stacked, gate above up.
    pub fn state(self, sizes: &Architecture) -> BTreeMap<String, Vec<usize>> {
        let mut state: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for info in sizes.params() {
            let mut shape = info.shape;
            let (mut name, mut joined) = (self.name(&info.name), 0);
            if let Some((block, expert)) = info.name.split_once(".ffn.experts.") {
                let Some(matrix) = expert.strip_prefix("0.") else { continue };
                let fused = if matrix == "down" { "down_proj" } else { "gate_up_proj" };
                let block = block.trim_start_matches("blocks.");
                name = format!("model.layers.{block}.mlp.experts.{fused}");
                shape.insert(0, sizes.experts.map_or(0, |e| e.routed));
                joined = 1;
            } else if self == Family::Gpt2 && info.name.starts_with("blocks.") {
                shape.reverse();
                joined = shape.len() - 1;
            }
            match state.entry(name) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(shape);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut()[joined] += shape[joined];
                }
            }
        }
        state
    }
}
