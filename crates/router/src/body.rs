//! A request as it travels, and the seed that the router gives it.
//!
//! An answer can be repeated, and so audited, only if its sampling seed is known. Where the asker names none, each
//! attempt gets a seed of its own: two miners that compare notes do not recognise one query by its seed, and the votes
//! of several experts with one model are not one vote.

use std::sync::Arc;

use nervure_api::ServiceError;
use nervure_protocol::{ExpertRequest, query::body::encode_request};

use crate::Environment;

/// The request of all attempts at one query.
#[derive(Debug, Clone)]
pub(crate) enum RequestBody {
    /// The same for each attempt.
    Encoded(Arc<[u8]>),
    /// Each attempt gets a seed of its own.
    Unseeded(Arc<ExpertRequest>),
}

impl RequestBody {
    /// The body of `request`.
    ///
    /// # Errors
    /// When it has no canonical form, which no request lacks.
    pub(crate) fn of(request: &ExpertRequest) -> Result<Self, ServiceError> {
        let encoded =
            encode_request(request).map_err(|error| ServiceError::Internal { reason: error.to_string() })?;
        Ok(match request.sampling().is_some_and(|sampling| sampling.seed.is_none()) {
            true => Self::Unseeded(Arc::new(request.clone())),
            false => Self::Encoded(encoded.into()),
        })
    }

    /// The bytes for one attempt.
    pub(crate) fn for_attempt(&self, environment: &Environment) -> Arc<[u8]> {
        match self {
            Self::Encoded(body) => body.clone(),
            // Does not fail: `of` has encoded the same request, and a seed always encodes. An empty body would be
            // refused by the expert.
            Self::Unseeded(request) => {
                let seeded = ExpertRequest::clone(request).with_seed(environment.seed());
                encode_request(&seeded).unwrap_or_default().into()
            }
        }
    }
}

impl From<Arc<[u8]>> for RequestBody {
    fn from(body: Arc<[u8]>) -> Self {
        Self::Encoded(body)
    }
}
