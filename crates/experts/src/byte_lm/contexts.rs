//! Distributions of the next byte for contexts that grow: what a mixture asks for, byte by byte.
//!
//! Design: a few sessions with the contexts that they have read. A context that continues one of them costs its new
//! bytes only; any other is read anew. What comes out depends on the context alone, but for rounding.
//!
//! Hazard: two askers whose contexts begin alike may share a session, which shows in time and in nothing else.

use std::collections::VecDeque;

use super::model::{ByteModel, CONTEXT};
use super::session::{Session, distribution};
use crate::ExpertError;

/// Contexts that are remembered, of 0.8 MB each; the one used longest ago is forgotten first.
const KEPT: usize = 8;

/// Sessions and what they have read, the one used last at the back.
#[derive(Debug)]
pub(super) struct Contexts {
    model: ByteModel,
    kept: VecDeque<(Vec<u8>, Session)>,
}

impl Contexts {
    pub(super) fn new(model: ByteModel) -> Self {
        Self { model, kept: VecDeque::with_capacity(KEPT) }
    }

    /// As [`super::next_distribution`].
    pub(super) fn next(&mut self, context: &[u8]) -> Result<[f32; 256], ExpertError> {
        let seen = &context[context.len().saturating_sub(CONTEXT)..];
        // A fault below loses the session, which then is not used in whatever state it is in.
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
        self.kept.push_back((seen.to_vec(), session));
        Ok(distribution(&logits))
    }

    /// The session that has read most of `seen`, and not all of it, while the window has room for the rest.
    fn take(&mut self, seen: &[u8]) -> Option<(Vec<u8>, Session)> {
        let fits = |read: &[u8]| read.len() < seen.len() && seen.len() < CONTEXT && seen.starts_with(read);
        let places = self.kept.iter().enumerate().filter(|(_, (read, _))| fits(read));
        let (place, _) = places.max_by_key(|(_, (read, _))| read.len())?;
        self.kept.remove(place)
    }

    fn spare(&mut self) -> Session {
        let oldest = (self.kept.len() >= KEPT).then(|| self.kept.pop_front()).flatten();
        oldest.map_or_else(|| Session::new(self.model.clone()), |(_, session)| session)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{builtin, next_distribution};
    use super::*;

    #[test]
    fn what_was_read_before_changes_nothing() {
        let model = builtin::find("rust").unwrap().load().unwrap();
        let text = &builtin::tests::heldout("rust")[..CONTEXT + 8];
        let mut contexts = Contexts::new(model.clone());
        let mut same = |context: &[u8]| {
            let (kept, fresh) =
                (contexts.next(context).unwrap(), next_distribution(&model, context).unwrap());
            let apart = kept.iter().zip(fresh).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-4, "{} bytes: {apart}", context.len());
        };
        // Growing up to and beyond the window, again, shorter, and something else.
        for end in [0, 1, 2, 2, 40, 41, 250, 254, 255, 256, 257, CONTEXT + 8, 41, 42] {
            same(&text[..end]);
        }
        same(b"The sea");
        for other in 0..=KEPT {
            same(&[b'a' + other as u8; 3]);
        }
        same(&text[..43]);
        assert!(contexts.kept.len() <= KEPT);
    }
}
