//! `[economy.governance]` as commented TOML.

use super::Text;
use crate::governance::GovernanceRules;

/// Writes the section.
pub(super) fn write(text: &mut Text, rules: &GovernanceRules) {
    text.section("economy.governance");
    text.comment(
        "Proposals of token holders. A proposal holds back a deposit, which is lost on a veto or below the",
    );
    text.explained("quorum. Too small, and places of proposals are cheap to take.", "deposit", rules.deposit);
    text.explained(
        "What a vote of a stake holds back until it is removed.",
        "vote_deposit",
        rules.vote_deposit,
    );
    text.comment("Blocks in which stake votes, and blocks until what passed takes effect: together at most");
    text.comment("unbonding, so that stake cannot be sold before the consequences of its vote.");
    text.set("voting_period", rules.voting_period);
    text.set("delay", rules.delay);
    text.comment(
        "Thousandths: of the stake of validators in office that has to vote (200 to 1000), of the votes",
    );
    text.comment(
        "without abstentions above which a proposal passes (500 to 999), and of the votes above which",
    );
    text.comment("vetoes refuse it (100 to 500).");
    text.set("quorum_permille", rules.quorum_permille);
    text.set("threshold_permille", rules.threshold_permille);
    text.set("veto_permille", rules.veto_permille);
    text.explained("Maximum number of open proposals, at most 8.", "most_open", rules.most_open);
    text.comment(
        "Thousandths of the base fees that go to the treasury, at most 500; the others are recycled. Only",
    );
    text.explained("proposals pay from it.", "treasury_permille", rules.treasury_permille);
}
