//! Data steps that run a model, and those on its answers.

mod answers;
mod choose;
mod generate;
mod verify;
mod write;

use llmp_data::readers::Roots;
use llmp_data::steps::{Built, Step};
use llmp_data::{DataError, Result};
use llmp_stdlib::{Record, Settings, Signature};

pub use answers::{BestWorstPair, KeepBest, MajorityVote, Score};
pub use choose::{Choosing, Pick, Picking};
pub use generate::{Committee, Generate, Members, Models};
pub(crate) use verify::numbers;
pub use verify::{Checker, Exact, Json, Matching, Number, UnitTests, Verdict, Verifier, Verify};
pub use write::{Direction, Evolve, Judge, Rephrase, Synthesize, SynthesizeQa, Tag, Translate};

/// The signatures of all steps, sorted by name.
pub const SIGNATURES: &[&Signature] = &[
    BestWorstPair::SIGNATURE,
    Evolve::SIGNATURE,
    Generate::SIGNATURE,
    Judge::SIGNATURE,
    KeepBest::SIGNATURE,
    MajorityVote::SIGNATURE,
    Rephrase::SIGNATURE,
    Score::SIGNATURE,
    Synthesize::SIGNATURE,
    SynthesizeQa::SIGNATURE,
    Tag::SIGNATURE,
    Translate::SIGNATURE,
    Verify::SIGNATURE,
];

/// Families whose constructors stand where an item is expected.
pub const FAMILIES: &[&llmp_stdlib::Family] = &[Choosing::FAMILY];

/// Makes a step that runs no model ready, as [`llmp_data::steps::build`] does; `None`: there is no such step.
///
/// Errors: arguments of the wrong form, a machine that cannot verify.
pub fn build(name: &str, args: &Record, roots: &Roots) -> Result<Option<Built>> {
    fn ready<S: Step>(args: &Record, roots: &Roots) -> Result<Option<Built>> {
        let words = |problems: Vec<llmp_stdlib::Problem>| DataError::Step {
            step: S::SIGNATURE.name,
            what: problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; "),
        };
        S::read(args).map_err(words)?.build(roots).map(Some)
    }
    match name {
        "best_worst_pair" => ready::<BestWorstPair>(args, roots),
        "keep_best" => ready::<KeepBest>(args, roots),
        "majority_vote" => ready::<MajorityVote>(args, roots),
        "verify" => ready::<Verify>(args, roots),
        _ => Ok(None),
    }
}

/// Whether a model runs in a step: it is a task of its own.
pub fn runs_model(name: &str) -> bool {
    const WITHOUT: [&str; 4] = ["best_worst_pair", "keep_best", "majority_vote", "verify"];
    SIGNATURES.iter().any(|signature| signature.name == name) && !WITHOUT.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_stdlib::{Record, State};

    #[test]
    fn steps_are_sorted_and_shown() {
        assert!(SIGNATURES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(SIGNATURES.iter().all(|s| s.flow.is_some() && s.doc.contains("```llmp")));
    }

    #[test]
    fn answers_become_conversations_or_pairs() {
        let to = |signature: &Signature, from| signature.flow.unwrap().gives(&Record::new(), Some(from));
        assert_eq!(to(Generate::SIGNATURE, State::Prompt), Some(State::Answers));
        assert_eq!(to(Score::SIGNATURE, State::Answers), Some(State::Answers));
        assert_eq!(to(KeepBest::SIGNATURE, State::Answers), Some(State::Chat));
        assert_eq!(to(BestWorstPair::SIGNATURE, State::Answers), Some(State::Preference));
        assert_eq!(to(Translate::SIGNATURE, State::Chat), Some(State::Chat));
    }
}
