//! Every kernel compiles for every generation of GPUs: to PTX by NVRTC, and to machine code by ptxas, which needs no GPU.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::process::Command;

use super::library::Library;
use crate::kernels::launch::{KERNELS, SOURCE, lowered};

type Create = unsafe extern "C" fn(
    *mut *mut c_void,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(*mut c_void, c_int, *const *const c_char) -> c_int;
type Size = unsafe extern "C" fn(*mut c_void, *mut usize) -> c_int;
type Text = unsafe extern "C" fn(*mut c_void, *mut c_char) -> c_int;

/// Where `cuda/toolchain.sh` has put NVRTC.
#[expect(clippy::disallowed_methods, reason = "a tool that is only there where the CUDA build is prepared")]
fn folder() -> Option<PathBuf> {
    std::env::var("LLMP_NVRTC").ok().map(PathBuf::from)
}

/// The PTX of all kernels.
fn compile(nvrtc: &Library, arch: &str) -> String {
    let option = CString::new(format!("--gpu-architecture={arch}")).unwrap();
    let (source, name) = (CString::new(SOURCE).unwrap(), c"kernels.cu");
    // SAFETY: types as in nvrtc.h.
    let (create, build): (Create, Compile) =
        unsafe { (nvrtc.function("nvrtcCreateProgram"), nvrtc.function("nvrtcCompileProgram")) };
    let mut program = std::ptr::null_mut();
    let none = std::ptr::null();
    // SAFETY: both texts end in 0, and there are no headers.
    let created = unsafe { create(&mut program, source.as_ptr(), name.as_ptr(), 0, none, none) };
    assert_eq!(created, 0);
    let text = |what: &str| {
        // SAFETY: types as in nvrtc.h.
        let (size, read): (Size, Text) = unsafe {
            (nvrtc.function(&format!("nvrtcGet{what}Size")), nvrtc.function(&format!("nvrtcGet{what}")))
        };
        let mut bytes = 0;
        // SAFETY: a program that was created.
        assert_eq!(unsafe { size(program, &mut bytes) }, 0);
        let mut text = vec![0u8; bytes];
        // SAFETY: room for as many bytes as it asked for.
        assert_eq!(unsafe { read(program, text.as_mut_ptr().cast()) }, 0);
        String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned()
    };
    // SAFETY: one option, which ends in 0.
    let built = unsafe { build(program, 1, &option.as_ptr()) };
    assert_eq!(built, 0, "{arch}: {}", text("ProgramLog"));
    text("PTX")
}

#[test]
fn every_kernel_compiles_for_every_generation() {
    let Some(folder) = folder() else {
        eprintln!("skipped: LLMP_NVRTC names no folder (runtime/nn/cuda/toolchain.sh)");
        return;
    };
    // NVRTC asks for it by name alone, and finds what is open already.
    Library::open(&folder.join("libnvrtc-builtins.so.13.0")).expect("the built-ins of NVRTC");
    let nvrtc = Library::open(&folder.join("libnvrtc.so.13")).expect("NVRTC");
    for (arch, machine) in [("compute_75", "sm_75"), ("compute_80", "sm_80"), ("compute_90", "sm_90")] {
        let ptx = lowered(&compile(&nvrtc, arch));
        assert!(ptx.contains(".version 8.0\n"), "the instruction set is stated");
        for kernel in KERNELS {
            assert!(ptx.contains(&format!(".entry {kernel}(")), "{arch}: no {kernel}");
        }
        assert_eq!(ptx.matches(".entry ").count(), KERNELS.len(), "every kernel is listed");
        let here = tempfile::tempdir().unwrap();
        let (file, made) = (here.path().join("kernels.ptx"), here.path().join("kernels.cubin"));
        std::fs::write(&file, ptx).unwrap();
        let ptxas = folder.join("../bin/ptxas");
        let output =
            Command::new(ptxas).args(["-v", "-arch", machine, "-o"]).args([&made, &file]).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{machine}: {words}");
        println!("{words}");
    }
}
