//! Our parameter names as Hugging Face's `LlamaForCausalLM` calls them.

use crate::spec::Family;

/// The name in a weight file of the parameter called `name` in the block tree.
pub(crate) fn hugging_face(name: &str) -> String {
    Family::Llama.name(name)
}
