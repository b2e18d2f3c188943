//! The node's metrics: one registry, in which each part registers what it counts and measures.
//!
//! A part owns its metrics. State that a part keeps anyway, such as the height of the chain, is a [`StateGauge`]: it is
//! read when the metrics are encoded. `docs/metrics.md` lists all of them, and a test fails when it is stale.

use std::{fmt, time::Duration};

use nervure_p2p::Verdict;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, text::encode},
    metrics::{counter::Counter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

/// An empty registry.
pub(crate) fn registry() -> Registry {
    Registry::with_prefix("nervure")
}

/// The metrics in the OpenMetrics text format.
pub(crate) fn render(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = encode(&mut text, registry);
    text
}

/// A gauge of a state that a part keeps anyway: a number, or a duration in seconds.
pub(crate) struct StateGauge<S, V = u64> {
    /// Its name, without the unit.
    pub name: &'static str,
    pub help: &'static str,
    pub value: fn(&S) -> V,
}

/// What a gauge can show.
pub(crate) trait GaugeReading: 'static {
    /// How it is encoded.
    type Encoded: EncodeGaugeValue;

    /// Its unit, which the name of the metric ends with.
    const UNIT: Option<Unit>;

    /// The number to encode.
    fn encoded(self) -> Self::Encoded;
}

impl GaugeReading for u64 {
    type Encoded = i64;

    const UNIT: Option<Unit> = None;

    fn encoded(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}

impl GaugeReading for Duration {
    type Encoded = f64;

    const UNIT: Option<Unit> = Some(Unit::Seconds);

    fn encoded(self) -> f64 {
        self.as_secs_f64()
    }
}

/// Registers `gauges` of the state that `read` gives when the metrics are encoded.
pub(crate) fn register_state<S: 'static, V: GaugeReading>(
    registry: &mut Registry,
    gauges: &'static [StateGauge<S, V>],
    read: impl Fn() -> S + Send + Sync + 'static,
) {
    registry.register_collector(Box::new(StateGauges { gauges, read: Box::new(read) }));
}

struct StateGauges<S: 'static, V: 'static> {
    gauges: &'static [StateGauge<S, V>],
    read: Box<dyn Fn() -> S + Send + Sync>,
}

impl<S, V> fmt::Debug for StateGauges<S, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.gauges.iter().map(|gauge| gauge.name)).finish()
    }
}

impl<S, V: GaugeReading> Collector for StateGauges<S, V> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = (self.read)();
        for StateGauge { name, help, value } in self.gauges {
            let gauge = ConstGauge::new(value(&state).encoded());
            // The registry ends the help text of other metrics with a full stop.
            let help = format!("{help}.");
            let unit = V::UNIT;
            gauge.encode(encoder.encode_descriptor(name, &help, unit.as_ref(), gauge.metric_type())?)?;
        }
        Ok(())
    }
}

/// How many gossip messages of a kind were accepted, ignored and rejected. Clones share the same values.
#[derive(Clone, Debug, Default)]
pub(crate) struct VerdictCounters {
    accepted: Counter,
    ignored: Counter,
    rejected: Counter,
}

impl VerdictCounters {
    /// Registers them, each with its name and help text.
    pub(crate) fn register(
        &self,
        registry: &mut Registry,
        [accepted, ignored, rejected]: [(&'static str, &'static str); 3],
    ) {
        registry.register(accepted.0, accepted.1, self.accepted.clone());
        registry.register(ignored.0, ignored.1, self.ignored.clone());
        registry.register(rejected.0, rejected.1, self.rejected.clone());
    }

    /// Counts a message that was judged.
    pub(crate) fn count(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Accept => &self.accepted,
            Verdict::Ignore => &self.ignored,
            Verdict::Reject => &self.rejected,
        };
        counter.inc();
    }
}

#[cfg(test)]
mod tests;
