//! A faucet: pays tokens of a test mesh to those who ask and have done some work.
//!
//! What a hostile peer can do: take what the limits allow. An owner is paid once in the life of the process and never when it
//! has tokens, the nodes of a network (/24, IPv6: /48) [`PER_NETWORK`] times, all together [`PER_HOUR`] times an hour.

mod limits;

use std::sync::Arc;

use nervure_ledger::{
    economics::base_fee::BaseFee,
    transaction::{Call, SignedTransaction, SignerKey, Transaction, Transfer},
};
use nervure_p2p::{InboundRequest, NetworkHandle, ProtocolSpec};
use nervure_primitives::{Amount, BlockHeight, Hash, MeshId, NodeId, NodeKey};
use nervure_protocol::{
    faucet::{FaucetClaim, FaucetRequest, FaucetResponse},
    protocols::FAUCET,
};
use parking_lot::Mutex;

use super::{
    chain::ChainHandle,
    directory::{ProtocolHandlers, register_concurrent},
    light::LightHandle,
    peers,
};
use limits::{Limits, network_of};

/// Payments to the nodes of one network, and to all, in an hour.
const PER_NETWORK: usize = 5;
const PER_HOUR: usize = 200;

/// How old the block of a claim may be, in blocks.
const MAX_AGE_BLOCKS: u64 = 64;

/// Blocks until a payment expires.
const EXPIRES_AFTER_BLOCKS: u64 = 100;

/// Full blocks for which the fee is enough.
const HEADROOM_BLOCKS: u32 = 6;

/// Most work that a client does, in zero bits, and the hashes that it tries for it.
const MAX_BITS: u8 = 32;
const MAX_TRIES: u64 = 1 << 36;

/// What an operator sets.
#[derive(Clone, Debug)]
pub(crate) struct FaucetSettings {
    /// The owner key that pays.
    pub(crate) key: NodeKey,
    /// What is paid to each owner.
    pub(crate) amount: Amount,
    /// The work for it, in zero bits.
    pub(crate) bits: u8,
}

/// The bounds of the protocol.
pub(super) fn protocol() -> ProtocolSpec {
    ProtocolSpec { per_peer_per_second: 8, inbound: 4, ..ProtocolSpec::of(FAUCET) }
}

/// A faucet that pays.
pub(super) struct Faucet {
    settings: FaucetSettings,
    mesh: MeshId,
    chain: ChainHandle,
    network: NetworkHandle,
    /// Whether the mesh is on one machine or network: all come from one address there.
    is_local: bool,
    limits: Mutex<Limits>,
}

impl Faucet {
    /// A faucet with these settings.
    pub(super) fn new(
        settings: FaucetSettings,
        (mesh, is_local): (MeshId, bool),
        chain: ChainHandle,
        network: NetworkHandle,
    ) -> Arc<Self> {
        tracing::info!(account = %settings.key.node_id(), amount = %settings.amount, bits = settings.bits, "this node has a faucet");
        Arc::new(Self { settings, mesh, chain, network, is_local, limits: Mutex::default() })
    }

    /// Registers the handler of claims.
    pub(super) fn register(self: &Arc<Self>, protocols: &mut ProtocolHandlers) {
        let faucet = self.clone();
        register_concurrent(protocols, FAUCET.name, move |request| {
            let faucet = faucet.clone();
            async move { faucet.answer(request).await }
        });
    }

    async fn answer(&self, request: InboundRequest) {
        let response = match FaucetRequest::decode(&request.data) {
            Ok(FaucetRequest::Terms) => {
                FaucetResponse::Terms { bits: self.settings.bits, amount: self.settings.amount }
            }
            Ok(FaucetRequest::Claim(claim)) => match self.pay(request.from, claim).await {
                Ok(transaction) => FaucetResponse::Paid { transaction },
                Err(reason) => FaucetResponse::refused(reason),
            },
            Err(_) => return,
        };
        if let Ok(bytes) = response.encode() {
            request.respond(bytes).await;
        }
    }

    /// Pays a claim, or says why not. Cheap checks come first.
    async fn pay(&self, from: NodeId, claim: FaucetClaim) -> Result<Hash, String> {
        if claim.work(&self.mesh, &self.network.node()) < self.settings.bits {
            return Err("the claim has too little work".into());
        }
        let tip = self.chain.view().tip.clone();
        let (height, oldest) = (tip.header.height, tip.header.height.0.saturating_sub(MAX_AGE_BLOCKS));
        if claim.height > height || claim.height.0 < oldest {
            return Err("the block of the claim is not a recent one: do the work again".into());
        }
        let found = self.chain.read(move |reader| reader.header(claim.height)).await;
        if !matches!(found, Ok(Some(header)) if header.id() == claim.block) {
            return Err("the block of the claim is not one of this mesh".into());
        }
        if tip.state.accounts().get(&claim.owner).balance >= self.settings.amount {
            return Err("this owner has tokens already".into());
        }
        let network = if self.is_local { None } else { self.network_of(from).await };
        self.limits.lock().take(claim.owner, network, std::time::Instant::now())?;
        let paid = self.transfer(claim.owner).await;
        if paid.is_err() {
            self.limits.lock().give_back(claim.owner);
        }
        paid
    }

    /// The network that a connected node comes from.
    async fn network_of(&self, node: NodeId) -> Option<[u8; 7]> {
        let peers = self.network.peers().await.unwrap_or_default();
        peers.iter().find(|peer| peer.node == node).and_then(|peer| network_of(&peer.address))
    }

    async fn transfer(&self, to: NodeId) -> Result<Hash, String> {
        let tip = self.chain.view().tip.clone();
        let nonce = self.chain.next_nonce(SignerKey::Owner, self.settings.key.node_id()).await;
        let nonce = nonce.ok_or("the faucet's account does not exist")?;
        let call = Call::Transfer(Transfer { to, amount: self.settings.amount, memo: None });
        let base = BaseFee(tip.state.base_fee().0).after_full_blocks(HEADROOM_BLOCKS);
        let fee = Amount::from_base_units(base.cost(Transaction::greatest_weight(&call)));
        let expiry = BlockHeight(tip.header.height.0.saturating_add(EXPIRES_AFTER_BLOCKS));
        let transaction = Transaction { nonce, fee, tip: Amount::ZERO, expiry, call };
        let envelope = transaction.seal(&self.settings.key, &self.mesh).map_err(|error| error.to_string())?;
        let signed = SignedTransaction::verify(envelope, &self.mesh);
        self.chain.submit(signed).await.map_err(|error| format!("the faucet cannot pay: {error}"))
    }
}

/// What a faucet paid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payment {
    /// The node that paid.
    pub(crate) faucet: NodeId,
    /// How much.
    pub(crate) amount: Amount,
    /// The transaction.
    pub(crate) transaction: Hash,
}

/// Asks the connected nodes for a faucet, does the work, and claims tokens for `owner`. An error says why none paid.
pub(crate) async fn claim(
    network: &NetworkHandle,
    light: &LightHandle,
    owner: NodeId,
) -> Result<Payment, String> {
    let head = light.head().await.map_err(|error| error.to_string())?;
    let mut last = "no connected node has a faucet".to_owned();
    for faucet in peers::all(network, &Default::default()).await {
        let Some(FaucetResponse::Terms { bits, amount }) = ask(network, faucet, FaucetRequest::Terms).await
        else {
            continue;
        };
        if bits > MAX_BITS {
            last = format!("the faucet of {faucet} asks for {bits} bits of work, more than is done");
            continue;
        }
        let claim = FaucetClaim { owner, height: head.height(), block: head.header.id(), nonce: 0 };
        let mesh = light.mesh();
        let worked =
            tokio::task::spawn_blocking(move || claim.with_work(bits, (&mesh, &faucet), MAX_TRIES)).await;
        let Ok(Some(claim)) = worked else { continue };
        match ask(network, faucet, FaucetRequest::Claim(claim)).await {
            Some(FaucetResponse::Paid { transaction }) => return Ok(Payment { faucet, amount, transaction }),
            Some(FaucetResponse::Refused { reason }) => last = format!("{faucet}: {reason}"),
            Some(FaucetResponse::Terms { .. }) | None => last = format!("{faucet} did not answer"),
        }
    }
    Err(last)
}

async fn ask(network: &NetworkHandle, node: NodeId, request: FaucetRequest) -> Option<FaucetResponse> {
    let answer = network.request(node, FAUCET.name, request.encode().ok()?).await.ok()?;
    FaucetResponse::decode(&answer).ok()
}
