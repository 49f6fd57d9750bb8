//! The kernels in CUDA C, run on the processor: their own source is compiled as C++ behind `cuda/emulate.h`, and CPU tensors
//! go through the same launches as those of a GPU. Only for tests.
#![expect(unsafe_code, reason = "calls what the C++ compiler made")]

mod library;
mod ptx;
mod tests;

use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use dfdx::prelude::*;

use super::launch::{Arg, Buffer, Grid, KERNELS, Launch, SOURCE};
use library::Library;

/// Name, blocks, threads, bytes of shared memory, arguments, their bytes, their number, falling order.
type Run = unsafe extern "C" fn(
    *const c_char,
    *const u32,
    u32,
    u32,
    *mut *mut c_void,
    *const usize,
    u32,
    bool,
) -> bool;

/// One launch at a time: the emulator has one block.
static EMULATOR: OnceLock<Option<Mutex<Run>>> = OnceLock::new();

/// The emulator, compiled on first use; none without a C++ compiler.
fn emulator() -> Option<&'static Mutex<Run>> {
    EMULATOR.get_or_init(|| compile().map(Mutex::new)).as_ref()
}

/// The kernels' source between the emulator and a table of their names.
fn program() -> String {
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/cuda/emulate.h");
    let row = |name: &&str| format!("{{\"{name}\", [](void **args) {{ call({name}, args); }}}},\n");
    let rows: String = KERNELS.iter().map(row).collect();
    format!(
        "#include \"{header}\"\n{SOURCE}\nusing namespace emulator;\nstatic const Kernel KERNELS[] = {{\n{rows}}};\n\
         extern \"C\" bool llmp_launch(const char *name, const unsigned *grid, unsigned threads, unsigned shared_bytes, \
         void **args, const size_t *bytes, unsigned count, bool falling) {{\n\
         return emulator::launch(KERNELS, name, grid, threads, shared_bytes, args, bytes, count, falling);\n}}\n"
    )
}

fn compile() -> Option<Run> {
    let compiler = ["c++", "g++", "clang++"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success()))?;
    let folder = tempfile::tempdir().unwrap();
    let (code, made) = (folder.path().join("kernels.cpp"), folder.path().join("kernels.so"));
    std::fs::write(&code, program()).unwrap();
    let flags = ["-std=c++17", "-O2", "-w", "-fPIC", "-shared", "-U_FORTIFY_SOURCE", "-o"];
    let output = Command::new(compiler).args(flags).args([&made, &code]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let library = Library::open(Path::new(&made)).expect("a library that the compiler just made");
    // SAFETY: `program` declares it with these types.
    Some(unsafe { library.function("llmp_launch") })
}

impl Launch for Cpu {
    type Ids = Vec<u32>;

    fn upload(&self, ids: &[u32]) -> Result<Vec<u32>, CpuError> {
        Ok(ids.to_vec())
    }

    /// Runs the kernel twice, with threads in rising and in falling order, and asks for the same bytes.
    fn launch(&self, kernel: &'static str, grid: Grid, args: &mut [Arg<'_, Self>]) -> Result<(), CpuError> {
        let before = written(args);
        run(kernel, grid, args, false);
        let after = written(args);
        let outs = args.iter_mut().filter_map(|arg| if let Arg::Out(out) = arg { Some(out) } else { None });
        for (out, before) in outs.zip(&before) {
            out.copy_from_slice(before);
        }
        run(kernel, grid, args, true);
        let bits = |all: &[Vec<f32>]| all.iter().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&written(args)), bits(&after), "{kernel} depends on the order of its threads");
        Ok(())
    }
}

/// What stands in the buffers that a kernel writes.
fn written(args: &[Arg<'_, Cpu>]) -> Vec<Vec<f32>> {
    args.iter().filter_map(|arg| if let Arg::Out(out) = arg { Some(out.to_vec()) } else { None }).collect()
}

fn run(kernel: &str, grid: Grid, args: &mut [Arg<'_, Cpu>], falling: bool) {
    let address = |buffer: &Buffer<Cpu>| buffer.as_ptr() as usize as u64;
    // The value of each argument in eight bytes, and the size of what it points to.
    let (mut values, bytes): (Vec<u64>, Vec<usize>) = args
        .iter_mut()
        .map(|arg| match arg {
            Arg::In(buffer) => (address(buffer), buffer.len() * 4),
            Arg::Out(buffer) => (buffer.as_mut_ptr() as usize as u64, buffer.len() * 4),
            Arg::Ids(ids) => (ids.as_ptr() as usize as u64, ids.len() * 4),
            Arg::Size(n) => (u64::from(u32::try_from(*n).unwrap()), 0),
            Arg::Float(x) => (u64::from(x.to_bits()), 0),
        })
        .unzip();
    let mut pointers: Vec<*mut c_void> = values.iter_mut().map(|v| std::ptr::from_mut(v).cast()).collect();
    let name = CString::new(kernel).unwrap();
    let whole = |n: usize| u32::try_from(n).unwrap();
    let blocks = grid.blocks.map(whole);
    let (threads, shared, count) = (whole(grid.threads), whole(grid.shared), whole(bytes.len()));
    let emulator = emulator().expect("tests ask for the emulator first").lock().unwrap();
    // SAFETY: the arguments are those of the kernel (a wrong list would read or write outside the guarded buffers, and stop
    // the test), little-endian values in their first bytes; the buffers outlive the call.
    let known = unsafe {
        emulator(
            name.as_ptr(),
            blocks.as_ptr(),
            threads,
            shared,
            pointers.as_mut_ptr(),
            bytes.as_ptr(),
            count,
            falling,
        )
    };
    assert!(known, "no kernel is called {kernel}");
}
