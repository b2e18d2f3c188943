//! Transactions of a client without a state: peers take them, and say what became of them.

use futures::{FutureExt, future::join_all};
use nervure_primitives::{BlockHeight, Hash};
use nervure_protocol::{
    light::{LightRequest, LightResponse},
    submission::SubmitResponse,
};

use super::{LightFailure, LightHandle, client::ASKED_PEERS};

impl LightHandle {
    /// Asks several peers to take a transaction, and says why if none does.
    pub(crate) async fn submit(&self, data: Vec<u8>) -> Result<Result<(), String>, LightFailure> {
        let sources = self.wait_for_peers().await?;
        let asked = sources.into_iter().take(ASKED_PEERS).map(|source| {
            let data = data.clone();
            async move { source.submit(&data).await }.boxed()
        });
        let answers: Vec<SubmitResponse> = join_all(asked).await.into_iter().flatten().collect();
        if answers.contains(&SubmitResponse::Taken) {
            return Ok(Ok(()));
        }
        match answers.into_iter().next() {
            Some(SubmitResponse::Refused { reason }) => Ok(Err(reason.to_string())),
            _ => Err(LightFailure::NoPeer),
        }
    }

    /// What became of a transaction, by the words of peers: the block and the encoded event that most of them name.
    pub(crate) async fn outcome(&self, id: Hash) -> Option<(BlockHeight, Vec<u8>)> {
        let sources = self.sources().await;
        let request = LightRequest::Transaction(id);
        let asked = sources.into_iter().take(ASKED_PEERS).map(|source| {
            let request = request.clone();
            async move { source.ask(&request).await }.boxed()
        });
        let mut counted: Vec<((BlockHeight, Vec<u8>), usize)> = Vec::new();
        for answer in join_all(asked).await.into_iter().flatten() {
            let LightResponse::Transaction(Some((height, event))) = answer else { continue };
            let named = (height, event.into_vec());
            match counted.iter_mut().find(|(known, _)| *known == named) {
                Some((_, count)) => *count += 1,
                None => counted.push((named, 1)),
            }
        }
        counted.into_iter().max_by_key(|(_, count)| *count).map(|(named, _)| named)
    }
}
