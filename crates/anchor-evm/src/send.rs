//! One transaction at a time, from its signature until it is in a block.

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::eip2718::Encodable2718,
    primitives::{Address, B256, Bytes, TxKind, U256},
    rpc::types::{TransactionInput, TransactionReceipt, TransactionRequest},
    signers::{SignerSync, local::PrivateKeySigner},
};
use nervure_anchor::AnchorError;
use zeroize::Zeroizing;

use crate::{
    Limits, convert,
    rpc::{Rpc, RpcError},
};

/// The account that pays. It holds nothing but gas send_error; it need not be a validator's anchor key.
#[derive(Clone, Debug)]
pub struct Account(PrivateKeySigner);

impl Account {
    /// The account of a secret key; `None` when the number is not a valid key.
    pub fn from_secret(secret: &Zeroizing<[u8; 32]>) -> Option<Self> {
        PrivateKeySigner::from_slice(secret.as_slice()).ok().map(Self)
    }

    /// Its address.
    pub fn address(&self) -> [u8; 20] {
        self.0.address().into_array()
    }

    pub(crate) fn chain_address(&self) -> Address {
        self.0.address()
    }
}

/// A call to be paid for.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) chain: u64,
    pub(crate) to: TxKind,
    pub(crate) input: Bytes,
}

/// The fees of the last transaction, so that the next one with the same nonce replaces it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeeOffer {
    nonce: u64,
    max_fee: u128,
    tip: u128,
}

impl FeeOffer {
    /// The next offer for `nonce`. Nodes replace a transaction for a tenth more of both fees; this adds an eighth.
    fn raised(self, nonce: u64, max_fee: u128, tip: u128) -> Self {
        if nonce != self.nonce {
            return Self { nonce, max_fee, tip };
        }
        let more = |offer: u128| offer + offer / 8 + 1;
        Self { nonce, max_fee: max_fee.max(more(self.max_fee)), tip: tip.max(more(self.tip)) }
    }
}

/// Estimates, signs and sends `call`, and waits until it is in a block.
///
/// A transaction that is in no block after the last poll is a transient error: the next call replaces it.
pub(crate) async fn send(
    rpc: &Rpc,
    account: &Account,
    call: &Call,
    limits: &Limits,
    last: &mut Option<FeeOffer>,
) -> Result<TransactionReceipt, AnchorError> {
    let (raw, id) = sign(rpc, account, call, limits, last).await?;
    rpc.send(&raw).await.map_err(send_error)?;
    for _ in 0..limits.max_polls {
        if let Some(receipt) = rpc.receipt(id).await? {
            return Ok(receipt);
        }
        tokio::time::sleep(limits.poll_interval).await;
    }
    Err(AnchorError::Unavailable(format!("transaction {id} is not in a block yet")))
}

async fn sign(
    rpc: &Rpc,
    account: &Account,
    call: &Call,
    limits: &Limits,
    last: &mut Option<FeeOffer>,
) -> Result<(Vec<u8>, B256), AnchorError> {
    let request = TransactionRequest {
        from: Some(account.chain_address()),
        to: Some(call.to),
        input: TransactionInput::new(call.input.clone()),
        ..TransactionRequest::default()
    };
    let gas = rpc.estimate(&request).await.map_err(send_error)?;
    // The state may have changed by then, so a fifth more; a hostile endpoint could ask for any amount.
    let gas_limit = gas.saturating_add(gas / 5);
    if gas_limit > limits.max_gas {
        return Err(AnchorError::TooExpensive(format!(
            "{gas_limit} gas, at most {} allowed",
            limits.max_gas
        )));
    }
    let (nonce, (max_fee, tip)) = (rpc.nonce(account.chain_address()).await?, rpc.fees().await?);
    let offer = last.map_or(FeeOffer { nonce, max_fee, tip }, |last| last.raised(nonce, max_fee, tip));
    if offer.max_fee > limits.max_fee {
        return Err(AnchorError::TooExpensive(format!(
            "{} wei per gas, at most {} allowed",
            offer.max_fee, limits.max_fee
        )));
    }
    *last = Some(offer);
    let transaction = TxEip1559 {
        chain_id: call.chain,
        nonce,
        gas_limit,
        max_fee_per_gas: offer.max_fee,
        max_priority_fee_per_gas: offer.tip.min(offer.max_fee),
        to: call.to,
        value: U256::ZERO,
        access_list: Default::default(),
        input: call.input.clone(),
    };
    let signature = account.0.sign_hash_sync(&transaction.signature_hash());
    let signature = signature.map_err(|error| AnchorError::Unavailable(error.to_string()))?;
    let signed = TxEnvelope::Eip1559(transaction.into_signed(signature));
    Ok((signed.encoded_2718(), *signed.tx_hash()))
}

/// The error of an endpoint that refuses a transaction.
fn send_error(error: RpcError) -> AnchorError {
    match error {
        RpcError::Reverted(data) => convert::rejection(&data),
        RpcError::Refused(text) if text.raw().to_ascii_lowercase().contains("insufficient funds") => {
            AnchorError::TooExpensive("the balance of the paying account is too low".into())
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_offer_for_a_nonce_is_high_enough_to_replace_the_first() {
        let first = FeeOffer { nonce: 7, max_fee: 1_000, tip: 1 };
        let second = first.raised(7, 900, 1);
        assert!(second.max_fee * 10 >= first.max_fee * 11 && second.tip > first.tip, "{second:?}");
        let busy = first.raised(7, 5_000, 100);
        assert_eq!((busy.max_fee, busy.tip), (5_000, 100));
        let next = second.raised(8, 900, 1);
        assert_eq!((next.nonce, next.max_fee, next.tip), (8, 900, 1));
    }
}
