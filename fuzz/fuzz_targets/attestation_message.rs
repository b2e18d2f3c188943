//! libFuzzer on [`nervure_fuzz::attestation_message`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::attestation_message(data));
