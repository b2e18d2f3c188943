//! libFuzzer on [`nervure_fuzz::commit_certificate`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::commit_certificate(data));
