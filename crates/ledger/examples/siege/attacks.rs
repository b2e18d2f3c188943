//! The attacks: what each does with its funds, drawn from the seed.

#[path = "attacks/dust.rs"]
mod dust;
#[path = "attacks/epochs.rs"]
mod epochs;
#[path = "attacks/growth.rs"]
mod growth;
#[path = "attacks/lane.rs"]
mod lane;
#[path = "attacks/long_range.rs"]
mod long_range;
#[path = "attacks/spam.rs"]
mod spam;
#[path = "attacks/votes.rs"]
mod votes;

#[allow(unused_imports, reason = "the variants without a defence are for the test")]
pub(crate) use self::{
    dust::places,
    lane::with_quota as lane_with_quota,
    long_range::{TRUSTING_PERIOD, with_times as long_range_with_times},
    spam::blocks_until_broke,
    votes::mean_of_voters,
};
use crate::field::{Report, Start};

/// An attack of the table.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// What the gain in its reports is.
    pub(crate) gain: &'static str,
    /// Whether an honest transfer with the going fee has to be final within three blocks.
    pub(crate) is_bounded: bool,
    pub(crate) run: fn(Start) -> Report,
}

/// All attacks, in the order of the table.
pub(crate) const ATTACKS: [Attack; 8] = [
    Attack { name: "spam", gain: "full blocks of 40", is_bounded: true, run: spam::spam },
    Attack { name: "outbids each bid", gain: "full blocks of 40", is_bounded: true, run: spam::frontrun },
    Attack { name: "dust validators", gain: "places of 64", is_bounded: true, run: dust::dust },
    Attack { name: "state growth", gain: "KiB of state", is_bounded: true, run: growth::growth },
    Attack { name: "vote capture", gain: "permille of the emission", is_bounded: true, run: votes::votes },
    Attack {
        name: "epoch alignment",
        gain: "percent of a tempo, the latest epoch",
        is_bounded: true,
        run: epochs::epochs,
    },
    Attack {
        name: "lane of validators",
        gain: "blocks, the longest wait of a commit",
        is_bounded: true,
        run: lane::lane,
    },
    Attack {
        name: "long range",
        gain: "slashes that it escaped",
        is_bounded: true,
        run: long_range::long_range,
    },
];
