//! libFuzzer on [`nervure_fuzz::scores_messages`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::scores_messages(data));
