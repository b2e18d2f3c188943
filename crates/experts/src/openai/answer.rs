//! One answer of an upstream: encodes the request for its API and decodes its stream into events.

use std::{collections::VecDeque, sync::Arc};

use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Upstream, body::BoundedResponse, refusal, refusal::UpstreamErrorBody, sse::SseLines,
    text_limits::TextLimits,
};
use crate::{ExpertError, ExpertStream, stream::ExpertItem};
use nervure_protocol::{ExpertEvent, ExpertRequest, FinishReason, Sampling, Unset, Usage};

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
    /// The beginning of an event that its server has spread over several lines.
    unfinished: Vec<u8>,
    /// What the request allows, whatever the upstream does.
    limits: TextLimits,
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
                let (repeated, limits) = (text_to_repeat(&request), TextLimits::of(&request));
                let (path, body) = text_body(&upstream.model, request);
                let request = upstream.question(path, hops).json(&body);
                let response = upstream.send(request, upstream.answer_bounds()).await?;
                let is_whole = response.is_json();
                let lines = SseLines::new(upstream.limits.line);
                let (pieces, usage, finish, unfinished) = (0, None, None, Vec::new());
                let mut text = TextStream {
                    upstream,
                    response,
                    lines,
                    pieces,
                    usage,
                    finish,
                    repeated,
                    unfinished,
                    limits,
                };
                if is_whole {
                    text.read_whole(ready).await?;
                    return Ok(Some(Self::Ended));
                }
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
pub(super) fn text_body(model: &str, request: ExpertRequest) -> (&'static str, Value) {
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
    // They have no name that is set below.
    let mut body = Value::Object(sampling.extra.fields());
    body["model"] = json!(model);
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    // What the asker left out is the server's choice.
    let Unset { max_tokens, temperature, top_p } = sampling.unset;
    for (unset, name, value) in [
        (max_tokens, "max_tokens", json!(sampling.max_tokens)),
        (temperature, "temperature", json!(rate(sampling.temperature_milli))),
        (top_p, "top_p", json!(rate(sampling.top_p_milli))),
    ] {
        if !unset {
            body[name] = value;
        }
    }
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

/// An event of a stream, or an answer as a whole; fields that are not used here are left out. What nothing depends on may be
/// null or absent.
#[derive(Debug, Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    /// The text of a completion.
    text: Option<String>,
    /// The text of a chat: a piece of it in a stream, all of it in an answer as a whole.
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<String>,
}

/// Numbers of tokens. Some servers write them as decimals, or leave them out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireUsage {
    prompt_tokens: Option<f64>,
    completion_tokens: Option<f64>,
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        // A conversion of a float saturates, and of a NaN, which JSON does not have, is zero.
        let count = |tokens: Option<f64>| tokens.unwrap_or(0.0).round() as u32;
        Self { prompt_tokens: count(usage.prompt_tokens), completion_tokens: count(usage.completion_tokens) }
    }
}

/// What a finish reason of a server means; none for one that is empty or that is no end: `abort`, `error` and what is not known.
fn finish_reason(name: &str) -> Option<FinishReason> {
    match name {
        "stop" | "eos" | "eos_token" | "stop_sequence" | "end_turn" => Some(FinishReason::Stop),
        "length" | "max_tokens" => Some(FinishReason::Length),
        "content_filter" | "tool_calls" | "function_call" => Some(FinishReason::Other),
        _ => None,
    }
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
                Some(line) => {
                    self.line(line, ready)?;
                    if self.limits.is_reached() {
                        // What the upstream still sends is not wanted; dropping the response stops it.
                        ready.push_back(self.done());
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// A line of an event, which is nearly always all of it.
    fn line(&mut self, line: &[u8], ready: &mut VecDeque<ExpertItem>) -> Result<(), ExpertError> {
        let held = std::mem::take(&mut self.unfinished);
        let event = match held.is_empty() {
            true => line,
            false => &[&held, &b"\n"[..], line].concat(),
        };
        match read_chunk(event) {
            Ok(chunk) => self.chunk(chunk, ready),
            Err(Unread::Unfinished) => self.hold(event),
            Err(Unread::Failed(error)) => Err(self.upstream.withheld(error)),
        }
    }

    /// Keeps the beginning of an event, within the bound of a line.
    fn hold(&mut self, beginning: &[u8]) -> Result<(), ExpertError> {
        let most = self.upstream.limits.line;
        if beginning.len() > most {
            let reason = format!("an event of more than {most} bytes").into();
            return Err(ExpertError::UpstreamInvalid { reason });
        }
        self.unfinished = beginning.to_vec();
        Ok(())
    }

    /// Reads an answer that came as one JSON document, from a server that has no streams.
    async fn read_whole(&mut self, ready: &mut VecDeque<ExpertItem>) -> Result<(), ExpertError> {
        let mut body = Vec::new();
        while let Some(piece) = self.response.piece().await? {
            body.extend_from_slice(&piece);
        }
        match read_chunk(&body) {
            Ok(chunk) => self.chunk(chunk, ready)?,
            Err(Unread::Failed(error)) => return Err(self.upstream.withheld(error)),
            // The end says that the answer is incomplete.
            Err(Unread::Unfinished) => {}
        }
        ready.push_back(self.done());
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk, ready: &mut VecDeque<ExpertItem>) -> Result<(), ExpertError> {
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage.into());
        }
        // The request asks for one choice. The chunk with the usage has none.
        let Some(choice) = chunk.choices.into_iter().flatten().next() else { return Ok(()) };
        let text = choice.text.or(choice.delta.and_then(|delta| delta.content)).unwrap_or_default();
        let text = self.new_text(text)?;
        if !text.is_empty() {
            self.pieces = self.pieces.saturating_add(1);
        }
        let text = self.limits.pass(text);
        ready.extend(pieces(&text).map(|piece| Ok(ExpertEvent::Text(piece.to_owned()))));
        if let Some(reason) = choice.finish_reason.as_deref().and_then(finish_reason) {
            self.finish = Some(reason);
            let rest = self.limits.rest();
            ready.extend(pieces(&rest).map(|piece| Ok(ExpertEvent::Text(piece.to_owned()))));
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
        let Some(reason) = self.limits.reached.or(self.finish) else {
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

/// Why bytes are not an event.
enum Unread {
    /// They are the beginning of one.
    Unfinished,
    Failed(ExpertError),
}

/// Decodes an event of a stream; an error event becomes an error.
fn read_chunk(line: &[u8]) -> Result<Chunk, Unread> {
    let failed = |error: serde_json::Error| match error.is_eof() {
        true => Unread::Unfinished,
        false => Unread::Failed(refusal::invalid(&error)),
    };
    let value: Value = serde_json::from_slice(line).map_err(failed)?;
    if value.get("error").is_some_and(|error| !error.is_null())
        && let Some(error) = UpstreamErrorBody::of(&value)
    {
        return Err(Unread::Failed(error.into_error(500, None)));
    }
    serde_json::from_value(value).map_err(failed)
}

/// Decodes a line as an event.
pub(super) fn fuzz(line: &[u8]) {
    if let Ok(chunk) = read_chunk(line) {
        let texts = chunk.choices.iter().flatten().filter_map(|choice| choice.text.as_deref());
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
    usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
struct Embedding {
    index: Option<usize>,
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
