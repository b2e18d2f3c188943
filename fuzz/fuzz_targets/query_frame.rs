//! libFuzzer on [`nervure_fuzz::query_frame`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::query_frame(data));
