//! libFuzzer on [`nervure_fuzz::faucet_response`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::faucet_response(data));
