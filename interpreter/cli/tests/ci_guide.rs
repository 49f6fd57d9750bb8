//! The commands of docs/guide/ci.md, in their order, in a project under git.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{Project, text};

/// Lines of the ```` ```sh ```` fences, without their comments.
fn commands() -> Vec<String> {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/ci.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let mut found = Vec::new();
    let mut inside = false;
    for line in guide.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside => found.push(command.split(" #").next().unwrap().trim().to_owned()),
            _ => {}
        }
    }
    found
}

#[test]
fn the_commands_of_the_guide_do_what_it_says() {
    let project = Project::new();
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=n", "-c", "user.email=e@e", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(project.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    assert!(project.llmp(&["fmt", "main.llmp"]).status.success());
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    let commands = commands();
    assert!(commands.len() >= 14, "{commands:?}");
    for command in &commands {
        let (command, file) =
            command.split_once(" > ").map_or((command.as_str(), None), |(c, f)| (c, Some(f)));
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[0], "llmp", "{command}");
        let output = project.llmp(&words[1..]);
        assert!(output.status.success(), "{command}\n{}{}", text(&output.stdout), text(&output.stderr));
        if let Some(file) = file {
            project.write(file, &output.stdout);
        }
    }
    for name in ["llmp.lock", "main.hash", "llmp.sarif", "llmp.xml", "llmp.json", "change.json", "plan.mmd"] {
        assert!(project.path(name).exists(), "{name}");
    }
    assert!(std::fs::read_to_string(project.path("llmp.sarif")).unwrap().contains("\"2.1.0\""));
}
