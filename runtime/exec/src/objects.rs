//! Fetches objects of stores (`s3://`, `gs://`, `az://`, `http://`, `file://`) to the project, where readers find them.
//!
//! Only `llmp lock` and `llmp run` call this; `check` and `plan` look at what was fetched. An object is fetched again
//! when its size, its tag or its time differ; a fetch that was cut short goes on where it ended.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use futures_util::{StreamExt, TryStreamExt};
use globset::{GlobBuilder, GlobMatcher};
use llmp_data::readers::{self, Roots};
use llmp_interpreter::externals;
use llmp_stdlib::{Event, Plan, Registry};
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::failure::Failure;
use crate::run::Options;
use crate::store::durable;

/// Objects that are fetched at the same time.
const TOGETHER: usize = 8;

/// Fetches every object that a plan names and that is not here as the store has it; removes what the store no longer
/// has.
///
/// Errors: an address that no store has, a store that cannot be reached or refuses, as LLMP1002 at its step.
pub(crate) fn fetch(
    plan: &Plan,
    registry: &Registry,
    options: &Options<'_>,
    emit: &(dyn Fn(Event) + Sync),
) -> Result<(), Failure> {
    let all = externals(plan, registry);
    let mut wanted = all.iter().filter(|external| readers::is_address(&external.path)).peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::new("LLMP1002", format!("object stores: {e}")))?;
    wanted.try_for_each(|external| {
        let step = plan.name(&external.step);
        let address = Address::new(&external.path, &options.roots).map_err(|f| f.at(&external.step))?;
        match runtime.block_on(address.fetch(&step, options, emit)) {
            Err(_) if external.awaits => Ok(()),
            result => result.map_err(|failure| failure.at(&external.step)),
        }
    })
}

/// A written address, ready to be asked for.
struct Address<'a> {
    written: &'a str,
    store: Box<dyn ObjectStore>,
    /// What the store puts before every key (`file:///` and some HTTP addresses have a path of their own).
    fixed: Key,
    matcher: Option<GlobMatcher>,
    /// Folders of fetched objects, of what is known about them, and of unfinished ones.
    files: PathBuf,
    facts: PathBuf,
    partial: PathBuf,
}

impl<'a> Address<'a> {
    fn new(written: &'a str, roots: &Roots) -> Result<Address<'a>, Failure> {
        let bad = |what: String| {
            Failure::new("LLMP1002", format!("{written}: {what}")).help(
                "an address is `s3://bucket/key`, `gs://…`, `az://…`, `https://…` or `file:///…`; \
                       credentials are read from the environment as the tools of the store read them",
            )
        };
        let (base, pattern) =
            readers::address(written).ok_or_else(|| bad("no key behind the name of the store".into()))?;
        let url = url::Url::parse(base).map_err(|e| bad(e.to_string()))?;
        let settings = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (store, _) = object_store::parse_url_opts(&url, settings).map_err(|e| bad(e.to_string()))?;
        let wild = ['*', '?', '[', '{'];
        let glob = pattern.contains(wild);
        let fixed: Vec<&str> = pattern.split('/').take_while(|part| !part.contains(wild)).collect();
        let fixed = Key::parse(fixed.join("/")).map_err(|e| bad(e.to_string()))?;
        let compiled = GlobBuilder::new(pattern).literal_separator(true).build();
        let matcher = compiled.map_err(|e| bad(e.kind().to_string()))?.compile_matcher();
        let name = base.replace("://", "/");
        Ok(Address {
            written,
            store,
            fixed,
            matcher: glob.then_some(matcher),
            files: roots.objects_of(base),
            facts: roots.objects.join("facts").join(&name),
            partial: roots.objects.join("partial"),
        })
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new("LLMP1002", format!("{}: {error}", self.written))
    }

    async fn fetch(
        &self,
        step: &str,
        options: &Options<'_>,
        emit: &(dyn Fn(Event) + Sync),
    ) -> Result<(), Failure> {
        let objects = self.list().await?;
        if objects.is_empty() {
            return Err(self.failed(&"no object matches"));
        }
        let stale: Vec<&ObjectMeta> = objects.iter().filter(|object| !self.is_here(object)).collect();
        let total = stale.iter().map(|object| object.size).sum();
        if !stale.is_empty() {
            let (step, op, unit) = (step.to_owned(), "fetch".to_owned(), "bytes".to_owned());
            emit(Event::Started { step, op, total: Some(total), unit });
        }
        let done = std::sync::atomic::AtomicU64::new(0);
        let more = |bytes: u64| {
            let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            emit(Event::Progress { step: step.to_owned(), done });
        };
        futures_util::stream::iter(stale)
            .map(|object| self.fetch_one(object, options, &more))
            .buffer_unordered(TOGETHER)
            .try_collect::<Vec<()>>()
            .await?;
        self.remove_others(&objects)
    }

    /// The objects that the address names, sorted by key.
    async fn list(&self) -> Result<Vec<ObjectMeta>, Failure> {
        let Some(matcher) = &self.matcher else {
            let object = self.store.head(&self.fixed).await.map_err(|e| self.failed(&e))?;
            return Ok(vec![object]);
        };
        let listed: Vec<ObjectMeta> =
            self.store.list(Some(&self.fixed)).try_collect().await.map_err(|e| self.failed(&e))?;
        let mut objects: Vec<ObjectMeta> =
            listed.into_iter().filter(|object| matcher.is_match(object.location.as_ref())).collect();
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(objects)
    }

    fn file(&self, object: &ObjectMeta) -> PathBuf {
        self.files.join(object.location.as_ref())
    }

    fn fact(&self, file: &Path) -> PathBuf {
        let inside = file.strip_prefix(&self.files).unwrap_or(file);
        self.facts.join(format!("{}.txt", inside.display()))
    }

    fn is_here(&self, object: &ObjectMeta) -> bool {
        let file = self.file(object);
        fs::metadata(&file).is_ok_and(|facts| facts.len() == object.size)
            && fs::read_to_string(self.fact(&file)).is_ok_and(|known| known == state(object))
    }

    async fn fetch_one(
        &self,
        object: &ObjectMeta,
        options: &Options<'_>,
        more: &impl Fn(u64),
    ) -> Result<(), Failure> {
        let name = blake3::hash(
            format!("{}{}\n{}", self.files.display(), object.location, state(object)).as_bytes(),
        );
        let partial = self.partial.join(name.to_hex().as_str());
        let file = self.file(object);
        let fact = self.fact(&file);
        for folder in [&partial, &file, &fact].into_iter().filter_map(|path| path.parent()) {
            fs::create_dir_all(folder).map_err(|e| Failure::io("create", folder, &e))?;
        }
        let wrong = |e: std::io::Error| Failure::io("write", &partial, &e);
        let mut out = OpenOptions::new().create(true).append(true).open(&partial).map_err(wrong)?;
        let mut there = out.metadata().map_err(wrong)?.len();
        if there > object.size {
            out.set_len(0).map_err(wrong)?;
            there = 0;
        }
        more(there);
        if there < object.size {
            let range = (there > 0).then_some(GetRange::Offset(there));
            let wanted = GetOptions { if_match: object.e_tag.clone(), range, ..GetOptions::default() };
            let got = self.store.get_opts(&object.location, wanted).await.map_err(|e| self.failed(&e))?;
            let mut stream = got.into_stream();
            while let Some(bytes) = stream.next().await {
                if options.stop.load(Ordering::Relaxed) {
                    return Err(Failure::stopped());
                }
                let bytes = bytes.map_err(|e| self.failed(&e))?;
                out.write_all(&bytes).map_err(wrong)?;
                more(bytes.len() as u64);
            }
        }
        out.sync_all().map_err(wrong)?;
        let length = out.metadata().map_err(wrong)?.len();
        if length != object.size {
            let words = format!("{} has {length} bytes, the store said {}", object.location, object.size);
            return Err(self.failed(&words));
        }
        // What is known of the old object goes first: a death in between only fetches again.
        let _ = fs::remove_file(&fact);
        (options.hook)("before rename");
        fs::rename(&partial, &file).map_err(|e| Failure::io("rename", &file, &e))?;
        if let Some(folder) = file.parent() {
            File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Failure::io("sync", folder, &e))?;
        }
        durable::write(&fact, state(object).as_bytes(), options.hook)
    }

    /// Removes fetched objects that the address names and the store has no longer.
    fn remove_others(&self, objects: &[ObjectMeta]) -> Result<(), Failure> {
        let Some(matcher) = &self.matcher else { return Ok(()) };
        let mut open = vec![self.files.join(self.fixed.as_ref())];
        while let Some(folder) = open.pop() {
            let fail = |e: std::io::Error| Failure::io("list", &folder, &e);
            for entry in fs::read_dir(&folder).map_err(fail)? {
                let path = entry.map_err(fail)?.path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let Ok(inside) = path.strip_prefix(&self.files) else { continue };
                let known = objects.iter().any(|object| Path::new(object.location.as_ref()) == inside);
                if matcher.is_match(inside) && !known {
                    fs::remove_file(&path).map_err(|e| Failure::io("remove", &path, &e))?;
                }
            }
        }
        Ok(())
    }
}

/// What says that an object is the one that was fetched.
fn state(object: &ObjectMeta) -> String {
    let tag = object.e_tag.as_deref().unwrap_or("-");
    format!("{} {tag} {}\n", object.size, object.last_modified.to_rfc3339())
}
