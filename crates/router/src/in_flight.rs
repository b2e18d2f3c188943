//! The count of queries that are with an expert.

use std::sync::Arc;

use nervure_primitives::NodeId;
use nervure_protocol::ExpertRecord;

use crate::Environment;

/// One query that is with an expert. Counts it in the observations, and takes it out of the count when dropped.
pub(crate) struct InFlightGuard {
    environment: Arc<Environment>,
    node: NodeId,
    expert: String,
}

impl InFlightGuard {
    pub(crate) fn new(environment: &Arc<Environment>, record: &ExpertRecord) -> Self {
        environment.catalog.observations().begin(record.node, &record.expert);
        Self { environment: environment.clone(), node: record.node, expert: record.expert.clone() }
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.environment.catalog.observations().end(self.node, &self.expert);
    }
}

#[cfg(test)]
mod tests;
