//! A shared library opened while a test runs.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Every symbol at once, so that a missing one is found here.
const NOW: c_int = 2;

/// A library that stays open.
pub(super) struct Library(*mut c_void);

impl Library {
    pub(super) fn open(path: &Path) -> Option<Self> {
        let path = CString::new(path.to_str()?).ok()?;
        // SAFETY: a path that ends in 0; libraries run their constructors, which is what the tests open them for.
        let library = unsafe { dlopen(path.as_ptr(), NOW) };
        (!library.is_null()).then_some(Self(library))
    }

    /// A function of the library.
    ///
    /// # Safety
    ///
    /// `F` must be the function's type.
    pub(super) unsafe fn function<F: Copy>(&self, name: &str) -> F {
        let name = CString::new(name).unwrap();
        // SAFETY: an open library and a name that ends in 0.
        let address = unsafe { dlsym(self.0, name.as_ptr()) };
        assert!(!address.is_null(), "no {name:?} in the library");
        assert_eq!(size_of::<F>(), size_of::<*mut c_void>());
        // SAFETY: the caller names the type; a function's address is as large as a pointer.
        unsafe { std::mem::transmute_copy(&address) }
    }
}
