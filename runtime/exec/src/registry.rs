//! The only list of lists: everything that a program can name.

use llmp_stdlib::Registry;

/// The registry of this build.
pub fn registry() -> Registry {
    Registry::new()
        .kinds(llmp_data::kinds::ALL)
        .kinds(llmp_nn::kinds::ALL)
        .kinds(llmp_train::kinds::ALL)
        .kinds(&[&llmp_stdlib::hardware::KIND])
        .steps(llmp_data::steps::SIGNATURES)
        .steps(llmp_train::steps::SIGNATURES)
        .families(llmp_train::steps::FAMILIES)
        .functions(llmp_data::functions::ALL)
}
