//! The spans of a height and of a transaction. Names and fields are stable: `docs/operating.md` lists them.

use nervure_primitives::{BlockHeight, Hash};
use tracing::Span;

/// The span of the work on a block: a height and a round of it.
pub(super) fn of_height(height: BlockHeight, round: u32) -> Span {
    tracing::info_span!("height", height = height.0, round)
}

/// The span of one transaction. At the level debug: a block has thousands.
pub(crate) fn of_transaction(id: &Hash) -> Span {
    tracing::debug_span!("transaction", tx = %id)
}

/// Makes every test of this process a subscriber: `tracing` remembers for each span whether anyone wants it, and the
/// first test to reach one, on a thread without a subscriber, would switch it off for all.
#[cfg(test)]
pub(crate) fn keep_spans_on() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(span: &Span) -> (&'static str, Vec<&'static str>) {
        let metadata = span.metadata().unwrap();
        (metadata.name(), metadata.fields().iter().map(|field| field.name()).collect())
    }

    #[test]
    fn the_spans_have_the_names_and_fields_of_the_docs() {
        keep_spans_on();
        assert_eq!(described(&of_height(BlockHeight(3), 1)), ("height", vec!["height", "round"]));
        assert_eq!(described(&of_transaction(&Hash::from_bytes([1; 32]))), ("transaction", vec!["tx"]));
    }
}
