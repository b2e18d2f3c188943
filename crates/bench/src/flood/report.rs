//! The figures of a flood, and what in them is not as it should be.

use serde::Serialize;

use super::Outcomes;

/// The part of the questions of a validator and of an asker with stake that has to be answered in time, in percent.
const ANSWERED_PERCENT: u64 = 90;

/// How much a miner's memory may grow by a flood, in KiB: 64 MiB for long queries, 64 MiB for the windows of 512 connections
/// of free keys (128 KiB each), and 16 MiB for queries in progress and what the allocator keeps. The bounds are those of
/// `docs/protocol/query.md`.
const MAX_MEMORY_GROWTH_KIB: u64 = 144 << 10;

/// How many file descriptors more a miner may have: connections to its upstream, in progress and kept.
const MAX_DESCRIPTOR_GROWTH: u64 = 48;

/// Requests that an upstream has at once where its operator names no number: the default `concurrency` of an expert.
const MAX_UPSTREAM_REQUESTS: u64 = 16;

/// What one asker got.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AskerFigures {
    /// Its class.
    pub class: &'static str,
    /// Questions, and those that were answered within ten seconds, without the flood.
    pub calm: Outcomes,
    /// The same with it.
    pub flooded: Outcomes,
}

/// The largest that a miner's process was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessFigures {
    /// Resident memory, in KiB.
    pub memory_kib: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// The figures of one miner.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FloodedMiner {
    /// What answers its questions.
    pub serves: &'static str,
    /// The validator, the gateway with stake, and a stranger.
    pub askers: Vec<AskerFigures>,
    /// Its process without the flood.
    pub calm: ProcessFigures,
    /// Its process with it.
    pub flooded: ProcessFigures,
    /// Questions of the flood.
    pub flood: u64,
}

/// The figures of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FloodReport {
    /// The miners.
    pub miners: Vec<FloodedMiner>,
    /// The most requests that the upstream had at once.
    pub upstream_requests: u64,
}

impl FloodReport {
    /// What a miner did not hold, in words; empty when all is well.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = self.miners.iter().flat_map(FloodedMiner::complaints).collect();
        if self.upstream_requests > MAX_UPSTREAM_REQUESTS {
            complaints.push(format!(
                "the upstream had {} requests at once, more than {MAX_UPSTREAM_REQUESTS}",
                self.upstream_requests
            ));
        }
        complaints
    }
}

impl FloodedMiner {
    fn complaints(&self) -> Vec<String> {
        let (serves, mut complaints) = (self.serves, Vec::new());
        for AskerFigures { class, flooded, .. } in
            self.askers.iter().filter(|asker| asker.class != "stranger")
        {
            let Outcomes { asked, answered, .. } = flooded;
            if *asked == 0 || answered * 100 < asked * ANSWERED_PERCENT {
                complaints.push(format!(
                    "{serves}: {answered} of {asked} questions of the {class} were answered, less than {ANSWERED_PERCENT} %"
                ));
            }
        }
        let grown = self.flooded.memory_kib.saturating_sub(self.calm.memory_kib);
        if grown > MAX_MEMORY_GROWTH_KIB {
            complaints.push(format!(
                "{serves}: the miner's memory grew by {grown} KiB, more than {MAX_MEMORY_GROWTH_KIB}"
            ));
        }
        let opened = self.flooded.descriptors.saturating_sub(self.calm.descriptors);
        if opened > MAX_DESCRIPTOR_GROWTH {
            complaints.push(format!(
                "{serves}: the miner has {opened} file descriptors more, more than {MAX_DESCRIPTOR_GROWTH}"
            ));
        }
        complaints
    }
}

impl ProcessFigures {
    /// Of a running process, as Linux tells them; zero elsewhere.
    pub(super) fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|text| text.split_whitespace().next()?.parse().ok());
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        Self { memory_kib: memory.unwrap_or(0), descriptors: open as u64 }
    }

    /// The larger one of each figure.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            memory_kib: self.memory_kib.max(other.memory_kib),
            descriptors: self.descriptors.max(other.descriptors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(answered: u64) -> Outcomes {
        Outcomes { asked: 100, answered, p50_ms: 1.0 }
    }

    /// A report in which the validator has so many answers to a hundred questions.
    fn report(validator: u64, stranger: u64) -> FloodReport {
        let asker =
            |class, answered| AskerFigures { class, calm: outcomes(100), flooded: outcomes(answered) };
        let process = ProcessFigures { memory_kib: 100_000, descriptors: 40 };
        let miner = FloodedMiner {
            serves: "an upstream",
            askers: vec![asker("validator", validator), asker("staked", 100), asker("stranger", stranger)],
            calm: process,
            flooded: process,
            flood: 9,
        };
        FloodReport { miners: vec![miner], upstream_requests: 16 }
    }

    #[test]
    fn nine_answers_of_ten_are_enough_and_strangers_may_have_none() {
        assert_eq!(report(90, 0).complaints(), Vec::<String>::new());
        let complaints = report(89, 100).complaints();
        assert!(complaints.len() == 1 && complaints[0].contains("89 of 100"), "{complaints:?}");
    }

    #[test]
    fn memory_descriptors_and_requests_to_the_upstream_are_bounded() {
        let mut grown = report(100, 0);
        grown.miners[0].flooded.memory_kib += MAX_MEMORY_GROWTH_KIB;
        grown.miners[0].flooded.descriptors += MAX_DESCRIPTOR_GROWTH;
        assert_eq!(grown.complaints(), Vec::<String>::new());
        grown.miners[0].flooded.memory_kib += 1;
        grown.miners[0].flooded.descriptors += 1;
        grown.upstream_requests += 1;
        assert_eq!(grown.complaints().len(), 3);
    }

    #[test]
    fn a_run_without_a_question_shows_nothing() {
        let mut report = report(100, 0);
        report.miners[0].askers[1].flooded = Outcomes::default();
        assert_eq!(report.complaints().len(), 1);
    }
}
