//! libFuzzer on [`nervure_fuzz::checkpoint`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::checkpoint(data));
