//! Valid inputs about anchored checkpoints.

use nervure_anchor::{
    AnchorCheckpoint, AnchorDomain, AnchorKey, AnchorSet, AnchoredBlock, Attestation, AttestationMessage,
    MetagraphRoot, ProofOfPossession, Submission, SubmissionsRequest, SubmissionsResponse,
};
use nervure_ledger::transaction::{Call, RegisterAnchorKey};
use nervure_primitives::{BlockHeight, Netuid};

use super::{mesh, value};
use crate::MESH;

/// A valid input of a target.
pub(super) fn of(name: &str) -> Option<Vec<u8>> {
    match name {
        "anchor_attestation" => attestation()?.encode().ok(),
        "anchor_submission" => submission()?.encode().ok(),
        "attestation_message" => attestation_message(),
        "submissions_request" => {
            SubmissionsRequest { domain: AnchorDomain::LOCAL, from: BlockHeight(7) }.encode().ok()
        }
        "submissions_response" => submissions_response(),
        _ => None,
    }
}

fn key() -> Option<AnchorKey> {
    AnchorKey::from_secret(&[1; 32])
}

/// The transaction that registers the anchor key.
pub(super) fn registration() -> Option<Call> {
    let key = key()?;
    let possession = ProofOfPossession::prove(&key, &super::key().node_id(), &mesh().mesh_id());
    Some(Call::RegisterAnchorKey(RegisterAnchorKey { address: key.address(), possession }))
}

fn attestation() -> Option<Attestation> {
    let checkpoint = submission()?.checkpoint;
    Some(Attestation::sign(&key()?, &checkpoint, &AnchorDomain::LOCAL, &value()))
}

fn attestation_message() -> Option<Vec<u8>> {
    let message = AttestationMessage { domain: AnchorDomain::LOCAL, attestation: attestation()?, number: 1 };
    message.encode().ok()
}

fn submissions_response() -> Option<Vec<u8>> {
    let mut response = SubmissionsResponse::default();
    response.push(&submission()?).ok()?;
    response.encode().ok()
}

fn submission() -> Option<Submission> {
    let block = AnchoredBlock { mesh: MESH, height: BlockHeight(7), block: value(), state: value() };
    let metagraphs = [1, 2].map(|netuid| MetagraphRoot { netuid: Netuid(netuid), epoch: 7, root: value() });
    let checkpoint = AnchorCheckpoint::new(block, metagraphs.to_vec(), value()).ok()?;
    let key = key()?;
    let validators = AnchorSet::new([(key.address(), 9)]).ok()?;
    let signature = Attestation::sign(&key, &checkpoint, &AnchorDomain::LOCAL, &validators.hash()).signature;
    Some(Submission { checkpoint, validators, signatures: vec![signature] })
}
