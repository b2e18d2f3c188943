//! Checkpoints and proofs from the store, for clients that verify certificates and do not trust this node.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use futures::{FutureExt, future::BoxFuture};
use nervure_anchor::Submission;
use nervure_api::{
    AnchorRecordView, CheckpointPage, CheckpointRow, CheckpointView, EpochView, NodeView, ProposalPage,
    ServiceError, StateProofView, SubmissionView, SubnetDetail, SubnetPage, ValidatorPage,
};
use nervure_gateway::LedgerReader;
use nervure_ledger::{
    checkpoint::Checkpoint,
    subnet::{EpochInputs, MetagraphRoot},
    tree::{Fact, Key, Record},
};
use nervure_light::score::EpochProof;
use nervure_primitives::{BlockHeight, Netuid, NodeId};
use nervure_store::{EpochEnd, Reader, StoreError, StoredEpoch};

use super::LedgerQueries;

impl LedgerReader for LedgerQueries {
    fn checkpoints(
        &self,
        up_to: BlockHeight,
        most: usize,
    ) -> BoxFuture<'_, Result<CheckpointPage, ServiceError>> {
        async move {
            let mut page = self.read(move |reader| page(reader, up_to, most)).await?;
            for row in &mut page.checkpoints {
                row.anchored = self.anchored(row.height);
            }
            Ok(page)
        }
        .boxed()
    }

    fn checkpoint(&self, height: Option<BlockHeight>) -> BoxFuture<'_, Result<CheckpointView, ServiceError>> {
        async move {
            if let Some(light) = &self.light {
                return document(&light.block(height).await?, BTreeMap::new());
            }
            let found = self.read(move |reader| checkpoint(reader, height)).await?;
            Ok(CheckpointView { anchored: self.anchored(found.height), ..found })
        }
        .boxed()
    }

    fn checkpoint_from(&self, height: BlockHeight) -> BoxFuture<'_, Result<CheckpointView, ServiceError>> {
        async move {
            let read = move |reader: &Reader| {
                let found = reader.checkpoint_from(height)?.ok_or_else(|| no_block(reader, height))?;
                view(reader, &found)
            };
            let found = self.read(read).await?;
            Ok(CheckpointView { anchored: self.anchored(found.height), ..found })
        }
        .boxed()
    }

    fn anchored(&self, height: BlockHeight) -> BoxFuture<'_, Result<SubmissionView, ServiceError>> {
        async move {
            if let Some(light) = &self.light {
                let found = Submission::decode(&light.submission(height).await?);
                let found = found.map_err(|error| ServiceError::Internal { reason: error.to_string() })?;
                return submission(&found);
            }
            let anchoring = self.anchoring.clone();
            let read = move || anchoring.map(|anchoring| anchoring.submission(height)).transpose();
            let found = tokio::task::spawn_blocking(read).await;
            match found.map(|found| found.map(Option::flatten)) {
                Ok(Ok(Some(found))) => submission(&found),
                Ok(Ok(None)) => {
                    let what = format!("no checkpoint of block {height} is signed and kept here");
                    Err(ServiceError::NotFound { what })
                }
                Ok(Err(error)) => Err(ServiceError::Internal { reason: error.to_string() }),
                Err(error) => Err(ServiceError::Internal { reason: error.to_string() }),
            }
        }
        .boxed()
    }

    fn state_proof(
        &self,
        key: Key,
        height: Option<BlockHeight>,
    ) -> BoxFuture<'_, Result<StateProofView, ServiceError>> {
        async move {
            let Some(light) = &self.light else {
                return self.read(move |reader| fact(reader, &key, height)).await;
            };
            let at = match height {
                Some(height) => light.block(Some(height)).await?,
                None => Checkpoint::clone(&*light.head().await?),
            };
            let proven = light.facts(&at.header, &[key]).await?.pop();
            let (fact, _) = proven.ok_or_else(|| no_answer("no proof"))?;
            fact_view(&at, &key, &fact)
        }
        .boxed()
    }

    fn epoch(&self, netuid: Netuid, node: NodeId) -> BoxFuture<'_, Result<EpochView, ServiceError>> {
        async move {
            let Some(light) = &self.light else {
                return self.read(move |reader| epoch(reader, netuid, &node)).await;
            };
            let (checkpoint, proof) = light.epoch(netuid, node).await?;
            let height = checkpoint.height();
            Ok(EpochView { height, checkpoint: text(checkpoint.encode())?, proof: BASE64.encode(&proof) })
        }
        .boxed()
    }

    fn subnets(&self) -> BoxFuture<'_, Result<SubnetPage, ServiceError>> {
        self.list_subnets().boxed()
    }

    fn subnet(&self, netuid: Netuid) -> BoxFuture<'_, Result<SubnetDetail, ServiceError>> {
        self.show_subnet(netuid).boxed()
    }

    fn validators(&self) -> BoxFuture<'_, Result<ValidatorPage, ServiceError>> {
        self.list_validators().boxed()
    }

    fn proposals(&self) -> BoxFuture<'_, Result<ProposalPage, ServiceError>> {
        std::future::ready(self.list_proposals()).boxed()
    }

    fn node(&self, node: NodeId) -> BoxFuture<'_, Result<NodeView, ServiceError>> {
        self.show_node(node).boxed()
    }
}

/// Why the store has no answer.
pub(crate) enum ReadError {
    Store(StoreError),
    NotFound(String),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::NotKept { .. }) {
            Self::NotFound(error.to_string())
        } else {
            Self::Store(error)
        }
    }
}

impl LedgerQueries {
    fn anchored(&self, height: BlockHeight) -> Option<AnchorRecordView> {
        self.anchoring.as_ref().and_then(|anchoring| anchoring.covering(height))
    }

    /// Answers from the store.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let read = self.chain()?.read(move |reader| match read(reader) {
            Ok(answer) => Ok(Ok(answer)),
            Err(ReadError::NotFound(what)) => Ok(Err(ServiceError::NotFound { what })),
            Err(ReadError::Store(error)) => Err(error),
        });
        match read.await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "the store cannot be read");
                Err(ServiceError::Internal { reason: error.to_string() })
            }
        }
    }
}

fn submission(found: &Submission) -> Result<SubmissionView, ServiceError> {
    let bytes = found.encode().map_err(|error| ServiceError::Internal { reason: error.to_string() })?;
    Ok(SubmissionView {
        height: found.checkpoint.height(),
        id: found.checkpoint.id(),
        signatures: found.signatures.len() as u32,
        submission: BASE64.encode(&bytes),
    })
}

fn page(reader: &Reader, up_to: BlockHeight, most: usize) -> Result<CheckpointPage, ReadError> {
    // One more than requested, to know whether there is a next page.
    let mut ends = reader.epoch_ends(up_to, most.saturating_add(1))?;
    let next = if ends.len() > most { ends.pop().map(|end| end.height) } else { None };
    let rows = ends.into_iter().map(|end| row(reader, end));
    Ok(CheckpointPage { checkpoints: rows.collect::<Result<_, _>>()?, next })
}

fn row(reader: &Reader, EpochEnd { height, metagraphs }: EpochEnd) -> Result<CheckpointRow, ReadError> {
    let header = reader.header(height)?.ok_or_else(|| no_block(reader, height))?;
    let metagraphs = metagraphs.into_iter().collect();
    Ok(CheckpointRow { height, block: header.id(), state: header.state, metagraphs, anchored: None })
}

fn checkpoint(reader: &Reader, height: Option<BlockHeight>) -> Result<CheckpointView, ReadError> {
    let height = match height {
        Some(height) => height,
        None => {
            let last = reader.epoch_ends(BlockHeight(u64::MAX), 1)?.pop();
            last.ok_or_else(|| ReadError::NotFound("no epoch has ended yet: there is no checkpoint".into()))?
                .height
        }
    };
    view(reader, &certified(reader, height)?)
}

/// A block with its certificate, as the API shows it.
fn view(reader: &Reader, found: &Checkpoint) -> Result<CheckpointView, ReadError> {
    let height = found.height();
    let metagraphs = reader.epoch_end(height)?.map(|end| end.metagraphs).unwrap_or_default();
    document(found, metagraphs.into_iter().collect()).map_err(|error| ReadError::NotFound(error.to_string()))
}

/// A block with its certificate as a document.
fn document(
    found: &Checkpoint,
    metagraphs: BTreeMap<Netuid, MetagraphRoot>,
) -> Result<CheckpointView, ServiceError> {
    Ok(CheckpointView {
        height: found.height(),
        block: found.header.id(),
        state: found.header.state,
        metagraphs,
        anchored: None,
        validators: found.validators.len() as u32,
        signers: found.certificate.signatures.len() as u32,
        checkpoint: text(found.encode())?,
    })
}

fn fact_view(at: &Checkpoint, key: &Key, fact: &Fact) -> Result<StateProofView, ServiceError> {
    let (checkpoint, fact) = (text(at.encode())?, text(fact.encode())?);
    Ok(StateProofView { height: at.height(), key: key.to_string(), checkpoint, fact })
}

fn text<E: std::fmt::Display>(bytes: Result<Vec<u8>, E>) -> Result<String, ServiceError> {
    bytes.map(|bytes| BASE64.encode(&bytes)).map_err(|error| no_answer(&error.to_string()))
}

fn no_answer(reason: &str) -> ServiceError {
    ServiceError::Internal { reason: reason.to_owned() }
}

fn fact(reader: &Reader, key: &Key, height: Option<BlockHeight>) -> Result<StateProofView, ReadError> {
    let height = height.unwrap_or(reader.head().height);
    let fact = Fact::new(reader.prove_at(height, key)?);
    let at = certified(reader, height)?;
    fact_view(&at, key, &fact).map_err(|error| ReadError::NotFound(error.to_string()))
}

fn epoch(reader: &Reader, netuid: Netuid, node: &NodeId) -> Result<EpochView, ReadError> {
    let StoredProof { checkpoint, proof } = epoch_proof(reader, netuid, node)?;
    let height = checkpoint.height();
    Ok(EpochView { height, checkpoint: encoded(checkpoint.encode())?, proof: encoded(proof.encode())? })
}

/// What explains a score, and the block whose state proves it.
pub(crate) struct StoredProof {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) proof: EpochProof,
}

/// Proves at the block of the epoch while its state is kept, afterwards at the last block.
pub(crate) fn epoch_proof(reader: &Reader, netuid: Netuid, node: &NodeId) -> Result<StoredProof, ReadError> {
    let kept = reader.last_epoch(netuid)?;
    let head = reader.head().height;
    let oldest = reader.oldest()?;
    let height = kept.as_ref().map(|kept| kept.block).filter(|block| *block >= oldest).unwrap_or(head);
    let prove = |key: Key| reader.prove_at(height, &key).map(Fact::new);
    let subnet = reader.prove_at(height, &Key::Subnet(netuid))?;
    if let (None, Some(Record::Subnet { subnet, .. })) = (&kept, &subnet.0)
        && subnet.inputs.is_some()
    {
        let due = subnet.due;
        return Err(ReadError::NotFound(format!(
            "this node began after the last epoch of subnet {netuid}, and does not know what it was computed from; the \
             next one ends at block {due}"
        )));
    }
    let inputs = kept.map(|StoredEpoch { inputs, .. }| inputs).unwrap_or_default();
    let uid = EpochInputs::decode(&inputs).ok().and_then(|inputs| inputs.uid_of(node));
    let neuron = uid.map(|uid| prove(Key::Neuron(netuid, uid))).transpose()?;
    let proof = EpochProof { subnet: Fact::new(subnet), inputs, neuron };
    Ok(StoredProof { checkpoint: certified(reader, height)?, proof })
}

/// A block with its certificate.
fn certified(reader: &Reader, height: BlockHeight) -> Result<Checkpoint, ReadError> {
    reader.checkpoint(height)?.ok_or_else(|| no_block(reader, height))
}

fn no_block(reader: &Reader, height: BlockHeight) -> ReadError {
    let head = reader.head().height;
    let next = match reader.header(height).and_then(|header| match header {
        // The block is here, and its certificate is not: it was thinned.
        Some(_) => reader.certified_from(height),
        None => Ok(None),
    }) {
        Ok(Some(next)) => format!("the certificate of block {next} is kept, which comes after it"),
        Ok(None) | Err(_) => format!("the last one is {head}"),
    };
    ReadError::NotFound(format!("there is no block {height} with a certificate here; {next}"))
}

fn encoded<E: std::fmt::Display>(bytes: Result<Vec<u8>, E>) -> Result<String, ReadError> {
    match bytes {
        Ok(bytes) => Ok(BASE64.encode(&bytes)),
        Err(error) => Err(ReadError::NotFound(error.to_string())),
    }
}

/// Yuma's trust of each node in the last stored epoch.
pub(super) fn trust(reader: &Reader, netuid: Netuid) -> Result<BTreeMap<NodeId, u16>, ReadError> {
    let Some(kept) = reader.last_epoch(netuid)? else { return Ok(BTreeMap::new()) };
    let Ok(inputs) = EpochInputs::decode(&kept.inputs) else { return Ok(BTreeMap::new()) };
    let Ok((_, trace)) = inputs.run_traced() else { return Ok(BTreeMap::new()) };
    let trust = trace.trust.iter().map(|trust| trust.to_proportion());
    Ok(inputs.neurons.iter().map(|neuron| neuron.node).zip(trust).collect())
}
