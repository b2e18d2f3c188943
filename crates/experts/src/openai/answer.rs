//! One answer of an upstream: encodes the request for its API and decodes its stream into events.

use std::{collections::VecDeque, sync::Arc};

use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Upstream, body::BoundedResponse, refusal, refusal::UpstreamErrorBody, sse::SseLines};
use crate::{ExpertError, ExpertStream, stream::ExpertItem};
use nervure_protocol::{ExpertEvent, ExpertRequest, FinishReason, Sampling, Usage};

/// Longest text of one event, in bytes: an event must fit a frame.
const MAX_PIECE_BYTES: usize = 32 << 10;

/// Most numbers of a vector; more do not fit a frame.
const MAX_DIMENSIONS: usize = 16_384;

/// The answer of `upstream` to a valid request that `hops` servers have passed on.
pub(super) fn stream(upstream: Arc<Upstream>, request: ExpertRequest, hops: u8) -> ExpertStream {
    let state = AnswerState::Requested(upstream, request, hops);
    ExpertStream::new(stream::unfold((state, VecDeque::new()), |(mut state, mut ready)| async move {
        loop {
            if let Some(item) = ready.pop_front() {
                return Some((item, (state, ready)));
            }
            state = match state.step(&mut ready).await {
                Ok(next) => next?,
                Err(error) => {
                    ready.push_back(Err(error));
                    AnswerState::Ended
                }
            };
        }
    }))
}

/// The progress of an answer.
enum AnswerState {
    Requested(Arc<Upstream>, ExpertRequest, u8),
    Streaming(Box<TextStream>),
    Ended,
}

/// A streamed text.
struct TextStream {
    upstream: Arc<Upstream>,
    response: BoundedResponse,
    lines: SseLines,
    pieces: u32,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    /// The rest of a begun answer, which the upstream must repeat before its new text.
    repeated: String,
}

impl AnswerState {
    /// Performs the next step and adds its events to `ready`; `None` after the last step.
    async fn step(self, ready: &mut VecDeque<ExpertItem>) -> Result<Option<Self>, ExpertError> {
        match self {
            Self::Ended => Ok(None),
            Self::Requested(upstream, ExpertRequest::Embed { inputs }, hops) => {
                embed(&upstream, inputs, hops, ready).await?;
                Ok(Some(Self::Ended))
            }
            Self::Requested(upstream, ExpertRequest::Distribution { .. }, _) => {
                Err(ExpertError::Unsupported {
                    model: upstream.model.as_str().into(),
                    operation: "distributions",
                })
            }
            Self::Requested(upstream, request, hops) => {
                // A chat answer is written from its start, so that its `max_tokens` stays whole as well.
                let repeated = text_to_repeat(&request);
                let (path, body) = text_body(&upstream.model, request);
                let request = upstream.question(path, hops).json(&body);
                let response = upstream.send(request, upstream.answer_bounds()).await?;
                let lines = SseLines::new(upstream.limits.line);
                let text =
                    TextStream { upstream, response, lines, pieces: 0, usage: None, finish: None, repeated };
                Ok(Some(Self::Streaming(Box::new(text))))
            }
            Self::Streaming(mut text) => match text.read(ready).await? {
                true => Ok(Some(Self::Streaming(text))),
                false => Ok(Some(Self::Ended)),
            },
        }
    }
}

/// The begun text that the upstream will repeat. It continues a completion, but it answers a chat from the start: the API
/// has no way to continue a message that all servers support.
fn text_to_repeat(request: &ExpertRequest) -> String {
    match request {
        ExpertRequest::Chat { sampling, .. } => sampling.prefix.clone(),
        _ => String::new(),
    }
}

/// The path and the body of a request for text.
fn text_body(model: &str, request: ExpertRequest) -> (&'static str, Value) {
    let (path, field, input, sampling) = match request {
        ExpertRequest::Chat { messages, sampling } => {
            let message =
                |m: nervure_protocol::ChatMessage| json!({"role": m.role.as_str(), "content": m.content});
            ("/chat/completions", "messages", messages.into_iter().map(message).collect(), sampling)
        }
        ExpertRequest::Complete { prompt, mut sampling } => {
            sampling.max_tokens = sampling.remaining_tokens();
            ("/completions", "prompt", Value::String(prompt + &sampling.prefix), sampling)
        }
        ExpertRequest::Embed { .. } | ExpertRequest::Distribution { .. } => {
            ("/completions", "prompt", Value::Null, Sampling::default())
        }
    };
    let rate = |milli: u32| f64::from(milli) / 1000.0;
    let mut body = json!({
        "model": model,
        "max_tokens": sampling.max_tokens,
        "temperature": rate(sampling.temperature_milli),
        "top_p": rate(sampling.top_p_milli),
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    body[field] = input;
    if let Some(seed) = sampling.seed {
        // The API's seeds are signed 64-bit numbers, so the highest bit is dropped.
        body["seed"] = json!(seed & i64::MAX.unsigned_abs());
    }
    if !sampling.stop.is_empty() {
        body["stop"] = json!(sampling.stop);
    }
    (path, body)
}

/// An event of a stream; fields that are not used here are left out.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    /// The text of a completion.
    text: Option<String>,
    /// The text of a chat.
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireUsage {
    prompt_tokens: u32,
    completion_tokens: u32,
}

impl TextStream {
    /// Reads the next piece; false at the end of the answer.
    async fn read(&mut self, ready: &mut VecDeque<ExpertItem>) -> Result<bool, ExpertError> {
        let Some(piece) = self.response.piece().await? else {
            // Some servers send a finish reason but no `[DONE]` line.
            ready.push_back(self.done());
            return Ok(false);
        };
        self.lines.push(&piece);
        loop {
            let line = self.lines.next().map_err(|_| ExpertError::UpstreamInvalid {
                reason: format!("a line of more than {} bytes", self.upstream.limits.line).into(),
            })?;
            match line.as_deref() {
                None => return Ok(true),
                Some(b"[DONE]") => {
                    ready.push_back(self.done());
                    return Ok(false);
                }
                Some(line) => self.chunk(line, ready)?,
            }
        }
    }

    fn chunk(&mut self, line: &[u8], ready: &mut VecDeque<ExpertItem>) -> Result<(), ExpertError> {
        let chunk = read_chunk(line).map_err(|error| self.upstream.withheld(error))?;
        if let Some(usage) = chunk.usage {
            let WireUsage { prompt_tokens, completion_tokens } = usage;
            self.usage = Some(Usage { prompt_tokens, completion_tokens });
        }
        // The request asks for one choice. The chunk with the usage has none.
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(()) };
        let text = choice.text.or(choice.delta.and_then(|delta| delta.content)).unwrap_or_default();
        let text = self.new_text(text)?;
        if !text.is_empty() {
            self.pieces = self.pieces.saturating_add(1);
            ready.extend(pieces(&text).map(|piece| Ok(ExpertEvent::Text(piece.to_owned()))));
        }
        if let Some(reason) = choice.finish_reason {
            self.finish = Some(match reason.as_str() {
                "stop" => FinishReason::Stop,
                "length" => FinishReason::Length,
                _ => FinishReason::Other,
            });
        }
        Ok(())
    }

    /// The part of `text` after the begun answer. An answer with another beginning cannot continue it and is an error.
    fn new_text(&mut self, text: String) -> Result<String, ExpertError> {
        if self.repeated.is_empty() {
            return Ok(text);
        }
        // The chunk ends within the begun text, or at its end.
        if let Some(left) = self.repeated.strip_prefix(text.as_str()) {
            self.repeated = left.to_owned();
            return Ok(String::new());
        }
        // The chunk goes beyond the begun text: the rest of it is new.
        match text.strip_prefix(self.repeated.as_str()) {
            Some(new) => {
                self.repeated.clear();
                Ok(new.to_owned())
            }
            None => Err(different_answer()),
        }
    }

    /// The last item; an error when the upstream has not sent a finish reason.
    fn done(&self) -> ExpertItem {
        let Some(reason) = self.finish else {
            let reason = "it closed the connection before its answer was complete".to_owned();
            return Err(ExpertError::UpstreamUnavailable { reason });
        };
        if !self.repeated.is_empty() {
            return Err(different_answer());
        }
        let counted = Usage { prompt_tokens: 0, completion_tokens: self.pieces };
        Ok(ExpertEvent::Done { usage: self.usage.unwrap_or(counted), reason })
    }
}

fn different_answer() -> ExpertError {
    ExpertError::UpstreamInvalid { reason: "its answer does not continue the one that it was given".into() }
}

/// Decodes an event of a stream; an error event becomes an error.
fn read_chunk(line: &[u8]) -> Result<Chunk, ExpertError> {
    let value: Value = serde_json::from_slice(line).map_err(|error| refusal::invalid(&error))?;
    if value.get("error").is_some()
        && let Some(error) = UpstreamErrorBody::of(&value)
    {
        return Err(error.into_error(500, None));
    }
    serde_json::from_value(value).map_err(|error| refusal::invalid(&error))
}

/// Decodes a line as an event.
pub(super) fn fuzz(line: &[u8]) {
    if let Ok(chunk) = read_chunk(line) {
        let texts = chunk.choices.iter().filter_map(|choice| choice.text.as_deref());
        texts.for_each(|text| assert_eq!(pieces(text).collect::<String>(), text));
    }
}

/// `text` in pieces of at most [`MAX_PIECE_BYTES`], cut between characters.
pub(super) fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let end = (0..=MAX_PIECE_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at))?;
        let (piece, rest) = text.split_at(end);
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[derive(Debug, Deserialize)]
struct Embeddings {
    data: Vec<Embedding>,
    #[serde(default)]
    usage: WireUsage,
}

#[derive(Debug, Deserialize)]
struct Embedding {
    index: usize,
    embedding: Vec<f32>,
}

async fn embed(
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
    // inputs.
    answer.data.sort_by_key(|embedding| embedding.index);
    let valid = |(position, embedding): (usize, &Embedding)| {
        embedding.index == position
            && (1..=MAX_DIMENSIONS).contains(&embedding.embedding.len())
            // NaN or an infinite number would spread into every mean that it is part of.
            && embedding.embedding.iter().all(|value| value.is_finite())
    };
    if answer.data.len() != wanted || !answer.data.iter().enumerate().all(valid) {
        let reason = format!("{} usable vectors for {wanted} inputs", answer.data.len()).into();
        return Err(ExpertError::UpstreamInvalid { reason });
    }
    for (index, embedding) in (0..).zip(answer.data) {
        ready.push_back(Ok(ExpertEvent::Embedding { index, vector: embedding.embedding }));
    }
    let usage = Usage { prompt_tokens: answer.usage.prompt_tokens, completion_tokens: 0 };
    ready.push_back(Ok(ExpertEvent::Done { usage, reason: FinishReason::Stop }));
    Ok(())
}
