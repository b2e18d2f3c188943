//! libFuzzer on [`nervure_fuzz::traffic_statistics`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::traffic_statistics(data));
