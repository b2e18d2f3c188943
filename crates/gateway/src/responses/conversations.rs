//! The conversations of the last responses, in memory.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde_json::Value;

use crate::client::QueryFlow;

/// Most conversations of one key.
const MAX_OF_ONE: usize = 256;

/// Most bytes of one conversation, as JSON. A longer one has more text than a request may have.
const MAX_CONVERSATION_BYTES: usize = 1 << 20;

/// Most bytes of the conversations of one key.
const MAX_BYTES_OF_ONE: usize = 16 << 20;

/// Most bytes of all of them.
const MAX_BYTES: usize = 64 << 20;

/// The last conversations of each key: as a client continues the last response of one most often, older ones make room.
#[derive(Default)]
pub(crate) struct Conversations(Mutex<VecDeque<Conversation>>);

struct Conversation {
    owner: QueryFlow,
    id: String,
    /// As JSON, so that the bound is on what they take.
    messages: Vec<u8>,
}

impl Conversations {
    /// The messages up to the end of a response of `owner`.
    pub(super) fn find(&self, owner: &QueryFlow, id: &str) -> Option<Vec<Value>> {
        let kept = self.0.lock();
        let found = kept.iter().find(|one| one.id == id && one.owner == *owner);
        serde_json::from_slice(&found?.messages).ok()
    }

    /// Keeps the messages up to the end of a response.
    pub(super) fn store(&self, owner: &QueryFlow, id: &str, messages: &[Value]) {
        let messages = serde_json::to_vec(messages).ok();
        let Some(messages) = messages.filter(|text| text.len() <= MAX_CONVERSATION_BYTES) else { return };
        let mut kept = self.0.lock();
        kept.push_back(Conversation { owner: owner.clone(), id: id.to_owned(), messages });
        let is_own = |one: &&Conversation| one.owner == *owner;
        while kept.iter().filter(is_own).count() > MAX_OF_ONE
            || kept.iter().filter(is_own).map(|one| one.messages.len()).sum::<usize>() > MAX_BYTES_OF_ONE
        {
            let oldest = kept.iter().position(|one| one.owner == *owner);
            oldest.map(|at| kept.remove(at));
        }
        while kept.iter().map(|one| one.messages.len()).sum::<usize>() > MAX_BYTES {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_fills_its_own_part_and_reads_nothing_of_others() {
        let kept = Conversations::default();
        let [ann, bob] = ["ann", "bob"].map(|name| QueryFlow::Named(name.to_owned()));
        kept.store(&ann, "a", &[json!("x")]);
        for number in 0..=MAX_OF_ONE {
            kept.store(&bob, &format!("b{number}"), &[json!(number)]);
        }
        assert_eq!(kept.find(&ann, "a"), Some(vec![json!("x")]), "it makes no room for another key");
        assert_eq!((kept.find(&bob, "a"), kept.find(&bob, "b0")), (None, None));
        assert_eq!(kept.find(&bob, "b1"), Some(vec![json!(1)]));

        let large = json!("x".repeat(MAX_CONVERSATION_BYTES - 100));
        for number in 0..20 {
            kept.store(&bob, &format!("large{number}"), std::slice::from_ref(&large));
        }
        let found = (0..20).filter(|number| kept.find(&bob, &format!("large{number}")).is_some()).count();
        assert_eq!((found, kept.find(&bob, "large0")), (16, None));
        kept.store(&bob, "too large", &[large.clone(), large]);
        assert!(kept.find(&bob, "too large").is_none() && kept.find(&bob, "large19").is_some());
    }

    #[test]
    fn all_keys_together_are_bounded() {
        let kept = Conversations::default();
        let large = json!("x".repeat(MAX_CONVERSATION_BYTES - 100));
        let owner = |number: usize| QueryFlow::Operator(number);
        for number in 0..70 {
            kept.store(&owner(number), "one", std::slice::from_ref(&large));
        }
        let found: Vec<usize> =
            (0..70).filter(|number| kept.find(&owner(*number), "one").is_some()).collect();
        assert_eq!((found.len(), found.first()), (64, Some(&6)));
    }
}
