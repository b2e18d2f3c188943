//! The logits of a text that is known already: one pass for each window, instead of one for each byte.

use nervure_experts::byte_text::CONTEXT_BYTES;

use crate::{
    ByteModel, ModelError, Pass,
    session::{resumed_window, slide},
};

/// The logits of each of `written`, as a [`Session`](crate::Session) has them that reads the prompt and the prefix and is
/// then pushed `written` byte by byte. With the model's exact products, they are the same bits.
pub(super) fn logits(
    model: &ByteModel,
    (prompt, prefix): (&[u8], &[u8]),
    written: &[u8],
) -> Result<Vec<Vec<f32>>, ModelError> {
    let mut rows = Vec::with_capacity(written.len());
    let mut window = resumed_window(prompt, prefix);
    let mut rest = written;
    while !rest.is_empty() {
        // The window's last byte predicts the first of the rest; the bytes that follow it in the window predict more.
        let first = window.len() - 1;
        let now = rest.len().min(CONTEXT_BYTES - first);
        window.extend_from_slice(&rest[..now - 1]);
        let logits = model.forward(Pass { bytes: &window, batch: 1 })?;
        rows.extend(logits.narrow(0, first, now)?.to_vec2::<f32>()?);
        let last = rest[now - 1];
        rest = &rest[now..];
        if window.len() == CONTEXT_BYTES {
            window = slide(&window);
        }
        window.push(last);
    }
    Ok(rows)
}
