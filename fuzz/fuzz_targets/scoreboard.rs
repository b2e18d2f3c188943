//! libFuzzer on [`nervure_fuzz::scoreboard`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::scoreboard(data));
