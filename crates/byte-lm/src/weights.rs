//! Loads a model from a safetensors file: stored as f16, computed in f32.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use candle_core::{DType, Device, Tensor};

use crate::ModelError;
use crate::model::ByteModel;

/// Largest weights file that is read, in bytes.
const MAX_FILE_BYTES: usize = 8 << 20;

/// The type in which weights are stored.
pub(crate) const WEIGHTS_TYPE: &str = "f16";

/// The digest of a weights file in a model's identity: SHA-256 of its bytes, as `sha256sum` prints it.
#[must_use]
pub fn weights_digest(safetensors: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(safetensors)))
}

/// Reads a model. Its size in memory is twice the file's.
///
/// # Errors
/// When the file is too large, damaged, or has other shapes than the model.
pub fn load(safetensors: &[u8]) -> Result<ByteModel, ModelError> {
    if safetensors.len() > MAX_FILE_BYTES {
        return Err(ModelError::WeightsTooLarge { bytes: safetensors.len(), max_bytes: MAX_FILE_BYTES });
    }
    // Process-wide: one worker thread answers one request, so a product must not wake other threads.
    gemm::set_threading_threshold(usize::MAX);
    let stored = candle_core::safetensors::load_buffer(safetensors, &Device::Cpu)?;
    let parameters: HashMap<String, Tensor> = stored
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?)))
        .collect::<candle_core::Result<_>>()?;
    Ok(ByteModel::new(&parameters)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_damaged_weights() {
        for wrong in [&b""[..], b"\0\0\0\0\0\0\0\0", &[0xFF; 64], &vec![0; MAX_FILE_BYTES + 1]] {
            assert!(load(wrong).is_err());
        }
    }

    #[test]
    fn names_a_missing_parameter() {
        let one = Tensor::zeros((256, 128), DType::F16, &Device::Cpu).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        candle_core::safetensors::save(&HashMap::from([("embed", one)]), file.path()).unwrap();
        let error = load(&std::fs::read(file.path()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("ngram.table"), "{error}");
    }
}
