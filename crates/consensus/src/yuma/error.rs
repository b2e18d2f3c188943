//! [`YumaError`]: why an epoch cannot be computed.

use std::fmt;

use nervure_primitives::Uid;

/// What a row of cells holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// Weights, as submitted.
    Weights,
    /// Bonds, as the last epoch left them.
    Bonds,
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weights => "weights",
            Self::Bonds => "bonds",
        })
    }
}

/// Why an epoch cannot be computed. The ledger checks all of this when it takes weights and
/// parameters, so a failure means a bug or a hand-written case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum YumaError {
    /// More neurons than uids exist.
    #[error("{neurons} neurons do not fit: a uid has 16 bits")]
    TooManyNeurons {
        /// How many neurons were given.
        neurons: usize,
    },
    /// The owner is not among the neurons.
    #[error("the owner's uid {owner} is not among the {neurons} neurons")]
    OwnerOutOfRange {
        /// The owner's uid.
        owner: Uid,
        /// How many neurons there are.
        neurons: usize,
    },
    /// A cell names a uid that does not exist.
    #[error("the {kind} of uid {row} name uid {uid}, but there are only {neurons} neurons")]
    UidOutOfRange {
        /// Weights or bonds.
        kind: RowKind,
        /// Whose row it is.
        row: Uid,
        /// The uid that does not exist.
        uid: Uid,
        /// How many neurons there are.
        neurons: usize,
    },
    /// A row names a uid twice, so that its value is not defined.
    #[error("the {kind} of uid {row} name uid {uid} twice")]
    DuplicateUid {
        /// Weights or bonds.
        kind: RowKind,
        /// Whose row it is.
        row: Uid,
        /// The uid that is named twice.
        uid: Uid,
    },
    /// The bonds moving average is above one.
    #[error("a bonds moving average of {ppm} millionths is more than one")]
    MovingAverage {
        /// The moving average in millionths.
        ppm: u32,
    },
    /// The bounds of liquid alpha are crossed.
    #[error("liquid alpha's low bound {low} is above its high bound {high}")]
    AlphaBounds {
        /// The low bound, of 65,535.
        low: u16,
        /// The high bound, of 65,535.
        high: u16,
    },
}
