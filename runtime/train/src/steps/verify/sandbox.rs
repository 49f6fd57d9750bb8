//! Code that a model wrote, run where it can do no harm: a Python process that locks itself in before it reads the code.
//!
//! `sandbox.py` sets limits of time, memory and file size, gives up writing outside a scratch folder (Landlock), connections and
//! further processes (seccomp), clears the environment and then becomes the interpreter of the code. All of it works without
//! privileges.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LAUNCHER: &str = include_str!("sandbox.py");

/// Bytes of memory that a test may take.
const MEMORY: u64 = 1 << 30;

/// The exit status of a launcher that could not lock itself in.
const REFUSED: i32 = 125;

/// Runs the code of `answer.py`, then the tests in its names; only who comes to the end writes the word.
const MAIN: &str = r#"import types
module = types.ModuleType("answer")
for name in ["answer.py", "tests.py"]:
    exec(compile(open(name, encoding="utf-8").read(), name, "exec"), module.__dict__)
open("passed", "w").write("WORD")
"#;

/// Where tests run.
#[derive(Debug)]
pub(super) struct Sandbox {
    seconds: u64,
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Sandbox {
    /// A sandbox in which a test has so many seconds. Errors: this machine has none, in words.
    pub(super) fn new(seconds: u64) -> Result<Sandbox, String> {
        let sandbox = Sandbox { seconds: seconds.max(1) };
        match sandbox.passes("", "")? {
            true => Ok(sandbox),
            false => Err("the sandbox cannot run an empty program".to_owned()),
        }
    }

    /// Whether code comes to the end of a test.
    ///
    /// Errors: in words, Python is not there, or the process could not lock itself in.
    pub(super) fn passes(&self, code: &str, test: &str) -> Result<bool, String> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("llmp-tests-{}-{number}", std::process::id()));
        let failed = |e: std::io::Error| format!("the sandbox's folder {}: {e}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let scratch = Scratch(folder.clone());
        // A word that the code cannot know by accident.
        let word = blake3::hash(format!("{number}\n{code}\n{test}").as_bytes()).to_hex().to_string();
        for (name, text) in
            [("answer.py", code), ("tests.py", test), ("main.py", &MAIN.replace("WORD", &word))]
        {
            fs::write(folder.join(name), text).map_err(failed)?;
        }
        let said = folder.join("said");
        let errors = fs::File::create(&said).map_err(failed)?;
        let child = Command::new("python3")
            .args(["-I", "-S", "-c", LAUNCHER])
            .arg(&folder)
            .args([self.seconds.to_string(), MEMORY.to_string()])
            .arg(folder.join("main.py"))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        let child = child.map_err(|e| format!("unit_tests needs `python3` on the path: {e}"))?;
        let status = self.wait(child).map_err(failed)?;
        if status.is_some_and(|status| status.code() == Some(REFUSED)) {
            let said = fs::read_to_string(&said).unwrap_or_default();
            if let Some(words) = said.lines().find_map(|line| line.strip_prefix("sandbox: ")) {
                return Err(format!("code is not run without a sandbox: {words}"));
            }
        }
        let passed = fs::read_to_string(folder.join("passed")).is_ok_and(|text| text == word);
        drop(scratch);
        Ok(passed && status.is_some_and(|status| status.success()))
    }

    /// Waits for the end of a process, which the alarm in it brings about; one that turned it off is killed.
    fn wait(&self, mut child: Child) -> std::io::Result<Option<ExitStatus>> {
        let look = Duration::from_millis(5);
        for _ in 0..(self.seconds + 1) * 200 {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(look);
        }
        child.kill()?;
        child.wait()?;
        Ok(None)
    }
}
