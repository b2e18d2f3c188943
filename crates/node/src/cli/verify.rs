//! `ask --verify`: checks that the expert signed the answer that was printed.
//!
//! The node that asked sends the receipt and the query id. This program knows the other contents of the receipt itself:
//! the request that it sent, and the events of the answer as they arrived. So the node cannot substitute another answer
//! or another expert. After a vote, the receipt is that of the expert whose answer was printed; the others signed
//! answers that were not printed.

use anyhow::Context;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use nervure_api::{AskLine, ExpertView, ReceiptView};
use nervure_primitives::MeshId;
use nervure_protocol::{
    AnswerHasher, ExpertEvent, ExpertRequest, ReceiptError, SignedReceipt, query::body, request_hash,
};
use nervure_router::with_prefix;

/// Why a receipt does not verify an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReceiptCheckError {
    /// There is no receipt.
    #[error("the expert signed no receipt for this answer")]
    Missing,
    /// It is not hexadecimal.
    #[error("the receipt is not hexadecimal text")]
    NotHex,
    /// It is malformed or its signature is wrong.
    #[error("the receipt is not valid: {0}")]
    Bad(#[from] ReceiptError),
    /// It is for another query.
    #[error("the receipt names another {0} than the answer")]
    Differs(&'static str),
}

/// A request and its answer, as this program saw them.
pub(crate) struct Witness {
    mesh: MeshId,
    request: ExpertRequest,
    expert: Option<ExpertView>,
    /// The text, and each event as it came, with the bytes of text before it.
    text: String,
    events: Vec<(u64, Bytes)>,
    /// Offset in the text, in bytes, from which another expert answered.
    from: u64,
    receipt: Option<ReceiptView>,
}

impl Witness {
    /// For a request in `mesh`.
    pub(crate) fn new(mesh: Option<MeshId>, request: &ExpertRequest) -> anyhow::Result<Self> {
        let mesh =
            mesh.context("the node does not say which mesh it is in: name its directory with --dir")?;
        let (request, text, events) = (request.clone(), String::new(), Vec::new());
        Ok(Self { mesh, request, expert: None, text, events, from: 0, receipt: None })
    }

    /// Records a line of the answer.
    pub(crate) fn record(&mut self, line: &AskLine) -> anyhow::Result<()> {
        let event = match line {
            AskLine::Route { expert, .. } => {
                self.expert = Some(expert.clone());
                return Ok(());
            }
            AskLine::Receipt { receipt } => {
                self.receipt.get_or_insert_with(|| receipt.clone());
                return Ok(());
            }
            AskLine::Takeover { takeover } => {
                self.expert = Some(takeover.expert.clone());
                self.from = takeover.at;
                return Ok(());
            }
            AskLine::Text { text } => ExpertEvent::Text(text.clone()),
            AskLine::Embedding { index, vector } => {
                ExpertEvent::Embedding { index: *index, vector: vector.clone() }
            }
            AskLine::Distribution { probabilities } => ExpertEvent::Distribution(probabilities.clone()),
            AskLine::Mixed { .. } | AskLine::Done { .. } | AskLine::Error { .. } => return Ok(()),
        };
        self.events.push((self.text.len() as u64, body::encode_event(&event)?));
        if let ExpertEvent::Text(text) = event {
            self.text.push_str(&text);
        }
        Ok(())
    }

    /// Checks the receipt, and returns it with the offset in the text from which it holds.
    pub(crate) fn verify(self) -> Result<(SignedReceipt, u64), ReceiptCheckError> {
        let prefix = usize::try_from(self.from).ok().and_then(|from| self.text.get(..from));
        let asked = match self.from {
            0 => Some(self.request),
            _ => prefix.and_then(|prefix| with_prefix(&self.request, prefix)),
        };
        let asked = asked.and_then(|asked| body::encode_request(&asked).ok());
        let mut answer = AnswerHasher::default();
        self.events.iter().filter(|(at, _)| *at >= self.from).for_each(|(_, event)| answer.chunk(event));
        let shown = self.receipt.ok_or(ReceiptCheckError::Missing)?;
        let text = shown.receipt.ok_or(ReceiptCheckError::Missing)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| ReceiptCheckError::NotHex)?;
        let signed = SignedReceipt::verify(&bytes, &self.mesh)?;
        let receipt = signed.receipt();
        let expert = self.expert.as_ref();
        let same = [
            ("expert", expert.is_some_and(|expert| expert.node == receipt.miner)),
            ("subnet", expert.is_some_and(|expert| expert.netuid == receipt.netuid)),
            ("asker", receipt.asker == shown.asker),
            ("question", asked.is_some_and(|asked| receipt.request == request_hash(&receipt.query, &asked))),
            ("answer", receipt.answer == answer.finish()),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(ReceiptCheckError::Differs(what)),
            None => Ok((signed, self.from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{Hash, Netuid, NodeKey, UnixMillis};
    use nervure_protocol::{Receipt, Sampling};

    use super::*;
    use nervure_api::{RouteView, Strategy};

    const MESH: MeshId = MeshId::from_bytes([7; 32]);

    fn request(prompt: &str) -> ExpertRequest {
        ExpertRequest::Complete { prompt: prompt.into(), sampling: Sampling::default() }
    }

    /// Verifies an answer `shown` to the request `asked`; the expert signed the answer "one" to "x".
    fn witness(asked: &str, shown: &str, expert: u8) -> Result<(SignedReceipt, u64), ReceiptCheckError> {
        let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
        let query = Hash::of("q", &[]);
        let mut answer = AnswerHasher::default();
        answer.chunk(&body::encode_event(&ExpertEvent::Text("one".into())).unwrap());
        let receipt = Receipt {
            netuid: Netuid(1),
            asker,
            miner: miner.node_id(),
            query,
            request: request_hash(&query, &body::encode_request(&request("x")).unwrap()),
            answer: answer.finish(),
            received_at: UnixMillis(1),
            took_ms: 1,
        };
        let signed = SignedReceipt::sign(&miner, &MESH, receipt).unwrap();
        let mut witness = Witness::new(Some(MESH), &request(asked)).unwrap();
        let expert: ExpertView = serde_json::from_value(serde_json::json!({
            "node": NodeKey::from_seed(&[expert; 32]).node_id(), "netuid": 1, "expert": "e",
            "capability": "text", "model": "m", "context": 1, "max_output": 1, "price": 0,
            "byte_level": true, "load": 0, "relayed": false, "expires_in_ms": 1,
        }))
        .unwrap();
        let route = RouteView {
            strategy: Strategy::Best.to_string(),
            policy: nervure_subnet::Policy::Balanced,
            block: nervure_primitives::BlockHeight(1),
            candidates: 1,
            filtered: 0,
            tried: 1,
            participants: Vec::new(),
            detail: None,
        };
        witness.record(&AskLine::Route { expert, route }).unwrap();
        witness.record(&AskLine::Text { text: shown.into() }).unwrap();
        let view = ReceiptView {
            asker,
            node: miner.node_id(),
            netuid: Netuid(1),
            query,
            receipt: Some(HEXLOWER.encode(signed.bytes())),
            wrong: None,
        };
        witness.record(&AskLine::Receipt { receipt: view }).unwrap();
        witness.verify()
    }

    #[test]
    fn detects_what_a_node_in_between_changes() {
        assert!(witness("x", "one", 1).is_ok());
        assert_eq!(witness("y", "one", 1), Err(ReceiptCheckError::Differs("question")));
        assert_eq!(witness("x", "two", 1), Err(ReceiptCheckError::Differs("answer")));
        assert_eq!(witness("x", "one", 3), Err(ReceiptCheckError::Differs("expert")));
    }

    #[test]
    fn refuses_an_answer_without_a_receipt() {
        let witness = Witness::new(Some(MESH), &request("x")).unwrap();
        assert_eq!(witness.verify(), Err(ReceiptCheckError::Missing));
    }
}
