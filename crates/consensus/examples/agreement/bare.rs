//! Validators with the bare core: the smallest context that it runs with. Messages are signed and
//! verified with the same keys; there are no bounds, no signer's record and no log.

use std::collections::VecDeque;

use arc_malachitebft_core_consensus as consensus;
use arc_malachitebft_core_types as types;
use consensus::{Effect, Input, LocallyProposedValue, Resumable, SignedConsensusMsg};
use nervure_primitives::NodeKey;
use types::{NilOrVal, Round, SignedMessage, Validity, VoteType};

#[path = "context.rs"]
mod context;

use context::{Address, BareContext, Block, Height, Validator, ValidatorSet, Vote};

/// A message between validators.
type Message = SignedConsensusMsg<BareContext>;

struct BareNode {
    key: NodeKey,
    state: consensus::State<BareContext>,
    wire: Vec<Message>,
    todo: VecDeque<Input<BareContext>>,
    decided: u64,
}

/// Decides `heights` heights among `keys`.
pub(crate) fn run(keys: &[NodeKey], heights: u64) {
    let mut validators: Vec<_> =
        keys.iter().map(|key| Validator { member: Address(key.node_id()), power: 10 }).collect();
    validators.sort_by_key(|validator| validator.member);
    let members = ValidatorSet(validators.into());
    let mut nodes: Vec<_> = keys.iter().map(|key| BareNode::new(key.clone(), members.clone())).collect();
    for height in 1..=heights {
        let mut wire = VecDeque::new();
        for (at, node) in nodes.iter_mut().enumerate() {
            let policy = types::VoteExtensionPolicy::Disabled;
            node.handle(Input::StartHeight(Height(height), members.clone(), false, None, policy));
            wire.extend(node.wire.drain(..).map(|message| (at, message)));
        }
        while let Some((from, message)) = wire.pop_front() {
            for (at, node) in nodes.iter_mut().enumerate().filter(|(at, _)| *at != from) {
                node.receive(&message);
                wire.extend(node.wire.drain(..).map(|message| (at, message)));
            }
        }
    }
    assert!(nodes.iter().all(|node| node.decided == heights), "every validator decides");
}

impl BareNode {
    fn new(key: NodeKey, members: ValidatorSet) -> Self {
        let params = consensus::Params {
            address: Address(key.node_id()),
            threshold_params: consensus::ThresholdParams::default(),
            value_payload: consensus::ValuePayload::ProposalAndParts,
            enabled: true,
        };
        let state = consensus::State::new(BareContext, Height(0), members, params, 16, 256);
        Self { key, state, wire: Vec::new(), todo: VecDeque::new(), decided: 0 }
    }

    fn receive(&mut self, message: &Message) {
        match message.clone() {
            SignedConsensusMsg::Vote(vote) => self.handle(Input::Vote(vote)),
            SignedConsensusMsg::Proposal(proposal) => {
                let value = consensus::ProposedValue {
                    height: proposal.message.height,
                    round: proposal.message.round,
                    valid_round: Round::Nil,
                    proposer: proposal.message.member,
                    value: proposal.message.block,
                    validity: Validity::Valid,
                };
                self.handle(Input::Proposal(proposal));
                self.handle(Input::ProposedValue(value, types::ValueOrigin::Consensus));
            }
        }
    }

    fn handle(&mut self, input: Input<BareContext>) {
        self.todo.push_back(input);
        while let Some(input) = self.todo.pop_front() {
            let Self { key, state, wire, todo, decided } = self;
            let mut adapter = BareAdapter { key, wire, todo, decided };
            let run = || consensus::process!(input: input, state: state, metrics: &(), with: effect => adapter.perform(effect));
            let outcome: Result<(), Box<consensus::Error<BareContext>>> = run();
            outcome.unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

struct BareAdapter<'a> {
    key: &'a NodeKey,
    wire: &'a mut Vec<Message>,
    todo: &'a mut VecDeque<Input<BareContext>>,
    decided: &'a mut u64,
}

impl BareAdapter<'_> {
    fn perform(
        &mut self,
        effect: Effect<BareContext>,
    ) -> Result<consensus::Resume<BareContext>, std::convert::Infallible> {
        Ok(match effect {
            Effect::SignVote(vote, r) => {
                let signature = self.key.sign(&vote.bytes());
                r.resume_with(SignedMessage::new(vote, context::EdSignature(signature)))
            }
            Effect::SignProposal(proposal, r) => {
                let signature = self.key.sign(&proposal.bytes());
                r.resume_with(SignedMessage::new(proposal, context::EdSignature(signature)))
            }
            Effect::VerifySignature(message, key, r) => {
                let bytes = match &message.message {
                    consensus::ConsensusMsg::Vote(vote) => vote.bytes(),
                    consensus::ConsensusMsg::Proposal(proposal) => proposal.bytes(),
                };
                // Own signatures are not verified, here or in our engine.
                let own = key.0 == self.key.node_id();
                r.resume_with(own || message.signature.0.verify(&key.0, &bytes).is_ok())
            }
            Effect::VerifyCommitCertificate(_, _, _, r) => r.resume_with(Ok(())),
            Effect::PublishConsensusMsg(message, r) => {
                self.wire.push(message);
                r.resume_with(())
            }
            Effect::GetValue(height, round, _, r) => {
                let block = Block(height.0);
                self.todo.push_back(Input::Propose(LocallyProposedValue::new(height, round, block)));
                r.resume_with(())
            }
            Effect::Finalize(..) => {
                *self.decided += 1;
                consensus::Resume::Continue
            }
            _ => consensus::Resume::Continue,
        })
    }
}

/// A vote's kind and value as bytes.
fn encode_choice(vote: &Vote) -> [u8; 9] {
    let value = match vote.value {
        NilOrVal::Nil => 0,
        NilOrVal::Val(block) => block.0,
    };
    let kind = u8::from(vote.kind == VoteType::Precommit);
    let mut bytes = [kind; 9];
    bytes[1..].copy_from_slice(&value.to_be_bytes());
    bytes
}

/// Bytes to sign, as long as those of our own votes.
fn padded(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = parts.concat();
    bytes.resize(128, 0);
    bytes
}
