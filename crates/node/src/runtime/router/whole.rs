//! An expert's whole answer, for those who cannot begin before they have all of it.

use nervure_experts::{ExpertEvent, FinishReason, Usage};
use nervure_subnet::ExpertRecord;

use super::attempt::{Attempts, Failure, broken};
use crate::runtime::receipts::AwaitedReceipt;

/// Most events of an answer that is taken whole.
const MAX_EVENTS: usize = 8_192;

/// Most bytes of an answer that is taken whole.
const MAX_BYTES: usize = 8 << 20;

/// A whole answer.
pub(super) struct WholeAnswer {
    /// Who gave it.
    pub(super) record: ExpertRecord,
    /// What came, without the end.
    pub(super) events: Vec<ExpertEvent>,
    /// What it took, and why it ended.
    pub(super) end: (Usage, FinishReason),
    /// The expert's word on it.
    pub(super) receipt: AwaitedReceipt,
}

impl Attempts {
    /// Asks the expert of `record` and waits for all of its answer.
    pub(super) async fn whole(&self, record: ExpertRecord) -> Result<WholeAnswer, (ExpertRecord, Failure)> {
        let begun = self.begin(record).await?;
        let (record, mut rest, mut item) = (begun.record, begun.rest, begun.first);
        let (mut events, mut left) = (Vec::new(), MAX_BYTES);
        loop {
            if let (ExpertEvent::Done { usage, reason }, true) = item {
                let receipt = rest.into_receipt();
                return Ok(WholeAnswer { record, events, end: (usage, reason), receipt });
            }
            match left.checked_sub(size(&item.0)) {
                Some(less) if events.len() < MAX_EVENTS => left = less,
                _ => return Err((record, broken("more than is taken as a whole"))),
            }
            events.push(item.0);
            item = match rest.item().await {
                Ok(item) => item,
                Err(failure) => return Err((record, failure)),
            };
        }
    }
}

impl WholeAnswer {
    /// All its text.
    pub(super) fn text(&self) -> String {
        let texts = self.events.iter().filter_map(|event| match event {
            ExpertEvent::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Its vectors, one for each of `inputs`; none when it did not give that.
    pub(super) fn vectors<'a>(&'a self, inputs: usize) -> Option<Vec<&'a [f32]>> {
        let vector = |(at, event): (u32, &'a ExpertEvent)| match event {
            ExpertEvent::Embedding { index, vector } if *index == at => Some(vector.as_slice()),
            _ => None,
        };
        let vectors: Option<Vec<&[f32]>> = (0..).zip(&self.events).map(vector).collect();
        vectors.filter(|vectors| vectors.len() == inputs)
    }
}

fn size(event: &ExpertEvent) -> usize {
    match event {
        ExpertEvent::Text(text) => text.len(),
        ExpertEvent::Embedding { vector, .. } => size_of_val(vector.as_slice()),
        ExpertEvent::Distribution(probabilities) => size_of_val(probabilities.as_slice()),
        ExpertEvent::Done { .. } => 0,
    }
}
