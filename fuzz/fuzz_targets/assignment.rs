//! libFuzzer on [`nervure_fuzz::assignment`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::assignment(data));
