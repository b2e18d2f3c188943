//! The weight of each kind of transaction: what carrying it out costs every node, in the worst case.
//!
//! The unit is a thousandth of one strict ed25519 check. `cargo bench -p nervure-ledger --bench weights` measures every
//! kind in its worst case, relative to signature checks in the same run, and prints this table. The test
//! `weights` fails if a kind costs more than one and a half times its weight.
//!
//! A weight depends on the transaction alone, not on the state: its sender knows the price before it signs. It includes
//! the records that the transaction changes in the state tree, which is most of the work of the smaller kinds.

/// One signature check, the nonce and balance of who pays, and what a block does for each of its transactions: half as
/// much again as in memory, for the disk.
pub(super) const TRANSACTION: u64 = 1_900;

/// A byte of a transaction's body. Hashing and decoding cost a tenth of it; the rest is for the disk and the network,
/// which keep and carry it, and bounds the bytes of a full block.
pub(super) const BYTE: u64 = 8;

/// Another account changes.
pub(super) const TRANSFER: u64 = 600;
/// The consent's signature, and a new node.
pub(super) const REGISTER_NODE: u64 = 2_000;
/// The consent's signature, and the neurons of a node with a full row of weights in all of 128 subnets.
pub(super) const SWAP_KEY: u64 = 90_000;
/// All subnets are looked through for slots; a node, its vote and its anchor key leave the tree.
pub(super) const DEREGISTER_NODE: u64 = 6_000;
/// A node changes.
pub(super) const SET_TAKE: u64 = 800;
/// A stake and its node change.
pub(super) const STAKE: u64 = 1_200;
/// A stake, its node, and an unbonding amount change.
pub(super) const UNSTAKE: u64 = 1_800;
/// Two stakes, their nodes, and a record of the move change.
pub(super) const MOVE_STAKE: u64 = 2_400;
/// The consent's signature.
pub(super) const ROTATE_OWNER: u64 = 1_500;
/// A stake is written under another key.
pub(super) const ROTATED_STAKE: u64 = 1_500;
/// An unbonding amount is written under another key.
pub(super) const ROTATED_UNBONDING: u64 = 1_000;
/// A full subnet is dissolved: its neurons leave the tree, and their deposits are paid to as many accounts.
pub(super) const REGISTER_SUBNET: u64 = 190_000;
/// A neuron is pruned in a full subnet: the weights and bonds of all validators are written again, and the weights of those
/// that once were.
pub(super) const REGISTER_NEURON: u64 = 60_000;
/// A neuron leaves a full subnet: as when one is pruned.
pub(super) const DEREGISTER_NEURON: u64 = 60_000;
/// A standing changes.
pub(super) const JOIN_VALIDATORS: u64 = 1_200;
/// A standing changes.
pub(super) const LEAVE_VALIDATORS: u64 = 1_200;
/// A subnet changes.
pub(super) const SET_HYPERPARAMETER: u64 = 1_500;
/// A subnet changes.
pub(super) const SET_MECHANISM: u64 = 1_500;
/// A neuron with a full row of weights and of bonds is written again.
pub(super) const NEURON: u64 = 3_000;
/// A weight of a row, checked, sorted and written.
pub(super) const CELL: u64 = 8;
/// A vote changes, and the account of its owner.
pub(super) const VOTE: u64 = 1_600;
/// A subnet in a vote is looked up.
pub(super) const VOTED_SUBNET: u64 = 10;
/// The proof of possession: a secp256k1 signature; a key changes, and the account of its owner.
pub(super) const REGISTER_ANCHOR_KEY: u64 = 6_600;

/// Two signatures; the node, its standing, an unbonding amount, and the account that is rewarded change.
pub(super) const REPORT_EQUIVOCATION: u64 = 6_000;

/// A proposal is written, counted and carried out: the stakes on 64 validators are priced, each by four choices.
pub(super) const SUBMIT_PROPOSAL: u64 = 20_000;
/// The vote of a stake and the sums of its node change, and the vote is removed later.
pub(super) const STAKE_VOTE: u64 = 3_000;
/// A call of a batch, beside its own weight: what it changes is copied, so that it can be undone.
pub(super) const BATCHED_CALL: u64 = 300;
/// The account's nonce, and its id.
pub(super) const MULTISIG_CALL: u64 = 600;
/// A signature.
pub(super) const APPROVAL: u64 = 1_050;

/// A proxy changes, and all that it announced is removed.
pub(super) const SET_PROXY: u64 = 8_000;
/// A proxy changes, and an announcement is removed; what the call changes is copied, so that it can be undone.
pub(super) const PROXY_CALL: u64 = 2_000;
/// An announcement is written.
pub(super) const ANNOUNCE_CALL: u64 = 1_500;
/// An announcement is removed.
pub(super) const CANCEL_ANNOUNCEMENT: u64 = 1_000;
/// A vested amount is written.
pub(super) const TRANSFER_VESTED: u64 = 1_000;
/// All vested amounts from one sender change.
pub(super) const CLAIM_VESTED: u64 = 5_000;

/// The weight of `count` parts of the same weight.
pub(super) fn each(weight: u64, count: usize) -> u64 {
    weight.saturating_mul(count as u64)
}

/// The weight of a transaction with a body of `bytes`, whose kind adds `kind`.
pub(super) fn whole(kind: u64, bytes: usize) -> u64 {
    TRANSACTION.saturating_add(kind).saturating_add(each(BYTE, bytes))
}
