//! Codes of the interpreter, one file each, and the table that joins them with those of the grammar.

mod e0011_unknown_kind;
mod e0012_duplicate_item;
mod e0013_duplicate_member;
mod e0101_unknown_name;
mod e0102_unknown_member;
mod e0103_missing_member;
mod e0104_not_allowed;
mod e0105_unknown_column;
mod e0106_cycle;
mod e0107_hides_built_in;
mod e0108_unused;
mod e0109_file_not_found;
mod e0110_not_offered;
mod e0111_not_locked;
mod e0112_differs_from_lock;
mod e0113_import_cycle;
mod e0115_leaves_project;
mod e0201_mismatch;
mod e0202_wrong_dimension;
mod e0203_bad_argument;
mod e0204_too_many_arguments;
mod e0205_bad_operator;
mod e0206_branches_differ;
mod e0207_wrong_state;
mod e0208_unusual_order;
mod e0209_out_of_range;
mod e0210_elements_differ;
mod e0211_optional_used;
mod e0212_not_static;
mod e0213_not_a_step;
mod e0301_unknown_unit;
mod e0302_unit_needed;
mod e0303_decimal_thousand;
mod e0304_percent_mixup;
mod e0305_number_too_large;
mod e0306_units_differ;
mod e0401_shares_miss;
mod e0402_bad_rest;
mod e0403_bad_weight;
mod e0404_repeated;
mod e0405_size_unknown;
mod e0406_evaluation_trained;
mod e0407_constant_condition;
mod e0408_costly_first;
mod e0409_license_forbids;
mod e0410_lacks_fields;
mod e0412_part_twice;
mod e0413_dedup_after_sample;
mod e0414_not_decontaminated;
mod e0415_synthetic_only;
mod e0501_heads_divide_width;
mod e0502_kv_heads_divide_heads;
mod e0503_vocab_too_small;
mod e0504_tokenizers_differ;
mod e0505_teacher_tokenizer;
mod e0506_context_beyond_positions;
mod e0507_odd_head_dim;
mod e0508_shapes_differ;
mod e0509_odd_size;
mod e0511_unlikely_size;
mod e0601_none_given;
mod e0602_both_given;
mod e0603_out_of_order;
mod e0604_longer_than_stage;
mod e0606_old_policy;
mod e0607_own_reference;
mod e0608_carry_without_next;
mod e0609_result_unused;
mod e0610_average_too_close;
mod e0611_not_an_ancestor;
mod e0612_own_pairs;
mod e0613_held_out_varies;
mod e0614_arms_equal;
mod e0615_not_held;
mod e0616_reference_unfit;
mod e0617_policy_unheld;
mod e0618_beta_form;
mod e0620_rate_for_mup;
mod e0621_switch_in_warmup;
mod e0622_few_steps;
mod e0701_does_not_fit;
mod e0703_not_available;
mod e0704_disk_full;
mod e0705_too_long;
mod e0801_unknown_param;
mod e0802_bad_override;
mod e0803_unknown_path;
mod e0804_unknown_variant;
mod e0805_check_failed;
mod e0806_undecided;
mod e0807_param_without_value;
mod e0902_needless_allow;
mod e0903_no_lock;

use llmp_grammar::Info;

pub use e0011_unknown_kind::UnknownKind;
pub use e0012_duplicate_item::DuplicateItem;
pub use e0013_duplicate_member::DuplicateMember;
pub use e0101_unknown_name::UnknownName;
pub use e0102_unknown_member::UnknownMember;
pub use e0103_missing_member::MissingMember;
pub use e0104_not_allowed::NotAllowed;
pub use e0105_unknown_column::UnknownColumn;
pub use e0106_cycle::Cycle;
pub use e0107_hides_built_in::HidesBuiltIn;
pub use e0108_unused::Unused;
pub use e0109_file_not_found::FileNotFound;
pub use e0110_not_offered::NotOffered;
pub use e0111_not_locked::NotLocked;
pub use e0112_differs_from_lock::DiffersFromLock;
pub use e0113_import_cycle::ImportCycle;
pub use e0115_leaves_project::LeavesProject;
pub use e0201_mismatch::Mismatch;
pub use e0202_wrong_dimension::WrongDimension;
pub use e0203_bad_argument::BadArgument;
pub use e0204_too_many_arguments::TooManyArguments;
pub use e0205_bad_operator::BadOperator;
pub use e0206_branches_differ::BranchesDiffer;
pub use e0207_wrong_state::WrongState;
pub use e0208_unusual_order::UnusualOrder;
pub use e0209_out_of_range::OutOfRange;
pub use e0210_elements_differ::ElementsDiffer;
pub use e0211_optional_used::OptionalUsed;
pub use e0212_not_static::NotStatic;
pub use e0213_not_a_step::NotAStep;
pub use e0301_unknown_unit::UnknownUnit;
pub use e0302_unit_needed::UnitNeeded;
pub use e0303_decimal_thousand::DecimalThousand;
pub use e0304_percent_mixup::PercentMixup;
pub use e0305_number_too_large::NumberTooLarge;
pub use e0306_units_differ::UnitsDiffer;
pub use e0401_shares_miss::SharesMiss;
pub use e0402_bad_rest::BadRest;
pub use e0403_bad_weight::BadWeight;
pub use e0404_repeated::Repeated;
pub use e0405_size_unknown::SizeUnknown;
pub use e0406_evaluation_trained::EvaluationTrained;
pub use e0407_constant_condition::ConstantCondition;
pub use e0408_costly_first::CostlyFirst;
pub use e0409_license_forbids::LicenseForbids;
pub use e0410_lacks_fields::LacksFields;
pub use e0412_part_twice::PartTwice;
pub use e0413_dedup_after_sample::DedupAfterSample;
pub use e0414_not_decontaminated::NotDecontaminated;
pub use e0415_synthetic_only::SyntheticOnly;
pub use e0501_heads_divide_width::HeadsDivideWidth;
pub use e0502_kv_heads_divide_heads::KvHeadsDivideHeads;
pub use e0503_vocab_too_small::VocabTooSmall;
pub use e0504_tokenizers_differ::TokenizersDiffer;
pub use e0505_teacher_tokenizer::TeacherTokenizer;
pub use e0506_context_beyond_positions::ContextBeyondPositions;
pub use e0507_odd_head_dim::OddHeadDim;
pub use e0508_shapes_differ::ShapesDiffer;
pub use e0509_odd_size::OddSize;
pub use e0511_unlikely_size::UnlikelySize;
pub use e0601_none_given::NoneGiven;
pub use e0602_both_given::BothGiven;
pub use e0603_out_of_order::OutOfOrder;
pub use e0604_longer_than_stage::LongerThanStage;
pub use e0606_old_policy::OldPolicy;
pub use e0607_own_reference::OwnReference;
pub use e0608_carry_without_next::CarryWithoutNext;
pub use e0609_result_unused::ResultUnused;
pub use e0610_average_too_close::AverageTooClose;
pub use e0611_not_an_ancestor::NotAnAncestor;
pub use e0612_own_pairs::OwnPairs;
pub use e0613_held_out_varies::HeldOutVaries;
pub use e0614_arms_equal::ArmsEqual;
pub use e0615_not_held::NotHeld;
pub use e0616_reference_unfit::ReferenceUnfit;
pub use e0617_policy_unheld::PolicyUnheld;
pub use e0618_beta_form::BetaForm;
pub use e0620_rate_for_mup::RateForMup;
pub use e0621_switch_in_warmup::SwitchInWarmup;
pub use e0622_few_steps::FewSteps;
pub use e0701_does_not_fit::DoesNotFit;
pub use e0703_not_available::NotAvailable;
pub use e0704_disk_full::DiskFull;
pub use e0705_too_long::TooLong;
pub use e0801_unknown_param::UnknownParam;
pub use e0802_bad_override::BadOverride;
pub use e0803_unknown_path::UnknownPath;
pub use e0804_unknown_variant::UnknownVariant;
pub use e0805_check_failed::CheckFailed;
pub use e0806_undecided::Undecided;
pub use e0807_param_without_value::ParamWithoutValue;
pub use e0902_needless_allow::NeedlessAllow;
pub use e0903_no_lock::NoLock;

/// All codes of this crate, in order.
pub const ALL: &[&Info] = &[
    &UnknownKind::INFO,
    &DuplicateItem::INFO,
    &DuplicateMember::INFO,
    &UnknownName::INFO,
    &UnknownMember::INFO,
    &MissingMember::INFO,
    &NotAllowed::INFO,
    &UnknownColumn::INFO,
    &Cycle::INFO,
    &HidesBuiltIn::INFO,
    &Unused::INFO,
    &FileNotFound::INFO,
    &NotOffered::INFO,
    &NotLocked::INFO,
    &DiffersFromLock::INFO,
    &ImportCycle::INFO,
    &LeavesProject::INFO,
    &Mismatch::INFO,
    &WrongDimension::INFO,
    &BadArgument::INFO,
    &TooManyArguments::INFO,
    &BadOperator::INFO,
    &BranchesDiffer::INFO,
    &WrongState::INFO,
    &UnusualOrder::INFO,
    &OutOfRange::INFO,
    &ElementsDiffer::INFO,
    &OptionalUsed::INFO,
    &NotStatic::INFO,
    &NotAStep::INFO,
    &UnknownUnit::INFO,
    &UnitNeeded::INFO,
    &DecimalThousand::INFO,
    &PercentMixup::INFO,
    &NumberTooLarge::INFO,
    &UnitsDiffer::INFO,
    &SharesMiss::INFO,
    &BadRest::INFO,
    &BadWeight::INFO,
    &Repeated::INFO,
    &SizeUnknown::INFO,
    &EvaluationTrained::INFO,
    &ConstantCondition::INFO,
    &CostlyFirst::INFO,
    &LicenseForbids::INFO,
    &LacksFields::INFO,
    &PartTwice::INFO,
    &DedupAfterSample::INFO,
    &NotDecontaminated::INFO,
    &SyntheticOnly::INFO,
    &HeadsDivideWidth::INFO,
    &KvHeadsDivideHeads::INFO,
    &VocabTooSmall::INFO,
    &TokenizersDiffer::INFO,
    &TeacherTokenizer::INFO,
    &ContextBeyondPositions::INFO,
    &OddHeadDim::INFO,
    &ShapesDiffer::INFO,
    &OddSize::INFO,
    &UnlikelySize::INFO,
    &NoneGiven::INFO,
    &BothGiven::INFO,
    &OutOfOrder::INFO,
    &LongerThanStage::INFO,
    &OldPolicy::INFO,
    &OwnReference::INFO,
    &CarryWithoutNext::INFO,
    &ResultUnused::INFO,
    &AverageTooClose::INFO,
    &NotAnAncestor::INFO,
    &OwnPairs::INFO,
    &HeldOutVaries::INFO,
    &ArmsEqual::INFO,
    &NotHeld::INFO,
    &ReferenceUnfit::INFO,
    &PolicyUnheld::INFO,
    &BetaForm::INFO,
    &RateForMup::INFO,
    &SwitchInWarmup::INFO,
    &FewSteps::INFO,
    &DoesNotFit::INFO,
    &NotAvailable::INFO,
    &DiskFull::INFO,
    &TooLong::INFO,
    &UnknownParam::INFO,
    &BadOverride::INFO,
    &UnknownPath::INFO,
    &UnknownVariant::INFO,
    &CheckFailed::INFO,
    &Undecided::INFO,
    &ParamWithoutValue::INFO,
    &NeedlessAllow::INFO,
    &NoLock::INFO,
];

/// All codes of the language: those of the grammar and of this crate, in order.
pub fn all() -> Vec<&'static Info> {
    let mut all: Vec<&'static Info> =
        llmp_grammar::codes::ALL.iter().copied().chain(ALL.iter().copied()).collect();
    all.sort_by_key(|info| info.code);
    all
}

/// The table row of a code: `LLMP0101`, or its digits alone.
pub fn explain(code: &str) -> Option<&'static Info> {
    let digits = code.trim().to_ascii_uppercase();
    let digits = digits.strip_prefix("LLMP").unwrap_or(&digits).to_owned();
    all().into_iter().find(|info| info.code.ends_with(&format!("LLMP{digits:0>4}")))
}

/// What `llmp lock` wrote for the examples of locks.
const EXAMPLE_LOCK: &str = r#"{
  "version": 1,
  "inputs": {
    "jsonl speeches/*.jsonl": {
      "programs": ["example.llmp"],
      "text": "text",
      "bytes": 5,
      "columns": {"id": "Text", "text": "Text", "year": "Num"},
      "files": [{"path": "speeches/a.jsonl", "bytes": 5, "hash": "00"}]
    }
  }
}
"#;

/// Files that the examples of the documentation import, by path; the example itself is `example.llmp`.
pub const EXAMPLE_FILES: &[(&str, &str)] = &[
    ("data.llmp", "llmp 1\n\nsource crawl = text(\"crawl/*.txt\")\n"),
    ("llmp.lock", EXAMPLE_LOCK),
    ("cycle.llmp", "llmp 1\n\nuse { tok } from \"./example.llmp\"\n\nsource loop = text(\"loop/*.txt\")\n"),
];
