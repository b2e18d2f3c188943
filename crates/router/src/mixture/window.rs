//! What experts read of a text in progress.

/// Bytes of context that a byte-level expert reads at most.
pub const WINDOW_BYTES: usize = 256;

/// Bytes that stay when a window is full.
pub const WINDOW_KEPT_BYTES: usize = 192;

/// The end of a text: grows to [`WINDOW_BYTES`] and then starts again with its last [`WINDOW_KEPT_BYTES`], so that an
/// expert that caches it seldom has to read it from the start.
pub(super) struct Window(Vec<u8>);

impl Window {
    pub(super) fn new(prompt: &str) -> Self {
        let bytes = prompt.as_bytes();
        Self(bytes[bytes.len().saturating_sub(WINDOW_KEPT_BYTES)..].to_vec())
    }

    pub(super) fn push(&mut self, byte: u8) {
        if self.0.len() + 1 >= WINDOW_BYTES {
            self.0.drain(..self.0.len() + 1 - WINDOW_KEPT_BYTES);
        }
        self.0.push(byte);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_grows_and_restarts_with_the_end_of_the_text() {
        let text: Vec<u8> = (0..1000u32).map(|at| b'a' + (at % 26) as u8).collect();
        let mut window = Window::new(std::str::from_utf8(&text[..300]).unwrap());
        assert_eq!(window.0, text[300 - WINDOW_KEPT_BYTES..300]);
        let mut restarts = 0;
        for (at, byte) in text.iter().enumerate().skip(300) {
            let before = window.0.len();
            window.push(*byte);
            assert!(window.0.len() < WINDOW_BYTES && window.0.len() >= WINDOW_KEPT_BYTES);
            assert!(text[..=at].ends_with(&window.0), "{at}");
            restarts += u32::from(window.0.len() <= before);
        }
        assert_eq!(restarts, 700 / (WINDOW_BYTES - WINDOW_KEPT_BYTES) as u32, "seldom");
    }
}
