//! libFuzzer on [`nervure_fuzz::receipt`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::receipt(data));
