//! Models as the checker sees them: members with defaults filled in.

use std::collections::BTreeSet;

use llmp_stdlib::{
    Call, Family, ItemRef, Kind, Param, Problem, Program, Record, Severity, Ty, Value, View, literal,
};

use super::{ALL, architecture};
use crate::spec::{Order, Rotary, Stretch};

struct Alone;

impl Program for Alone {
    fn view(&self, _: &str) -> Option<View<'_>> {
        None
    }
}

fn families(ty: &Ty) -> Vec<&'static Family> {
    match ty {
        Ty::Family(family) => vec![family],
        Ty::Optional(ty) | Ty::List(ty) => families(ty),
        Ty::OneOf(tys) => tys.iter().flat_map(families).collect(),
        _ => Vec::new(),
    }
}

/// Fills the defaults of constructors in, as the checker does.
fn complete(value: Value, ty: &Ty) -> Value {
    match value {
        Value::Call(call) => {
            let found = families(ty).into_iter().find_map(|f| f.get(&call.name)).expect("a constructor");
            Value::Call(Call { args: filled(found.params, call.args), name: call.name })
        }
        Value::List(items) => Value::List(items.into_iter().map(|v| complete(v, ty)).collect()),
        other => other,
    }
}

fn filled(params: &[Param], mut written: Record) -> Record {
    let mut all = Record::new();
    for param in params {
        let given = written.shift_remove(param.name);
        let value = given.or_else(|| param.default.map(|text| literal::parse(text).expect("a literal")));
        all.extend(value.map(|v| (param.name.to_owned(), complete(v, &param.ty))));
    }
    assert!(written.is_empty(), "unknown: {written:?}");
    all
}

fn kind() -> &'static Kind {
    ALL[0]
}

/// A model of 192 in 6 heads over a tokenizer of 4,096 tokens, with `changes` as in the language.
fn members(changes: &[(&str, &str)]) -> Record {
    let mut written: Record = Record::new();
    let vocab = ("vocab".to_owned(), Value::number(4096));
    let tokenizer = Call { name: "bpe".into(), args: [vocab].into_iter().collect() };
    let base = [("layers", "4"), ("width", "192"), ("heads", "6"), ("context", "256")];
    for (name, text) in base.iter().chain(changes) {
        written.insert((*name).to_owned(), literal::parse(text).expect("a literal"));
    }
    let tokenizer = written.shift_remove("tokenizer").unwrap_or(Value::Call(tokenizer));
    let mut all = filled(kind().signature.params, written);
    all.insert("tokenizer".into(), tokenizer);
    all
}

fn with_view<R>(members: &Record, see: impl FnOnce(&View<'_>) -> R) -> R {
    let written = BTreeSet::new();
    see(&View { name: "m", kind: kind(), members, written: &written, value: None, program: &Alone })
}

fn problems(changes: &[(&str, &str)]) -> Vec<Problem> {
    with_view(&members(changes), |view| (kind().check)(view))
}

/// Code, place, and the text of each fix of the only problem.
fn only(changes: &[(&str, &str)]) -> (&'static str, String, Vec<String>) {
    let found = problems(changes);
    assert_eq!(found.len(), 1, "{changes:?}: {found:#?}");
    let fixes = found[0].fixes.iter().map(|f| format!("{} = {}", f.path.join("."), f.text)).collect();
    (found[0].code, found[0].path.join("."), fixes)
}

#[test]
fn a_good_model_has_no_problem_and_known_sizes() {
    assert_eq!(problems(&[]), Vec::new());
    let members = members(&[("kv_heads", "2"), ("embedding", "tied")]);
    let spec = architecture(&members, Some(4090)).expect("complete");
    assert_eq!((spec.vocab, spec.head_dim, spec.ffn.hidden, spec.kv_heads), (4096, 32, 512, 2));
    let parameters = 4096 * 192 + 9 * 192 + 4 * (192 * (192 + 64 + 64) + 192 * 192 + 3 * 192 * 512);
    assert_eq!(spec.parameters(), parameters);
    with_view(&members, |view| {
        for (field, want) in kind().fields.iter().zip([parameters, parameters - 4096 * 192, parameters]) {
            assert_eq!((field.read)(view), Some(Value::number(i128::from(want))), "{}", field.name);
        }
    });
}

#[test]
fn published_sizes_are_reached() {
    let llama = [
        ("layers", "32"),
        ("width", "4096"),
        ("heads", "32"),
        ("kv_heads", "8"),
        ("ffn", "swiglu(hidden = 14_336)"),
        ("vocab", "128_256"),
        ("context", "4Ki"),
        ("position", "rope(base = 500k)"),
    ];
    assert_eq!(problems(&llama), Vec::new());
    let spec = architecture(&members(&llama), None).expect("complete");
    assert_eq!(spec.parameters(), 8_030_261_248, "as the published folder has");
    let plain = Rotary { base: 500_000.0, stretch: Stretch::None, chunks: None };
    assert_eq!(spec.order, Order::Rotary(plain));
}

#[test]
fn heads_that_do_not_divide_the_width_need_a_head_dim() {
    let (code, at, fixes) = only(&[("heads", "7")]);
    assert_eq!((code, at.as_str(), fixes), ("LLMP0501", "heads", vec!["heads = 8".to_owned()]));
    assert_eq!(problems(&[("heads", "7"), ("head_dim", "32")]), Vec::new());
    let (_, _, fixes) = only(&[("heads", "7"), ("kv_heads", "7")]);
    assert_eq!(fixes, ["heads = 8"], "no multiple of 7 divides 192");
    for fix in [("heads", "8"), ("heads", "6")] {
        assert_eq!(problems(&[fix]), Vec::new());
    }
}

#[test]
fn kv_heads_divide_heads() {
    let (code, at, fixes) = only(&[("kv_heads", "4")]);
    assert_eq!((code, at.as_str(), fixes), ("LLMP0502", "kv_heads", vec!["kv_heads = 3".to_owned()]));
    assert_eq!(problems(&[("kv_heads", "3")]), Vec::new());
    let both: Vec<_> = problems(&[("heads", "7"), ("kv_heads", "4")]).iter().map(|p| p.code).collect();
    assert_eq!(both, ["LLMP0501", "LLMP0502"], "each mistake is said");
}

#[test]
fn rotary_positions_need_even_heads() {
    let (code, at, fixes) = only(&[("head_dim", "31")]);
    assert_eq!((code, at.as_str(), fixes), ("LLMP0507", "head_dim", vec!["head_dim = 32".to_owned()]));
    let (code, at, fixes) = only(&[("heads", "64")]);
    assert_eq!((code, at.as_str(), fixes), ("LLMP0507", "heads", vec!["heads = 48".to_owned()]));
}

#[test]
fn the_vocabulary_holds_the_tokenizer() {
    let (code, at, fixes) = only(&[("vocab", "2048")]);
    assert_eq!((code, at.as_str(), fixes), ("LLMP0503", "vocab", vec!["vocab = 4096".to_owned()]));
}

#[test]
fn odd_sizes_are_warnings() {
    let found = problems(&[("vocab", "5001")]);
    assert_eq!((found[0].code, found[0].severity, found.len()), ("LLMP0509", Severity::Warning, 1));
    assert_eq!(found[0].fixes[0].text, "5056");
    let (code, at, fixes) = only(&[("ffn", "swiglu(hidden = 500)")]);
    assert_eq!((code, at.as_str(), fixes), ("LLMP0509", "ffn.hidden", vec!["ffn.hidden = 512".to_owned()]));
    let (_, _, fixes) = only(&[("width", "204")]);
    assert_eq!(fixes, Vec::<String>::new(), "256 would not divide by 6 heads");
}

#[test]
fn zero_is_out_of_range() {
    for name in ["layers", "width", "heads", "context"] {
        let (code, at, _) = only(&[(name, "0")]);
        assert_eq!((code, at.as_str()), ("LLMP0209", name));
    }
    assert_eq!(only(&[("position", "rope(base = 1)")]).1, "position.base");
    assert_eq!(only(&[("norm", "rms(eps = 0)")]).1, "norm.eps");
}

#[test]
fn what_this_version_cannot_do_is_said_before_a_run_and_only_then() {
    let asked = [("experts", "moe(experts = 8, active = 2, hidden = 64)", "bias")];
    for (member, text, place) in asked {
        let members = members(&[(member, text), ("bias", "true")]);
        assert_eq!(with_view(&members, |view| (kind().check)(view)), Vec::new(), "{member} = {text}");
        let found = with_view(&members, |view| (kind().lacks)(view));
        assert_eq!(found.len(), 1, "{member} = {text}: {found:?}");
        assert_eq!((found[0].code, found[0].path.join(".").as_str()), ("LLMP0703", place));
        let counted = architecture(&members, Some(4096)).expect("it can be counted");
        assert!(!counted.lacks().is_empty(), "{member} = {text} is not run as if it were not there");
    }
    assert_eq!(with_view(&members(&[]), |view| (kind().lacks)(view)), Vec::new());
}

#[test]
fn every_other_setting_is_run() {
    let asked = [
        ("norm_place", "sandwich"),
        ("position", "none"),
        ("position", "learned()"),
        ("position", "rope(scaling = llama3())"),
        ("position", "rope(scaling = yarn(factor = 4))"),
        ("position", "rope(scaling = ntk(factor = 4))"),
        ("qkv_bias", "true"),
        ("bias", "true"),
        ("ffn", "geglu()"),
        ("ffn", "gelu()"),
        ("ffn", "relu2()"),
        ("norm", "layer_norm()"),
        ("norm", "rms(offset = true)"),
        ("qk_norm", "rms()"),
        ("attention_cap", "50"),
        ("logit_cap", "30"),
        ("score_scale", "1/8"),
        ("pattern", "[global, local(window = 64)]"),
        ("pattern", "[global, nope]"),
        ("embedding_scale", "14"),
        ("dropout", "10%"),
    ];
    let plain = architecture(&members(&[]), Some(4096)).expect("complete");
    for (member, text) in asked {
        let members = members(&[(member, text)]);
        assert_eq!(with_view(&members, |view| (kind().lacks)(view)), Vec::new(), "{member} = {text}");
        let found = architecture(&members, Some(4096)).expect("complete");
        assert_eq!(found.lacks(), Vec::<&str>::new(), "{member} = {text}");
        assert_ne!(found, plain, "{member} = {text} changes what is run");
    }
}

/// Parameters, and those without embeddings, of a model written in the language.
fn counted(changes: &[(&str, &str)]) -> (u64, u64, u64) {
    let members = members(changes);
    assert_eq!(with_view(&members, |view| (kind().check)(view)), Vec::new(), "{changes:?}");
    let sizes = architecture(&members, None).expect("complete");
    (sizes.parameters(), sizes.parameters_non_embedding(), sizes.parameters_active())
}

#[test]
fn the_models_of_the_four_papers_are_written_and_counted() {
    let gemma = [
        ("norm", "rms(eps = 1e-6, offset = true)"),
        ("norm_place", "sandwich"),
        ("attention_cap", "50"),
        ("logit_cap", "30"),
        ("pattern", "[local(window = 4Ki), global]"),
        ("embedding", "tied"),
        ("context", "8Ki"),
    ];
    let gemma_2b = [
        ("layers", "26"),
        ("width", "2304"),
        ("heads", "8"),
        ("kv_heads", "4"),
        ("head_dim", "256"),
        ("ffn", "geglu(hidden = 9216)"),
        ("vocab", "256_000"),
        ("embedding_scale", "48"),
    ];
    let gemma_2b: Vec<_> = gemma.into_iter().chain(gemma_2b).collect();
    assert_eq!(counted(&gemma_2b).0, 2_614_341_888);
    let qwen = [
        ("qkv_bias", "true"),
        ("norm", "rms(eps = 1e-6)"),
        ("position", "rope(base = 1M, scaling = yarn(factor = 4), chunks = dual_chunk(trained = 32Ki))"),
        ("layers", "28"),
        ("width", "3584"),
        ("heads", "28"),
        ("kv_heads", "4"),
        ("ffn", "swiglu(hidden = 18_944)"),
        ("context", "32Ki"),
    ];
    let dense: Vec<_> = qwen.into_iter().chain([("vocab", "152_064")]).collect();
    assert_eq!(counted(&dense), (7_615_616_512, 6_525_621_760, 7_615_616_512));
    let moe = [
        ("vocab", "151_936"),
        ("experts", "moe(experts = 64, active = 8, hidden = 2560, shared = 8, renormalise = false)"),
    ];
    let moe: Vec<_> = qwen.into_iter().chain(moe).collect();
    assert_eq!(counted(&moe).0, 57_408_658_944);
    let afm = [
        ("qk_norm", "rms(eps = 1e-5)"),
        ("qk_norm_place", "after_rope"),
        ("position", "rope(base = 500k, scaling = base_law(from = 8Ki, to = 32Ki))"),
        ("layers", "26"),
        ("width", "3072"),
        ("heads", "24"),
        ("kv_heads", "8"),
        ("head_dim", "128"),
        ("ffn", "swiglu(hidden = 8064)"),
        ("embedding", "tied"),
        ("vocab", "49_152"),
    ];
    let (all, body, _) = counted(&afm);
    assert_eq!((all - body, body / 10_000_000), (150_994_944, 258), "0.15B and 2.58B");
    let base = architecture(&members(&afm), None).expect("complete").order;
    let Order::Rotary(Rotary { base, stretch: Stretch::None, .. }) = base else { panic!("{base:?}") };
    assert_eq!(base.round(), 6_315_089.0, "the base of AFM's context lengthening");
    let gpt2 = [
        ("layers", "12"),
        ("width", "768"),
        ("heads", "12"),
        ("ffn", "gelu()"),
        ("norm", "layer_norm()"),
        ("bias", "true"),
        ("position", "learned()"),
        ("embedding", "tied"),
        ("context", "1024"),
        ("vocab", "50_304"),
    ];
    assert_eq!(counted(&gpt2).0 - (50_304 - 50_257) * 768, 124_439_808);
}

#[test]
fn experts_and_wide_feed_forwards_are_checked() {
    let (code, at, fixes) = only(&[("experts", "moe(experts = 4, active = 8)")]);
    assert_eq!((code, at.as_str(), fixes), ("LLMP0209", "experts.active", vec!["experts.active = 4".into()]));
    assert_eq!(only(&[("pattern", "[local(window = 0)]")]).1, "pattern");
    let (code, at, fixes) = only(&[("ffn", "geglu(hidden = 1600)")]);
    assert_eq!((code, at.as_str(), fixes), ("LLMP0511", "ffn.hidden", vec!["ffn.hidden = 800".into()]));
    assert_eq!(problems(&[("ffn", "geglu(hidden = 1536)")]), Vec::new(), "Gemma 2 27B has 8 times its width");
}

#[test]
fn what_is_not_known_yet_is_skipped() {
    for name in ["heads", "width", "kv_heads", "head_dim", "vocab", "ffn", "position", "tokenizer"] {
        let mut members = members(&[("heads", "7"), ("head_dim", "32"), ("vocab", "4096")]);
        members.shift_remove(name);
        let found = with_view(&members, |view| (kind().check)(view));
        assert_eq!(found, Vec::new(), "without {name}");
    }
}

#[test]
fn names_are_stated_once() {
    let registry = llmp_stdlib::Registry::new().kinds(ALL);
    assert!(registry.doubles().is_empty(), "{:?}", registry.doubles());
    let item = Value::Item(ItemRef { item: "nowhere".into(), part: None });
    let mut members = members(&[]);
    members.insert("tokenizer".into(), item);
    with_view(&members, |view| {
        assert_eq!((kind().fields[0].read)(view), None, "no size without a tokenizer")
    });
}
