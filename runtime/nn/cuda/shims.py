"""Static libraries that stand in for libcuda, libcublas and libnvrtc where a program is linked.

    python3 shims.py FOLDER

Each function that cudarc 0.9.15 declares becomes a jump through a pointer. A constructor opens the real library, where there is
one, and sets the pointers; until then each of them names a function that returns the library's "not initialised".
"""

import os
import pathlib
import re
import subprocess
import sys

# Name for the linker, module of cudarc, real files in the order they are tried, the error without them.
LIBRARIES = [
    ("cuda", "driver", ["libcuda.so.1"], 34),  # CUDA_ERROR_STUB_LIBRARY
    ("cublas", "cublas", ["libcublas.so.13", "libcublas.so.12"], 1),  # CUBLAS_STATUS_NOT_INITIALIZED
    ("nvrtc", "nvrtc", ["libnvrtc.so.13", "libnvrtc.so.12"], 11),  # NVRTC_ERROR_INTERNAL_ERROR
]
# These give words through their second argument.
WORDS = {"cuGetErrorString", "cuGetErrorName"}

HEAD = """#include <dlfcn.h>
static int absent(void) {{ return {error}; }}
static int words(int code, const char **text) {{ *text = "no CUDA driver is installed"; return 0; }}
"""
JUMP = """__attribute__((visibility("hidden"))) void *at_{name} = (void *){instead};
__asm__(".text\\n.globl {name}\\n.type {name},@function\\n{name}: jmp *at_{name}(%rip)\\n");
"""


def declared(module):
    """The C functions of a module of cudarc, as cargo fetched it."""
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
    found = sorted(home.glob(f"registry/src/*/cudarc-0.9.15/src/{module}/sys.rs"))
    if not found:
        sys.exit("cudarc 0.9.15 is not in cargo's registry: run `cargo fetch`")
    return sorted(set(re.findall(r"pub fn ((?:cu[A-Z]|cublas|nvrtc)\w*)", found[0].read_text())))


def source(name, functions, files, error):
    lines = [HEAD.format(error=error)]
    lines += [JUMP.format(name=f, instead="words" if f in WORDS else "absent") for f in functions]
    lines.append(f"__attribute__((constructor)) static void find_{name}(void) {{\n  void *library = 0, *found;")
    lines += [f'  if (!library) library = dlopen("{file}", RTLD_LAZY);' for file in files]
    lines.append("  if (!library) return;")
    lines += [f'  if ((found = dlsym(library, "{f}"))) at_{f} = found;' for f in functions]
    lines.append("}")
    return "\n".join(lines) + "\n"


def archive(folder, name, objects):
    path = folder / f"lib{name}.a"
    path.unlink(missing_ok=True)
    subprocess.check_call(["ar", "rcs", path, *objects])


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, module, files, error in LIBRARIES:
        code = folder / f"{name}.c"
        code.write_text(source(name, declared(module), files, error))
        subprocess.check_call(["gcc", "-O1", "-fPIC", "-w", "-c", code, "-o", code.with_suffix(".o")])
        archive(folder, name, [code.with_suffix(".o")])
    archive(folder, "cublasLt", [])


if __name__ == "__main__":
    main()
