//! The parts of an answer in order: text, reasoning, refusals, and each call of a tool. The APIs that have an answer as a
//! list of parts make their whole replies and their streams of the same parts, so that the two cannot differ.
//!
//! A text is one part until something else follows. A call is open until the end, because the pieces of several calls may
//! come in turns.
//!
//! What a hostile expert can do: change between text and reasoning with every byte, which makes a part each time. After
//! [`MAX_ITEMS`] of them the answer breaks off.

use std::collections::BTreeMap;

use nervure_api::ServiceError;
use nervure_protocol::ExpertEvent;
use serde_json::{Map, Value};

/// Most parts of an answer: 128 calls, and a model that thinks and writes in turns.
const MAX_ITEMS: usize = 1024;

/// The parts so far.
#[derive(Default)]
pub(crate) struct Items {
    items: Vec<Item>,
    /// Where the text is that is not complete.
    open_text: Option<usize>,
    /// Where each call is, by its index in the answer.
    calls: BTreeMap<u64, usize>,
    /// Whether the end has come.
    ended: bool,
}

/// A part.
pub(crate) struct Item {
    pub(crate) content: ItemContent,
}

/// What a part is.
pub(crate) enum ItemContent {
    Text(TextItem),
    Call(CallItem),
}

/// A text.
pub(crate) struct TextItem {
    pub(crate) kind: TextKind,
    pub(crate) text: String,
    /// The log probabilities of its tokens.
    pub(crate) logprobs: Vec<Value>,
}

/// A call of a tool.
pub(crate) struct CallItem {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON, when it is complete.
    pub(crate) arguments: String,
}

impl CallItem {
    /// The arguments as clients get them that want no text; a call without any has an empty object.
    ///
    /// # Errors
    /// When they are no JSON.
    pub(crate) fn decoded(&self) -> Result<Value, ServiceError> {
        let arguments = if self.arguments.is_empty() { "{}" } else { self.arguments.as_str() };
        serde_json::from_str(arguments).map_err(|error| ServiceError::Interrupted {
            reason: format!("the expert called a tool with arguments that are no JSON: {error}"),
        })
    }
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextKind {
    Answer,
    Reasoning,
    Refusal,
}

/// What an event of the answer did to the part at a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It began. Of a call, the id and the name are known then.
    Opened(usize),
    /// Its text, or its arguments, have this piece more.
    Added(usize, String),
    /// It is complete.
    Closed(usize),
}

impl Items {
    /// Adds the next piece of the answer.
    ///
    /// # Errors
    /// When the answer has too many parts.
    pub(crate) fn add(&mut self, event: &ExpertEvent) -> Result<Vec<Step>, ServiceError> {
        let mut steps = Vec::new();
        match event {
            ExpertEvent::Text(text) => self.text(TextKind::Answer, text, &mut steps)?,
            ExpertEvent::Fields(fields) => self.fields(fields.fields(), &mut steps)?,
            ExpertEvent::Done { .. } => self.end(&mut steps),
            ExpertEvent::Embedding { .. } | ExpertEvent::Distribution(_) => {}
        }
        Ok(steps)
    }

    /// The parts, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    /// The part at a place.
    pub(crate) fn get(&self, at: usize) -> Option<&Item> {
        self.items.get(at)
    }

    fn fields(&mut self, mut fields: Map<String, Value>, steps: &mut Vec<Step>) -> Result<(), ServiceError> {
        for (name, kind) in [
            ("reasoning", TextKind::Reasoning),
            ("reasoning_content", TextKind::Reasoning),
            ("refusal", TextKind::Refusal),
        ] {
            if let Some(Value::String(text)) = fields.remove(name) {
                self.text(kind, &text, steps)?;
            }
        }
        if let Some(Value::Array(found)) = fields.get_mut("logprobs").map(|found| found["content"].take()) {
            self.logprobs(found);
        }
        if let Some(Value::Array(calls)) = fields.remove("tool_calls") {
            calls.iter().try_for_each(|call| self.call(call, steps))?;
        }
        Ok(())
    }

    /// Log probabilities follow the text that they are of.
    fn logprobs(&mut self, found: Vec<Value>) {
        let last = self.items.iter_mut().rev().find_map(|item| match &mut item.content {
            ItemContent::Text(text) => (text.kind == TextKind::Answer).then_some(text),
            ItemContent::Call(_) => None,
        });
        if let Some(text) = last {
            text.logprobs.extend(found);
        }
    }

    /// Adds a text to the part that is open, if it is one of the kind, or to a new one.
    fn text(&mut self, kind: TextKind, piece: &str, steps: &mut Vec<Step>) -> Result<(), ServiceError> {
        let is_of_kind = |item: &Item| matches!(&item.content, ItemContent::Text(text) if text.kind == kind);
        let at = match self.open_text.filter(|at| self.get(*at).is_some_and(is_of_kind)) {
            Some(at) => at,
            None => {
                let text = TextItem { kind, text: String::new(), logprobs: Vec::new() };
                let at = self.open(ItemContent::Text(text), steps)?;
                self.open_text = Some(at);
                at
            }
        };
        if let Some(ItemContent::Text(last)) = self.items.get_mut(at).map(|item| &mut item.content) {
            last.text.push_str(piece);
        }
        steps.push(Step::Added(at, piece.to_owned()));
        Ok(())
    }

    /// Adds a piece of a call.
    fn call(&mut self, piece: &Value, steps: &mut Vec<Step>) -> Result<(), ServiceError> {
        let index = piece["index"].as_u64().unwrap_or_default();
        let text = |path: &str| piece.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let at = match self.calls.get(&index) {
            Some(at) => *at,
            None => {
                let (id, name) = (text("/id").to_owned(), text("/function/name").to_owned());
                let call = CallItem { id, name, arguments: String::new() };
                let at = self.open(ItemContent::Call(call), steps)?;
                self.calls.insert(index, at);
                at
            }
        };
        let more = text("/function/arguments");
        if let Some(ItemContent::Call(call)) = self.items.get_mut(at).map(|item| &mut item.content)
            && !more.is_empty()
        {
            call.arguments.push_str(more);
            steps.push(Step::Added(at, more.to_owned()));
        }
        Ok(())
    }

    /// Begins a part, and ends the text before it.
    fn open(&mut self, content: ItemContent, steps: &mut Vec<Step>) -> Result<usize, ServiceError> {
        let at = self.items.len();
        if at >= MAX_ITEMS {
            return Err(ServiceError::Interrupted {
                reason: format!("the expert's answer has more than {MAX_ITEMS} parts"),
            });
        }
        steps.extend(self.open_text.take().map(Step::Closed));
        self.items.push(Item { content });
        steps.push(Step::Opened(at));
        Ok(at)
    }

    /// Ends everything that is open.
    fn end(&mut self, steps: &mut Vec<Step>) {
        if !std::mem::replace(&mut self.ended, true) {
            let mut open: Vec<usize> = self.calls.values().copied().chain(self.open_text.take()).collect();
            open.sort_unstable();
            steps.extend(open.into_iter().map(Step::Closed));
        }
    }
}

#[cfg(test)]
mod tests {
    use nervure_protocol::{FinishReason, Usage};
    use serde_json::json;

    use super::{Step::*, *};

    fn fields(value: Value) -> ExpertEvent {
        ExpertEvent::Fields(value.to_string().try_into().unwrap())
    }

    fn call(index: u64, arguments: &str) -> ExpertEvent {
        fields(json!({ "tool_calls": [{ "function": { "arguments": arguments }, "index": index }] }))
    }

    #[test]
    fn a_text_ends_where_something_else_follows_and_calls_come_in_turns() {
        let mut items = Items::default();
        let mut steps = |event: ExpertEvent| items.add(&event).unwrap();
        let text = |text: &str| ExpertEvent::Text(text.into());
        assert_eq!(steps(fields(json!({ "reasoning": "H" }))), [Opened(0), Added(0, "H".into())]);
        assert_eq!(steps(fields(json!({ "reasoning": "m" }))), [Added(0, "m".into())]);
        assert_eq!(steps(text("a")), [Closed(0), Opened(1), Added(1, "a".into())]);
        assert_eq!(steps(call(0, "")), [Closed(1), Opened(2)]);
        assert_eq!(steps(call(1, "{")), [Opened(3), Added(3, "{".into())]);
        assert_eq!(steps(call(0, "{}")), [Added(2, "{}".into())]);
        assert_eq!(steps(text("b")), [Opened(4), Added(4, "b".into())]);
        let done = ExpertEvent::Done { usage: Usage::default(), reason: FinishReason::Stop };
        assert_eq!(steps(done.clone()), [Closed(2), Closed(3), Closed(4)]);
        assert_eq!(steps(done), []);
    }

    #[test]
    fn log_probabilities_belong_to_the_text_before_them() {
        let mut items = Items::default();
        for event in [
            fields(json!({ "logprobs": { "content": [1] } })),
            ExpertEvent::Text("a".into()),
            fields(json!({ "logprobs": { "content": [2] } })),
        ] {
            items.add(&event).unwrap();
        }
        let Some(ItemContent::Text(text)) = items.get(0).map(|item| &item.content) else { panic!() };
        assert_eq!((text.text.as_str(), &text.logprobs), ("a", &vec![json!(2)]));
    }

    #[test]
    fn the_number_of_parts_is_bounded() {
        let mut items = Items::default();
        let turns = [ExpertEvent::Text("a".into()), fields(json!({ "reasoning": "b" }))];
        let added = turns.iter().cycle().take(MAX_ITEMS + 1).map(|event| items.add(event));
        let added: Vec<_> = added.collect();
        assert!(added[..MAX_ITEMS].iter().all(Result::is_ok) && added[MAX_ITEMS].is_err());
        assert_eq!(items.iter().count(), MAX_ITEMS);
    }
}
