//! Data steps that run a model, and those on its answers: declared, checked and planned.

mod answers;
mod choose;
mod generate;
mod verify;
mod write;

use llmp_stdlib::{Settings, Signature};

pub use answers::{BestWorstPair, KeepBest, MajorityVote, Score};
pub use choose::{Choosing, Pick, Picking};
pub use generate::{Committee, Generate, Members, Models};
pub use verify::{Exact, Json, Matching, Number, UnitTests, Verifier, Verify};
pub use write::{Evolve, Judge, Rephrase, Synthesize, SynthesizeQa, Tag, Translate};

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

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_stdlib::{Record, State};

    #[test]
    fn steps_are_sorted_and_planned() {
        assert!(SIGNATURES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(SIGNATURES.iter().all(|s| s.planned && s.flow.is_some() && s.doc.contains("```llmp")));
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
