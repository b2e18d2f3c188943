//! `nervure invite`: a link with which others join a mesh; and reading one.

mod qr;

use anyhow::Context;
use nervure_ledger::{
    spec::MeshSpec,
    transaction::{Call, Transfer},
};
use nervure_p2p::Multiaddr;
use nervure_primitives::{Amount, Hash, NodeKey, cbor};
use nervure_protocol::{
    bounds::MAX_SEEDS,
    domains::INVITE_RULES,
    invite::{Invite, SignedInvite},
};
use rand::Rng;
use serde::Serialize;
use serde_bytes::ByteBuf;

use super::{Global, key, mesh, output, sign::SpendArgs, trust};
use crate::{local::LocalNode, runtime};

/// Name of the file with the key of a voucher, in the directory of the node that was invited.
pub(super) const VOUCHER_FILE: &str = "voucher.pem";

/// Makes a link with which others join a mesh: nervure join LINK
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The link names the mesh by its id, and nodes to begin with. Who gets it can verify that it is complete, and sees who
signed it; a changed link is another invite with another signer. With --voucher it holds tokens: who has the link can
take them.

Examples:
  nervure invite
  nervure invite --qr --seed /ip4/203.0.113.7/udp/4001/quic-v1/p2p/ID
  nervure invite --voucher 5 --key owner.pem")]
pub(crate) struct InviteArgs {
    /// The mesh spec: a file or a URL [default: mesh.toml in the directory]
    #[arg(long = "spec", value_name = "SPEC")]
    spec: Option<String>,
    /// Where the spec can be fetched; without it, the seeds are asked
    #[arg(long, value_name = "URL")]
    spec_url: Option<String>,
    /// A node to begin with, as a multiaddress that ends in /p2p/ID, before the running node and the bootstrap nodes of the
    /// spec; can be given several times
    #[arg(long, value_name = "MULTIADDR")]
    seed: Vec<Multiaddr>,
    /// Put this many tokens into the link
    #[arg(long, value_name = "AMOUNT")]
    voucher: Option<Amount>,
    /// Print a QR code of the link, too
    #[arg(long)]
    qr: bool,
    #[command(flatten)]
    terms: SpendArgs,
}

#[derive(Serialize)]
struct InviteInfo<'a> {
    link: &'a str,
    by: String,
    seeds: &'a [String],
    voucher: Option<Amount>,
}

impl InviteArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let spec = match &self.spec {
            Some(source) => mesh::read(source).await?,
            None => trust::read_spec(&trust::spec_here(global)?).await?,
        };
        let key = self.terms.key(global)?;
        let voucher = match self.voucher {
            Some(amount) => Some(self.fund(amount, global).await?),
            None => None,
        };
        let invite = Invite {
            mesh: spec.mesh_id(),
            name: spec.mesh.name.clone(),
            rules: rules(&spec)?,
            seeds: self.seeds(&spec, global).await,
            spec: self.spec_url.clone(),
            voucher: voucher.map(ByteBuf::from),
        };
        let signed = SignedInvite::sign(&key, invite)?;
        let link = signed.link()?;
        if global.json {
            let (by, seeds) = (signed.by().to_string(), signed.invite().seeds.as_slice());
            return output::json(&InviteInfo { link: &link, by, seeds, voucher: self.voucher });
        }
        output::line(&link)?;
        if self.qr {
            qr::render(&link)?.lines().try_for_each(output::line)?;
        }
        output::note(&format!("signed by {}; others join with: nervure join LINK", signed.by()));
        if let Some(amount) = self.voucher {
            output::note(&format!("who has the link can take {amount} tokens: send it in private"));
        }
        Ok(())
    }

    /// Sends the tokens to a new key, and returns its seed.
    async fn fund(&self, amount: Amount, global: &Global) -> anyhow::Result<Vec<u8>> {
        let seed: [u8; 32] = rand::rng().random();
        let to = NodeKey::from_seed(&seed).node_id();
        self.terms.send(Call::Transfer(Transfer { to, amount, memo: None }), global).await?;
        Ok(seed.to_vec())
    }

    /// The named seeds, the running node and the bootstrap nodes, each once.
    async fn seeds(&self, spec: &MeshSpec, global: &Global) -> Vec<String> {
        let mut seeds: Vec<String> = self.seed.iter().map(ToString::to_string).collect();
        let node = global.node_dir().ok().and_then(|dir| LocalNode::find(&dir).ok());
        if let Some(node) = node
            && let Ok(status) = node.client().status().await
            && (status.reach.local || status.reach.dialable == Some(true))
        {
            let own = status.reach.addresses.iter().filter(|address| !address.contains("/p2p-circuit"));
            seeds.extend(own.map(|address| match address.contains("/p2p/") {
                true => address.clone(),
                false => format!("{address}/p2p/{}", status.node),
            }));
        }
        // Registered nodes, from which a newcomer gets its blocks: the others may be followers themselves.
        seeds.extend(spec.network.bootstrap.iter().cloned());
        let mut seen = std::collections::BTreeSet::new();
        seeds.retain(|seed| seen.insert(seed.clone()));
        seeds.truncate(MAX_SEEDS);
        seeds
    }
}

/// The hash of what a spec says beside its mesh id and is trusted: the upgrades, and the contract with the checkpoints.
fn rules(spec: &MeshSpec) -> anyhow::Result<Hash> {
    Ok(Hash::of(INVITE_RULES, &[&cbor::encode(&(&spec.upgrades, &spec.network.anchor))?]))
}

/// Whether a spec is the one that an invite names.
fn is_named(spec: &MeshSpec, invite: &Invite) -> bool {
    spec.mesh_id() == invite.mesh && rules(spec).is_ok_and(|rules| rules == invite.rules)
}

/// The spec of a link, verified, with the link's seeds among its bootstrap nodes; and the invite.
pub(super) async fn accept(link: &str) -> anyhow::Result<(MeshSpec, SignedInvite)> {
    let signed = SignedInvite::parse(link).context("the invite")?;
    let invite = signed.invite();
    let mut spec = match &invite.spec {
        Some(url) => {
            let spec = mesh::read(url).await?;
            anyhow::ensure!(
                is_named(&spec, invite),
                "the spec at {url} is of mesh {}, and the invite is for {}\nask for a new invite",
                spec.mesh_id(),
                invite.mesh
            );
            spec
        }
        None => {
            let seeds: Vec<Multiaddr> =
                invite.seeds.iter().map(|seed| seed.parse()).collect::<Result<_, _>>().context("a seed")?;
            let accept = |text: &str| MeshSpec::parse(text).ok().filter(|spec| is_named(spec, invite));
            runtime::fetch_spec(invite.mesh, seeds, accept).await?
        }
    };
    // The addresses are not part of the id: a node that gave the spec could name its friends there.
    spec.network.bootstrap.clone_from(&invite.seeds);
    spec.network.endpoints.clear();
    Ok((spec, signed))
}

/// Writes the key of the voucher, if there is one, and says how to take what it holds.
pub(super) fn keep_voucher(dir: &std::path::Path, signed: &SignedInvite) -> anyhow::Result<()> {
    let Some(seed) = signed.invite().voucher.as_ref() else { return Ok(()) };
    let path = dir.join(VOUCHER_FILE);
    if path.exists() {
        return Ok(());
    }
    let seed: [u8; 32] = seed.as_slice().try_into().context("the voucher")?;
    nervure_primitives::key_file::create(
        &path,
        &NodeKey::from_seed(&seed),
        key::owner_passphrase()?.as_ref(),
    )?;
    output::note(&format!(
        "the invite holds tokens; once the node runs, take them: nervure wallet send OWNER all --key {}",
        path.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use nervure_ledger::spec::AnchorPlace;

    use super::*;

    #[test]
    fn a_spec_with_other_rules_or_of_another_mesh_is_not_the_named_one() {
        let spec = MeshSpec::local("a");
        let invite = Invite {
            mesh: spec.mesh_id(),
            name: "a".into(),
            rules: rules(&spec).unwrap(),
            seeds: vec!["/ip4/127.0.0.1/udp/1/quic-v1/p2p/x".into()],
            spec: None,
            voucher: None,
        };
        assert!(is_named(&spec, &invite));
        assert!(!is_named(&MeshSpec::local("b"), &invite));
        let mut upgraded = spec.clone();
        let upgrade =
            nervure_ledger::upgrade::Upgrade { height: nervure_primitives::BlockHeight(9), version: 2 };
        upgraded.upgrades.push(upgrade);
        assert_eq!(upgraded.mesh_id(), spec.mesh_id(), "upgrades are no part of the id");
        assert!(!is_named(&upgraded, &invite));
        let mut anchored = spec.clone();
        let contract = nervure_anchor::AnchorAddress::from_bytes([3; 20]);
        anchored.network.anchor = Some(AnchorPlace { chain: 1, contract, since: 0 });
        assert_eq!(anchored.mesh_id(), spec.mesh_id(), "neither is the contract");
        assert!(!is_named(&anchored, &invite), "a false contract would be a false root of trust");
        let mut moved = spec;
        moved.network.bootstrap.push("/ip4/8.8.4.4/udp/1/quic-v1/p2p/x".into());
        assert!(is_named(&moved, &invite), "bootstrap nodes may differ");
    }
}
