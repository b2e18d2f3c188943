//! libFuzzer on [`nervure_fuzz::interim_scores`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::interim_scores(data));
