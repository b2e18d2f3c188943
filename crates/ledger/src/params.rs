//! What a mesh may set about its economy: the `[economy]` section of its spec.

mod limits;

use serde::{Deserialize, Serialize};

pub use limits::OutOfRange;
pub(crate) use limits::{MAX_TEMPO, within};

use crate::{
    deposits::RecordKind,
    economics::{
        base_fee::{MAX_FLOOR, MIN_FLOOR},
        burn::BurnRule,
        emission::CAP,
        lock::LockRule,
    },
    governance::GovernanceRules,
    roster::MAX_LIVENESS_WINDOW,
    spec::{SLOTS, VALIDATOR_SLOTS},
    subnet::Hyperparameters,
};

/// The longest rest of a jailed validator, in blocks: 30 days of a public mesh.
const MAX_JAIL_TIME: u64 = 216_000;

/// The longest evidence window, in blocks: 150 days of a public mesh. There is a record for each key that was in the
/// validator set within it.
const MAX_EVIDENCE_WINDOW: u64 = 1_080_000;

/// The largest slash, in thousandths. Something has to be left: shares that are worth nothing could never be removed.
const MAX_SLASH: u64 = 900;

/// The longest lifetime of a transaction, in blocks: a day with the shortest block time.
const MAX_LIFETIME: u64 = 864_000;

/// The most that a byte may lock: half a token for an account.
const MAX_DEPOSIT_PER_BYTE: u64 = 1_000_000;

/// The longest rest of a subnet's number: a year of a public mesh.
const MAX_NETUID_REST: u64 = 2_628_000;

/// The parameters of a mesh's ledger. Amounts are base units, times are blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The floor of the base fee: base units per 1,000 units of weight
    /// ([`BaseFee`](crate::economics::base_fee::BaseFee)), at least 8. Too low makes filling blocks nearly free until
    /// the base fee has risen; default 300, about 1,000 base units for a transfer.
    pub min_base_fee: u64,
    /// Most blocks ahead that a transaction may expire, at most a day of them; default 7,200. What is signed can be
    /// carried out for so long.
    pub max_lifetime: u64,
    /// Free transactions of a validator in the reserved lane: per epoch in each of its subnets, and per election for
    /// votes and anchor keys; default 8. Too few, and a validator whose transactions fail pays for the next one; too
    /// many, and permits buy free blocks.
    pub lane_quota: u16,
    /// What a byte of a record of the state locks, in base units, at most 10^6: see [`crate::deposits`]. Too small, and
    /// filling the disks of all nodes is cheap; too large, and few can afford an account. Default 10,000, which is
    /// 10,000 tokens for a gigabyte.
    pub deposit_per_byte: u64,
    /// The least that a staker may keep on a node: bounds how many stakers there can be. Default 0.1
    /// token.
    pub min_stake: u64,
    /// The least stake that may set weights and counts in an epoch; a subnet's owner is exempt. Default 0.
    pub weight_stake: u64,
    /// The part of dividends that follows what weights said before it was public, of 65,535, at most half; 0 or absent is
    /// none. Too little, and copying the last weights of others pays as well as testing miners; too much, and dividends
    /// vary with luck. Default 16,384: a quarter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_prediction: Option<u16>,
    /// Blocks between unstaking and having the amount, at least `max_tempo`, and at least `evidence_window` and
    /// `election_interval` together; default 151,200 (21 days): longer than light clients trust a block, so that who signs
    /// another history can still be held to it.
    pub unbonding: u64,
    /// Blocks between two raises of a node's take; default 216,000 (30 days).
    pub take_interval: u64,
    /// Most neurons of a subnet; default 256.
    pub slots: u16,
    /// Most subnets of the mesh; default 128.
    pub max_subnets: u16,
    /// Blocks before the number of a dissolved subnet is used again, at least `max_lifetime`, so that no transaction about
    /// the former one is valid in the next one; default 50,400 (7 days).
    pub netuid_rest: u64,
    /// Blocks in which a new subnet cannot be dissolved; default 50,400 (7 days).
    pub subnet_immunity: u64,
    /// Blocks over which a subnet's emission is averaged to rank it, at least 1; default 50,400.
    pub emission_average: u64,
    /// Blocks between two votes of a node on the subnets' shares; default 100.
    pub vote_interval: u64,
    /// Blocks between two steps of the subnets' shares of the emission, each by at most a tenth of a share; default 360.
    pub share_interval: u64,
    /// The share of the emission that a new subnet starts with, in millionths, taken from the others in proportion.
    /// Above 0, registering subnets pays without any vote; default 0.
    pub subnet_share: u32,
    /// Blocks of an interval in which a subnet takes at most `max_registrations`; default 360.
    pub registration_interval: u64,
    /// Most neurons that register in a subnet in an interval, so that no owner replaces all neurons at once; default 8.
    pub max_registrations: u16,
    /// Blocks between two changes of the same hyperparameter of a subnet; default 720.
    pub hyperparameter_interval: u64,
    /// The shortest tempo that an owner may set: every epoch costs every validator its computation.
    /// Default 360.
    pub min_tempo: u64,
    /// The longest tempo that an owner may set; default 7,200 (1 day).
    pub max_tempo: u64,
    /// Blocks between two elections of the validators that make blocks; default 360.
    pub election_interval: u64,
    /// The least stake of a node's owner on it with which it makes blocks, in base units, at least 1; default 1,000
    /// tokens. Too small, and validators that risk nothing fill the set; too large, and few can validate.
    pub min_self_stake: u64,
    /// The heights in which missed ones of a validator are counted, 2 to 10,000; default 3,600 (12 hours). Who misses
    /// more than half of them is jailed. Too short, and a restart is punished; too long, and absent power stays.
    pub liveness_window: u64,
    /// Blocks after which a jailed validator may join again, 1 to 216,000; default 3,600.
    pub jail_time: u64,
    /// Blocks in which an equivocation can be reported, 1 to 1,080,000; default 108,000 (15 days). Together with
    /// `election_interval` at most `unbonding`, so that what gave a validator its power is still there to be slashed.
    pub evidence_window: u64,
    /// What an equivocation costs of everything that was staked on the validator, in thousandths, 1 to 900; default 50.
    /// Too small, and a double-spend of others' trust is cheap; too large, and a mistake ruins those who delegated.
    pub slash_permille: u64,
    /// How the price of a neuron's slot moves. A new subnet starts at its floor.
    pub burn: BurnRule,
    /// How the price of a subnet moves.
    pub lock: LockRule,
    /// What a subnet starts with.
    pub subnet: Hyperparameters,
    /// How the token holders decide.
    pub governance: GovernanceRules,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            min_base_fee: 300,
            max_lifetime: 7_200,
            lane_quota: 8,
            deposit_per_byte: 10_000,
            min_stake: 100_000_000,
            weight_stake: 0,
            peer_prediction: Some(16_384),
            unbonding: 151_200,
            take_interval: 216_000,
            slots: SLOTS as u16,
            max_subnets: 128,
            netuid_rest: 50_400,
            subnet_immunity: 50_400,
            emission_average: 50_400,
            vote_interval: 100,
            share_interval: 360,
            subnet_share: 0,
            registration_interval: 360,
            max_registrations: 8,
            hyperparameter_interval: 720,
            min_tempo: 360,
            max_tempo: 7_200,
            election_interval: 360,
            min_self_stake: 1_000_000_000_000,
            liveness_window: 3_600,
            jail_time: 3_600,
            evidence_window: 108_000,
            slash_permille: 50,
            burn: BurnRule::default(),
            lock: LockRule::default(),
            subnet: Hyperparameters::default(),
            governance: GovernanceRules::default(),
        }
    }
}

impl Params {
    /// A mesh on one machine, with a block a second: epochs take 10 seconds, prices fall within
    /// minutes instead of days.
    pub fn local() -> Self {
        Self {
            deposit_per_byte: 100,
            netuid_rest: 7_200,
            unbonding: 40,
            take_interval: 60,
            subnet_immunity: 600,
            emission_average: 600,
            registration_interval: 1,
            vote_interval: 10,
            share_interval: 10,
            subnet_share: 100_000,
            hyperparameter_interval: 20,
            min_tempo: 5,
            max_tempo: 20,
            election_interval: 10,
            min_self_stake: 1_000_000_000,
            liveness_window: 600,
            jail_time: 60,
            evidence_window: 30,
            burn: BurnRule { half_life: 60, ..BurnRule::default() },
            lock: LockRule { interval: 600, ..LockRule::default() },
            subnet: Hyperparameters {
                tempo: 10,
                immunity: 60,
                weights_interval: 5,
                ..Hyperparameters::default()
            },
            governance: GovernanceRules::local(),
            ..Self::default()
        }
    }

    /// Refuses what does not add up, with its place below `[economy]`.
    ///
    /// # Errors
    /// The first parameter that is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let slots = u64::from(self.slots);
        within("min_base_fee", self.min_base_fee, MIN_FLOOR..=MAX_FLOOR)?;
        within("max_lifetime", self.max_lifetime, 1..=MAX_LIFETIME)?;
        within("lane_quota", self.lane_quota.into(), 1..=1_000)?;
        within("slots", slots, 1..=SLOTS as u64)?;
        within("max_subnets", self.max_subnets.into(), 1..=4_096)?;
        within("registration_interval", self.registration_interval, 1..=MAX_TEMPO)?;
        within("max_registrations", self.max_registrations.into(), 1..=u16::MAX.into())?;
        within("share_interval", self.share_interval, 1..=MAX_TEMPO)?;
        within("subnet_share", self.subnet_share.into(), 0..=500_000)?;
        within("emission_average", self.emission_average, 1..=u64::MAX)?;
        within("min_tempo", self.min_tempo, 1..=MAX_TEMPO)?;
        within("max_tempo", self.max_tempo, self.min_tempo..=MAX_TEMPO)?;
        within("election_interval", self.election_interval, 1..=MAX_TEMPO)?;
        within("peer_prediction", self.peer_prediction.unwrap_or(0).into(), 0..=32_768)?;
        within("min_self_stake", self.min_self_stake, 1..=CAP)?;
        within("liveness_window", self.liveness_window, 2..=MAX_LIVENESS_WINDOW)?;
        within("jail_time", self.jail_time, 1..=MAX_JAIL_TIME)?;
        // What is less can be spent before the epoch that it earned in is over, whatever tempo an owner sets.
        within("unbonding", self.unbonding, self.max_tempo..=u64::MAX)?;
        within("evidence_window", self.evidence_window, 1..=MAX_EVIDENCE_WINDOW)?;
        within("slash_permille", self.slash_permille, 1..=MAX_SLASH)?;
        // What was unstaked right after an election still gave power until the next one, and answers for the last height
        // before it until the window is over.
        let answers = self.evidence_window.saturating_add(self.election_interval);
        within("unbonding", self.unbonding, answers..=u64::MAX)?;
        self.governance.check().map_err(|error| error.below("governance"))?;
        // Who voted keeps what it voted with, staked or unbonding, until the decision takes effect: no stake is bought for a
        // vote and sold before its consequences.
        let decides = self.governance.voting_period.saturating_add(self.governance.delay);
        within("unbonding", self.unbonding, decides..=u64::MAX)?;
        self.check_deposits()?;
        within("burn.half_life", self.burn.half_life, 0..=10_000_000)?;
        within("burn.multiplier_milli", self.burn.multiplier_milli, 1_000..=1_000_000)?;
        within("burn.ceiling", self.burn.ceiling, self.burn.floor..=u64::MAX)?;
        within("lock.interval", self.lock.interval, 1..=u64::MAX)?;
        self.subnet.check(self).map_err(|error| error.below("subnet"))
    }

    /// Records that are paid for by what they hold, and not by a deposit, hold enough.
    fn check_deposits(&self) -> Result<(), OutOfRange> {
        within("deposit_per_byte", self.deposit_per_byte, 0..=MAX_DEPOSIT_PER_BYTE)?;
        within("netuid_rest", self.netuid_rest, self.max_lifetime..=MAX_NETUID_REST)?;
        // A stake that was slashed is still worth its record, and can be unstaked.
        let left = 1_000_u64.saturating_sub(self.slash_permille).max(1);
        let stake = self.existential_deposit().saturating_mul(1_000).div_ceil(left);
        within("min_stake", self.min_stake, stake..=u64::MAX)?;
        within("lock.floor", self.lock.floor, self.deposit(RecordKind::Subnet)..=u64::MAX)
    }

    /// Most validators of a subnet.
    pub(crate) fn validator_slots(&self) -> u16 {
        self.slots.min(VALIDATOR_SLOTS as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_add_up_and_mistakes_are_named() {
        assert_eq!(Params::default().check(), Ok(()));
        assert_eq!(Params::local().check(), Ok(()));
        type Mistake = (&'static str, fn(&mut Params));
        let mistakes: [Mistake; 31] = [
            ("min_base_fee", |p| p.min_base_fee = 7),
            ("max_lifetime", |p| p.max_lifetime = 0),
            ("lane_quota", |p| p.lane_quota = 0),
            ("peer_prediction", |p| p.peer_prediction = Some(32_769)),
            ("slots", |p| p.slots = 257),
            ("subnet.tempo", |p| p.subnet.tempo = 0),
            ("subnet.max_validators", |p| p.slots = 63),
            ("subnet.kappa", |p| p.subnet.kappa = 5),
            ("burn.ceiling", |p| p.burn.ceiling = 0),
            ("emission_average", |p| p.emission_average = 0),
            ("unbonding", |p| p.unbonding = 0),
            ("unbonding", |p| p.unbonding = p.evidence_window + p.election_interval - 1),
            ("evidence_window", |p| p.evidence_window = 0),
            ("evidence_window", |p| p.evidence_window = 1_080_001),
            ("slash_permille", |p| p.slash_permille = 0),
            ("slash_permille", |p| p.slash_permille = 901),
            ("unbonding", |p| (p.subnet.tempo, p.unbonding) = (360, 7_199)),
            ("max_tempo", |p| p.max_tempo = 359),
            ("subnet.tempo", |p| p.subnet.tempo = 7_201),
            ("min_self_stake", |p| p.min_self_stake = 0),
            ("liveness_window", |p| p.liveness_window = 10_001),
            ("jail_time", |p| p.jail_time = 0),
            ("governance.quorum_permille", |p| p.governance.quorum_permille = 199),
            ("governance.threshold_permille", |p| p.governance.threshold_permille = 499),
            ("governance.most_open", |p| p.governance.most_open = 9),
            ("unbonding", |p| p.governance.delay = p.unbonding),
            ("deposit_per_byte", |p| p.deposit_per_byte = 1_000_001),
            ("netuid_rest", |p| p.netuid_rest = p.max_lifetime - 1),
            ("min_stake", |p| p.min_stake = p.existential_deposit()),
            ("min_stake", |p| (p.slash_permille, p.min_stake) = (MAX_SLASH, 9 * p.existential_deposit())),
            ("lock.floor", |p| p.lock.floor = p.deposit(RecordKind::Subnet) - 1),
        ];
        for (place, mistake) in mistakes {
            let mut params = Params::default();
            mistake(&mut params);
            assert_eq!(params.check().unwrap_err().place, place);
        }
    }
}
