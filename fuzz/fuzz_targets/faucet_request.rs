//! libFuzzer on [`nervure_fuzz::faucet_request`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::faucet_request(data));
