//! An invite to a mesh: a link that names the mesh by its id, and nodes to begin with.
//!
//! A link is `nervure:` and the signed invite in base32, so that a QR code of it is small. It is as good as the road on which
//! it came: who changes it can only make another invite, with another signer, which a program shows.
//!
//! What a hostile link can do: name another mesh, which is shown before it is joined; have this program dial some addresses,
//! which the scope of the spec judges. The spec that a seed or a server gives has to have the named id and rules.

use data_encoding::BASE32_NOPAD;
use nervure_primitives::{
    Envelope, EnvelopeError, Hash, MeshId, NodeId, NodeKey,
    cbor::{self, Limits},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    bounds::{ENVELOPE_OVERHEAD, MAX_INVITE_LEN, MAX_SEED_LEN, MAX_SEEDS},
    domains::INVITE,
};

/// What a link begins with; in upper case as well.
pub const LINK_PREFIX: &str = "nervure:";

/// Longest link: five bits a character.
const MAX_LINK_LEN: usize = LINK_PREFIX.len() + (MAX_INVITE_LEN + ENVELOPE_OVERHEAD) * 8 / 5 + 8;

/// Longest name of a mesh, and longest URL, in bytes.
const MAX_NAME_LEN: usize = 64;
const MAX_URL_LEN: usize = 256;

/// Bytes of a voucher: the seed of a key.
const VOUCHER_LEN: usize = 32;

/// An invite. Nothing about the mesh is verified.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The mesh.
    pub mesh: MeshId,
    /// Its name, for people.
    pub name: String,
    /// The hash of what the spec says beside the mesh id and is trusted: the upgrades, and the contract with checkpoints.
    pub rules: Hash,
    /// Multiaddresses of nodes to begin with, each ending in `/p2p/ID`.
    pub seeds: Vec<String>,
    /// Where the spec can be fetched; without it, the seeds have it.
    pub spec: Option<String>,
    /// The seed of a key that holds tokens for the invited: who has the link can take them.
    pub voucher: Option<ByteBuf>,
}

/// No secret in a log.
impl std::fmt::Debug for Invite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mesh, name, seeds, voucher, .. } = self;
        write!(f, "Invite({mesh}, {name}, {} seeds, voucher: {})", seeds.len(), voucher.is_some())
    }
}

/// An invite and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedInvite {
    invite: Invite,
    by: NodeId,
    envelope: Envelope,
}

/// Why a text is no invite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// It does not begin as a link.
    #[error("an invite begins with {LINK_PREFIX}")]
    Prefix,
    /// It is not base32, or too long.
    #[error("the link is damaged or was cut off: copy it again")]
    Damaged,
    /// The signature is not valid, or the content is malformed.
    #[error("the invite is not valid: {0}")]
    Envelope(#[from] EnvelopeError),
    /// A part is out of its bounds.
    #[error("the invite has an invalid {0}")]
    OutOfBounds(&'static str),
}

impl Invite {
    fn check(&self) -> Result<(), InviteError> {
        let is_plain =
            |text: &str, most: usize| text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic());
        if !is_plain(&self.name, MAX_NAME_LEN) {
            return Err(InviteError::OutOfBounds("name"));
        }
        if self.seeds.len() > MAX_SEEDS || !self.seeds.iter().all(|seed| is_plain(seed, MAX_SEED_LEN)) {
            return Err(InviteError::OutOfBounds("seed"));
        }
        if self.seeds.is_empty() && self.spec.is_none() {
            return Err(InviteError::OutOfBounds("beginning: it names neither a node nor a spec"));
        }
        if self.spec.as_ref().is_some_and(|url| !is_plain(url, MAX_URL_LEN) || !url.starts_with("https://")) {
            return Err(InviteError::OutOfBounds("address of the spec"));
        }
        match &self.voucher {
            Some(voucher) if voucher.len() != VOUCHER_LEN => Err(InviteError::OutOfBounds("voucher")),
            _ => Ok(()),
        }
    }
}

impl SignedInvite {
    /// Signs an invite.
    ///
    /// # Errors
    /// When a part is out of its bounds.
    pub fn sign(key: &NodeKey, invite: Invite) -> Result<Self, InviteError> {
        invite.check()?;
        let envelope = Envelope::seal(key, INVITE, &invite.mesh, &invite)?;
        Ok(Self { invite, by: key.node_id(), envelope })
    }

    /// Whether a text looks like a link.
    pub fn is_link(text: &str) -> bool {
        text.get(..LINK_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(LINK_PREFIX))
    }

    /// Reads a link, and verifies its signature.
    ///
    /// # Errors
    /// When it is no link, is damaged, or a part is out of its bounds.
    pub fn parse(link: &str) -> Result<Self, InviteError> {
        if !Self::is_link(link) {
            return Err(InviteError::Prefix);
        }
        if link.len() > MAX_LINK_LEN {
            return Err(InviteError::Damaged);
        }
        let text = link[LINK_PREFIX.len()..].to_ascii_uppercase();
        let bytes = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| InviteError::Damaged)?;
        let envelope = Envelope::decode(&bytes, MAX_INVITE_LEN)?;
        // The mesh is part of the signature, and in the body: the body is read first, and nothing of it is used before
        // the signature is verified for the mesh that it names.
        let claimed: Invite =
            cbor::decode(envelope.body(), Limits::new(MAX_INVITE_LEN)).map_err(EnvelopeError::from)?;
        let invite: Invite = envelope.open(INVITE, &claimed.mesh, MAX_INVITE_LEN)?;
        invite.check()?;
        Ok(Self { by: envelope.signer(), invite, envelope })
    }

    /// Its link.
    ///
    /// # Errors
    /// None in practice.
    pub fn link(&self) -> Result<String, InviteError> {
        let bytes = self.envelope.encode()?;
        Ok(format!("{LINK_PREFIX}{}", BASE32_NOPAD.encode(&bytes)))
    }

    /// What it says.
    pub fn invite(&self) -> &Invite {
        &self.invite
    }

    /// Who signed it.
    pub fn by(&self) -> NodeId {
        self.by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Invite {
        Invite {
            mesh: MeshId::from_bytes([7; 32]),
            name: "example".into(),
            rules: Hash::from_bytes([8; 32]),
            seeds: vec!["/ip4/8.8.4.4/udp/1/quic-v1/p2p/x".into()],
            spec: None,
            voucher: None,
        }
    }

    #[test]
    fn a_link_reads_back_in_any_case_and_a_changed_one_is_refused() {
        let key = NodeKey::from_seed(&[1; 32]);
        let link = SignedInvite::sign(&key, invite()).unwrap().link().unwrap();
        for text in [link.clone(), link.to_ascii_lowercase(), link.to_ascii_uppercase()] {
            assert_eq!(SignedInvite::parse(&text).unwrap().invite(), &invite());
        }
        let cut = &link[..link.len() - 9];
        assert!(SignedInvite::parse(cut).is_err());
        for at in (LINK_PREFIX.len()..link.len() - 1).step_by(7) {
            let mut changed = link.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(SignedInvite::parse(&String::from_utf8(changed).unwrap()).is_err(), "{at}");
        }
        assert_eq!(SignedInvite::parse("mesh.toml"), Err(InviteError::Prefix));
    }

    #[test]
    fn an_invite_leads_somewhere_and_stays_within_its_bounds() {
        let sign = |change: fn(&mut Invite)| {
            let mut invite = invite();
            change(&mut invite);
            SignedInvite::sign(&NodeKey::from_seed(&[1; 32]), invite).map(drop)
        };
        assert_eq!(sign(|_| {}), Ok(()));
        assert!(sign(|invite| invite.seeds.clear()).is_err());
        assert!(sign(|invite| invite.seeds = vec!["x".into(); MAX_SEEDS + 1]).is_err());
        assert!(sign(|invite| invite.spec = Some("http://a".into())).is_err(), "a spec comes over TLS");
        assert!(sign(|invite| invite.voucher = Some(ByteBuf::from(vec![1]))).is_err());
        assert!(sign(|invite| invite.name = "a\u{1b}".into()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_decoder_panic(text: String) {
            let _ = (SignedInvite::parse(&text), SignedInvite::parse(&format!("{LINK_PREFIX}{text}")));
        }
    }
}
