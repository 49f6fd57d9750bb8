//! Diagnostics of the syntax, one file each, and their table.

pub mod e0001_unexpected;
pub mod e0002_unclosed;
pub mod e0003_unopened;
pub mod e0004_unclosed_text;
pub mod e0005_value_missing;
pub mod e0006_equals_missing;
pub mod e0007_separator;
pub mod e0008_trailing_operator;
pub mod e0009_foreign_word;
pub mod e0010_member_outside;
pub mod e0014_edition;
pub mod e0015_too_deep;
pub mod e0016_control_character;
pub mod e0901_formatter_loss;

use crate::Info;

/// All codes of this crate, in order.
pub const ALL: &[&Info] = &[
    &e0001_unexpected::Unexpected::INFO,
    &e0002_unclosed::Unclosed::INFO,
    &e0003_unopened::Unopened::INFO,
    &e0004_unclosed_text::UnclosedText::INFO,
    &e0005_value_missing::ValueMissing::INFO,
    &e0006_equals_missing::EqualsMissing::INFO,
    &e0007_separator::Separator::INFO,
    &e0008_trailing_operator::TrailingOperator::INFO,
    &e0009_foreign_word::ForeignWord::INFO,
    &e0010_member_outside::MemberOutside::INFO,
    &e0014_edition::EditionLine::INFO,
    &e0015_too_deep::TooDeep::INFO,
    &e0016_control_character::ControlCharacter::INFO,
    &e0901_formatter_loss::FormatterLoss::INFO,
];
