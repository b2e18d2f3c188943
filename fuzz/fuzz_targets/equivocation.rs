//! libFuzzer on [`nervure_fuzz::equivocation`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::equivocation(data));
