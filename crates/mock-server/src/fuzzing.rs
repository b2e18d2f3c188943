//! Entry points of the fuzz targets.

use crate::MockModel;

/// Asks mock models of several qualities for the answer to `data` and for its vector.
pub fn mock_server(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for quality in [100, 0] {
        let _ = MockModel::chat(quality).answer(&text);
    }
    let _ = MockModel::embedding(50).embed(&text);
}
