//! From a safetensors file, stored as f16, to a model that computes in f32.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::model::ByteModel;
use crate::ExpertError;

/// Largest weights file that is read, in bytes.
const MAX_FILE: usize = 8 << 20;

/// Reads a model. Its size in memory is twice the file's.
///
/// # Errors
/// [`ExpertError::Internal`] when the file is too large, damaged, or of another shape.
pub fn load(safetensors: &[u8]) -> Result<ByteModel, ExpertError> {
    if safetensors.len() > MAX_FILE {
        return Err(ExpertError::Internal(format!("weights of {} bytes", safetensors.len())));
    }
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
    fn damaged_weights_are_refused() {
        for wrong in [&b""[..], b"\0\0\0\0\0\0\0\0", &[0xFF; 64], &vec![0; MAX_FILE + 1]] {
            assert!(matches!(load(wrong), Err(ExpertError::Internal(_))));
        }
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let one = Tensor::zeros((256, 128), DType::F16, &Device::Cpu).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        candle_core::safetensors::save(&HashMap::from([("embed", one)]), file.path()).unwrap();
        let error = load(&std::fs::read(file.path()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("ngram.table"), "{error}");
    }
}
