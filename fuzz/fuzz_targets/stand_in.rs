//! libFuzzer on [`nervure_experts::fuzzing::stand_in`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_experts::fuzzing::stand_in(data));
