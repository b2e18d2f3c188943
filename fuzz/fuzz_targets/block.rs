//! libFuzzer on [`nervure_fuzz::block`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::block(data));
