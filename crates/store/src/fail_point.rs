//! Places where a process may die in a test: around every write, sync, rename and send of what must not be lost.
//!
//! With the feature `fail-points`, which nothing that is shipped has, [`arm`] chooses a [`Point`] and how often it is
//! passed before the process aborts there, as `kill -9` would end it. Without the feature [`reach`] does nothing and
//! [`arm`] refuses.
//!
//! An abort keeps what was written and not synced, because the kernel lives on. That a *power failure* loses it is
//! simulated elsewhere (`tests/simulation` and the store's own tests).

#[cfg(feature = "fail-points")]
use parking_lot::Mutex;

/// A place to die at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before a frame of the log is written.
    LogWrite,
    /// When half of a frame of the log is written.
    LogHalf,
    /// After a frame of the log is written.
    LogWritten,
    /// Before the signer's record is written.
    SignerWrite,
    /// After the signer's record is written, before anything is synced.
    SignerWritten,
    /// Before the log is synced.
    LogSync,
    /// After the log is synced, before what depends on it is sent.
    LogSynced,
    /// When the log's successor exists and is empty.
    RotateCreated,
    /// When the log's successor is written and not synced.
    RotateWritten,
    /// When the log's successor is synced, before it is renamed.
    RotateSynced,
    /// When the log's successor is renamed, before its directory is synced.
    RotateRenamed,
    /// When the log has its successor.
    Rotated,
    /// When a block is written to the store, before it is committed.
    StoreWritten,
    /// After a block is committed, before the log moves to the next height.
    StoreCommitted,
    /// Before a message of consensus is sent.
    Publish,
    /// After a message of consensus was handed to the network.
    Published,
    /// Before a committed block is announced.
    Announce,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::LogWrite,
        Self::LogHalf,
        Self::LogWritten,
        Self::SignerWrite,
        Self::SignerWritten,
        Self::LogSync,
        Self::LogSynced,
        Self::RotateCreated,
        Self::RotateWritten,
        Self::RotateSynced,
        Self::RotateRenamed,
        Self::Rotated,
        Self::StoreWritten,
        Self::StoreCommitted,
        Self::Publish,
        Self::Published,
        Self::Announce,
    ];
}

/// Whether this program has fail points.
pub const ENABLED: bool = cfg!(feature = "fail-points");

/// Why a point could not be armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmError {
    /// The feature is off.
    #[error("this program was built without fail points (the feature fail-points)")]
    Disabled,
    /// No point has this name.
    #[error("this is not a valid fail point")]
    Unknown,
}

/// The point that is armed, and how often it is still passed.
#[cfg(feature = "fail-points")]
static ARMED: Mutex<Option<(Point, u32)>> = Mutex::new(None);

/// Arms the point that `text` names, such as `LogSync` or `LogSync:7`: it is passed so often, and the next time the
/// process aborts there.
///
/// # Errors
/// When there is no such point, or this program has none at all.
#[cfg(feature = "fail-points")]
pub fn arm(text: &str) -> Result<(), ArmError> {
    let (name, times) = text.split_once(':').unwrap_or((text, "0"));
    let point = Point::ALL.into_iter().find(|point| format!("{point:?}") == name);
    let armed = point.zip(times.parse().ok()).ok_or(ArmError::Unknown)?;
    *ARMED.lock() = Some(armed);
    Ok(())
}

/// Arms nothing: this program has no fail points.
///
/// # Errors
/// [`ArmError::Disabled`].
#[cfg(not(feature = "fail-points"))]
pub const fn arm(_: &str) -> Result<(), ArmError> {
    Err(ArmError::Disabled)
}

/// Passes `point`, or dies at it.
#[cfg(feature = "fail-points")]
pub fn reach(point: Point) {
    let mut armed = ARMED.lock();
    match armed.as_mut() {
        Some((here, 0)) if *here == point => std::process::abort(),
        Some((here, left)) if *here == point => *left -= 1,
        _ => {}
    }
}

/// Passes `point`.
#[cfg(not(feature = "fail-points"))]
#[inline]
pub const fn reach(_: Point) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_is_listed_once() {
        for (index, point) in Point::ALL.into_iter().enumerate() {
            assert_eq!(point as usize, index);
        }
        assert_eq!(Point::ALL.last(), Some(&Point::Announce), "the last one of the enum");
    }

    #[test]
    fn only_what_exists_can_be_armed() {
        let wanted = if ENABLED { ArmError::Unknown } else { ArmError::Disabled };
        for text in ["LogSinc", "LogSync:x", ""] {
            assert_eq!(arm(text), Err(wanted), "{text}");
        }
    }
}
