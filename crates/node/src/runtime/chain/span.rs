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

#[cfg(test)]
mod tests {
    use super::*;

    fn described(span: &Span) -> (&'static str, Vec<&'static str>) {
        let metadata = span.metadata().unwrap();
        (metadata.name(), metadata.fields().iter().map(|field| field.name()).collect())
    }

    #[test]
    fn the_spans_have_the_names_and_fields_of_the_docs() {
        tracing::subscriber::with_default(tracing_subscriber::registry(), || {
            assert_eq!(described(&of_height(BlockHeight(3), 1)), ("height", vec!["height", "round"]));
            assert_eq!(described(&of_transaction(&Hash::from_bytes([1; 32]))), ("transaction", vec!["tx"]));
        });
    }
}
