//! What a transaction may cost: the options of the commands that sign one, and what they default to.

use nervure_api::FeesView;
use nervure_ledger::{
    economics::base_fee::{BaseFee, cost_of},
    transaction::{Call, Transaction},
};
use nervure_primitives::Amount;

/// Full blocks for which the default fee is enough: the base fee rises by an eighth with each.
const HEADROOM_BLOCKS: u32 = 6;

/// By how much the default tip is above the one that the last place of a block pays now, in percent.
const TIP_MARGIN_PERCENT: u64 = 10;

/// What a transaction may cost.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct FeeArgs {
    /// The most that the transaction may cost, in tokens [default: its cost now, and what six full blocks add to it]
    #[arg(long, value_name = "AMOUNT")]
    fee: Option<Amount>,
    /// The most of it that the block's proposer gets, in tokens [default: 0, or what is needed while blocks are full]
    #[arg(long, value_name = "AMOUNT")]
    tip: Option<Amount>,
}

/// The fee and the tip of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) fee: Amount,
    pub(crate) tip: Amount,
}

impl Price {
    /// Nothing: of a validator's free transactions.
    pub(crate) const FREE: Self = Self { fee: Amount::ZERO, tip: Amount::ZERO };
}

impl FeeArgs {
    /// Whether the user names a price.
    pub(crate) fn is_given(&self) -> bool {
        self.fee.is_some() || self.tip.is_some()
    }

    /// The fee and tip of `call`, where transactions cost `fees`.
    pub(crate) fn price(&self, call: &Call, fees: FeesView) -> Price {
        let weight = Transaction::greatest_weight(call);
        let rate = fees.tip.saturating_add(fees.tip.saturating_mul(TIP_MARGIN_PERCENT).div_ceil(100));
        let tip = self.tip.unwrap_or(Amount::from_base_units(cost_of(weight, rate)));
        let base = BaseFee(fees.base_fee).after_full_blocks(HEADROOM_BLOCKS).cost(weight);
        let fee = self.fee.unwrap_or(Amount::from_base_units(base.saturating_add(tip.base_units())));
        Price { fee, tip }
    }
}

#[cfg(test)]
mod tests {
    use nervure_ledger::transaction::Transfer;
    use nervure_primitives::NodeId;

    use super::*;

    #[test]
    fn the_default_is_enough_for_six_full_blocks_and_for_the_going_tip() {
        let call =
            Call::Transfer(Transfer { to: NodeId::from_bytes([1; 32]), amount: Amount::ZERO, memo: None });
        let weight = Transaction::greatest_weight(&call);
        let price = |args: FeeArgs, tip| args.price(&call, FeesView { base_fee: 1_000, tip });
        let units = Amount::base_units;
        let plain = price(FeeArgs::default(), 0);
        assert!(plain.tip.is_zero() && units(plain.fee) >= weight * 2 && units(plain.fee) < weight * 21 / 10);
        let busy = price(FeeArgs::default(), 1_000);
        assert_eq!(units(busy.tip), (weight * 11).div_ceil(10));
        assert_eq!(units(busy.fee), units(plain.fee) + units(busy.tip));
        let (fee, tip) = (Some(Amount::from_base_units(9)), Some(Amount::from_base_units(3)));
        assert_eq!(units(price(FeeArgs { fee, tip }, 1_000).fee), 9);
    }
}
