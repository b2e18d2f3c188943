//! Transactions of peers and of this node's own users on their way into the mempool, and the reports of equivocation.

use std::time::{Duration, Instant};

use nervure_ledger::{
    mempool::MempoolError,
    transaction::{SignedTransaction, SignerKey},
};
use nervure_p2p::Verdict;
use nervure_primitives::{Hash, NodeId};
use nervure_protocol::topics::TRANSACTIONS;

use super::{Host, HostDeps, span};

/// How often the going tip is computed between two blocks.
const GOING_TIP_INTERVAL: Duration = Duration::from_millis(100);

impl Host {
    /// Takes a transaction of a peer for one of the next blocks.
    fn insert(&mut self, signed: SignedTransaction) -> Result<Hash, MempoolError> {
        let span = span::of_transaction(&signed.checked().id());
        let taken = self.deps.executor.insert(signed);
        match &taken {
            Ok(_) => span.in_scope(|| tracing::debug!("in the mempool")),
            Err(rejection) => span.in_scope(|| tracing::debug!(%rejection, "not taken into the mempool")),
        }
        self.report_waiting();
        taken
    }

    /// Takes a transaction of a peer, whose signature holds; the verdict says whether it is forwarded. It never costs the
    /// peer its score: another state, or another transaction of the same user, can be the reason.
    pub(in super::super) fn on_transaction(
        &mut self,
        from: Option<NodeId>,
        signed: SignedTransaction,
    ) -> Verdict {
        let signatures = signed.checked().signatures();
        match self.insert(signed) {
            Ok(_) => Verdict::Accept,
            Err(refusal) => {
                if refusal.costs_nothing() {
                    self.deps.metrics.unfunded.inc();
                    from.iter().for_each(|peer| {
                        self.deps.unfunded.on_unfunded(*peer, signatures, Instant::now());
                    });
                }
                Verdict::Ignore
            }
        }
    }

    /// Takes a transaction of this node's own user: it is kept across restarts, and published.
    pub(in super::super) fn submit(&mut self, signed: SignedTransaction) -> Result<Hash, MempoolError> {
        let (envelope, height) = (signed.envelope().clone(), self.deps.executor.tip().header.height);
        let taken = self.insert(signed.clone());
        // What is known is pending already.
        let refusal = taken.as_ref().err().filter(|refusal| **refusal != MempoolError::Known);
        self.alerts.on_submit(&signed, refusal.map(|refusal| refusal as _), height);
        if refusal.is_some() {
            self.deps.view.send_modify(|view| view.alerts.clone_from(self.alerts.active()));
        }
        let id = taken?;
        if let Ok(bytes) = envelope.encode() {
            self.deps.pending.add(id, &envelope);
            self.publish_transaction(id, bytes);
        }
        Ok(id)
    }

    /// Takes a transaction that the node `from` asks this one to take, and publishes it. It is not kept across restarts:
    /// its own node sends it again.
    pub(in super::super) fn take_submission(
        &mut self,
        from: NodeId,
        signed: SignedTransaction,
    ) -> Result<Hash, MempoolError> {
        let envelope = signed.envelope().clone();
        let id = self.insert(signed).inspect_err(|refusal| {
            if refusal.costs_nothing() {
                self.deps.metrics.unfunded.inc();
            }
        })?;
        tracing::debug!(%id, %from, "took a transaction for another node");
        if let Ok(bytes) = envelope.encode() {
            self.deps.net.publish(TRANSACTIONS.name, bytes);
        }
        Ok(id)
    }

    /// Publishes a transaction of this node's own user, and asks some registered nodes to take it: peers throw away what a
    /// node gossips that is not registered, or was registered a moment ago.
    pub(super) fn publish_transaction(&self, id: Hash, bytes: Vec<u8>) {
        let net = &self.deps.net;
        let is_registered = self.deps.executor.tip().state.nodes().get(&net.node()).is_some();
        net.submit_to_others(id, bytes.clone(), is_registered);
        net.publish(TRANSACTIONS.name, bytes);
    }

    /// Submits the report of an equivocation that is due, if any.
    pub(in super::super) fn report_equivocation(&mut self) {
        let HostDeps { evidence, executor, key, .. } = &mut self.deps;
        let Some(report) = evidence.due(&executor.tip().state, executor.pool(), key) else { return };
        match self.submit(report) {
            Ok(_) => self.deps.metrics.reports.inc(),
            Err(error) => {
                tracing::warn!(%error, "a report of equivocation is submitted again later");
                self.deps.evidence.not_taken();
                return;
            }
        };
        tracing::info!(unsettled = self.deps.evidence.len(), "reported an equivocation");
    }

    /// Forgets own transactions that are no longer in the mempool.
    pub(super) fn prune_pending(&mut self) {
        let pool = self.deps.executor.pool();
        self.deps.pending.retain(|id| pool.contains(id));
    }

    pub(super) fn report_waiting(&mut self) {
        let waiting = self.deps.executor.pool().len();
        let going_tip = self.is_tip_due(Instant::now()).then(|| self.going_tip());
        self.deps.view.send_modify(|view| {
            view.waiting = waiting;
            view.going_tip = going_tip.unwrap_or(view.going_tip);
        });
    }

    /// Whether the going tip is computed again: with a full mempool it takes longer than taking a transaction does.
    fn is_tip_due(&mut self, now: Instant) -> bool {
        let is_due = self.tip_due <= now;
        if is_due {
            self.tip_due = now + GOING_TIP_INTERVAL;
        }
        is_due
    }

    pub(super) fn going_tip(&self) -> u64 {
        let executor = &self.deps.executor;
        executor.pool().going_tip(&executor.tip().state)
    }

    /// The next nonce of a key, after what is pending here; none when the ledger does not know the key.
    pub(in super::super) fn next_nonce(&self, key: SignerKey, signer: NodeId) -> Option<u64> {
        let executor = &self.deps.executor;
        let next = executor.tip().state.next_nonce(key, &signer).ok()?;
        Some(executor.pool().next_nonce(key, signer, next))
    }

    /// What is pending here of an owner key.
    pub(in super::super) fn pending_of(&self, owner: NodeId) -> Vec<SignedTransaction> {
        self.deps.executor.pool().of_signer(SignerKey::Owner, owner).cloned().collect()
    }
}
