//! The exported functions.
//!
//! A host asks for the address of a buffer of a length ([`nervure_input`]), writes the input there, calls [`nervure_verify`],
//! and reads the result at [`nervure_output`]. The buffers belong to the module, so that nothing here follows a pointer
//! that a host made up.

#![allow(unsafe_code, reason = "an exported name is an unsafe attribute; there is no unsafe block")]

use std::cell::RefCell;

use crate::{Claim, verify};

/// Inputs by number: spec, checkpoint, key, fact, and the host's clock.
const INPUTS: usize = 5;

/// Largest input in bytes; the largest proof has less.
const MAX_INPUT_BYTES: usize = 16 << 20;

#[derive(Default)]
struct Buffers {
    inputs: [Vec<u8>; INPUTS],
    output: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// The address of `len` zero bytes for input `number`, until it is called again for that number; null when there is no such
/// input or `len` is above 16 MiB.
#[unsafe(no_mangle)]
pub extern "C" fn nervure_input(number: usize, len: usize) -> *mut u8 {
    BUFFERS.with_borrow_mut(|buffers| match buffers.inputs.get_mut(number) {
        Some(input) if len <= MAX_INPUT_BYTES => {
            input.clear();
            input.resize(len, 0);
            input.as_mut_ptr()
        }
        _ => std::ptr::null_mut(),
    })
}

/// Verifies the inputs: 1 when all verified, else 0. The output is what was proven, or why it is refused.
#[unsafe(no_mangle)]
pub extern "C" fn nervure_verify() -> u32 {
    BUFFERS.with_borrow_mut(|buffers| {
        let [spec, checkpoint, key, fact, now] = &buffers.inputs;
        let result = verify(&Claim { spec, checkpoint, key, fact, now });
        let verified = u32::from(result.is_ok());
        buffers.output = result.unwrap_or_else(|error| error.to_string()).into_bytes();
        verified
    })
}

/// The address of the output, UTF-8, until the next call of [`nervure_verify`].
#[unsafe(no_mangle)]
pub extern "C" fn nervure_output() -> *const u8 {
    BUFFERS.with_borrow(|buffers| buffers.output.as_ptr())
}

/// The length of the output in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn nervure_output_len() -> usize {
    BUFFERS.with_borrow(|buffers| buffers.output.len())
}
