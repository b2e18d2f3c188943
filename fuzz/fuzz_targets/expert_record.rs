//! libFuzzer on [`nervure_fuzz::expert_record`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::expert_record(data));
