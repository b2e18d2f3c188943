//! libFuzzer on [`nervure_fuzz::names`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::names(data));
