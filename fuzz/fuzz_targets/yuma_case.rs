//! libFuzzer on [`nervure_fuzz::yuma_case`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::yuma_case(data));
