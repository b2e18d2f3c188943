//! What a node says at its start when it would serve and earn nothing.

use nervure_ledger::spec;
use nervure_primitives::{Netuid, NodeId};

use super::registry::LedgerRegistry;
use crate::config::{ExpertSource, NodeConfig};

/// Tells a validator that makes no blocks how to join those that do: nothing else would say so.
pub(super) fn warn_unless_joined(config: &NodeConfig, registry: &LedgerRegistry, node: NodeId) {
    if config.role == Some(spec::Role::Validator) && !registry.tip().state.roster().has_joined(&node) {
        tracing::warn!(
            %node,
            "this validator has not joined those that make blocks; with the owner's key: nervure validator join {node}"
        );
    }
}

/// Tells a miner whose experts cannot earn in their subnets: it would serve and get nothing, and nothing else would say so.
pub(super) fn warn_unless_paid(config: &NodeConfig, registry: &LedgerRegistry, node: NodeId) {
    let netuids = registry.netuids(&node);
    let tip = registry.tip();
    for expert in &config.experts {
        let Some(netuid) = expert.netuid.map(Netuid).or(netuids.first().copied()) else { continue };
        let Some(subnet) = tip.state.subnets().get(&netuid) else { continue };
        let mechanism = subnet.mechanism.as_ref().map(|mechanism| mechanism.name.as_str());
        if let Some(why) = earns_nothing(&expert.source, mechanism) {
            tracing::warn!(%netuid, subnet = %subnet.name, "an expert of this miner earns nothing: {why}");
        }
    }
}

/// Why an expert cannot earn under a mechanism, as far as this program knows.
pub(crate) fn earns_nothing(source: &ExpertSource, mechanism: Option<&str>) -> Option<&'static str> {
    match (source, mechanism) {
        (_, None) => Some("the subnet has no mechanism, so that its validators set no tasks"),
        (ExpertSource::OpenAi { .. }, Some("next-byte")) => Some(
            "the subnet's tasks ask for the probabilities of the next byte, which a chat server does not give; serve in a \
             subnet with the mechanism exact-answer or embedding (nervure subnet list), or serve builtin:NAME",
        ),
        (ExpertSource::Builtin { .. }, Some("exact-answer" | "embedding" | "preference")) => Some(
            "the subnet's tasks are for chat or embedding models; serve openai:URL, or in a subnet with the mechanism \
             next-byte (nervure subnet list)",
        ),
        (ExpertSource::OpenAi { .. } | ExpertSource::Builtin { .. }, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_server_is_told_that_it_earns_nothing_for_bytes() {
        let chat = ExpertSource::OpenAi {
            url: "http://127.0.0.1:1/v1".into(),
            model: None,
            key_env: None,
            concurrency: std::num::NonZeroUsize::MIN,
        };
        let bytes = ExpertSource::Builtin { model: "rust".into() };
        assert!(earns_nothing(&chat, Some("next-byte")).is_some_and(|why| why.contains("exact-answer")));
        assert!(earns_nothing(&bytes, Some("exact-answer")).is_some());
        assert_eq!(earns_nothing(&chat, Some("exact-answer")), None);
        assert_eq!(earns_nothing(&bytes, Some("next-byte")), None);
        assert!(earns_nothing(&bytes, None).is_some());
    }
}
