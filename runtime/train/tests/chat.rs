//! Conversations as token ids: equal to transformers', and what is wrong with a template is said.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::collections::BTreeMap;

use common::Stand;
use llmp_data::row::Message;
use llmp_train::chat::Chat;
use llmp_train::folder::Vocabulary;
use serde::Deserialize;

/// What `tests/python/chat_templates.py` writes.
#[derive(Deserialize)]
struct Golden {
    tokenizer: serde_json::Value,
    templates: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    conversation: String,
    messages: Vec<Message>,
    ids: Vec<u32>,
    /// Spans that the assistant says, with the token behind each.
    counted: Vec<(usize, usize)>,
    prompt: Vec<Message>,
    asked: Vec<u32>,
}

fn golden() -> (Stand, Vocabulary, Golden) {
    let golden: Golden = serde_json::from_str(include_str!("golden/chat.json")).unwrap();
    let stand = Stand::new();
    std::fs::write(stand.path("tokenizer.json"), golden.tokenizer.to_string()).unwrap();
    let vocabulary = stand.vocabulary();
    (stand, vocabulary, golden)
}

#[test]
fn ids_and_masks_are_those_of_transformers() {
    let (_stand, vocabulary, golden) = golden();
    assert_eq!(golden.cases.len(), 31);
    for case in golden.cases {
        let what = format!("{}, {}", case.template, case.conversation);
        let chat = Chat::new(&golden.templates[&case.template], &vocabulary).unwrap();
        let rendered = chat.render(&case.messages).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(rendered.ids, case.ids, "{what}");
        let said = rendered.turns.iter().filter(|turn| turn.role == "assistant");
        let said: Vec<(usize, usize)> = said.map(|t| (t.said().start, t.said().end)).collect();
        assert_eq!(said, case.counted, "{what}");
        assert_eq!(chat.prompt(&case.prompt).unwrap(), case.asked, "{what}: asked");
    }
}

#[test]
fn turns_follow_each_other_without_a_gap_but_what_stands_between() {
    let (_stand, vocabulary, golden) = golden();
    let chat = Chat::new(&golden.templates["chatml"], &vocabulary).unwrap();
    let rendered = chat.render(&[Message::new("user", "Why?"), Message::new("assistant", "So.")]).unwrap();
    let [user, answer] = &rendered.turns[..] else { panic!("two turns") };
    let text = |range: std::ops::Range<usize>| vocabulary.tokens_as_text(&rendered.ids[range]).unwrap();
    assert_eq!(text(user.header.clone()), "<|im_start|>user\n");
    assert_eq!(text(user.content.clone()), "Why?");
    assert_eq!(text(user.end.clone()), "<|im_end|>");
    assert_eq!(text(user.end.end..answer.header.end), "\n<|im_start|>assistant\n");
    assert_eq!(text(answer.said()), "So.<|im_end|>");
    assert_eq!(text(answer.end.end..rendered.ids.len()), "\n");
    assert_eq!(chat.end(), rendered.ids[answer.end.start]);
    assert_eq!(chat.stops()[0], chat.end());
}

/// What is said of a template.
fn refused(template: &str) -> String {
    let (_stand, vocabulary, _) = golden();
    Chat::new(template, &vocabulary).expect_err("refused").to_string()
}

#[test]
fn a_template_that_cannot_be_used_is_refused_with_words() {
    let loops = |body: &str| format!("{{% for message in messages %}}{body}{{% endfor %}}");
    let twice = loops("{{ '<bos><bos>' + message.content + '<end_of_turn>' }}");
    assert!(!refused("{% for %}").is_empty());
    let (stand, ..) = golden();
    std::fs::write(stand.path("tokenizer_config.json"), r#"{"bos_token": {"content": "<bos>"}}"#).unwrap();
    let error = Chat::new(&twice, &stand.vocabulary()).expect_err("begins twice").to_string();
    assert!(error.contains("twice with `<bos>`"), "{error}");

    let counts = "{{ messages | length }}".to_owned() + &loops("{{ message.content + '<|im_end|>' }}");
    assert!(refused(&counts).contains("prefix property"));
    let silent = loops("{{ message.role + ': ' + message.content + '\n' }}");
    assert!(refused(&silent).contains("nothing stands there"));
    let unknown = loops("{{ message.content + '<|end|>' }}");
    assert!(refused(&unknown).contains("`<|end|>` there, which is no token of the tokenizer"));
    assert!(refused("{{ raise_exception('tools only') }}").contains("tools only"));
}

#[test]
fn roles_that_a_template_does_not_know_are_refused() {
    let (_stand, vocabulary, golden) = golden();
    let chat = Chat::new(&golden.templates["chatml"], &vocabulary).unwrap();
    let error = chat.render(&[Message::new("human", "Why?")]).expect_err("human").to_string();
    assert!(error.contains("turn 1 is said by `human`"), "{error}");
    let deaf = "{% for m in messages %}{% if m.role != 'tool' %}{{ m.content + '<|im_end|>' }}{% endif %}{% endfor %}";
    let chat = Chat::new(deaf, &vocabulary).unwrap();
    let turns = [Message::new("user", "a"), Message::new("tool", "b"), Message::new("assistant", "c")];
    let error = chat.render(&turns).expect_err("tool").to_string();
    assert!(error.contains("nothing for turn 2, said by `tool`"), "{error}");
}

#[test]
fn a_system_prompt_that_is_refused_alone_shares_the_next_turn() {
    let (_stand, vocabulary, _) = golden();
    let template = "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}\
        {% else %}{% set system = '' %}{% set rest = messages %}{% endif %}\
        {% if not rest %}{{ raise_exception('no turn of the user') }}{% endif %}\
        {% for m in rest %}{{ '[' + m.role + ']' + (system if loop.first else '') + m.content + '<|im_end|>' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}";
    let chat = Chat::new(template, &vocabulary).unwrap();
    let turns = [Message::new("system", "Rhyme."), Message::new("user", "a"), Message::new("assistant", "b")];
    let rendered = chat.render(&turns).unwrap();
    let text = |range: std::ops::Range<usize>| vocabulary.tokens_as_text(&rendered.ids[range]).unwrap();
    assert_eq!(text(rendered.turns[0].content.clone()), "Rhyme.");
    assert_eq!(text(rendered.turns[2].said()), "b<|im_end|>");
}

#[test]
fn the_template_beside_a_tokenizer_is_its_own() {
    let (stand, _, golden) = golden();
    let none = Chat::of(None, &stand.vocabulary(), None).expect_err("no template").to_string();
    assert!(none.contains("template = chatml"), "{none}");
    let named = serde_json::json!({ "eos_token": "<|im_end|>", "chat_template": [
        { "name": "tools", "template": "x" }, { "name": "default", "template": golden.templates["chatml"] }] });
    std::fs::write(stand.path("tokenizer_config.json"), named.to_string()).unwrap();
    let chat = Chat::of(None, &stand.vocabulary(), None).unwrap();
    assert_eq!(chat.disagreement(&[chat.end()]), None);
    assert!(chat.disagreement(&[0]).unwrap().contains("stops at `<|endoftext|>`"));
    std::fs::write(stand.path("chat_template.jinja"), &golden.templates["llama3"]).unwrap();
    let chat = Chat::of(None, &stand.vocabulary(), None).unwrap();
    let words = chat.disagreement(&[]).unwrap();
    assert_eq!(
        words,
        "the template ends an answer with `<|eot_id|>`, the tokenizer a text with `<|im_end|>`"
    );
}
