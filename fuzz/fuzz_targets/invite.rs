//! libFuzzer on [`nervure_fuzz::invite`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::invite(data));
