//! The limit on open files of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many as a node with all its connections can use.
const WANTED: u64 = 65_536;

/// Raises the soft limit on open files as far as the hard one allows, up to [`WANTED`]. Shells give 1,024 and less, for the
/// sake of programs that use `select`, and a node with many connections has more.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Some(raised) = raised(&limit)
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::debug!(%error, "the limit on open files stays");
    }
}

/// A higher limit than `limit`, if one is allowed and of use.
fn raised(limit: &Rlimit) -> Option<Rlimit> {
    // None is no limit.
    let wanted = limit.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    (limit.current? < wanted).then_some(Rlimit { current: Some(wanted), maximum: limit.maximum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_goes_up_to_the_hard_one_and_never_down() {
        let raised = |current, maximum| raised(&Rlimit { current, maximum }).and_then(|limit| limit.current);
        assert_eq!(raised(Some(128), Some(20_000)), Some(20_000));
        assert_eq!(raised(Some(1_024), None), Some(WANTED));
        assert_eq!(raised(Some(1_024), Some(1_048_576)), Some(WANTED));
        assert_eq!(raised(Some(100_000), Some(1_048_576)), None);
        assert_eq!(raised(None, None), None);
    }
}
