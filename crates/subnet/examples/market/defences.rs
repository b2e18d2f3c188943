//! The defences of the simulated market, each of which can be left out.

/// What keeps attackers from earning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Defence {
    /// Trust of another subnet counts by the stake behind it.
    SubnetScope,
    /// Every advertised expert is tested, not a node's first one.
    ExpertScope,
    /// Tasks look like users' questions: a classifier of a miner has an AUC of 0.70.
    TasksLikeUsers,
    /// One test in ten is the replay of a user's question with its receipt.
    Audits,
    /// Admission by class: strangers cannot lock a miner's query plane.
    Classes,
    /// Scores are published in steps of 1/32 and late, so that an oracle learns nothing.
    LateScores,
    /// Scores that are published say what revealed weights said, and falls.
    ScoresFollowWeights,
    /// Alike answers of a task share one reward.
    SharedReward,
    /// Weights follow the shared reward, not its square.
    LinearShare,
    /// Pairs that were alike in many tasks share in all tasks.
    KnownCopies,
    /// Tasks are set to newcomers first.
    NewcomersFirst,
    /// Of the newcomers, those with the fewest tasks come first.
    FewestFirst,
    /// An incentive of 0 does not count before it could be more.
    EarlyIncentive,
    /// Newcomers get 0.5 % of the questions, not 2 %.
    LittleExploration,
    /// A quarter of the dividends follows what weights said before it was public.
    PeerPrediction,
}

impl Defence {
    pub(crate) const ALL: [(Self, &'static str); 15] = [
        (Self::SubnetScope, "trust of other subnets by stake"),
        (Self::ExpertScope, "scores per expert"),
        (Self::TasksLikeUsers, "tasks like users' questions"),
        (Self::Audits, "audits of users' receipts"),
        (Self::Classes, "admission by class"),
        (Self::LateScores, "coarse and late scores"),
        (Self::ScoresFollowWeights, "scores that follow weights"),
        (Self::SharedReward, "copies share in a task"),
        (Self::LinearShare, "weights by the shared reward"),
        (Self::KnownCopies, "known copies share"),
        (Self::NewcomersFirst, "newcomers are tested first"),
        (Self::FewestFirst, "the fewest tasks first"),
        (Self::EarlyIncentive, "no incentive before weights"),
        (Self::LittleExploration, "0.5 % for newcomers"),
        (Self::PeerPrediction, "peer prediction"),
    ];
}

/// The defences of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Defences(u16);

impl Defences {
    pub(crate) const ALL: Self = Self(u16::MAX);

    /// What there was before: copies that shared in a task, by the square of it.
    pub(crate) const BEFORE: Self = Self(1 << Defence::SharedReward as u16);

    pub(crate) const fn has(self, one: Defence) -> bool {
        self.0 & (1 << one as u16) != 0
    }

    pub(crate) const fn without(self, one: Defence) -> Self {
        Self(self.0 & !(1 << one as u16))
    }
}
