//! Which module handles a gossip topic, or a request protocol.
//!
//! The module that owns a name registers its handler. A message with an unknown name is counted, logged and ignored, and
//! does not count against its sender: a peer with a later version may know more names than this one.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;

/// Handles one message. Its future is awaited before the next message is taken.
pub(crate) type Handler<M> = Box<dyn Fn(M) -> BoxFuture<'static, ()> + Send + Sync>;

/// Handlers by name.
pub(crate) struct Dispatcher<M> {
    /// The kind of the names, for the log.
    kind: &'static str,
    handlers: BTreeMap<&'static str, Handler<M>>,
    /// By the prefix of a family's names, which a whole number follows.
    families: BTreeMap<&'static str, Handler<M>>,
    unknown: Counter,
}

impl<M> Dispatcher<M> {
    /// No handlers yet, for names of this `kind`. Messages without a handler are counted in `unknown`.
    pub(crate) fn new(kind: &'static str, unknown: Counter) -> Self {
        Self { kind, handlers: BTreeMap::new(), families: BTreeMap::new(), unknown }
    }

    /// Registers the handler of `name`.
    pub(crate) fn register<F>(&mut self, name: &'static str, handler: F)
    where
        F: Fn(M) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        let earlier = self.handlers.insert(name, Box::new(handler));
        debug_assert!(earlier.is_none(), "{name} has two handlers");
    }

    /// Registers the handler of all names that are `prefix` and a whole number.
    pub(crate) fn register_family<F>(&mut self, prefix: &'static str, handler: F)
    where
        F: Fn(M) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        let earlier = self.families.insert(prefix, Box::new(handler));
        debug_assert!(earlier.is_none(), "{prefix} has two handlers");
    }

    /// The handler of `name`. Without one, counts and logs.
    pub(crate) fn handler(&self, name: &str) -> Option<&Handler<M>> {
        let family = || {
            let is_member =
                |prefix: &str| name.strip_prefix(prefix).is_some_and(|number| number.parse::<u16>().is_ok());
            self.families.iter().find(|(prefix, _)| is_member(prefix)).map(|(_, handler)| handler)
        };
        let found = self.handlers.get(name).or_else(family);
        if found.is_none() {
            let total = self.unknown.inc() + 1;
            tracing::debug!(kind = self.kind, name, total, "ignored: no handler");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use parking_lot::Mutex;

    use super::*;

    type Log = Arc<Mutex<Vec<(&'static str, u8)>>>;

    fn logging(log: &Log, as_name: &'static str) -> impl Fn(u8) -> BoxFuture<'static, ()> + use<> {
        let log = log.clone();
        move |message| {
            log.lock().push((as_name, message));
            std::future::ready(()).boxed()
        }
    }

    #[test]
    fn an_unknown_name_is_ignored_and_counted() {
        let log = Log::default();
        let mut topics = Dispatcher::new("topic", Counter::default());
        topics.register("blocks", logging(&log, "blocks"));
        topics.register_family("experts/", logging(&log, "experts"));
        for (name, message) in [("blocks", 1), ("experts/22", 2)] {
            topics.handler(name).unwrap()(message).now_or_never().unwrap();
        }
        for name in ["", "block", "blocks/2", "experts/", "experts/x", "experts/70000", "chain/2"] {
            assert!(topics.handler(name).is_none(), "{name}");
        }
        assert_eq!(topics.unknown.get(), 7);
        assert_eq!(*log.lock(), [("blocks", 1), ("experts", 2)]);
    }
}
