//! Conversions between the mesh's types and the contract's.

use alloy::{
    primitives::{Address, B256},
    sol_types::SolInterface,
};
use nervure_anchor::{
    AnchorAddress, AnchorCheckpoint, AnchorError, AnchorSet, AnchorSignature, AnchorValidator,
    CheckpointRejection, MetagraphRoot, Submission, SubmissionError,
};
use nervure_primitives::{BlockHeight, Hash, Netuid};

use crate::contract::CheckpointAnchor::{self as sol, CheckpointAnchorErrors as Revert};

pub(crate) fn address(address: AnchorAddress) -> Address {
    Address::from(*address.as_bytes())
}

pub(crate) fn word(hash: Hash) -> B256 {
    B256::from(*hash.as_bytes())
}

pub(crate) fn hash(word: B256) -> Hash {
    Hash::from_bytes(word.0)
}

pub(crate) fn checkpoint(checkpoint: &AnchorCheckpoint) -> sol::Checkpoint {
    let metagraph =
        |one: &MetagraphRoot| sol::Metagraph { netuid: one.netuid.0, epoch: one.epoch, root: word(one.root) };
    sol::Checkpoint {
        height: checkpoint.height().0,
        blockHash: word(checkpoint.block()),
        stateRoot: word(checkpoint.state()),
        metagraphs: checkpoint.metagraphs().iter().map(metagraph).collect(),
        nextValidators: word(checkpoint.next_validators()),
    }
}

pub(crate) fn validators(set: &AnchorSet) -> Vec<sol::Validator> {
    let member = |one: &AnchorValidator| sol::Validator { account: address(one.address), power: one.power };
    set.members().iter().map(member).collect()
}

fn signature(signature: &AnchorSignature) -> sol::Signature {
    let (mut r, mut vs) = ([0; 32], [0; 32]);
    r.copy_from_slice(&signature.as_bytes()[..32]);
    vs.copy_from_slice(&signature.as_bytes()[32..]);
    sol::Signature { r: r.into(), vs: vs.into() }
}

pub(crate) fn submission(submission: &Submission) -> sol::submitCall {
    sol::submitCall {
        checkpoint: checkpoint(&submission.checkpoint),
        validators: validators(&submission.validators),
        signatures: submission.signatures.iter().map(signature).collect(),
    }
}

/// The contract's revert as a [`CheckpointRejection`].
pub(crate) fn rejection(data: &[u8]) -> AnchorError {
    let Ok(revert) = Revert::abi_decode(data) else {
        return AnchorError::Untrustworthy("the contract reverted with an unknown error".into());
    };
    let small = |number: alloy::primitives::U256| u64::try_from(number).unwrap_or(u64::MAX);
    let index = |number| usize::try_from(small(number)).unwrap_or(usize::MAX);
    let rejection = match revert {
        Revert::Conflict(it) => CheckpointRejection::Conflict {
            height: BlockHeight(it.height),
            stored: hash(it.stored),
            submitted: hash(it.submitted),
        },
        Revert::Stale(it) => {
            CheckpointRejection::Stale { height: BlockHeight(it.height), latest: BlockHeight(it.latest) }
        }
        Revert::OtherValidators(it) => CheckpointRejection::OtherValidators {
            expected: hash(it.expected),
            submitted: hash(it.submitted),
        },
        Revert::ConflictingMetagraph(it) => {
            CheckpointRejection::ConflictingMetagraph { netuid: Netuid(it.netuid), epoch: it.epoch }
        }
        Revert::BadSignature(it) => SubmissionError::Signature(index(it.index)).into(),
        Revert::UnexpectedSigner(it) => {
            let signer = AnchorAddress::from_bytes(it.signer.into_array());
            SubmissionError::Signer(index(it.index), signer).into()
        }
        Revert::TooLittlePower(it) => {
            SubmissionError::TooLittlePower { signed: small(it.signed), total: small(it.total) }.into()
        }
        // The types of this crate exclude what these errors are about.
        Revert::Zero(_)
        | Revert::TooManyValidators(_)
        | Revert::UnsortedValidators(_)
        | Revert::UnsortedMetagraphs(_) => {
            return AnchorError::Untrustworthy("the contract rejected a call that was not submitted".into());
        }
    };
    AnchorError::Rejected(rejection)
}
