//! Audits: an answer is repeated with the model that its receipt names, and compared token by token.
//!
//! # Design
//! A receipt names the model, the sampling seed, the request and the answer. An auditor with the same model reads the
//! answer as the miner's model should have written it: at each token it computes the probabilities given the tokens that
//! the miner wrote before (*teacher forcing*), draws with the same random number, and compares. [`Replay`] is that
//! computation for one kind of model, and [`judge`] what follows from its result.
//!
//! Where the auditor's program computes the same bits as the miner's, each token has to be the same. Where it does not,
//! rounding moves a probability a little, and a token differs now and then although the miner was honest. So a token
//! counts only if it is farther from the auditor's draw than a *margin*, and an answer is a mismatch only if more of its
//! tokens are than honest rounding explains: see [`AuditRules`]. The idea of drawing both with one seed and measuring by
//! how much a token was missed is Token-DiFR's (Karvonen et al., *DiFR: Inference Verification Despite Nondeterminism*,
//! arXiv 2511.20621, 2025); there the draw is Gumbel-max, here it is a point in the sum of the probabilities.
//!
//! A mismatch is an [`Evidence`]: request, answer, receipt and verdict. It convinces anyone with the model, not only
//! its auditor.
//!
//! # What a hostile miner can do
//! * *Run another model, or a smaller one*: a part of its tokens differ from the draw, about as many as the two models'
//!   distributions differ in mass. `docs/mechanisms.md` has the figures.
//! * *Stop early*: the receipt covers the reason of the end, and the end is checked like a token.
//! * *Name no model, or one that no auditor has*: it cannot be audited. That is visible in its record and no proof.
//! * *Answer tasks honestly and users not*: users and gateways release answers, and the miner does not know which.
//!
//! # What a hostile asker can do
//! *Release what was never answered*: the miner's signature is checked first. *Release much*: the node bounds it.
//! A validator that lies about a verdict is refuted by its own evidence.

mod evidence;
mod judge;
mod models;
mod replay;

pub use evidence::{Evidence, EvidenceError};
pub use judge::{AuditRules, Judgement, Verdict, judge};
pub use models::AuditModels;
pub use replay::{Defect, GivenAnswer, Margin, Replay, ReplayError, Replayed};
