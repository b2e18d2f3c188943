//! The one place of a node that reads the wall clock.

use std::{sync::LazyLock, time::SystemTime};

use nervure_primitives::UnixMillis;
use nervure_store::fail_point;

/// Seconds that a test wants this clock to be ahead. Nothing that is shipped looks for them.
static AHEAD: LazyLock<u64> = LazyLock::new(|| {
    let wanted = || std::env::var("NERVURE_CLOCK_AHEAD_SECONDS").ok()?.parse().ok();
    if fail_point::ENABLED { wanted().unwrap_or(0) } else { 0 }
});

/// Now, by the system's clock.
pub(crate) fn now() -> UnixMillis {
    let now: UnixMillis = SystemTime::now().into();
    now.plus(std::time::Duration::from_secs(*AHEAD))
}
