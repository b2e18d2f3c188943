//! How many neurons register in a subnet within an interval.
//!
//! The price alone does not stop an attacker who can pay it often: within one interval it would replace every neuron that
//! is not immune. So there is a most per interval beside the price.

use serde::{Deserialize, Serialize};

use crate::params::Params;

/// The registrations of the last interval with any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationCount {
    /// The first block of the interval.
    pub since: u64,
    /// How many neurons registered in it.
    pub count: u16,
}

impl RegistrationCount {
    /// The count with one more at `block`.
    ///
    /// # Errors
    /// The first block of the next interval, when this one has as many as it may.
    pub(crate) fn with_one(self, block: u64, params: &Params) -> Result<Self, u64> {
        let since = block - block % params.registration_interval.max(1);
        let count = if self.since == since { self.count } else { 0 };
        match count >= params.max_registrations {
            true => Err(since.saturating_add(params.registration_interval)),
            false => Ok(Self { since, count: count + 1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_takes_so_many_and_the_next_one_as_many_again() {
        let params = Params { registration_interval: 10, max_registrations: 2, ..Params::default() };
        let one = RegistrationCount::default().with_one(13, &params).unwrap();
        let two = one.with_one(19, &params).unwrap();
        assert_eq!(two, RegistrationCount { since: 10, count: 2 });
        assert_eq!(two.with_one(19, &params), Err(20));
        assert_eq!(two.with_one(20, &params), Ok(RegistrationCount { since: 20, count: 1 }));
    }
}
