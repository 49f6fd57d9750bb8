//! A base model that is tuned on conversations, under an adapter too, released with its template, and talked to.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::io::Write;
use std::process::{Output, Stdio};

use common::{PROGRAM, Project, events, ran, text};
use serde_json::{Value, json};

fn read(project: &Project, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(project.path(path)).unwrap()).unwrap()
}

/// Conversations about small sums; one that is too long, one without an answer.
fn chats() -> String {
    let turn = |role: &str, said: &str| json!({ "role": role, "content": said });
    let mut lines: Vec<Value> = (0..40)
        .map(|n| {
            let (a, b) = (n % 7, n % 5);
            let asked = format!("{a}+{b}?");
            json!({ "messages": [turn("user", &asked), turn("assistant", &(a + b).to_string()),
                                 turn("user", "sure?"), turn("assistant", "yes")] })
        })
        .collect();
    lines.push(json!({ "messages": [turn("user", &"why ".repeat(90)), turn("assistant", "so")] }));
    lines.push(json!({ "messages": [turn("user", "hm?")] }));
    let cut = [
        turn("user", "1+1?"),
        turn("assistant", "2"),
        turn("user", "more"),
        turn("assistant", &"on and on ".repeat(20)),
    ];
    lines.push(json!({ "messages": cut }));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn project(tuned: &str) -> Project {
    let project = Project::new();
    project.write("chats.jsonl", chats());
    let program = PROGRAM.replace("vocab = 512)", "vocab = 512, template = chatml)");
    let program = program.replace("release out { model = run }", tuned);
    project.write("main.llmp", program + "source chats = jsonl(\"chats.jsonl\", as = Chat)\n");
    project
}

/// What `llmp chat` says to these lines.
fn talk(project: &Project, args: &[&str], lines: &str) -> Output {
    let mut command = project.command(&[&["chat", "release/out"], args].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_tuned_model_is_released_with_its_template_and_answers() {
    let project = project(
        "dataset some = chats |> split(heldout = 20%)
sft tuned { from = run, data = some, epochs = 3, batch = 4 sequences, schedule = constant(3e-3), evaluate = every(50%) }
release out { model = tuned }
",
    );
    let run = project.run();
    let metric = |name: &str| {
        run.iter().rfind(|e| e["event"] == "metric" && e["name"] == name).map(|e| e["value"].clone())
    };
    assert_eq!(metric("conversations_too_long"), Some(json!(1.0)));
    assert_eq!(metric("conversations_without_answer"), Some(json!(1.0)));
    assert_eq!(metric("conversations_cut"), Some(json!(1.0)));
    assert!(metric("some_loss").unwrap().as_f64().unwrap() < 6.0);

    let config = read(&project, "release/out/tokenizer_config.json");
    assert_eq!(config["eos_token"], "<|im_end|>");
    let template = std::fs::read_to_string(project.path("release/out/chat_template.jinja")).unwrap();
    assert_eq!(config["chat_template"], template);
    let tokenizer = read(&project, "release/out/tokenizer.json");
    let ids: Vec<Value> =
        ["<|im_end|>", "<|endoftext|>"].map(|name| tokenizer["model"]["vocab"][name].clone()).into();
    let generation = read(&project, "release/out/generation_config.json");
    assert_eq!(generation["eos_token_id"], json!(ids));

    let once = talk(&project, &["--temperature", "0", "--max-tokens", "8"], "1+1?\n\n/reset\n1+1?\n");
    assert!(once.status.success(), "{}", text(&once.stderr));
    let answers: Vec<String> = text(&once.stdout).lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(answers[0], answers[1], "a conversation that begins again is answered alike");
    let again = talk(&project, &["--temperature", "0", "--max-tokens", "8"], "1+1?\n\n/reset\n1+1?\n");
    assert_eq!(once.stdout, again.stdout);
    let long = talk(&project, &["--max-tokens", "4"], &format!("{}\nhello\n", "why ".repeat(200)));
    assert_eq!(long.status.code(), Some(1));
    assert!(text(&long.stderr).contains("the model's context has 64"), "{}", text(&long.stderr));
    assert_eq!(text(&long.stdout).lines().count(), 1, "the next message is answered");

    assert_eq!(ran(&project.run()), Vec::<String>::new());
}

#[test]
fn an_adapter_is_left_as_a_peft_folder_and_the_next_stage_has_the_template() {
    let project = project(
        "sft tuned { from = run, data = chats, steps = 6, batch = 4 sequences, template = plain, adapter = lora(rank = 4, on = [\"q_proj\", \"v_proj\"]), packing = false, schedule = constant(3e-3) }
sft again { from = tuned, data = chats, epochs = 1, batch = 4 sequences, loss_on = completions, publish = average(checkpoints(last = 2)) }
quantize rounded { from = again, method = linear(bits = 8) }
release out { model = rounded }
",
    );
    project.run();
    let config = read(&project, "runs/main/tuned/adapter/adapter_config.json");
    assert_eq!((config["r"].as_u64(), config["lora_alpha"].as_f64()), (Some(4), Some(8.0)));
    let template = std::fs::read_to_string(project.path("release/out/chat_template.jinja")).unwrap();
    assert!(template.contains("Assistant: "), "{template}");
    assert_eq!(read(&project, "release/out/generation_config.json")["eos_token_id"], json!([0]));
    let said = talk(&project, &["--temperature", "0", "--max-tokens", "3"], "1+1?\n");
    let said = text(&said.stdout);
    assert!(!said.starts_with(' '), "the space behind `Assistant:` is the template's: {said:?}");
}

#[test]
fn a_folder_without_a_template_and_a_role_without_a_turn_are_refused_with_words() {
    let project = project("release out { model = run }\n");
    project.run();
    std::fs::remove_file(project.path("release/out/chat_template.jinja")).unwrap();
    std::fs::remove_file(project.path("release/out/tokenizer_config.json")).unwrap();
    let said = talk(&project, &[], "hello\n");
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("chat template"), "{}", text(&said.stderr));

    let line =
        json!({ "messages": [{ "role": "human", "content": "a" }, { "role": "gpt", "content": "b" }] });
    project.write("chats.jsonl", format!("{line}\n"));
    let program = std::fs::read_to_string(project.path("main.llmp")).unwrap();
    project.write(
        "main.llmp",
        program + "sft tuned { from = run, data = chats, epochs = 1 }\nrelease tuned_out { model = tuned }\n",
    );
    let refused = project.llmp(&["run", "main.llmp", "--format", "json"]);
    assert_eq!(refused.status.code(), Some(1));
    let events = events(&refused);
    let all = format!("{events:?}{}", text(&refused.stderr));
    assert!(all.contains("is said by `human`") || all.contains("chats.jsonl"), "{all}");
}
