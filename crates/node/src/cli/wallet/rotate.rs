//! `nervure wallet rotate`: gives everything of an owner key to another one.

use std::{collections::BTreeSet, path::PathBuf};

use nervure_api::AccountView;
use nervure_ledger::transaction::{Call, Holding, MAX_HOLDINGS, RotateOwner, Transfer, owner_consent};
use nervure_primitives::NodeId;

use super::files;
use crate::cli::{Global, key, output, sign::SpendArgs};

/// Gives everything of an owner key to another one: nodes, stakes, subnets, what is unbonding or vesting, and the balance
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing is unstaked, and no reward is lost. Stake that was moved to another node
lately stays with the old key until it is free; run the command again then.

Example:
  nervure key new --out new-owner.pem
  nervure wallet rotate new-owner.pem --key owner.pem --dry-run")]
pub(in crate::cli) struct RotateArgs {
    /// File of the new owner key (create it with nervure key new --out FILE), or of a member's with --to-multisig
    new: PathBuf,
    /// Give it to the threshold account in FILE, of which the key is a member's
    #[arg(long, value_name = "FILE")]
    to_multisig: Option<PathBuf>,
    /// Keep the balance with the old key
    #[arg(long)]
    keep_balance: bool,
    #[command(flatten)]
    terms: SpendArgs,
}

impl RotateArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let new = key::read_owner(&self.new)?;
        let taking = self.to_multisig.as_deref().map(files::account).transpose()?;
        let to = taking.as_ref().map_or_else(|| new.node_id(), |account| account.id());
        let mut signer = self.terms.signer(global).await?;
        let account = signer.node().account(&signer.id()).await?;
        let Held { holdings, staying } = held(&account);
        staying.iter().for_each(|note| output::note(note));
        for some in holdings.chunks(MAX_HOLDINGS) {
            let consent = owner_consent(&new, &signer.id(), &signer.mesh()?)?;
            let rotate = RotateOwner { consent, holdings: some.to_vec(), account: taking.clone() };
            signer.send(Call::RotateOwner(rotate), global).await?;
        }
        if self.keep_balance {
            return Ok(());
        }
        // What the fees of the rotations have left; the account is closed.
        signer
            .send(Call::Transfer(Transfer { to, amount: Transfer::ALL, memo: None }), global)
            .await
            .map(drop)
    }
}

/// What an owner key holds beside its balance.
struct Held {
    holdings: Vec<Holding>,
    /// What stays, in words.
    staying: Vec<String>,
}

fn held(account: &AccountView) -> Held {
    let bound: BTreeSet<NodeId> = account.moved.iter().filter_map(|one| one.to).collect();
    let mut holdings: BTreeSet<Holding> = account.nodes.iter().copied().map(Holding::Node).collect();
    holdings.extend(account.subnets.iter().copied().map(Holding::Subnet));
    let free = account.stakes.keys().filter(|node| !bound.contains(node));
    holdings.extend(free.copied().map(Holding::Stake));
    holdings.extend(account.vesting.iter().map(|one| Holding::Vested(one.from)));
    holdings.extend(account.unbonding.iter().map(|(block, _)| Holding::Unbonding(*block)));
    let staying = bound.iter().map(|node| {
        let last = account.moved.iter().filter(|one| one.to == Some(*node)).map(|one| one.free).max();
        format!("the stake on {node} stays with the old key until block {}", last.unwrap_or_default())
    });
    Held { staying: staying.collect(), holdings: holdings.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use nervure_api::{FeesView, MovedStakeView};
    use nervure_primitives::{Amount, BlockHeight, Netuid};

    use super::*;

    #[test]
    fn everything_is_given_but_what_answers_for_another_node() {
        let node = |byte| NodeId::from_bytes([byte; 32]);
        let amount = Amount::from_base_units(5);
        let moved =
            |free| MovedStakeView { from: Some(node(9)), to: Some(node(2)), amount, free: BlockHeight(free) };
        let account = AccountView {
            owner: node(1),
            balance: amount,
            nonce: 0,
            unbonding: vec![(BlockHeight(7), amount), (BlockHeight(7), amount), (BlockHeight(8), amount)],
            stakes: [(node(2), amount), (node(3), amount)].into(),
            height: BlockHeight(1),
            fees: FeesView::default(),
            block_milliseconds: 1_000,
            existential_deposit: Amount::ZERO,
            deposited: Amount::ZERO,
            deposits: Vec::new(),
            moved: vec![moved(20), moved(30)],
            nodes: vec![node(3)],
            subnets: vec![Netuid(4)],
            locked: [(Netuid(4), amount)].into(),
            vesting: Vec::new(),
            proxies: Vec::new(),
            announcements: Vec::new(),
            pending: Vec::new(),
        };
        let Held { holdings, staying } = held(&account);
        let expected = [
            Holding::Node(node(3)),
            Holding::Subnet(Netuid(4)),
            Holding::Stake(node(3)),
            Holding::Unbonding(BlockHeight(7)),
            Holding::Unbonding(BlockHeight(8)),
        ];
        assert_eq!(holdings, expected);
        assert!(staying.len() == 1 && staying[0].ends_with("until block 30"), "{staying:?}");
    }
}
