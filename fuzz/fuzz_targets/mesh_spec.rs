//! libFuzzer on [`nervure_fuzz::mesh_spec`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::mesh_spec(data));
