//! Our messages as the core's, and back. No function here verifies signatures.

use arc_malachitebft_core_types as core;
use nervure_primitives::{NodeId, Signature};

use super::{
    BftContext, Block, CoreAddress, CoreSignature, Height, PeerId,
    context::{CoreProposal, CoreVote},
    round::{core_round, round_of},
};
use crate::{
    bft::{
        PolkaCertificate, RoundCertificate, RoundReason, RoundVote, SignedProposal, SignedStatement,
        SignedVote, Timer, TimerKind, VoteKind,
    },
    checkpoint::{CommitCertificate, SignatureList},
};

pub(in crate::bft) fn core_vote(vote: &SignedVote) -> core::SignedVote<BftContext> {
    core::SignedMessage::new(CoreVote::new(vote.statement, vote.signer), CoreSignature(vote.signature))
}

pub(in crate::bft) fn vote_of(vote: &core::SignedVote<BftContext>) -> SignedVote {
    let signer = core::Vote::validator_address(&vote.message).0;
    SignedStatement { statement: vote.message.vote, signer, signature: vote.signature.0 }
}

pub(in crate::bft) fn core_proposal(proposal: &SignedProposal) -> core::SignedProposal<BftContext> {
    core::SignedMessage::new(
        CoreProposal::new(proposal.statement, proposal.signer),
        CoreSignature(proposal.signature),
    )
}

pub(in crate::bft) fn proposal_of(proposal: &core::SignedProposal<BftContext>) -> SignedProposal {
    let signer = core::Proposal::validator_address(&proposal.message).0;
    SignedStatement { statement: proposal.message.proposal, signer, signature: proposal.signature.0 }
}

pub(in crate::bft) fn core_polka(polka: &PolkaCertificate) -> core::PolkaCertificate<BftContext> {
    let signatures = polka.signatures.iter();
    core::PolkaCertificate {
        height: Height(polka.height),
        round: core_round(polka.round),
        value_id: Block(polka.value),
        polka_signatures: signatures
            .map(|(n, s)| core::PolkaSignature::new(CoreAddress(*n), CoreSignature(*s)))
            .collect(),
    }
}

/// None when the certificate has more votes than a validator set has members, which the core
/// never builds.
pub(in crate::bft) fn polka_of(polka: &core::PolkaCertificate<BftContext>) -> Option<PolkaCertificate> {
    Some(PolkaCertificate {
        height: polka.height.0,
        round: round_of(polka.round),
        value: polka.value_id.0,
        signatures: list(polka.polka_signatures.iter().map(|s| (s.address.0, s.signature.0)))?,
    })
}

pub(in crate::bft) fn core_round_certificate(
    certificate: &RoundCertificate,
) -> core::RoundCertificate<BftContext> {
    let cert_type = match certificate.reason {
        RoundReason::Skip => core::RoundCertificateType::Skip,
        RoundReason::Precommits => core::RoundCertificateType::Precommit,
    };
    let votes = certificate.votes().map(|vote| core_vote(&vote)).collect();
    core::RoundCertificate::new_from_votes(
        Height(certificate.height),
        core_round(certificate.round),
        cert_type,
        votes,
    )
}

pub(in crate::bft) fn round_certificate_of(
    certificate: &core::RoundCertificate<BftContext>,
) -> RoundCertificate {
    let reason = match certificate.cert_type {
        core::RoundCertificateType::Skip => RoundReason::Skip,
        core::RoundCertificateType::Precommit => RoundReason::Precommits,
    };
    let votes = certificate.round_signatures.iter().map(|vote| RoundVote {
        signer: vote.address.0,
        kind: match vote.vote_type {
            core::VoteType::Prevote => VoteKind::Prevote,
            core::VoteType::Precommit => VoteKind::Precommit,
        },
        value: match vote.value_id {
            core::NilOrVal::Nil => None,
            core::NilOrVal::Val(block) => Some(block.0),
        },
        signature: vote.signature.0,
    });
    let mut votes: Vec<_> = votes.collect();
    // The wire format wants one vote per signer, in order of signers.
    votes.sort_by_key(|vote| vote.signer);
    votes.dedup_by_key(|vote| vote.signer);
    RoundCertificate { height: certificate.height.0, round: round_of(certificate.round), reason, votes }
}

pub(in crate::bft) fn core_commit(
    certificate: &CommitCertificate,
) -> core::ExtendedCommitCertificate<BftContext> {
    let signatures = certificate.signatures.iter();
    let signature = |(n, s): &(NodeId, Signature)| {
        // No extension: votes have none in this protocol.
        core::ExtendedCommitSignature::new(CoreAddress(*n), CoreSignature(*s), None)
    };
    core::ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: core_round(certificate.round),
        value_id: Block(certificate.value),
        commit_signatures: signatures.map(signature).collect(),
    }
}

/// None when the certificate has more votes than a validator set has members, which the core
/// never builds.
pub(in crate::bft) fn commit_of(
    certificate: &core::CommitCertificate<BftContext>,
) -> Option<CommitCertificate> {
    let signatures = certificate.commit_signatures.iter();
    Some(CommitCertificate {
        height: certificate.height.0,
        round: round_of(certificate.round),
        value: certificate.value_id.0,
        signatures: list(signatures.map(|s| (s.address.0, s.signature.0)))?,
    })
}

/// The core's timer for ours; none for the listening timer, which the core does not know.
pub(in crate::bft) const fn core_timeout(timer: Timer) -> Option<core::Timeout> {
    let kind = match timer.kind {
        TimerKind::Propose => core::TimeoutKind::Propose,
        TimerKind::Prevote => core::TimeoutKind::Prevote,
        TimerKind::Precommit => core::TimeoutKind::Precommit,
        TimerKind::Rebroadcast => core::TimeoutKind::Rebroadcast,
        TimerKind::Listen => return None,
    };
    Some(core::Timeout::new(core_round(timer.round), kind))
}

/// The core's id of the peer that sent a certificate.
pub(in crate::bft) fn core_peer(node: &NodeId) -> Option<PeerId> {
    PeerId::from_bytes(&node.peer_id().to_bytes()).ok()
}

fn list(signatures: impl Iterator<Item = (NodeId, Signature)>) -> Option<SignatureList> {
    SignatureList::collect(signatures).ok()
}
