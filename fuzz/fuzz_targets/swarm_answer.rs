//! libFuzzer on [`nervure_p2p::fuzzing::answer`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_p2p::fuzzing::answer(data));
