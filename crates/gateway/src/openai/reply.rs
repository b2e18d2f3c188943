//! Replies in the shape of the OpenAI API: whole ones, and the chunks of a stream.

use nervure_experts::{FinishReason, Usage};
use serde::Serialize;

use crate::gateway::answer::Whole;

/// Which endpoint's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completion,
}

/// What all bodies of one reply have in common.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    form: Form,
    id: String,
    created: u64,
    model: String,
}

/// A body: a whole reply, or a chunk.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'r> {
    id: &'r str,
    object: &'static str,
    created: u64,
    model: &'r str,
    choices: Vec<Choice>,
    /// Outer none: no such field. Inner none: `null`, as every chunk but the last has where usage was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageBody>>,
}

#[derive(Debug, Serialize)]
struct Choice {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Delta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Message {
    role: &'static str,
    content: String,
    refusal: Option<()>,
}

#[derive(Debug, Default, Serialize)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// What an answer took, in tokens of its expert.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct UsageBody {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let Usage { prompt_tokens, completion_tokens } = usage;
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
        }
    }
}

impl Reply {
    /// A reply by `model`, `created` seconds after 1970.
    pub(crate) fn new(form: Form, model: String, created: u64) -> Self {
        let prefix = if form == Form::Chat { "chatcmpl" } else { "cmpl" };
        Self { form, id: format!("{prefix}-{:032x}", rand::random::<u128>()), created, model }
    }

    /// The whole reply.
    pub(crate) fn whole(&self, whole: Whole, reason: FinishReason) -> Body<'_> {
        let reason = Some(finish_reason(reason));
        let choice = match self.form {
            Form::Chat => {
                let message = Message { role: "assistant", content: whole.text, refusal: None };
                Choice { message: Some(message), ..Choice::new(reason) }
            }
            Form::Completion => Choice { text: Some(whole.text), ..Choice::new(reason) },
        };
        let object = if self.form == Form::Chat { "chat.completion" } else { "text_completion" };
        Body { object, usage: Some(Some(whole.usage.into())), ..self.body(vec![choice]) }
    }

    /// The first chunk of a chat, which says who speaks.
    pub(crate) fn opening(&self) -> Option<Body<'_>> {
        let delta = Delta { role: Some("assistant"), content: Some(String::new()) };
        (self.form == Form::Chat).then(|| self.body(vec![Choice { delta: Some(delta), ..Choice::new(None) }]))
    }

    /// A chunk of text.
    pub(crate) fn chunk(&self, text: String) -> Body<'_> {
        self.body(vec![self.part(Some(text), None)])
    }

    /// The chunk that says why the answer ended.
    pub(crate) fn ending(&self, reason: FinishReason) -> Body<'_> {
        self.body(vec![self.part(None, Some(finish_reason(reason)))])
    }

    /// The chunk that says what the answer took; it has no choice.
    pub(crate) fn usage(&self, usage: Usage) -> Body<'_> {
        Body { usage: Some(Some(usage.into())), ..self.body(Vec::new()) }
    }

    fn part(&self, text: Option<String>, reason: Option<&'static str>) -> Choice {
        match self.form {
            Form::Chat => Choice { delta: Some(Delta { role: None, content: text }), ..Choice::new(reason) },
            Form::Completion => Choice { text: Some(text.unwrap_or_default()), ..Choice::new(reason) },
        }
    }

    fn body(&self, choices: Vec<Choice>) -> Body<'_> {
        let object = if self.form == Form::Chat { "chat.completion.chunk" } else { "text_completion" };
        Body { id: &self.id, object, created: self.created, model: &self.model, choices, usage: None }
    }
}

impl Body<'_> {
    /// With `"usage": null`, where it says nothing of usage.
    pub(crate) fn with_null_usage(mut self) -> Self {
        self.usage.get_or_insert(None);
        self
    }
}

impl Choice {
    fn new(finish_reason: Option<&'static str>) -> Self {
        Self { index: 0, message: None, delta: None, text: None, logprobs: None, finish_reason }
    }
}

/// The OpenAI API's word for why an answer ended.
fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        // Something else cut it short; a client must not take it for the model's own end.
        _ => "content_filter",
    }
}
