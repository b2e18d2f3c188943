//! Submissions, changes of the signing set, and rejections.

use nervure_anchor::{Anchor, AnchorError, CheckpointRejection, SubmissionReceipt};
use nervure_anchor_evm::{EvmAnchor, anvil::AnvilOptions};
use nervure_primitives::{BlockHeight, MeshId, Netuid};

use crate::{
    chain::{Chain, account, run},
    mesh::{MESH, checkpoint, four, set, signed, variant},
};

#[test]
fn checkpoints_are_anchored_and_validators_hand_over() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let (anchor, domain) = (chain.anchor(0).await, chain.contract.domain);
        assert_eq!(anchor.head().await.unwrap(), (BlockHeight(0), four().hash()));
        let five = set(&[(1, 10), (2, 10), (3, 10), (4, 10), (5, 30)]);
        let first = checkpoint(10, &five);
        let receipt = anchor.submit(&signed(&domain, &first, &four(), &[1, 2, 3])).await.unwrap();
        let SubmissionReceipt::Stored { reference: Some(reference), gas: Some(gas) } = receipt else {
            panic!("{receipt:?}")
        };
        assert!(gas < 250_000, "{gas}");
        let kept = anchor.at(BlockHeight(10)).await.unwrap().unwrap();
        assert_eq!((kept.id, kept.state, kept.reference), (first.id(), first.state(), Some(reference)));
        assert_eq!(anchor.head().await.unwrap(), (BlockHeight(10), five.hash()));
        assert_eq!(anchor.metagraph(Netuid(2), 10).await.unwrap(), Some(first.metagraphs()[1].root));
        assert_eq!(anchor.metagraph(Netuid(2), 11).await.unwrap(), None);

        let by_the_old = signed(&domain, &checkpoint(20, &four()), &four(), &[1, 2, 3, 4]);
        let refused = anchor.submit(&by_the_old).await.unwrap_err();
        assert!(
            matches!(refused, AnchorError::Rejected(CheckpointRejection::OtherValidators { .. })),
            "{refused}"
        );
        anchor.submit(&signed(&domain, &checkpoint(20, &four()), &five, &[1, 2, 5])).await.unwrap();
        anchor.submit(&signed(&domain, &checkpoint(30, &four()), &four(), &[2, 3, 4])).await.unwrap();
        let heights: Vec<_> =
            anchor.list(BlockHeight(11), 9).await.unwrap().iter().map(|one| one.height.0).collect();
        assert_eq!(heights, [20, 30]);
    });
}

#[test]
fn a_repeated_checkpoint_costs_nothing_and_another_one_is_rejected() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let (anchor, domain) = (chain.anchor(0).await, chain.contract.domain);
        let first = signed(&domain, &checkpoint(10, &four()), &four(), &[1, 2, 3]);
        anchor.submit(&first).await.unwrap();
        assert_eq!(anchor.submit(&first).await.unwrap(), SubmissionReceipt::AlreadyStored);
        let by_others = signed(&domain, &checkpoint(10, &four()), &four(), &[2, 3, 4]);
        assert_eq!(anchor.submit(&by_others).await.unwrap(), SubmissionReceipt::AlreadyStored);
        let restarted = chain.anchor(0).await;
        assert_eq!(
            restarted.submit(&first).await.unwrap(),
            SubmissionReceipt::AlreadyStored,
            "after a restart, too"
        );
        assert!(
            !chain.show(&chain.contract, &first).await.unwrap(),
            "the contract accepts a repetition without an error"
        );
        let conflict = signed(&domain, &variant(10, 10, &four(), "other"), &four(), &[1, 2, 3, 4]);
        let refused = anchor.submit(&conflict).await.unwrap_err();
        assert!(matches!(refused, AnchorError::Rejected(CheckpointRejection::Conflict { .. })), "{refused}");
        let stale = signed(&domain, &checkpoint(9, &four()), &four(), &[1, 2, 3, 4]);
        let refused = anchor.submit(&stale).await.unwrap_err();
        assert!(matches!(refused, AnchorError::Rejected(CheckpointRejection::Stale { .. })), "{refused}");
        let account = crate::chain::ask(
            chain.anvil.endpoint(),
            "eth_getTransactionCount",
            serde_json::json!([format!("0x{}", hex(&account().address())), "latest"]),
        );
        assert_eq!(account.await.unwrap(), "0x2", "only the deployment and one checkpoint were paid for");
    });
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn two_validators_that_submit_at_once_both_succeed() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let (one, other, domain) = (chain.anchor(0).await, chain.anchor(0).await, chain.contract.domain);
        let first = signed(&domain, &checkpoint(10, &four()), &four(), &[1, 2, 3]);
        let second = signed(&domain, &checkpoint(10, &four()), &four(), &[2, 3, 4]);
        let (one, other) = tokio::join!(one.submit(&first), other.submit(&second));
        let stored = [one.unwrap(), other.unwrap()]
            .iter()
            .filter(|one| **one != SubmissionReceipt::AlreadyStored)
            .count();
        assert_eq!(stored, 1);
    });
}

#[test]
fn refuses_a_contract_of_another_mesh() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let connect = |mesh| EvmAnchor::connect(chain.config(0), mesh, None);
        let refused = connect(MeshId::from_bytes([9; 32])).await.unwrap_err();
        assert!(matches!(refused, AnchorError::Untrustworthy(_)), "{refused}");
        let reader = connect(MESH).await.unwrap();
        let first = signed(&chain.contract.domain, &checkpoint(10, &four()), &four(), &[1, 2, 3]);
        let refused = reader.submit(&first).await.unwrap_err();
        assert!(matches!(refused, AnchorError::NoAccount), "{refused}");
        assert_eq!(reader.at(BlockHeight(10)).await.unwrap(), None);
    });
}
