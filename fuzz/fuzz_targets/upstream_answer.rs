//! libFuzzer on [`nervure_experts::fuzzing::upstream`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_experts::fuzzing::upstream(data));
