//! Files of a git revision, read through the `git` of the machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use llmp_interpreter::Vfs;
use llmp_stdlib::{Lock, Locked};

/// The files of one revision.
pub(crate) struct Revision {
    /// Root of the working tree.
    top: PathBuf,
    /// The commit.
    commit: String,
}

impl Revision {
    /// A revision of the repository that a file lies in.
    ///
    /// Errors: no git, no repository, no such revision, or no such file in it; in words.
    pub(crate) fn open(file: &Path, revision: &str) -> Result<Revision, String> {
        let absolute = std::path::absolute(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let folder = absolute.ancestors().skip(1).find(|f| f.is_dir()).unwrap_or(Path::new("/"));
        let top = git(folder, &["rev-parse", "--show-toplevel"])
            .map_err(|e| format!("{} is not in a git repository ({e})", file.display()))?;
        let top = PathBuf::from(String::from_utf8_lossy(&top).trim());
        let name = format!("{revision}^{{commit}}");
        let commit = git(&top, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name])
            .map_err(|_| format!("git knows no revision `{revision}`"))?;
        let tree = Revision { top, commit: String::from_utf8_lossy(&commit).trim().to_owned() };
        match tree.read(&file.to_string_lossy()) {
            Some(_) => Ok(tree),
            None => Err(format!("{} is not in revision `{revision}`", file.display())),
        }
    }

    /// `commit:path`, for a path as the program's files name it.
    fn name(&self, path: &str) -> Option<String> {
        let absolute = std::path::absolute(path).ok()?;
        let mut plain = PathBuf::new();
        for part in absolute.components() {
            match part {
                std::path::Component::ParentDir => {
                    plain.pop();
                }
                part => plain.push(part),
            }
        }
        let inside = match plain.strip_prefix(&self.top) {
            Ok(inside) => inside.to_owned(),
            // The root may be named through a link.
            Err(_) => {
                let folder = plain.ancestors().skip(1).find(|f| f.is_dir())?;
                let real = folder.canonicalize().ok()?.join(plain.strip_prefix(folder).ok()?);
                real.strip_prefix(self.top.canonicalize().ok()?).ok()?.to_owned()
            }
        };
        Some(format!("{}:{}", self.commit, inside.to_string_lossy().replace('\\', "/")))
    }

    /// The lock of a file's project at this revision.
    pub(crate) fn locked(&self, file: &Path) -> Option<Locked> {
        let absolute = std::path::absolute(file).ok()?;
        let own = absolute.parent()?;
        let text = |folder: &&Path| {
            self.read(&folder.join(Lock::FILE).to_string_lossy()).map(|t| (t, folder.to_path_buf()))
        };
        let (text, project) = own.ancestors().find_map(|folder| text(&folder))?;
        let folder = own.strip_prefix(project).ok()?.to_string_lossy().replace('\\', "/");
        Some(Locked::read(&text, folder))
    }
}

impl Vfs for Revision {
    fn read(&self, path: &str) -> Option<String> {
        let bytes = git(&self.top, &["cat-file", "blob", &self.name(path)?]).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn exists(&self, path: &str) -> bool {
        self.name(path).is_some_and(|name| git(&self.top, &["cat-file", "-e", &name]).is_ok())
    }
}

fn git(folder: &Path, args: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new("git").arg("-C").arg(folder).args(args).output();
    let output = output.map_err(|e| format!("git cannot be started: {e}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("git failed").to_owned())
}
