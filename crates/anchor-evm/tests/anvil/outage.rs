//! Outages and reorganisations of the chain.

use std::time::Duration;

use nervure_anchor::{Anchor, AnchorError, SubmissionReceipt};
use nervure_anchor_evm::{
    EvmAnchor, EvmConfig, Limits,
    anvil::{Anvil, AnvilOptions},
};
use nervure_primitives::BlockHeight;
use serde_json::json;

use crate::{
    chain::{Chain, LIMITS, account, run, until},
    mesh::{MESH, checkpoint, four, signed},
    tools,
};

#[test]
fn checkpoints_survive_a_restart_and_later_ones_catch_up() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let state = Some(folder.path().join("state.json"));
        let Some(chain) =
            Chain::start(AnvilOptions { state: state.clone(), ..AnvilOptions::default() }).await
        else {
            return;
        };
        let domain = chain.contract.domain;
        let of = |height| signed(&domain, &checkpoint(height, &four()), &four(), &[1, 2, 3]);
        let short = Limits { submit_timeout: Duration::from_millis(500), max_attempts: 1, ..LIMITS };
        let config = EvmConfig { limits: short, ..chain.config(0) };
        let port = chain.anvil.endpoint().rsplit(':').next().unwrap().parse().unwrap();
        let anchor = EvmAnchor::connect(config, MESH, Some(account())).await.unwrap();
        anchor.submit(&of(10)).await.unwrap();
        chain.anvil.stop().await.unwrap();

        let down = anchor.submit(&of(20)).await.unwrap_err();
        assert!(matches!(down, AnchorError::Unavailable(_)) && down.is_transient(), "{down}");
        let down = anchor.at(BlockHeight(10)).await.unwrap_err();
        assert!(down.is_transient(), "{down}");

        let again = AnvilOptions { state, port, ..AnvilOptions::default() };
        let _anvil = Anvil::start(&tools::anvil().unwrap(), &again).await.unwrap();
        assert_eq!(
            anchor.submit(&of(10)).await.unwrap(),
            SubmissionReceipt::AlreadyStored,
            "it was stored before"
        );
        for height in [20, 30, 40] {
            let receipt = anchor.submit(&of(height)).await.unwrap();
            assert!(matches!(receipt, SubmissionReceipt::Stored { .. }), "{receipt:?}");
        }
        assert_eq!(anchor.list(BlockHeight(0), 9).await.unwrap().len(), 4);
    });
}

#[test]
fn a_checkpoint_that_a_reorganisation_removes_is_submitted_again() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let domain = chain.contract.domain;
        // Deep enough that the contract itself is final.
        chain.mine(5).await;
        let (anchor, watcher) = (chain.anchor(3).await, chain.anchor(0).await);
        let first = signed(&domain, &checkpoint(10, &four()), &four(), &[1, 2, 3]);
        let submitting = tokio::spawn(async move { anchor.submit(&first).await });
        let seen = || async { watcher.at(BlockHeight(10)).await.unwrap() };
        let before = until(seen).await.reference.unwrap();
        assert!(!submitting.is_finished(), "it is not deep enough");
        // Another block replaces the checkpoint's block; without automatic mining the transaction stays out.
        chain.ask("evm_setAutomine", json!([false])).await.unwrap();
        chain.ask("anvil_reorg", json!([1, []])).await.unwrap();
        chain.ask("anvil_dropAllTransactions", json!([])).await.unwrap();
        assert_eq!(seen().await, None, "the reorganisation did not remove it: nothing was tested");
        chain.ask("evm_setAutomine", json!([true])).await.unwrap();
        chain.mine(1).await;
        let after = until(seen).await.reference.unwrap();
        assert!(after.block > before.block, "{before:?} {after:?}");
        chain.mine(3).await;
        let receipt = submitting.await.unwrap().unwrap();
        assert!(
            matches!(receipt, SubmissionReceipt::Stored { reference: Some(at), .. } if at == after),
            "{receipt:?}"
        );
    });
}

#[test]
fn the_fee_of_a_stuck_transaction_is_raised() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let domain = chain.contract.domain;
        chain.ask("evm_setAutomine", json!([false])).await.unwrap();
        let config = EvmConfig { limits: Limits { max_polls: 3, ..LIMITS }, ..chain.config(0) };
        let anchor = EvmAnchor::connect(config, MESH, Some(account())).await.unwrap();
        let first = signed(&domain, &checkpoint(10, &four()), &four(), &[1, 2, 3]);
        let submitting = tokio::spawn(async move { anchor.submit(&first).await });
        let offered = || async {
            let pool = chain.ask("txpool_content", json!([])).await.unwrap();
            let fee =
                pool["pending"].as_object()?.values().next()?.as_object()?.values().next()?["maxFeePerGas"]
                    .clone();
            u128::from_str_radix(fee.as_str()?.trim_start_matches("0x"), 16).ok()
        };
        let before = until(offered).await;
        let more = until(|| async { offered().await.filter(|fee| *fee > before) }).await;
        assert!(more * 10 >= before * 11, "{before} {more}");
        chain.ask("evm_setAutomine", json!([true])).await.unwrap();
        chain.mine(1).await;
        submitting.await.unwrap().unwrap();
        assert!(chain.anchor(0).await.at(BlockHeight(10)).await.unwrap().is_some());
    });
}

#[test]
fn refuses_a_price_above_the_limit() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let first = signed(&chain.contract.domain, &checkpoint(10, &four()), &four(), &[1, 2, 3]);
        for limits in [Limits { max_fee: 1, ..LIMITS }, Limits { max_gas: 50_000, ..LIMITS }] {
            let limits = Limits { submit_timeout: Duration::from_millis(300), ..limits };
            let config = EvmConfig { limits, ..chain.config(0) };
            let anchor = EvmAnchor::connect(config, MESH, Some(account())).await.unwrap();
            let refused = anchor.submit(&first).await.unwrap_err();
            assert!(matches!(refused, AnchorError::TooExpensive(_)) && refused.is_transient(), "{refused}");
        }
    });
}
