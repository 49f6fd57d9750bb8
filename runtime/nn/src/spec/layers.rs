//! Which matrices of a model an adapter adds to.

use super::{Architecture, Family, ParamInfo, Role};

/// Which matrices get an addition. Embeddings, heads and routers never do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layers {
    /// All of attention and feed-forward.
    All,
    /// Those of attention.
    Attention,
    /// Those of the feed-forward.
    FeedForward,
    /// By name, ours (`q`) or that of transformers (`q_proj`), whole or its last parts.
    Named(Vec<String>),
}

impl Layers {
    /// The matrices among the parameters of a model, with their places.
    pub fn of(&self, sizes: &Architecture) -> Vec<(usize, ParamInfo)> {
        let family = Family::of(sizes);
        let bears = |info: &ParamInfo| {
            let routes = info.name.ends_with("router") || info.name.ends_with("shared_gate");
            info.role == Role::Matrix && info.shape.len() == 2 && !routes && self.hold(&info.name, family)
        };
        sizes.params().into_iter().enumerate().filter(|(_, info)| bears(info)).collect()
    }

    /// Numbers of an adapter of this rank on them.
    pub fn numbers(&self, sizes: &Architecture, rank: u64) -> u64 {
        let of = |info: &ParamInfo| rank.saturating_mul((info.shape[0] + info.shape[1]) as u64);
        self.of(sizes).iter().map(|(_, info)| of(info)).fold(0, u64::saturating_add)
    }

    fn hold(&self, path: &str, family: Option<Family>) -> bool {
        match self {
            Layers::All => true,
            Layers::Attention => path.contains(".attention."),
            Layers::FeedForward => path.contains(".ffn."),
            Layers::Named(names) => {
                let theirs = family.map(|f| f.name(path)).unwrap_or_default();
                let theirs = theirs.trim_end_matches(".weight");
                let ends = |all: &str, name: &str| {
                    all.strip_suffix(name).is_some_and(|r| r.is_empty() || r.ends_with('.'))
                };
                names.iter().any(|name| ends(path, name) || ends(theirs, name))
            }
        }
    }
}
