//! Why a client without a state has no answer.

use nervure_api::{ClientError, ServiceError};
use nervure_light::VerifierError;
use nervure_p2p::RequestError;

/// Why a client without a state has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LightFailure {
    /// No peer to ask.
    #[error("no node of the mesh is connected: there is no peer to ask")]
    NoPeer,
    /// All connections led to nodes of another mesh.
    #[error(
        "no node of the mesh is connected, and {0} connections led to nodes of another mesh: the spec is not that of the \
         nodes at its bootstrap addresses"
    )]
    OtherMesh(u64),
    /// The mesh has made no block yet.
    #[error("the mesh has made no block yet, as far as its nodes say")]
    NoBlock,
    /// No peer gave an answer that verifies.
    #[error("no peer gave an answer that verifies; the last, {peer}: {error}")]
    Unverified {
        /// The peer that was asked last: its node id, or where its HTTP API is.
        peer: String,
        /// Why its answer was not used.
        error: Box<VerifierError<PeerFault>>,
    },
    /// The proven records are no state that can be shown.
    #[error("the records that peers named do not fit together: {0}")]
    Records(String),
    /// What was asked for is proven not to exist, or no peer knows it.
    #[error("{0}")]
    NotFound(String),
}

/// Why a peer's answer was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerFault {
    /// It does not answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It does not answer over HTTP.
    #[error(transparent)]
    Http(#[from] ClientError),
    /// Its response does not decode, or does not fit the request.
    #[error("its response is malformed")]
    Malformed,
    /// It does not have this.
    #[error("it does not have {0}")]
    NotHere(String),
}

impl From<LightFailure> for ServiceError {
    fn from(failure: LightFailure) -> Self {
        match failure {
            LightFailure::NotFound(what) => Self::NotFound { what },
            other => Self::Unavailable { reason: other.to_string() },
        }
    }
}
