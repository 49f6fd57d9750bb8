//! What published model families call our parameters in their files, and how transformers joins them in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::{Architecture, Order, Reach};
use crate::kinds::NormPlace;

/// A model family of Hugging Face's transformers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `LlamaForCausalLM`.
    Llama,
    /// `MistralForCausalLM`: a Llama whose blocks all have one window.
    Mistral,
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

/// llama.cpp's names of the leaves of a block.
const GGUF: &[(&str, &str)] = &[
    ("attention.norm", "attn_norm"),
    ("attention.q", "attn_q"),
    ("attention.k", "attn_k"),
    ("attention.v", "attn_v"),
    ("attention.o", "attn_output"),
    ("attention.post_norm", "post_attention_norm"),
    ("ffn.norm", "ffn_norm"),
    ("ffn.gate", "ffn_gate"),
    ("ffn.up", "ffn_up"),
    ("ffn.down", "ffn_down"),
    ("ffn.post_norm", "post_ffw_norm"),
];

impl Family {
    /// All of them.
    pub const ALL: [Family; 6] =
        [Family::Llama, Family::Mistral, Family::Qwen2, Family::Qwen2Moe, Family::Gemma2, Family::Gpt2];

    /// `model_type` of its `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Family::Llama => "llama",
            Family::Mistral => "mistral",
            Family::Qwen2 => "qwen2",
            Family::Qwen2Moe => "qwen2_moe",
            Family::Gemma2 => "gemma2",
            Family::Gpt2 => "gpt2",
        }
    }

    /// The class of transformers that runs it.
    pub fn class(self) -> &'static str {
        match self {
            Family::Llama => "LlamaForCausalLM",
            Family::Mistral => "MistralForCausalLM",
            Family::Qwen2 => "Qwen2ForCausalLM",
            Family::Qwen2Moe => "Qwen2MoeForCausalLM",
            Family::Gemma2 => "Gemma2ForCausalLM",
            Family::Gpt2 => "GPT2LMHeadModel",
        }
    }

    /// The family whose files can hold this architecture.
    pub fn of(sizes: &Architecture) -> Option<Family> {
        Family::nearest(sizes).ok()
    }

    /// The family whose files can hold this architecture, else what the nearest family lacks, in words.
    pub fn nearest(sizes: &Architecture) -> Result<Family, String> {
        let mut best: Option<(Family, Vec<&'static str>)> = None;
        for family in Family::ALL {
            let lacks = family.lacks(sizes);
            if best.as_ref().is_none_or(|(_, fewest)| lacks.len() < fewest.len()) {
                best = Some((family, lacks));
            }
        }
        match best {
            Some((family, lacks)) if lacks.is_empty() => Ok(family),
            Some((family, lacks)) => Err(format!(
                "no family of transformers holds this model; the nearest, {}, has no {}",
                family.model_type(),
                lacks.join(", no ")
            )),
            None => Err("no family is known".to_owned()),
        }
    }

    /// What the architecture has and the family has not.
    fn lacks(self, a: &Architecture) -> Vec<&'static str> {
        let window = |reach: &Reach| matches!(reach, Reach::Window(_));
        let windows: BTreeSet<usize> =
            a.pattern.iter().filter_map(|r| if let Reach::Window(n) = r { Some(*n) } else { None }).collect();
        let (gemma, gpt2) = (self == Family::Gemma2, self == Family::Gpt2);
        let chunked = matches!(self, Family::Qwen2 | Family::Qwen2Moe);
        let rotary = matches!(a.order, Order::Rotary(it) if chunked || it.chunks.is_none());
        let place = if gemma { NormPlace::Sandwich } else { NormPlace::Pre };
        let norm = a.norm.rms != gpt2 && a.norm.bias == gpt2 && a.norm.offset == gemma;
        let (bias, qkv_bias) = match self {
            Family::Llama => (true, a.bias || !a.qkv_bias),
            Family::Mistral | Family::Gemma2 => (!a.bias, !a.qkv_bias),
            Family::Qwen2 => (!a.bias, a.qkv_bias),
            Family::Qwen2Moe => (!a.bias, true),
            Family::Gpt2 => (a.bias, true),
        };
        let pattern = match self {
            Family::Llama | Family::Gpt2 => a.pattern.iter().all(|r| *r == Reach::Global),
            Family::Mistral => windows.len() == 1 && a.pattern.iter().all(window),
            Family::Qwen2 | Family::Qwen2Moe | Family::Gemma2 => {
                windows.len() <= 1 && a.pattern.iter().all(|r| window(r) || *r == Reach::Global)
            }
        };
        let scale = (a.width as f64).sqrt();
        let scaled = a.embedding_scale.is_some_and(|s| (s / scale - 1.0).abs() < 1e-5);
        let heads = !gpt2 || (a.heads == a.kv_heads && a.query_width() == a.width);
        let experts = match (self, &a.experts) {
            (Family::Qwen2Moe, Some(e)) => e.shared > 0 && e.shared_gate,
            (Family::Qwen2Moe, None) => false,
            (_, experts) => experts.is_none(),
        };
        let has = [
            (experts, "such experts"),
            (a.ffn.gated != gpt2, "such feed-forward"),
            (norm, "such norm"),
            (a.norm_place == place, "norms at these places"),
            (a.qk_norm.is_none(), "norm of queries and keys"),
            (if gpt2 { a.order == Order::Table } else { rotary }, "such positions"),
            (bias, "such biases"),
            (qkv_bias, "such biases of queries, keys and values"),
            (pattern, "such pattern of windows"),
            (heads, "such heads"),
            (gemma || a.score_scale.is_none(), "scale of scores"),
            (gemma || (a.attention_cap.is_none() && a.logit_cap.is_none()), "caps"),
            (if gemma { scaled } else { a.embedding_scale.is_none() }, "such scale of the embedding"),
        ];
        has.into_iter().filter(|(has, _)| !has).map(|(_, words)| words).collect()
    }

    fn leaves(self) -> [&'static [(&'static str, &'static str)]; 2] {
        match self {
            Family::Llama | Family::Mistral | Family::Qwen2 => [COMMON, AFTER_ATTENTION],
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

    /// llama.cpp's name of the parameter at `path`, the same in all families that are written for it.
    pub fn gguf_name(path: &str) -> String {
        let (path, kind) = path.strip_suffix(".bias").map_or((path, "weight"), |path| (path, "bias"));
        let once = [("embedding", "token_embd"), ("norm", "output_norm"), ("head", "output")];
        if let Some((_, theirs)) = once.into_iter().find(|(ours, _)| *ours == path) {
            return format!("{theirs}.{kind}");
        }
        let rest = path.strip_prefix("blocks.").unwrap_or(path);
        let (block, leaf) = rest.split_once('.').unwrap_or((rest, ""));
        let found = GGUF.iter().find(|(ours, _)| *ours == leaf);
        format!("blk.{block}.{}.{kind}", found.map_or(leaf, |(_, theirs)| theirs))
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
