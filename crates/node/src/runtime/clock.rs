//! The one place of a node that reads the wall clock.

use std::time::SystemTime;

use nervure_primitives::UnixMillis;

/// Now, by the system's clock.
pub(crate) fn now() -> UnixMillis {
    SystemTime::now().into()
}
