//! libFuzzer on [`nervure_mock_server::fuzzing::mock_server`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_mock_server::fuzzing::mock_server(data));
