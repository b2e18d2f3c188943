//! One question to one expert, up to its first event, and the rest of its answer.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_experts::ExpertEvent;
use nervure_p2p::{
    Multiaddr, NetworkHandle, Scope, is_global,
    query::{QueryClient, QueryError, QueryErrorCode, QueryItem, QueryOpen, QueryStream},
};
use nervure_primitives::{Amount, Hash, NodeId};
use nervure_subnet::ExpertRecord;

use crate::runtime::{
    catalog::ExpertCatalog,
    clock,
    receipts::{self, AwaitedReceipt},
    wire,
};

/// Makes attempts at one question.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) client: QueryClient,
    pub(super) network: NetworkHandle,
    pub(super) catalog: Arc<ExpertCatalog>,
    pub(super) scope: Scope,
    pub(super) body: Arc<[u8]>,
    pub(super) budget: Amount,
    pub(super) until: Instant,
    /// Whether the time to the first byte says how fast the expert usually begins.
    pub(super) measured: bool,
}

/// An expert that has begun to answer.
pub(super) struct Begun {
    /// Who it is.
    pub(super) record: ExpertRecord,
    /// Its first event, and whether that was all.
    pub(super) first: (ExpertEvent, bool),
    /// The rest.
    pub(super) rest: Rest,
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What it means for the asker.
    pub(super) kind: FailureKind,
    /// In words.
    pub(super) reason: String,
}

/// What a failure means for the asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The expert failed; another may not.
    Failed,
    /// The expert has no room now.
    Busy(Duration),
    /// The question is wrong in the expert's eyes.
    BadRequest,
    /// The question is longer than the expert's context.
    DoesNotFit,
}

impl Attempts {
    /// Asks the expert of `record` and waits for its first event.
    pub(super) async fn begin(&self, record: ExpertRecord) -> Result<Begun, (ExpertRecord, Failure)> {
        let place = Place::take(&self.catalog, &record);
        let began = Instant::now();
        match self.first(&record, place).await {
            Ok((first, rest)) => {
                if self.measured {
                    let mut seen = self.catalog.observations();
                    seen.first_byte(record.node, &record.expert, began.elapsed());
                }
                Ok(Begun { record, first, rest })
            }
            Err(failure) => {
                if failure.kind == FailureKind::Failed {
                    self.failed(&record);
                }
                Err((record, failure))
            }
        }
    }

    /// Remembers that the expert failed, or let the asker wait for too long.
    pub(super) fn failed(&self, record: &ExpertRecord) {
        self.catalog.observations().failed(record.node, &record.expert, clock::now());
    }

    async fn first(
        &self,
        record: &ExpertRecord,
        place: Place,
    ) -> Result<((ExpertEvent, bool), Rest), Failure> {
        let (stream, receipt) = self.open(record).await?;
        let mut rest = Rest { stream, receipt, _place: place };
        let first = rest.item().await?;
        Ok((first, rest))
    }

    /// Asks at the addresses that the record names; where none answers, on the swarm's own connection to the node, if
    /// there is one or nothing else was named.
    async fn open(&self, record: &ExpertRecord) -> Result<(QueryStream, AwaitedReceipt), Failure> {
        let addresses = self.dialable(record);
        let name = receipts::new_name();
        let receipt = AwaitedReceipt::new(record.node, record.netuid, (name, &self.body));
        let question = self.question(record, name);
        let unreachable = match self.client.open(record.node, &addresses, question.clone()).await {
            Ok(stream) => return Ok((stream, receipt)),
            Err(error @ QueryError::Unreachable { .. }) => error,
            Err(error) => return Err(failure(&error)),
        };
        if !addresses.is_empty() && !self.is_connected(record.node).await {
            return Err(failure(&unreachable));
        }
        tracing::debug!(node = %record.node, "asking through the swarm");
        let stream = self.network.query_stream(record.node).await.map_err(|error| Failure {
            kind: FailureKind::Failed,
            reason: format!("{unreachable}; {error}"),
        })?;
        let stream = self.client.open_on(record.node, stream, question).await;
        Ok((stream.map_err(|error| failure(&error))?, receipt))
    }

    /// The question to the expert of `record`, with the time that is left for it.
    fn question(&self, record: &ExpertRecord, name: Hash) -> QueryOpen {
        let left = self.until.saturating_duration_since(Instant::now());
        QueryOpen {
            netuid: record.netuid,
            capability: record.capability.clone(),
            expert: Some(record.expert.clone()),
            body: self.body.to_vec(),
            deadline_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
            budget: self.budget,
            name: Some(name),
        }
    }

    async fn is_connected(&self, node: NodeId) -> bool {
        let peers = self.network.peers().await.unwrap_or_default();
        peers.iter().any(|peer| peer.node == node)
    }

    /// Where a record says that its node is, without the places where nobody may send us.
    fn dialable(&self, record: &ExpertRecord) -> Vec<SocketAddr> {
        let allowed =
            |address: &&SocketAddr| self.scope == Scope::Local || is_global(&Multiaddr::from(address.ip()));
        record.addresses.iter().filter(allowed).copied().collect()
    }
}

/// The rest of an answer. Dropping it tells the node to stop.
pub(super) struct Rest {
    stream: QueryStream,
    receipt: AwaitedReceipt,
    _place: Place,
}

impl Rest {
    /// The receipt for all of the answer; to be called after its last event.
    pub(super) fn into_receipt(self) -> AwaitedReceipt {
        self.receipt
    }

    /// The next event, and whether it is the last; in words why there is none.
    pub(super) async fn next(&mut self) -> Result<(ExpertEvent, bool), String> {
        self.item().await.map_err(|failure| failure.reason)
    }

    /// The next event, and whether it is the last.
    pub(super) async fn item(&mut self) -> Result<(ExpertEvent, bool), Failure> {
        match self.stream.next().await.map_err(|error| failure(&error))? {
            QueryItem::End(mut end) => {
                self.receipt.end(end.receipt.take());
                Ok((wire::done(&end), true))
            }
            QueryItem::Chunk(chunk) => {
                self.receipt.chunk(&chunk);
                match wire::decode_event(&chunk) {
                    // Only an end frame ends an answer: it is the one that is counted.
                    Ok(ExpertEvent::Done { .. }) => Err(broken("an end in the middle")),
                    Ok(event) => Ok((event, false)),
                    Err(error) => Err(broken(&error.to_string())),
                }
            }
        }
    }
}

/// What an expert did that no expert does.
pub(super) fn broken(reason: &str) -> Failure {
    Failure { kind: FailureKind::Failed, reason: format!("the expert broke the protocol: {reason}") }
}

fn failure(error: &QueryError) -> Failure {
    let kind = match error {
        QueryError::Refused {
            code: QueryErrorCode::Busy | QueryErrorCode::RateLimited, retry_after, ..
        } => FailureKind::Busy(retry_after.unwrap_or(Duration::from_secs(1))),
        QueryError::Refused { code: QueryErrorCode::BadRequest, .. } => FailureKind::BadRequest,
        QueryError::Refused { code: QueryErrorCode::DoesNotFit, .. } => FailureKind::DoesNotFit,
        _ => FailureKind::Failed,
    };
    Failure { kind, reason: error.to_string() }
}

/// A query of ours that is with an expert; counted while it lives.
struct Place {
    catalog: Arc<ExpertCatalog>,
    record: (NodeId, String),
}

impl Place {
    fn take(catalog: &Arc<ExpertCatalog>, record: &ExpertRecord) -> Self {
        catalog.observations().begin(record.node, &record.expert);
        Self { catalog: catalog.clone(), record: (record.node, record.expert.clone()) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (node, expert) = &self.record;
        self.catalog.observations().end(*node, expert);
    }
}
