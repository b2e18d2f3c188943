//! The vectors of texts from an upstream.

use std::collections::VecDeque;

use nervure_protocol::{ExpertEvent, FinishReason, Usage};
use serde::Deserialize;
use serde_json::json;

use super::{Upstream, answer::WireUsage, refusal};
use crate::{ExpertError, stream::ExpertItem};

/// Most numbers of a vector; more do not fit a frame.
const MAX_DIMENSIONS: usize = 16_384;

#[derive(Debug, Deserialize)]
struct Embeddings {
    data: Vec<Embedding>,
    usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// Asks `upstream` for the vectors of `inputs`, which `hops` servers have passed on.
pub(super) async fn embed(
    upstream: &Upstream,
    inputs: Vec<String>,
    hops: u8,
    ready: &mut VecDeque<ExpertItem>,
) -> Result<(), ExpertError> {
    let wanted = inputs.len();
    let body = json!({"model": upstream.model, "input": inputs, "encoding_format": "float"});
    let request = upstream.question("/embeddings", hops).json(&body);
    let body = upstream.send(request, upstream.answer_bounds()).await?.read().await?;
    let mut answer: Embeddings = serde_json::from_slice(&body).map_err(|error| refusal::invalid(&error))?;
    // The index gives the order, and a server may send them in another. The protocol wants the order of the
    // inputs. A server that counts nothing, or has 0 everywhere, sends them in that order.
    let counts = answer.data.iter().any(|embedding| embedding.index.is_some_and(|index| index > 0));
    if counts {
        answer.data.sort_by_key(|embedding| embedding.index);
    }
    let valid = |(position, embedding): (usize, &Embedding)| {
        (!counts || embedding.index == Some(position))
            && (1..=MAX_DIMENSIONS).contains(&embedding.embedding.len())
            // NaN or an infinite number would spread into every mean that it is part of.
            && embedding.embedding.iter().all(|value| value.is_finite())
    };
    if answer.data.len() != wanted || !answer.data.iter().enumerate().all(valid) {
        let reason = format!("its {} vectors do not belong to {wanted} inputs", answer.data.len()).into();
        return Err(ExpertError::UpstreamInvalid { reason });
    }
    for (index, embedding) in (0..).zip(answer.data) {
        ready.push_back(Ok(ExpertEvent::Embedding { index, vector: embedding.embedding }));
    }
    let usage = Usage { completion_tokens: 0, ..answer.usage.map(Usage::from).unwrap_or_default() };
    ready.push_back(Ok(ExpertEvent::Done { usage, reason: FinishReason::Stop }));
    Ok(())
}
