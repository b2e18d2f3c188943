//! libFuzzer on [`nervure_fuzz::audit_case`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::audit_case(data));
