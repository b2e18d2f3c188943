//! The spec as commented TOML: each setting with its meaning, its unit, and what breaks if it is wrong.

mod governance;

use std::fmt::{Display, Write};

use serde::Serialize;

use super::{AccountSpec, MeshSpec, NodeSpec, Recovered, RecoveredValidator, Scope, SubnetSpec, VestingSpec};
use crate::{economics::burn::BurnRule, economics::lock::LockRule, params::Params, subnet::Hyperparameters};

/// Writes `spec` so that parsing gives it back.
pub(super) fn render(spec: &MeshSpec) -> String {
    let mut text = Text::default();
    text.comment(
        "A Nervure mesh. Every node that joins needs exactly this file: everything in it but [network]",
    );
    text.comment("is hashed into the mesh id, and nodes with another mesh id are refused.");
    mesh(&mut text, spec);
    fees(&mut text, &spec.economy);
    stakes(&mut text, &spec.economy);
    subnets(&mut text, &spec.economy);
    validators(&mut text, &spec.economy);
    burn(&mut text, &spec.economy.burn);
    lock(&mut text, &spec.economy.lock);
    subnet_defaults(&mut text, &spec.economy.subnet);
    governance::write(&mut text, &spec.economy.governance);
    lists(&mut text, spec);
    text.0
}

/// TOML as it grows. Writing to a string cannot fail.
#[derive(Default)]
struct Text(String);

impl Text {
    fn comment(&mut self, text: &str) {
        let _ = writeln!(self.0, "# {text}");
    }

    fn section(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n[{name}]");
    }

    fn entry(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n[[{name}]]");
    }

    fn set(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name} = {value}");
    }

    /// A setting with a comment above it.
    fn explained(&mut self, meaning: &str, name: &str, value: impl Display) {
        self.comment(meaning);
        self.set(name, value);
    }
}

fn mesh(text: &mut Text, spec: &MeshSpec) {
    text.section("mesh");
    let name = quoted(&spec.mesh.name);
    text.explained("The name of the mesh: lower-case letters, digits and hyphens.", "name", name);
    text.comment("local: one machine or network. public: the internet, where private addresses that others");
    let scope = match spec.mesh.scope {
        Scope::Local => "local",
        Scope::Public => "public",
    };
    text.explained("name are never dialled.", "scope", quoted(scope));
    text.section("directory");
    text.comment("Seconds after which an expert's record is gone unless renewed (30 local, 900 public).");
    text.comment("Too long, and a dead miner stays listed; too short, and renewals dominate the gossip.");
    text.set("record_expiry_seconds", spec.directory.record_expiry_seconds);
    text.section("consensus");
    text.comment(
        "Milliseconds from one block to the next (1000 local, 12000 public). All times below are in",
    );
    text.explained("blocks.", "block_milliseconds", spec.consensus.block_milliseconds);
    text.comment(
        "How far validators' clocks may be apart, and how long a proposal may travel, in milliseconds: a",
    );
    text.comment(
        "validator refuses a block whose time is further from its clock. Too small, and honest blocks",
    );
    text.comment("are refused; too large, and a proposer shifts the time of the mesh.");
    text.set("precision_milliseconds", spec.consensus.precision_milliseconds);
    text.set("message_delay_milliseconds", spec.consensus.message_delay_milliseconds);
    text.comment(
        "Seconds for which a light client trusts a block: less than evidence_window, because validators",
    );
    text.comment(
        "that answer for nothing any more can sign another history. 0, for ever, only in a local mesh.",
    );
    text.set("trusting_period_seconds", spec.consensus.trusting_period_seconds);
    text.comment("The time of the genesis, in milliseconds since 1970.");
    text.set("genesis_unix_milliseconds", spec.consensus.genesis_unix_milliseconds);
    text.section("network");
    text.comment("Bootstrap nodes, as multiaddresses that end in /p2p/ID. Not part of the mesh id.");
    let addresses = spec.network.bootstrap.iter().map(|address| format!("    {},\n", quoted(address)));
    text.set("bootstrap", format_args!("[\n{}]", addresses.collect::<String>()));
    if !spec.network.endpoints.is_empty() {
        text.comment(
            "URLs of HTTP APIs that anyone may ask (--from spec). Not trusted, and not part of the id.",
        );
        text.set("endpoints", inline(&spec.network.endpoints));
    }
    if let Some(anchor) = &spec.network.anchor {
        text.comment(
            "The contract that stores checkpoints: its chain, address, and the block it was deployed in.",
        );
        text.set("anchor", inline(anchor));
    }
}

/// Begins the section of the economy, which [`stakes`], [`subnets`] and [`validators`] continue.
fn fees(text: &mut Text, economy: &Params) {
    text.section("economy");
    text.comment("Amounts are base units (10^-9 token), times are blocks. The supply, its halving and the");
    text.comment("18/41/41 split are not settings.");
    text.comment(
        "The least base fee, for 1000 units of weight (one signature check). Full blocks raise the base",
    );
    text.explained(
        "fee, empty ones lower it to this. Too low, and filling blocks is nearly free at first.",
        "min_base_fee",
        economy.min_base_fee,
    );
    text.explained(
        "How far ahead a transaction may expire: at most a day of blocks.",
        "max_lifetime",
        economy.max_lifetime,
    );
    text.comment(
        "Free transactions of a validator: per epoch in each of its subnets (weights), and per election",
    );
    text.explained(
        "(votes, anchor keys). What is beyond is paid by its owner.",
        "lane_quota",
        economy.lane_quota,
    );
}

fn stakes(text: &mut Text, economy: &Params) {
    text.comment(
        "What a byte of the state locks until its record is removed: an account of 500 bytes holds at",
    );
    text.explained(
        "least 500 times as much, a node, a slot or a vote has a deposit. Too small, and disks fill up.",
        "deposit_per_byte",
        economy.deposit_per_byte,
    );
    text.explained("The minimum stake of a staker on a node.", "min_stake", economy.min_stake);
    text.explained("The minimum stake to set weights.", "weight_stake", economy.weight_stake);
    if let Some(part) = economy.peer_prediction {
        let what = "The part of dividends (of 65,535) for what weights said before it was public; 0 is none.";
        text.explained(what, "peer_prediction", part);
    }
    text.comment("From unstaking until the amount can be spent: at least max_tempo, and evidence_window and");
    text.explained(
        "election_interval together. Too short, and fraud is noticed too late.",
        "unbonding",
        economy.unbonding,
    );
    text.explained(
        "Minimum time between two raises of a node's take.",
        "take_interval",
        economy.take_interval,
    );
}

fn subnets(text: &mut Text, economy: &Params) {
    text.explained("Maximum number of neurons of a subnet, at most 256.", "slots", economy.slots);
    text.explained("Maximum number of subnets.", "max_subnets", economy.max_subnets);
    text.explained(
        "Rest of a dissolved subnet's number before another has it: at least max_lifetime.",
        "netuid_rest",
        economy.netuid_rest,
    );
    text.explained(
        "Time in which a new subnet cannot be dissolved for a newer one.",
        "subnet_immunity",
        economy.subnet_immunity,
    );
    text.explained(
        "Time over which a subnet's emission is averaged to rank it.",
        "emission_average",
        economy.emission_average,
    );
    text.explained(
        "Minimum time between two votes of a node on the subnets' shares.",
        "vote_interval",
        economy.vote_interval,
    );
    text.explained(
        "Time between two steps of the subnets' shares towards the votes, each by at most a tenth.",
        "share_interval",
        economy.share_interval,
    );
    text.explained(
        "The share of the emission that a new subnet starts with (millionths), without any vote.",
        "subnet_share",
        economy.subnet_share,
    );
    text.explained(
        "A subnet takes at most max_registrations neurons in an interval.",
        "registration_interval",
        economy.registration_interval,
    );
    text.set("max_registrations", economy.max_registrations);
    text.explained(
        "Minimum time between two changes of the same hyperparameter of a subnet.",
        "hyperparameter_interval",
        economy.hyperparameter_interval,
    );
    text.explained("The shortest tempo that a subnet's owner may set.", "min_tempo", economy.min_tempo);
    text.explained("The longest one.", "max_tempo", economy.max_tempo);
}

fn validators(text: &mut Text, economy: &Params) {
    text.explained(
        "Time between two elections of the 64 validators with the largest stakes.",
        "election_interval",
        economy.election_interval,
    );
    text.comment(
        "The minimum stake of a node's owner on it with which it makes blocks. Too small, and validators",
    );
    text.comment(
        "that risk nothing fill the set; too large, and few can validate (1 token local, 1000 public).",
    );
    text.set("min_self_stake", economy.min_self_stake);
    text.comment(
        "Heights in which missed ones of a validator are counted, 2 to 10000: who misses more than half",
    );
    text.explained(
        "of them is jailed. Too short, and a restart is punished.",
        "liveness_window",
        economy.liveness_window,
    );
    text.explained("Time after which a jailed validator may join again.", "jail_time", economy.jail_time);
    text.comment(
        "Time in which an equivocation of a validator can be reported. Longer than light clients trust a",
    );
    text.explained(
        "header, or former validators can sign another history for nothing.",
        "evidence_window",
        economy.evidence_window,
    );
    text.comment(
        "What an equivocation costs of all that is staked on the validator, in thousandths, 1 to 900, also",
    );
    text.explained("of its stakers. Too small, and it is cheap.", "slash_permille", economy.slash_permille);
}

fn burn(text: &mut Text, burn: &BurnRule) {
    text.section("economy.burn");
    text.comment("The price of a slot in a subnet: raised with each registration (thousandths), halved in");
    text.comment("half_life blocks (0: never), between floor and ceiling.");
    text.set("half_life", burn.half_life);
    text.set("multiplier_milli", burn.multiplier_milli);
    text.set("floor", burn.floor);
    text.set("ceiling", burn.ceiling);
}

fn lock(text: &mut Text, lock: &LockRule) {
    text.section("economy.lock");
    text.comment("The lock of a new subnet: twice the last lock, falling back to the floor by one such");
    text.comment("lock per interval.");
    text.set("floor", lock.floor);
    text.set("interval", lock.interval);
}

fn subnet_defaults(text: &mut Text, subnet: &Hyperparameters) {
    text.section("economy.subnet");
    text.comment("Default hyperparameters of a subnet; its owner can change them. Shares are of 65535.");
    text.explained("Blocks between two epochs.", "tempo", subnet.tempo);
    text.explained("The majority of stake that makes a weight count in full.", "kappa", subnet.kappa);
    text.comment(
        "\"yuma2\", \"yuma3\", or { yuma3_liquid = { low = 45875, high = 58982, steepness = 1000 } }.",
    );
    text.set("bonds", inline(&subnet.bonds));
    text.explained(
        "How much of a weight above the consensus is kept out of bonds.",
        "bonds_penalty",
        subnet.bonds_penalty,
    );
    text.explained(
        "How much of the old bonds an epoch keeps, in millionths.",
        "bonds_moving_average",
        subnet.bonds_moving_average,
    );
    text.explained("Maximum number of validator permits.", "max_validators", subnet.max_validators);
    text.explained(
        "Thousandths of a tempo without weights after which a validator is inactive.",
        "activity_milli",
        subnet.activity_milli,
    );
    text.explained("Time in which a new neuron cannot lose its slot.", "immunity", subnet.immunity);
    text.explained("Minimum number of uids in a set of weights.", "min_weights", subnet.min_weights);
    text.explained(
        "Minimum time between two plain weights of a validator; commits have no such limit.",
        "weights_interval",
        subnet.weights_interval,
    );
    text.comment(
        "Whether weights are committed before they are revealed. Without it, a validator that copies others'",
    );
    text.explained("weights earns what they earn.", "commit_reveal", subnet.commit_reveal);
    text.explained(
        "Oldest validator version whose weights count; 0 accepts every version.",
        "version_key",
        subnet.version_key,
    );
    text.explained("Whether newcomers may register.", "registrations", subnet.registrations);
}

fn lists(text: &mut Text, spec: &MeshSpec) {
    if !spec.upgrades.is_empty() {
        text.0.push('\n');
        text.comment(
            "Heights from which on another version of the rules is active. Not part of the mesh id. A",
        );
        text.comment("program that does not know a version stops before its height.");
    }
    for upgrade in &spec.upgrades {
        text.entry("upgrades");
        text.set("height", upgrade.height);
        text.set("version", upgrade.version);
    }
    if let Some(recovered) = &spec.recovered {
        write_recovered(text, recovered);
    }
    spec.subnets.iter().for_each(|subnet| write_subnet(text, subnet));
    if spec.accounts.is_empty() && spec.recovered.is_none() {
        text.0.push('\n');
        text.comment("Accounts with tokens at genesis (owner id: `nervure key show`), in base units:");
        text.comment("[[accounts]]\n# owner = \"12D3KooW...\"\n# balance = 1000000000");
    }
    spec.accounts.iter().for_each(|account| write_account(text, account));
    if spec.nodes.is_empty() {
        text.0.push('\n');
        text.comment(
            "Registered nodes, each with its id (`nervure key show`), its owner (itself when absent), role",
        );
        text.comment(
            "(validator, miner, gateway), the subnets it is registered in, and its stake in base units:",
        );
        text.comment("[[nodes]]\n# id = \"12D3KooW...\"\n# role = \"miner\"\n# netuids = [1]\n# stake = 0");
    }
    spec.nodes.iter().for_each(|node| write_node(text, node));
}

fn write_recovered(text: &mut Text, recovered: &Recovered) {
    text.section("recovered");
    text.comment(
        "This mesh continues another one after its last certified block, with other validators: nervure",
    );
    text.comment(
        "mesh recover. certified_state is the root of the state that the former validators agreed on;",
    );
    text.comment("state is the root of the same state with these validators. The lists of subnets and nodes");
    text.comment("below are for clients that follow no chain; balances and stakes are those of the state.");
    text.set("mesh", format_args!("\"{}\"", recovered.mesh));
    text.set("height", recovered.height);
    text.set("block", format_args!("\"{}\"", recovered.block));
    text.set("certified_state", format_args!("\"{}\"", recovered.certified_state));
    text.set("state", format_args!("\"{}\"", recovered.state));
    for RecoveredValidator { node, power } in &recovered.validators {
        text.entry("recovered.validators");
        text.set("node", format_args!("\"{node}\""));
        text.set("power", power);
    }
}

fn write_subnet(text: &mut Text, subnet: &SubnetSpec) {
    text.entry("subnets");
    text.set("netuid", subnet.netuid);
    text.set("name", quoted(&subnet.name));
    if let Some(owner) = subnet.owner {
        text.set("owner", format_args!("\"{owner}\""));
    }
    if let Some(mechanism) = &subnet.mechanism {
        text.comment(
            "How validators set tasks: next-byte, exact-answer, embedding, reference or preference, and its parameters.",
        );
        text.set("mechanism", inline(mechanism));
    }
}

fn write_account(text: &mut Text, account: &AccountSpec) {
    text.entry("accounts");
    text.set("owner", format_args!("\"{}\"", account.owner));
    text.set("balance", account.balance.base_units());
    if let Some(VestingSpec { amount, cliff, end }) = &account.vesting {
        let amount = amount.base_units();
        text.set("vesting", format_args!("{{ amount = {amount}, cliff = {cliff}, end = {end} }}"));
    }
}

fn write_node(text: &mut Text, node: &NodeSpec) {
    let netuids = node.netuids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    text.entry("nodes");
    text.set("id", format_args!("\"{}\"", node.id));
    if let Some(owner) = node.owner {
        text.set("owner", format_args!("\"{owner}\""));
    }
    text.set("role", format_args!("\"{}\"", node.role));
    text.set("netuids", format_args!("[{netuids}]"));
    text.set("stake", node.stake.base_units());
    if let Some(anchor) = node.anchor {
        text.comment("The address of the key that it signs anchored checkpoints with.");
        text.set("anchor", format_args!("\"{anchor}\""));
    }
}

/// A TOML string, escaped where needed.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A value in one line.
fn inline(value: &impl Serialize) -> String {
    toml::Value::try_from(value).map_or_else(|_| quoted(""), |value| value.to_string())
}
