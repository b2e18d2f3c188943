//! What audits count.

use nervure_subnet::audit::{Judgement, Verdict};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Metrics of an auditor. Clones share the same values.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditMetrics {
    released: Family<OutcomeLabels, Counter>,
    audits: Family<OutcomeLabels, Counter>,
    tokens: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl AuditMetrics {
    /// Registers all of them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        // Every series exists from the start, so that a rate over a first event is not lost.
        for outcome in ["taken", "refused"] {
            drop(self.released.get_or_create(&OutcomeLabels { outcome }));
        }
        for outcome in ["match", "mismatch", "undecided"] {
            drop(self.audits.get_or_create(&OutcomeLabels { outcome }));
        }
        let released = "Answers that other nodes released to this one, by outcome: taken or refused";
        registry.register("audit_released", released, self.released.clone());
        let audits =
            "Audits by outcome: match, mismatch, or undecided where the answer could not be repeated";
        registry.register("audits", audits, self.audits.clone());
        let tokens = "Tokens of answers that were compared in audits";
        registry.register("audit_tokens", tokens, self.tokens.clone());
    }

    /// Another node released an answer.
    pub(super) fn case(&self, taken: bool) {
        let outcome = if taken { "taken" } else { "refused" };
        self.released.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// An answer was audited.
    pub(super) fn audited(&self, judgement: &Judgement) {
        let outcome = match judgement.verdict {
            Verdict::Match => "match",
            Verdict::Mismatch => "mismatch",
        };
        self.audits.get_or_create(&OutcomeLabels { outcome }).inc();
        self.tokens.inc_by(judgement.tokens.into());
    }

    /// An answer could not be repeated.
    pub(super) fn undecided(&self) {
        self.audits.get_or_create(&OutcomeLabels { outcome: "undecided" }).inc();
    }
}
