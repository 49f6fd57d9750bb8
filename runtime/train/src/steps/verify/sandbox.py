# Locks itself in, then runs a Python file: SCRATCH SECONDS MEMORY FILE. Exits with 125 and a line of words where this
# machine cannot.
import ctypes, os, platform, resource, signal, struct, sys

scratch, seconds, memory, file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
program = [sys.executable, "-I", "-S", "-B", file]


def fail(what):
    sys.stderr.write(f"sandbox: {what}\n")
    os._exit(125)


if sys.platform != "linux":
    fail(f"it needs Linux, this is {sys.platform}")
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *args):
    got = libc.syscall(ctypes.c_long(number), *args)
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


# Time, memory, size of files, no core dump; the alarm goes on through exec.
limits = [("CPU", seconds), ("AS", memory), ("DATA", memory), ("FSIZE", 16 << 20), ("CORE", 0), ("NOFILE", 64)]
for name, most in limits:
    which = getattr(resource, f"RLIMIT_{name}")
    resource.setrlimit(which, (most, most))
signal.alarm(seconds)

if libc.prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS
    fail("the kernel refuses no_new_privs")

# Files (Landlock): everything may be read, only the scratch folder be written.
CREATE, ADD, RESTRICT = 444, 445, 446
WRITE_FILE, TRUNCATE, REFER, CHANGES = 1 << 1, 1 << 14, 1 << 13, 0x1FF0
try:
    abi = call(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    writes = WRITE_FILE | CHANGES | (REFER if abi >= 2 else 0) | (TRUNCATE if abi >= 3 else 0)
    attr = ctypes.create_string_buffer(struct.pack("=Q", writes), 8)
    ruleset = call(CREATE, attr, ctypes.c_size_t(8), ctypes.c_uint32(0))
    for path in [scratch, "/dev/null"]:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = writes if path == scratch else WRITE_FILE | (TRUNCATE & writes)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, folder), 12)
        call(ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
    call(RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
except OSError as error:
    fail(f"this kernel cannot keep a program from writing files (Landlock: {error.strerror})")

# Network and further processes (seccomp): these calls give EPERM.
CALLS = {  # socket, ptrace, io_uring_setup, fork, vfork; clone; clone3; the audit architecture
    "x86_64": ([41, 101, 425, 57, 58], 56, 435, 0xC000003E),
    "aarch64": ([198, 117, 425], 220, 435, 0xC00000B7),
}
if platform.machine() not in CALLS:
    fail(f"it knows no system calls of {platform.machine()}")
denied, clone, clone3, arch = CALLS[platform.machine()]
LOAD, JUMP, MASK, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
filters = [(LOAD, 0, 0, 4), (JUMP, 1, 0, arch), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
if arch == 0xC000003E:
    filters += [(0x35, 0, 1, 0x40000000), (RETURN, 0, 0, KILL)]  # the x32 calls
for number in denied:
    filters += [(JUMP, 0, 1, number), (RETURN, 0, 0, EPERM)]
filters += [(JUMP, 0, 1, clone3), (RETURN, 0, 0, ENOSYS)]
# A thread (CLONE_THREAD) is no further process.
filters += [(JUMP, 0, 3, clone), (LOAD, 0, 0, 16), (MASK, 1, 0, 0x10000), (RETURN, 0, 0, EPERM), (RETURN, 0, 0, ALLOW)]
code = b"".join(struct.pack("=HBBI", *f) for f in filters)
buffer = ctypes.create_string_buffer(code, len(code))


class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


rules = Program(len(filters), ctypes.cast(buffer, ctypes.c_void_p))
if libc.prctl(22, 2, ctypes.byref(rules), 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    fail(f"the kernel refuses a filter of system calls ({os.strerror(ctypes.get_errno())})")

os.chdir(scratch)
os.execve(program[0], program, {"HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"})
