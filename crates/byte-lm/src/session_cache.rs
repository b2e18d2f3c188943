//! A cache of sessions, for a mixture that asks for the distribution of each next byte of a growing context.
//!
//! Design: a context that continues a cached one costs only its new bytes; any other context is read from its start. The
//! result depends on the context alone, except for rounding.
//!
//! Hazard: two clients whose contexts begin with the same bytes may share a session. The time of an answer then shows
//! that another client sent those bytes; the answer itself does not change.

use std::collections::VecDeque;

use nervure_experts::byte_text::CONTEXT_BYTES;

use crate::ModelError;
use crate::model::ByteModel;
use crate::session::{Session, distribution};

/// Most cached sessions, of 0.8 MB each; the least recently used one is dropped first.
const MAX_SESSIONS: usize = 8;

/// Sessions with the contexts that they have read, the most recently used one at the back.
#[derive(Debug)]
pub(crate) struct SessionCache {
    model: ByteModel,
    sessions: VecDeque<(Vec<u8>, Session)>,
}

impl SessionCache {
    pub(crate) fn new(model: ByteModel) -> Self {
        Self { model, sessions: VecDeque::with_capacity(MAX_SESSIONS) }
    }

    /// The probabilities of the byte after `context`, as [`crate::next_distribution`] computes them.
    pub(crate) fn next(&mut self, context: &[u8]) -> Result<[f32; 256], ModelError> {
        let seen = &context[context.len().saturating_sub(CONTEXT_BYTES)..];
        // Taken out of the cache: an error below drops the session, whose state is then unknown.
        let (session, logits) = match self.take(seen) {
            Some((read, mut session)) => {
                let logits = session.extend(&seen[read.len()..])?;
                (session, logits)
            }
            None => {
                let mut session = self.spare();
                let logits = session.read(seen)?;
                (session, logits)
            }
        };
        self.sessions.push_back((seen.to_vec(), session));
        Ok(distribution(&logits))
    }

    /// Takes the session that has read the longest proper prefix of `seen`, if the window has room for the rest.
    fn take(&mut self, seen: &[u8]) -> Option<(Vec<u8>, Session)> {
        let fits =
            |read: &[u8]| read.len() < seen.len() && seen.len() < CONTEXT_BYTES && seen.starts_with(read);
        let candidates = self.sessions.iter().enumerate().filter(|(_, (read, _))| fits(read));
        let (index, _) = candidates.max_by_key(|(_, (read, _))| read.len())?;
        self.sessions.remove(index)
    }

    /// A session for a new context: the least recently used one of a full cache, or a new one.
    fn spare(&mut self) -> Session {
        let oldest = (self.sessions.len() >= MAX_SESSIONS).then(|| self.sessions.pop_front()).flatten();
        oldest.map_or_else(|| Session::new(self.model.clone()), |(_, session)| session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{builtin, next_distribution};

    #[test]
    fn a_cached_session_does_not_change_the_distribution() {
        let model = builtin::find("rust").unwrap().load().unwrap();
        let text = &builtin::tests::heldout("rust")[..CONTEXT_BYTES + 8];
        let mut cache = SessionCache::new(model.clone());
        let mut same = |context: &[u8]| {
            let (cached, fresh) = (cache.next(context).unwrap(), next_distribution(&model, context).unwrap());
            let apart = cached.iter().zip(fresh).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-4, "{} bytes: {apart}", context.len());
        };
        // Contexts that grow beyond the window, repeat, shrink, or share no prefix.
        for end in [0, 1, 2, 2, 40, 41, 250, 254, 255, 256, 257, CONTEXT_BYTES + 8, 41, 42] {
            same(&text[..end]);
        }
        same(b"The sea");
        for other in 0..=MAX_SESSIONS {
            same(&[b'a' + other as u8; 3]);
        }
        same(&text[..43]);
        assert!(cache.sessions.len() <= MAX_SESSIONS);
    }
}
