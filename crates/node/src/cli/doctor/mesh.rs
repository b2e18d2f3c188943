//! What the mesh says: its id, the age of its blocks, the election, and what the roles need.

use std::path::Path;

use nervure_api::ChainStatus;
use nervure_ledger::spec::{MeshSpec, Role};

use super::{
    Patient,
    report::{Finding, Report},
};
use crate::config::ExpertSource;

/// Checks the mesh and the role.
pub(super) fn check(patient: &Patient, report: &mut Report) {
    report.push(mesh_id(patient));
    let Some(status) = &patient.status else { return };
    if let Some(chain) = &status.chain {
        report.push(blocks(chain, patient.spec.as_ref()));
    }
    if let Some(validator) = &status.validator {
        let text = crate::cli::validator::state(validator);
        let next = format!("see what to do: nervure validator show {}", validator.node);
        report.push(match validator.power {
            Some(power) => Finding::ok(
                "election",
                format!("{text}, with power {power}; {} blocks missed lately", validator.missed),
            ),
            None => Finding::bad("election", text, next),
        });
    }
    if patient.is_own && status.role == Role::Validator.to_string() {
        report.push(corpus(patient));
    }
    report.push(experts(patient));
    if let Some(anchor) = status.anchor.as_ref().and_then(|anchor| anchor.trouble.clone()) {
        report.push(Finding::warn(
            "anchor",
            anchor,
            "check --anchor-rpc and the account that pays: nervure status",
        ));
    }
}

fn mesh_id(patient: &Patient) -> Finding {
    match (&patient.spec, &patient.status) {
        (None, None) => Finding::skip("mesh", "no mesh spec is known here"),
        (None, Some(status)) => Finding::warn(
            "mesh",
            format!("the node is in {}; there is no spec to compare with", status.mesh),
            "keep the spec beside the key: nervure join writes it",
        ),
        (Some(spec), Some(status)) if spec.mesh_id() != status.mesh => Finding::bad(
            "mesh",
            format!("the node is in mesh {}, and the spec is of {}", status.mesh, spec.mesh_id()),
            "join with the right spec, or name the right directory: --dir",
        ),
        (Some(spec), _) => Finding::ok("mesh", format!("{} ({})", spec.mesh.name, spec.mesh_id())),
    }
}

fn blocks(chain: &ChainStatus, spec: Option<&MeshSpec>) -> Finding {
    let says = format!("block {}, {} s old", chain.height, chain.age_ms / 1_000);
    let block = spec.map_or(12_000, |spec| u64::from(spec.consensus.block_milliseconds));
    if let Some(failed) = &chain.failed {
        return Finding::bad(
            "chain",
            format!("{says}; stopped: {failed}"),
            "see the log, and restart the node",
        );
    }
    if let Some(stalled) = &chain.stalled {
        return Finding::bad(
            "chain",
            format!("{says}; {stalled}"),
            "see the other validators: nervure validator show",
        );
    }
    match chain.age_ms > block.saturating_mul(20).max(60_000) {
        true => Finding::bad(
            "chain",
            format!("{says}: no block came for long"),
            "wait if the node has just started and is catching up (nervure status); else see nervure validator show",
        ),
        false => Finding::ok("chain", says),
    }
}

fn corpus(patient: &Patient) -> Finding {
    let is_public = patient.status.as_ref().is_some_and(|status| !status.reach.local);
    match &patient.settings.corpus {
        Some(dir) => match has_file(dir) {
            true => Finding::ok("corpus", format!("texts in {}", dir.display())),
            false => Finding::bad(
                "corpus",
                format!("there is no text in {}", dir.display()),
                "put a directory for each capability there, with a file for each text",
            ),
        },
        None if is_public => Finding::warn(
            "corpus",
            "node.toml names no directory of private texts: in subnets that need them, this validator sets no tasks and \
             earns nothing",
            "give it texts that no miner knows: --corpus DIR",
        ),
        None => Finding::ok("corpus", "the texts of this program, as the mesh is local"),
    }
}

/// Whether there is a file in `dir` or one of its directories.
fn has_file(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        path.is_file() || std::fs::read_dir(&path).is_ok_and(|mut inner| inner.next().is_some())
    })
}

/// Whether the configured experts are served, and their servers answer.
fn experts(patient: &Patient) -> Finding {
    let serving = patient.status.as_ref().map(|status| status.serving.clone()).unwrap_or_default();
    let upstreams: Vec<&str> = patient
        .settings
        .experts
        .iter()
        .filter_map(|expert| match &expert.source {
            ExpertSource::OpenAi { url, .. } => Some(url.as_str()),
            ExpertSource::Builtin { .. } => None,
        })
        .collect();
    for url in upstreams {
        if !answers(url) {
            return Finding::bad(
                "experts",
                format!("the model server at {url} does not accept connections"),
                "start it, or correct its address in node.toml",
            );
        }
    }
    match serving.is_empty() {
        true => Finding::skip("experts", "this node serves none"),
        false => Finding::ok("experts", serving.join(", ")),
    }
}

/// Whether something listens at the host of a URL.
fn answers(url: &str) -> bool {
    use std::net::{TcpStream, ToSocketAddrs};
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let default = if scheme == "https" { 443 } else { 80 };
    let named = if host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:{default}")
    };
    let Ok(mut addresses) = named.to_socket_addrs() else { return false };
    addresses.any(|address| TcpStream::connect_timeout(&address, std::time::Duration::from_secs(1)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_listen_is_found_out() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        assert!(answers(&url));
        drop(listener);
        assert!(!answers(&url) && !answers("nonsense"));
    }

    #[test]
    fn texts_are_found_one_directory_deep() {
        let home = tempfile::tempdir().unwrap();
        assert!(!has_file(home.path()));
        std::fs::create_dir(home.path().join("text")).unwrap();
        assert!(!has_file(home.path()));
        std::fs::write(home.path().join("text/a"), "x").unwrap();
        assert!(has_file(home.path()));
    }
}
