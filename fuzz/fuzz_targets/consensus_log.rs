//! libFuzzer on [`nervure_fuzz::consensus_log`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::consensus_log(data));
