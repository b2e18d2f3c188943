//! `nervure wallet show`: all that an account has.

use nervure_api::{AccountView, MovedStakeView, ProxyView};
use nervure_primitives::NodeId;

use super::fees_text;
use crate::cli::{Global, output};

/// Prints an account.
pub(super) fn account(account: &AccountView, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(account);
    }
    output::line(&format!("owner    {}", account.owner))?;
    output::line(&format!("balance  {} tokens (after block {})", account.balance, account.height))?;
    output::line(&format!(
        "minimum  {} tokens, or all are sent: nervure wallet send TO all",
        account.existential_deposit
    ))?;
    output::line(&format!("fees     {}", fees_text(account.fees)))?;
    for one in &account.pending {
        output::line(&format!(
            "pending  {}, for at most {} tokens (nonce {})",
            one.does, one.fee, one.nonce
        ))?;
    }
    for (node, stake) in &account.stakes {
        output::line(&format!("stake    {stake} tokens on {node}"))?;
    }
    for deposit in &account.deposits {
        output::line(&format!("deposit  {} tokens for {deposit}", deposit.amount))?;
    }
    for (block, amount) in &account.unbonding {
        output::line(&format!("unbonds  {amount} tokens at block {block}"))?;
    }
    for MovedStakeView { from, to, amount, free } in &account.moved {
        let name =
            |node: &Option<NodeId>| node.map_or_else(|| "a former node".into(), |node| node.to_string());
        let (from, to) = (name(from), name(to));
        output::line(&format!("moved    {amount} tokens to {to}, answering for {from} until block {free}"))?;
    }
    for (netuid, amount) in &account.locked {
        output::line(&format!("locked   {amount} tokens in subnet {netuid}"))?;
    }
    for one in &account.vesting {
        let held = one.amount.checked_sub(one.claimed).unwrap_or_default();
        output::line(&format!(
            "vesting  {held} tokens from {}, of which {} can be claimed now and all at block {}",
            one.from, one.free, one.end
        ))?;
    }
    account.proxies.iter().try_for_each(|proxy| output::line(&proxy_line(proxy)))?;
    for one in &account.announcements {
        output::line(&format!(
            "announced {} by {}, from block {} on: {}",
            one.id, one.proxy, one.ready, one.does
        ))?;
    }
    if !account.announcements.is_empty() {
        output::note("cancel what a proxy announced: nervure wallet proxy cancel ID");
    }
    Ok(())
}

fn proxy_line(ProxyView { proxy, grant, left }: &ProxyView) -> String {
    let left = left.map_or_else(String::new, |left| format!("; {left} tokens are left in this interval"));
    format!("proxy    {proxy} ({grant}{left})")
}
