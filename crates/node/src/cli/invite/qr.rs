//! A QR code on a terminal, two rows of modules in a line.

use anyhow::Context;
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// A QR code of a link. In upper case: the code has a smaller alphabet for that.
pub(super) fn render(link: &str) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(link.to_ascii_uppercase(), EcLevel::L);
    let code = code.context("the link is too long for a QR code: name fewer seeds")?;
    // Light modules are drawn: terminals are dark more often than not, and readers accept both.
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_link_has_a_code_and_a_longer_one_an_error() {
        let code = render(&format!("nervure:{}", "A".repeat(700))).unwrap();
        assert!(code.lines().count() > 20, "{code}");
        assert!(render(&"A".repeat(10_000)).is_err());
    }
}
