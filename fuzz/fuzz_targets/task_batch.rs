//! libFuzzer on [`nervure_fuzz::task_batch`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::task_batch(data));
