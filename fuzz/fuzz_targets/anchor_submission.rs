//! libFuzzer on [`nervure_fuzz::anchor_submission`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::anchor_submission(data));
