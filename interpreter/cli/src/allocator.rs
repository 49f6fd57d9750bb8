//! The allocator of the process: mimalloc, told to keep freed memory for a while.
#![expect(unsafe_code, reason = "mimalloc's options are set through its C interface")]

use std::ffi::{c_int, c_long};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    fn mi_option_set(option: c_int, value: c_long);
}

/// Keeps freed memory for ten seconds: a training step frees what the next one asks for again, and pages that went
/// back to the system in between have to be cleared anew (a tenth of a step).
pub(crate) fn keep_freed_memory() {
    /// `mi_option_purge_delay`, in milliseconds; the same number in mimalloc 2 and 3.
    const PURGE_DELAY: c_int = 15;
    // SAFETY: the function of mimalloc, which is linked as the allocator; it takes any option and value.
    unsafe { mi_option_set(PURGE_DELAY, 10_000) };
}
