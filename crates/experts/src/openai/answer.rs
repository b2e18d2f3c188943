//! One answer of an upstream: encodes the request for its API and decodes its stream into events.

use std::{collections::VecDeque, sync::Arc};

use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Upstream,
    body::BoundedResponse,
    delta::{self, Delta, ToolCalls},
    embeddings, refusal,
    refusal::UpstreamErrorBody,
    sse::SseLines,
    text_limits::TextLimits,
};
use crate::{ExpertError, ExpertStream, stream::ExpertItem};
use nervure_protocol::{ChatMessage, ExpertEvent, ExpertRequest, FinishReason, Sampling, Unset, Usage};

/// Longest text of one event, in bytes: an event must fit a frame.
const MAX_PIECE_BYTES: usize = 32 << 10;

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
    /// Whether it continues another one.
    begun: bool,
    calls: ToolCalls,
}

impl AnswerState {
    /// Performs the next step and adds its events to `ready`; `None` after the last step.
    async fn step(self, ready: &mut VecDeque<ExpertItem>) -> Result<Option<Self>, ExpertError> {
        match self {
            Self::Ended => Ok(None),
            Self::Requested(upstream, ExpertRequest::Embed { inputs }, hops) => {
                embeddings::embed(&upstream, inputs, hops, ready).await?;
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
                let begun = request.sampling().is_some_and(|sampling| !sampling.prefix.is_empty());
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
                    begun,
                    calls: ToolCalls::default(),
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

/// A message as the API has it.
fn message_body(message: ChatMessage) -> Value {
    let mut body = Value::Object(message.fields.fields());
    body["role"] = json!(message.role.as_str());
    // Parts that are no text, or none: they take the place of the text.
    if body.get("content").is_none() {
        body["content"] = json!(message.content);
    }
    body
}

/// The path and the body of a request for text.
pub(super) fn text_body(model: &str, request: ExpertRequest) -> (&'static str, Value) {
    let (path, field, input, sampling) = match request {
        ExpertRequest::Chat { messages, sampling } => {
            ("/chat/completions", "messages", messages.into_iter().map(message_body).collect(), sampling)
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
    logprobs: Option<Value>,
    finish_reason: Option<String>,
}

/// Numbers of tokens. Some servers write them as decimals, or leave them out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
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
        "tool_calls" | "function_call" => Some(FinishReason::ToolCalls),
        "content_filter" => Some(FinishReason::Other),
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
        let Some(mut choice) = chunk.choices.into_iter().flatten().next() else { return Ok(()) };
        let text = choice.delta.as_mut().and_then(|delta| delta.content.take());
        let text = self.new_text(choice.text.or(text).unwrap_or_default())?;
        let fields = delta::fields(choice.delta, choice.logprobs, self.begun, &mut self.calls)?;
        let has_text = !text.is_empty();
        if has_text || !fields.is_empty() {
            self.pieces = self.pieces.saturating_add(1);
        }
        let text = self.limits.pass(text);
        ready.extend(pieces(&text).map(|piece| Ok(ExpertEvent::Text(piece.to_owned()))));
        // A piece that has both is counted with its text.
        let goes_on =
            if has_text { !self.limits.is_reached() } else { fields.is_empty() || self.limits.count() };
        if goes_on {
            ready.extend(fields.into_iter().map(|fields| Ok(ExpertEvent::Fields(fields))));
        }
        if let Some(reason) = choice.finish_reason.as_deref().and_then(finish_reason) {
            // Some servers end an answer with calls as any other; clients look for the reason.
            let calls = reason == FinishReason::Stop && self.calls.any();
            self.finish = Some(if calls { FinishReason::ToolCalls } else { reason });
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
