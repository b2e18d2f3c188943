//! libFuzzer on [`nervure_fuzz::assignment_opening`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::assignment_opening(data));
