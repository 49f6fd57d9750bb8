//! Codes of failures while running, one file each.

pub mod e1001_bad_record;
pub mod e1002_no_files;
pub mod e1003_bad_data;
pub mod e1101_bad_model;
pub mod e1201_training;
pub mod e1202_requirement;
pub mod e1203_device;
pub mod e1204_not_held;
pub mod e1205_held_up;
pub mod e1301_store;
pub mod e1303_files;
pub mod e1304_stopped;
pub mod e1305_external;
pub mod e1306_nothing_found;

use llmp_grammar::Info;

/// All codes of this crate, in order.
pub const ALL: &[&Info] = &[
    &e1001_bad_record::INFO,
    &e1002_no_files::INFO,
    &e1003_bad_data::INFO,
    &e1101_bad_model::INFO,
    &e1201_training::INFO,
    &e1202_requirement::INFO,
    &e1203_device::INFO,
    &e1204_not_held::INFO,
    &e1205_held_up::INFO,
    &e1301_store::INFO,
    &e1303_files::INFO,
    &e1304_stopped::INFO,
    &e1305_external::INFO,
    &e1306_nothing_found::INFO,
];
