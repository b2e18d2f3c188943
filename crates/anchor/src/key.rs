//! Anchor keys: secp256k1, because that is what a contract can check.
//!
//! A signature is 64 bytes in the compact form of EIP-2098: r, then s with the parity of the point in its
//! highest bit. s is the lower of the two that verify, so a signature has one form.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use nervure_primitives::Excerpt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use zeroize::Zeroizing;

use super::abi::{Word, keccak};

/// The address of an anchor key: the last 20 bytes of the hash of its public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnchorAddress(
    #[cfg_attr(feature = "schema", schemars(with = "String", regex(pattern = "^0x[0-9a-f]{40}$")))] [u8; 20],
);

/// A signature by an anchor key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnchorSignature(#[serde(with = "serde_bytes")] [u8; 64]);

/// The bytes are not a signature in its only accepted form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid signature of an anchor key")]
pub struct InvalidSignature;

impl AnchorAddress {
    /// Wraps 20 raw bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    fn of(key: &VerifyingKey) -> Self {
        let point = key.to_encoded_point(false);
        // Without the first byte, which only says that it is not compressed.
        let hash = keccak(point.as_bytes().get(1..).unwrap_or_default());
        let mut address = [0; 20];
        address.copy_from_slice(&hash[12..]);
        Self(address)
    }
}

impl fmt::Display for AnchorAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("0x{}", HEXLOWER.encode(&self.0)))
    }
}

impl fmt::Debug for AnchorAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnchorAddress({self})")
    }
}

impl FromStr for AnchorAddress {
    type Err = String;

    /// Reads `0x` and 40 hexadecimal digits; their case, which some use as a checksum, is not looked at.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
        let bytes = HEXLOWER.decode(digits.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| format!("'{}' is not 0x and 40 hexadecimal digits", Excerpt::new(text)))
    }
}

impl Serialize for AnchorAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for AnchorAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text: std::borrow::Cow<'de, str> = Deserialize::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            let bytes: serde_bytes::ByteArray<20> = Deserialize::deserialize(deserializer)?;
            Ok(Self(bytes.into_array()))
        }
    }
}

impl AnchorSignature {
    /// Wraps 64 raw bytes; they need not be a signature.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 raw bytes: r, then s with the parity in its highest bit.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The address that signed `digest`.
    ///
    /// # Errors
    /// When the signature is not valid or uses the higher s: the contract refuses the same.
    pub fn signer(&self, digest: &[u8; 32]) -> Result<AnchorAddress, InvalidSignature> {
        let mut bytes = self.0;
        let odd = bytes[32] & 0x80 != 0;
        bytes[32] &= 0x7f;
        let signature = Signature::from_slice(&bytes).map_err(|_| InvalidSignature)?;
        if signature.normalize_s().is_some() {
            return Err(InvalidSignature);
        }
        let parity = RecoveryId::new(odd, false);
        let key = VerifyingKey::recover_from_prehash(digest, &signature, parity);
        key.map(|key| AnchorAddress::of(&key)).map_err(|_| InvalidSignature)
    }
}

impl fmt::Debug for AnchorSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnchorSignature({}...)", HEXLOWER.encode(&self.0[..4]))
    }
}

/// The secret key that a validator signs checkpoints with. Zeroised when dropped; `Debug` shows the
/// address only.
#[derive(Clone)]
pub struct AnchorKey(SigningKey);

impl AnchorKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    #[cfg(not(target_family = "wasm"))]
    pub fn generate() -> Result<Self, getrandom::Error> {
        loop {
            let mut secret = Zeroizing::new([0; 32]);
            getrandom::fill(secret.as_mut())?;
            // All but one in 2^127 numbers are valid keys.
            if let Some(key) = Self::from_secret(&secret) {
                return Ok(key);
            }
        }
    }

    /// The key with this secret number; `None` for zero and for numbers beyond the order of the curve.
    pub fn from_secret(secret: &[u8; 32]) -> Option<Self> {
        SigningKey::from_slice(secret).ok().map(Self)
    }

    /// The secret number, for a key file.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// The address of the key.
    pub fn address(&self) -> AnchorAddress {
        AnchorAddress::of(self.0.verifying_key())
    }

    /// Signs a digest as it is. Callers hash a statement together with its domain.
    pub(crate) fn sign(&self, digest: &Word) -> AnchorSignature {
        // Fails for one digest in 2^128, for which there is no signature.
        let Ok((signature, parity)) = self.0.sign_prehash_recoverable(digest) else {
            return AnchorSignature([0; 64]);
        };
        let mut bytes: [u8; 64] = signature.to_bytes().into();
        if parity.is_y_odd() {
            bytes[32] |= 0x80;
        }
        AnchorSignature(bytes)
    }
}

impl fmt::Debug for AnchorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnchorKey({})", self.address())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_key_has_its_known_address() {
        // The first account of the mnemonic that every development chain starts with.
        let secret = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        let secret: [u8; 32] = HEXLOWER.decode(secret.as_bytes()).unwrap().try_into().unwrap();
        let key = AnchorKey::from_secret(&secret).unwrap();
        let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".parse().unwrap();
        assert_eq!(key.address(), address);
        assert_eq!(format!("{key:?}"), "AnchorKey(0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266)");
        assert_eq!(*key.secret(), secret);
    }

    #[test]
    fn refuses_invalid_secrets_and_addresses() {
        assert!(AnchorKey::from_secret(&[0; 32]).is_none() && AnchorKey::from_secret(&[255; 32]).is_none());
        for text in ["", "0x", "0xf39F", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb9226g"] {
            assert!(text.parse::<AnchorAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_the_higher_of_the_two_valid_s() {
        let key = AnchorKey::from_secret(&[7; 32]).unwrap();
        let signature = key.sign(&[9; 32]);
        let mut bytes = signature.0;
        bytes[32] &= 0x7f;
        let low = Signature::from_slice(&bytes).unwrap();
        let high = Signature::from_scalars(low.r(), -*low.s()).unwrap();
        assert_eq!(high.normalize_s(), Some(low), "it is a valid ECDSA signature");
        let twin: [u8; 64] = high.to_bytes().into();
        assert_ne!(AnchorSignature(twin).signer(&[9; 32]), Ok(key.address()));
        // The compact form can express a few of the higher s: between half the order and 2^255.
        bytes[32..].fill(255);
        bytes[32] = 0x7f;
        assert_eq!(AnchorSignature(bytes).signer(&[9; 32]), Err(InvalidSignature));
    }

    proptest! {
        #[test]
        fn recovers_the_signer(secret in 1u8.., digest: [u8; 32], other: [u8; 32]) {
            let key = AnchorKey::from_secret(&[secret; 32]);
            prop_assume!(key.is_some());
            let key = key.unwrap();
            let signature = key.sign(&digest);
            prop_assert_eq!(signature.signer(&digest), Ok(key.address()));
            prop_assert!(digest == other || signature.signer(&other) != Ok(key.address()));
        }

        #[test]
        fn no_input_panics(low: [u8; 32], high: [u8; 32], digest: [u8; 32]) {
            let bytes: Vec<u8> = [low, high].concat();
            let _ = AnchorSignature::from_bytes(bytes.try_into().unwrap()).signer(&digest);
        }
    }
}
