//! How a command reports a failure: what happened, why, what to do next, and an exit code for programs.

use std::process::ExitCode;

use nervure_api::{ClientError, SourceError};
use nervure_ledger::upgrade::UnknownVersion;
use nervure_light::{GenesisError, LightClientError, VerifierError, VerifyError};
#[cfg(feature = "mock-server")]
use nervure_mock_server::MockServerError;
use nervure_testnet::{PORT_IN_USE_EXIT, TestnetError};

use super::{output, trust::LightError};
use crate::{
    local::LocalNodeError,
    runtime::{LightFailure, PeerFault, StartError, StateSyncError},
};

/// Exit code if something does not verify.
const UNVERIFIED_EXIT: u8 = 9;

/// Exit code if the mesh has a protocol version that this program does not know.
const OUTDATED_EXIT: u8 = 10;

/// The next step when the trusted header is too old.
const RECENT_HINT: &str = "name a recent block of a source that you trust: --trust HEIGHT:BLOCK (the line block of nervure \
                           checkpoint verify there), or the mesh's contract: --anchor-rpc URL";

/// The next step after a proof that does not verify.
const DISTRUST_HINT: &str = "do not trust this node: ask another one with --from IP:PORT";

/// Something that was to be verified does not hold.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub(crate) struct Unverified {
    what: &'static str,
    why: String,
}

impl Unverified {
    /// What does not hold, and why.
    pub(crate) fn new(what: &'static str, why: &dyn std::fmt::Display) -> Self {
        Self { what, why: why.to_string() }
    }
}

/// Prints `error` and returns the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<output::OutputClosed>() {
        return ExitCode::SUCCESS;
    }
    let (message, own_hint) = message(error);
    output::note(&format!("error: {message}"));
    if let Some((name, log)) = error.downcast_ref::<TestnetError>().and_then(TestnetError::log) {
        output::note(&format!("\nthe end of {name}'s log:\n{log}"));
    }
    if let Some(hint) = hint(error).or(own_hint) {
        output::note(&format!("  next: {hint}"));
    }
    ExitCode::from(exit_code(error))
}

/// The error and its causes, without repetitions: some errors have their cause in their own text. And the hint of the
/// outermost one that has one.
fn message(error: &anyhow::Error) -> (String, Option<String>) {
    let (mut whole, mut hint) = (String::new(), None);
    for cause in error.chain().map(ToString::to_string) {
        let (what, own_hint) = split(&cause);
        hint = hint.or(own_hint);
        if whole.is_empty() {
            whole = what;
        } else if !whole.contains(&what) {
            whole = format!("{whole}: {what}");
        }
    }
    (whole, hint)
}

/// Splits off the hint, the last line of a message such as `bail!("what\ndo this")`.
fn split(message: &str) -> (String, Option<String>) {
    match message.split_once('\n') {
        Some((what, hint)) if !hint.contains('\n') && !hint.trim_start().starts_with('^') => {
            (what.to_owned(), Some(hint.to_owned()))
        }
        _ => (message.to_owned(), None),
    }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(error) = local(error) {
        return error.hint();
    }
    if let Some(error) = client(error) {
        return error.hint();
    }
    if let Some(error) = light(error) {
        return light_hint(error).map(str::to_owned);
    }
    if let Some(error) = error.downcast_ref::<StartError>() {
        return Some(error.hint().to_owned());
    }
    #[cfg(feature = "mock-server")]
    if error.downcast_ref::<MockServerError>().is_some() {
        return Some("choose another address with --listen, such as 127.0.0.1:0".to_owned());
    }
    if error.downcast_ref::<UnknownVersion>().is_some() {
        let hint = "install a version of nervure that knows it, and join again: the blocks are kept, and nothing was signed \
                    from that height on";
        return Some(hint.to_owned());
    }
    if let Some(StateSyncError::OldGenesis(_)) = error.downcast_ref::<StateSyncError>() {
        let hint = "name a recent block of a source that you trust: --checkpoint HEIGHT:BLOCK, or the mesh's contract: \
                    --checkpoint anchored --anchor-rpc URL";
        return Some(hint.to_owned());
    }
    if error.downcast_ref::<StateSyncError>().is_some() {
        let hint = "compare the block with a source that you trust, try again, or omit --checkpoint to replay the history";
        return Some(hint.to_owned());
    }
    if let Some(failure) = error.downcast_ref::<LightFailure>() {
        return Some(failure_hint(failure).to_owned());
    }
    error.downcast_ref::<TestnetError>().and_then(testnet_hint)
}

/// The next step after a client without a state has no answer.
fn failure_hint(failure: &LightFailure) -> &'static str {
    match failure {
        LightFailure::NoPeer => {
            "check that this machine reaches the internet, and that the bootstrap addresses in the mesh spec are those of \
             running nodes: nervure mesh show SPEC"
        }
        LightFailure::OtherMesh(_) => {
            "compare the mesh id with that of others (nervure mesh show SPEC), and get their spec"
        }
        LightFailure::NoBlock => "wait for the first block",
        LightFailure::Unverified { error, .. } => match &**error {
            VerifierError::Verify(error) => verify_hint(error),
            VerifierError::Source(_) | VerifierError::Genesis(_) => {
                "try again; if it stays, compare the mesh spec with one from a source that you trust"
            }
        },
        LightFailure::Records(_) | LightFailure::NotFound(_) => "try again: other peers are asked",
    }
}

/// The next step after a light client had no result, other than after a failed request.
fn light_hint(error: &LightError) -> Option<&'static str> {
    match error {
        LightError::Verify(error) => Some(verify_hint(error)),
        LightError::Source(_) => Some(DISTRUST_HINT),
        LightError::Genesis(GenesisError::Header(LightClientError::Expired { .. })) => Some(RECENT_HINT),
        LightError::Genesis(_) => None,
    }
}

fn verify_hint(error: &VerifyError) -> &'static str {
    match error {
        VerifyError::Start(LightClientError::Expired { .. }) => RECENT_HINT,
        VerifyError::NoNewest => "wait for the first block",
        VerifyError::Before { .. } => "trust an earlier block, or omit --trust to trust the genesis",
        VerifyError::Certificate(_)
        | VerifyError::Start(_)
        | VerifyError::Score(_)
        | VerifyError::Fact { .. }
        | VerifyError::NoSlot { .. }
        | VerifyError::Missing { .. }
        | VerifyError::Unreadable { .. }
        | VerifyError::OtherBlock { .. }
        | VerifyError::OtherAnchored { .. }
        | VerifyError::OtherHeight { .. } => match error.is_honest() {
            true => "see the subnets and when their epochs end: nervure subnet list",
            false => DISTRUST_HINT,
        },
    }
}

fn testnet_hint(error: &TestnetError) -> Option<String> {
    let hint = match error {
        TestnetError::NotATestnet(_) | TestnetError::NotRunning(_) => "start it: nervure testnet up",
        TestnetError::AlreadyRunning { .. } => {
            "see its state: nervure testnet status; stop it: nervure testnet down; or run a second one with --dir"
        }
        TestnetError::ForeignDirectory(_) => "choose another directory with --dir",
        TestnetError::UnknownNode { .. } => "list its nodes: nervure testnet status",
        TestnetError::NoExpert(_) => "name a miner; nervure testnet status shows what each serves",
        TestnetError::NodeNotRunning(_) => "start it: nervure testnet start NODE",
        TestnetError::MockServerDown(_) => "start it first: nervure testnet start mock-server",
        TestnetError::NodeRunning { .. } => "kill it first: nervure testnet kill NODE",
        TestnetError::NotReady { .. }
        | TestnetError::NodeEnded { .. }
        | TestnetError::MockServerSilent { .. } => {
            "see the whole log: nervure testnet logs NODE; on a slow machine raise --timeout"
        }
        TestnetError::BadState { .. } => "choose another directory with --dir, or remove this one",
        TestnetError::BadShape(_) => "see the limits: nervure testnet up --help",
        TestnetError::PortInUse { .. } => {
            "try again: a new testnet chooses other ports, and one that is continued has to wait for its own"
        }
        TestnetError::NotResumable { .. } => "start a new one: nervure testnet up",
        TestnetError::StillRunning(_) => "try again: nervure testnet down",
        TestnetError::Spawn { .. } => "check that the program exists, and that you may run it",
        // The message names the file or the place in the spec, and no command would help.
        TestnetError::AnchorKey(_)
        | TestnetError::Key(_)
        | TestnetError::Randomness(_)
        | TestnetError::Spec(_)
        | TestnetError::Deploy(_)
        | TestnetError::Interrupted
        | TestnetError::Io { .. } => return None,
    };
    Some(hint.to_owned())
}

/// Why a node of this machine could not be asked.
fn local(error: &anyhow::Error) -> Option<&LocalNodeError> {
    error.downcast_ref::<LocalNodeError>()
}

/// Why a request over HTTP failed, that of a light client included.
fn client(error: &anyhow::Error) -> Option<&ClientError> {
    match light(error) {
        Some(LightError::Source(SourceError::Client(error))) => Some(error),
        Some(
            LightError::Source(SourceError::InvalidProof { .. })
            | LightError::Verify(_)
            | LightError::Genesis(_),
        )
        | None => error.downcast_ref::<ClientError>(),
    }
}

/// Why a light client has no result.
fn light(error: &anyhow::Error) -> Option<&LightError> {
    error.downcast_ref::<LightError>()
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<UnknownVersion>().is_some() {
        return OUTDATED_EXIT;
    }
    if let Some(error) = local(error) {
        return error.exit_code();
    }
    if let Some(error) = client(error) {
        return error.exit_code();
    }
    if let Some(error) = light(error) {
        return match error {
            LightError::Genesis(_) => 1,
            LightError::Verify(error) if error.is_honest() => 1,
            LightError::Verify(_) | LightError::Source(_) => UNVERIFIED_EXIT,
        };
    }
    if error.downcast_ref::<Unverified>().is_some() {
        return UNVERIFIED_EXIT;
    }
    if let Some(LightFailure::Unverified { error, .. }) = error.downcast_ref::<LightFailure>() {
        return match &**error {
            VerifierError::Verify(error) if error.is_honest() => 1,
            VerifierError::Verify(_) | VerifierError::Source(PeerFault::Malformed) => UNVERIFIED_EXIT,
            VerifierError::Source(_) | VerifierError::Genesis(_) => 1,
        };
    }
    #[cfg(feature = "mock-server")]
    if error.downcast_ref::<MockServerError>().is_some_and(MockServerError::port_in_use) {
        return PORT_IN_USE_EXIT;
    }
    let node = error.downcast_ref::<StartError>().is_some_and(StartError::port_in_use);
    if node { PORT_IN_USE_EXIT } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_off_the_last_line_unless_it_marks_a_column() {
        assert_eq!(split("what\ndo this"), ("what".into(), Some("do this".into())));
        assert_eq!(split("wrong\ncontext > x\n          ^").1, None);
    }

    #[test]
    fn causes_come_before_the_hint() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = anyhow::Error::from(denied).context("cannot read it\nlook at its mode");
        assert_eq!(
            message(&error),
            ("cannot read it: permission denied".into(), Some("look at its mode".into()))
        );
    }

    #[test]
    fn a_proof_that_does_not_decode_is_as_bad_as_a_false_one() {
        let http: nervure_api::Endpoint = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
        let invalid = || ClientError::InvalidResponse { http: http.clone(), what: "not base64".into() };
        let proof = anyhow::Error::from(LightError::Source(invalid().into()));
        assert_eq!((exit_code(&proof), hint(&proof)), (UNVERIFIED_EXIT, Some(DISTRUST_HINT.to_owned())));
        let other = anyhow::Error::from(invalid());
        assert_eq!((exit_code(&other), hint(&other)), (1, None), "an answer that proves nothing");
    }

    #[test]
    fn errors_of_a_testnet_say_what_to_do_next() {
        let hint = |error: TestnetError| hint(&anyhow::Error::from(error));
        assert_eq!(
            hint(TestnetError::StillRunning(vec!["miner-1".into()])),
            Some("try again: nervure testnet down".into())
        );
        assert_eq!(
            hint(TestnetError::BadShape("no validator".into())),
            Some("see the limits: nervure testnet up --help".into())
        );
        assert_eq!(hint(TestnetError::Interrupted), None);
    }

    #[test]
    fn does_not_repeat_a_cause() {
        let inner = std::io::Error::other("disk full");
        let error = anyhow::Error::from(inner).context("cannot write: disk full");
        assert_eq!(message(&error), ("cannot write: disk full".into(), None));
        let error = anyhow::Error::from(std::io::Error::other("disk full")).context("cannot write");
        assert_eq!(message(&error), ("cannot write: disk full".into(), None));
    }
}
