//! What the tests of this crate share: real data, steps by name with their defaults, folders as bytes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use llmp_data::{
    Document,
    engine::{Input, Segment, Stage},
    readers::{self, Roots},
    steps::{self, Barrier, Map},
};
use llmp_stdlib::{Record, Signature, Value, literal};

/// The folder of real data beside the repository, or `None` where there is none.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    folder.is_dir().then_some(folder)
}

/// The examples' data, committed with the repository.
pub(crate) fn examples() -> Roots {
    Roots::project(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"))
}

/// Complete arguments: the given ones and the defaults of the rest.
pub(crate) fn args(signature: &Signature, given: &[(&str, Value)]) -> Record {
    let value = |name: &str, default: Option<&str>| match given.iter().find(|(own, _)| *own == name) {
        Some((_, value)) => value.clone(),
        None => literal::parse(default.unwrap_or_else(|| panic!("{name} has no default"))).unwrap(),
    };
    signature.params.iter().map(|p| (p.name.to_string(), value(p.name, p.default))).collect()
}

fn signature(name: &str) -> &'static Signature {
    let all = steps::SIGNATURES.iter().chain(readers::SIGNATURES);
    all.copied().find(|signature| signature.name == name).unwrap()
}

pub(crate) fn map(name: &str, given: &[(&str, Value)]) -> Arc<dyn Map> {
    steps::map(name, &args(signature(name), given), &examples()).unwrap().unwrap()
}

pub(crate) fn stage(name: &str, given: &[(&str, Value)]) -> Stage {
    Stage { map: map(name, given), rejects: None }
}

pub(crate) fn barrier(name: &str, given: &[(&str, Value)]) -> Arc<dyn Barrier> {
    steps::barrier(name, &args(signature(name), given), &examples()).unwrap().unwrap()
}

/// A source over a glob under `roots`.
pub(crate) fn source(name: &str, roots: &Roots, glob: &str, given: &[(&str, Value)]) -> Input {
    let given = [given, &[("glob", Value::text(glob))]].concat();
    let reader = readers::reader(name, &args(signature(name), &given)).unwrap().unwrap();
    Input::Source(vec![(reader, roots.files(glob).unwrap())])
}

/// All documents of a folder.
pub(crate) fn documents(folder: &Path) -> Vec<Document> {
    llmp_data::engine::documents(folder).unwrap().map(Result::unwrap).collect()
}

/// Every file below a folder with its bytes.
pub(crate) fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes(&path));
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all.into_iter()
        .map(|(path, content)| (path.strip_prefix(folder).map(Path::to_path_buf).unwrap_or(path), content))
        .collect()
}

/// Runs a segment on so many threads.
pub(crate) fn run_on(threads: usize, segment: &Segment) -> llmp_data::engine::Summary {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| llmp_data::engine::run(segment, &llmp_data::Context::default())).unwrap()
}
