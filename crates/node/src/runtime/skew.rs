//! Whether this machine's clock is right, compared with the clocks of other nodes.
//!
//! Validators prevote a block only if its time fits their own clocks, and other nodes refuse expert records, assignments,
//! receipts and scores that are half a minute off: a node with a wrong clock is ignored without knowing why. So every node asks some registered nodes at intervals, and
//! reports how far it is from their median when that is more than [`MAX_SKEW`].
//!
//! What a hostile node can do: answer with a wrong time, which moves the median only when most of the asked nodes do so.
//! A wrong clock is only reported; it has no other effect.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use nervure_p2p::{NetworkHandle, ProtocolSpec};
use nervure_primitives::{NodeId, UnixMillis};
use nervure_protocol::{clock::ClockResponse, protocols::CLOCK};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{clock, directory::ProtocolHandlers, peers};

/// Nodes that are asked at a time, and how many answers a median needs.
const MAX_PROBED_NODES: usize = 9;
const MIN_ANSWERS: usize = 3;

/// Until the first round of requests, and between two rounds.
const FIRST_PROBE_DELAY: Duration = Duration::from_secs(2);
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// How far a clock may be off without a warning: a third of what other nodes tolerate.
const MAX_SKEW: Duration = Duration::from_secs(10);

/// The bounds of the protocol.
pub(super) fn protocol() -> ProtocolSpec {
    ProtocolSpec { per_peer_per_second: 2, ..ProtocolSpec::of(CLOCK) }
}

/// Registers the handler of requests for the time.
pub(super) fn register(protocols: &mut ProtocolHandlers) {
    let now = || ClockResponse(clock::now()).encode().to_vec();
    protocols.register(CLOCK.name, move |request| request.respond(now()).boxed());
}

/// How far this clock is from those of other nodes.
#[derive(Debug, Default)]
pub(crate) struct Skew(Mutex<Option<Measurement>>);

/// The result of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Measurement {
    /// Milliseconds that this clock is ahead of the median of others; negative behind it.
    ahead: i64,
    /// How many nodes answered.
    of: usize,
}

impl Skew {
    /// What is wrong with the clock, and what to do; none when it is right, or too few nodes answered.
    pub(crate) fn warning(&self) -> Option<String> {
        let found = (*self.0.lock())?;
        let off = Duration::from_millis(found.ahead.unsigned_abs());
        (off > MAX_SKEW).then(|| {
            let way = if found.ahead > 0 { "ahead of" } else { "behind" };
            format!(
                "{} s {way} the median of {} other nodes, which refuse records and blocks with such times: set it, for \
                 instance with timedatectl set-ntp true",
                off.as_secs(),
                found.of
            )
        })
    }

    /// Asks other nodes at intervals, until `stop`.
    pub(super) async fn watch(self: Arc<Self>, network: NetworkHandle, stop: CancellationToken) {
        let mut pause = FIRST_PROBE_DELAY;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let times = ask(&network).await;
            pause = if times.len() < MIN_ANSWERS { FIRST_PROBE_DELAY * 2 } else { PROBE_INTERVAL };
            // The log has the warning once when the clock goes wrong, not with each round.
            let before = self.warning().is_some();
            *self.0.lock() = judge(times);
            if let Some(warning) = self.warning().filter(|_| !before) {
                tracing::error!("this machine's clock is {warning}");
            }
        }
    }
}

/// How far this clock is ahead of each of some nodes', in milliseconds.
async fn ask(network: &NetworkHandle) -> Vec<i64> {
    let registered = peers::registered(network, &BTreeSet::new()).await;
    let asked: FuturesUnordered<_> =
        registered.into_iter().take(MAX_PROBED_NODES).map(|node| ahead_of(network, node)).collect();
    asked.filter_map(std::future::ready).collect().await
}

/// How far this clock is ahead of that of `node`, in milliseconds: in the middle of the time that the answer took.
async fn ahead_of(network: &NetworkHandle, node: NodeId) -> Option<i64> {
    let sent = clock::now();
    let answer = network.request(node, CLOCK.name, Vec::new()).await.ok()?;
    let ClockResponse(theirs) = ClockResponse::decode(&answer)?;
    Some(difference(sent, clock::now(), theirs.0))
}

fn difference(sent: UnixMillis, received: UnixMillis, theirs: u64) -> i64 {
    let middle = i128::from(sent.0) + (i128::from(received.0) - i128::from(sent.0)) / 2;
    let ahead = (middle - i128::from(theirs)).clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(ahead).unwrap_or_default()
}

/// The median, when enough have answered.
fn judge(mut times: Vec<i64>) -> Option<Measurement> {
    times.sort_unstable();
    let ahead = times.get(times.len() / 2).copied().filter(|_| times.len() >= MIN_ANSWERS)?;
    Some(Measurement { ahead, of: times.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(times: &[i64]) -> Option<String> {
        Skew(Mutex::new(judge(times.to_vec()))).warning()
    }

    #[test]
    fn the_median_decides_and_needs_three_answers() {
        assert_eq!(says(&[0, 10, -900]), None);
        assert_eq!(says(&[3_600_000, 3_600_000]), None, "two may both be wrong");
        let ahead = says(&[3_600_400, 3_600_000, 3_599_000]).unwrap();
        assert!(ahead.starts_with("3600 s ahead of the median of 3 other nodes"), "{ahead}");
        assert!(says(&[-60_000; 5]).unwrap().starts_with("60 s behind"));
        assert_eq!(says(&[i64::MAX, i64::MIN, 0, 3, i64::MIN]), None, "two liars of five");
    }

    #[test]
    fn absurd_times_do_not_overflow() {
        assert_eq!(difference(UnixMillis(10), UnixMillis(20), 5), 10);
        assert_eq!(difference(UnixMillis(0), UnixMillis(0), u64::MAX), i64::MIN);
        assert_eq!(difference(UnixMillis(u64::MAX), UnixMillis(u64::MAX), 0), i64::MAX);
        assert!(says(&[i64::MIN; 3]).is_some());
    }
}
