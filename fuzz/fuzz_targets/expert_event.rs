//! libFuzzer on [`nervure_fuzz::expert_event`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::expert_event(data));
