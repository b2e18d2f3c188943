//! What each named key has used: reserved before a question, settled after its answer.
//!
//! **Claim.** What is used and what is reserved together never exceed a key's limit, however many questions are asked at
//! once: each reserves the most that it can use. No clock is in here; moments are arguments.
//!
//! **Hazard.** The book is written to disk once a second, without what is reserved: a crash forgets the last second, and
//! answers that were in progress.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use nervure_primitives::Amount;
use serde::{Deserialize, Serialize};

use super::KeyGrant;

/// Seconds of the periods of limits.
const DAY: u64 = 86_400;
const MINUTE: u64 = 60;

/// The use of all named keys.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageBook {
    keys: BTreeMap<String, KeyUse>,
    /// Whether it differs from the file.
    #[serde(skip)]
    pub(super) is_changed: bool,
}

/// What a key has used.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyUse {
    /// The day (UTC) since 1970 that the next four are of.
    day: u64,
    /// Questions that were admitted.
    pub(super) requests: u64,
    /// Questions that a limit refused.
    pub(super) refused: u64,
    /// Tokens read and written.
    pub(super) tokens: u64,
    /// What answers cost.
    pub(super) spent: Amount,
    /// The minute since 1970 that the next one is of.
    minute: u64,
    /// Questions that were admitted in it.
    in_minute: u32,
    #[serde(skip)]
    reserved: Cost,
}

/// Tokens and money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) tokens: u64,
    pub(super) money: Amount,
}

/// Why a question is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    /// The limit on questions a minute.
    Requests,
    /// The limit on tokens a day.
    Tokens,
    /// The limit on money a day.
    Money,
}

/// A limit, and when it resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitReached {
    pub(super) which: Exhausted,
    pub(super) resets_after: Duration,
}

/// Time until the next day.
pub(super) fn until_next_day(now: u64) -> Duration {
    Duration::from_secs(DAY - now % DAY)
}

impl UsageBook {
    /// Admits a question that uses at most `cost`, at `now` in seconds since 1970. Gives what is reserved for it: less money
    /// than it may cost where less is left.
    pub(super) fn reserve(&mut self, grant: &KeyGrant, cost: Cost, now: u64) -> Result<Cost, LimitReached> {
        self.is_changed = true;
        let used = self.keys.entry(grant.name.clone()).or_default();
        used.turn(now);
        let admitted = used.admit(grant, cost, now);
        match admitted {
            Ok(reserved) => {
                used.requests += 1;
                used.in_minute = used.in_minute.saturating_add(1);
                used.reserved.tokens = used.reserved.tokens.saturating_add(reserved.tokens);
                used.reserved.money = sum(used.reserved.money, reserved.money);
            }
            Err(_) => used.refused += 1,
        }
        admitted
    }

    /// Gives back what was reserved, and counts what was used of it: never more.
    pub(super) fn settle(&mut self, name: &str, reserved: Cost, actual: Cost, now: u64) {
        self.is_changed = true;
        let used = self.keys.entry(name.to_owned()).or_default();
        used.turn(now);
        used.reserved.tokens = used.reserved.tokens.saturating_sub(reserved.tokens);
        used.reserved.money = used.reserved.money.saturating_sub(reserved.money);
        used.tokens = used.tokens.saturating_add(actual.tokens.min(reserved.tokens));
        used.spent = sum(used.spent, actual.money.min(reserved.money));
    }

    /// What a key has used today.
    pub(super) fn of(&self, name: &str, now: u64) -> KeyUse {
        let mut used = self.keys.get(name).cloned().unwrap_or_default();
        used.turn(now);
        used
    }

    /// Forgets keys that are revoked and have nothing in progress, so that the book does not grow.
    pub(super) fn retain(&mut self, names: &BTreeSet<&str>) {
        let before = self.keys.len();
        self.keys.retain(|name, used| names.contains(name.as_str()) || used.reserved != Cost::default());
        self.is_changed |= self.keys.len() != before;
    }
}

impl KeyUse {
    /// Begins a new day and a new minute. A clock that is set back a little begins nothing.
    fn turn(&mut self, now: u64) {
        let (day, minute) = (now / DAY, now / MINUTE);
        if is_other(self.day, day) {
            (self.day, self.requests, self.refused) = (day, 0, 0);
            (self.tokens, self.spent) = (0, Amount::ZERO);
        }
        if is_other(self.minute, minute) {
            (self.minute, self.in_minute) = (minute, 0);
        }
    }

    fn admit(&self, grant: &KeyGrant, cost: Cost, now: u64) -> Result<Cost, LimitReached> {
        let today = |which| LimitReached { which, resets_after: until_next_day(now) };
        if grant.requests_per_minute.is_some_and(|limit| self.in_minute >= limit.get()) {
            let resets_after = Duration::from_secs(MINUTE - now % MINUTE);
            return Err(LimitReached { which: Exhausted::Requests, resets_after });
        }
        let tokens = self.tokens.saturating_add(self.reserved.tokens).saturating_add(cost.tokens);
        if grant.tokens_per_day.is_some_and(|limit| tokens > limit.get()) {
            return Err(today(Exhausted::Tokens));
        }
        let Some(budget) = grant.budget_per_day else { return Ok(cost) };
        let left = budget.saturating_sub(sum(self.spent, self.reserved.money));
        // A budget of zero reaches free experts.
        if left.is_zero() && !budget.is_zero() && !cost.money.is_zero() {
            return Err(today(Exhausted::Money));
        }
        Ok(Cost { money: cost.money.min(left), ..cost })
    }
}

fn is_other(of: u64, now: u64) -> bool {
    now > of || of > now + 1
}

fn sum(one: Amount, other: Amount) -> Amount {
    one.checked_add(other).unwrap_or(Amount::from_base_units(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 100 * DAY + DAY / 2;

    fn grant() -> KeyGrant {
        KeyGrant {
            tokens_per_day: 100.try_into().ok(),
            budget_per_day: Some(Amount::from_base_units(50)),
            requests_per_minute: 4.try_into().ok(),
            ..KeyGrant::new("a", "a-secret-of-the-tests").unwrap()
        }
    }

    fn cost(tokens: u64, money: u64) -> Cost {
        Cost { tokens, money: Amount::from_base_units(money) }
    }

    #[test]
    fn parallel_questions_cannot_overspend() {
        let mut book = UsageBook::default();
        let first = book.reserve(&grant(), cost(60, 40), NOON).unwrap();
        let second = book.reserve(&grant(), cost(60, 1), NOON).unwrap_err();
        assert_eq!((second.which, second.resets_after), (Exhausted::Tokens, Duration::from_secs(DAY / 2)));
        let second = book.reserve(&grant(), cost(10, 40), NOON).unwrap();
        assert_eq!(second.money, Amount::from_base_units(10), "what is left");
        assert_eq!(book.reserve(&grant(), cost(10, 1), NOON).unwrap_err().which, Exhausted::Money);
        // Without what is reserved, the question that was refused first is admitted.
        book.settle("a", first, cost(20, 0), NOON);
        book.settle("a", second, cost(5, 0), NOON);
        assert!(book.reserve(&grant(), cost(60, 1), NOON).is_ok());
        assert_eq!(book.of("a", NOON).tokens, 25);
    }

    #[test]
    fn an_answer_never_counts_for_more_than_was_reserved() {
        let mut book = UsageBook::default();
        let reserved = book.reserve(&grant(), cost(60, 40), NOON).unwrap();
        book.settle("a", reserved, cost(u64::MAX, u64::MAX), NOON);
        let used = book.of("a", NOON);
        assert_eq!(
            (used.tokens, used.spent, used.reserved),
            (60, Amount::from_base_units(40), Cost::default())
        );
    }

    #[test]
    fn limits_reset_at_their_time() {
        let mut book = UsageBook::default();
        for _ in 0..4 {
            book.reserve(&grant(), cost(25, 0), NOON + 50).unwrap();
        }
        let refused = book.reserve(&grant(), cost(0, 0), NOON + 50).unwrap_err();
        assert_eq!((refused.which, refused.resets_after), (Exhausted::Requests, Duration::from_secs(10)));
        assert_eq!(book.reserve(&grant(), cost(1, 0), NOON + 60).unwrap_err().which, Exhausted::Tokens);
        for _ in 0..4 {
            book.settle("a", cost(25, 0), cost(25, 0), NOON + 61);
        }
        assert_eq!((book.of("a", NOON + 61).requests, book.of("a", NOON + 61).refused), (4, 2));
        assert!(book.reserve(&grant(), cost(1, 0), NOON + DAY).is_ok());
        // A clock that is set back over midnight does not give the day's limits again.
        book.settle("a", cost(1, 0), cost(1, 0), NOON + DAY);
        assert_eq!(book.of("a", NOON).tokens, 1);
    }

    #[test]
    fn a_restart_keeps_what_was_used_and_forgets_what_was_reserved() {
        let mut book = UsageBook::default();
        let reserved = book.reserve(&grant(), cost(60, 40), NOON).unwrap();
        book.settle("a", reserved, cost(30, 20), NOON);
        book.reserve(&grant(), cost(60, 10), NOON).unwrap();
        let text = serde_json::to_string(&book).unwrap();
        let mut again: UsageBook = serde_json::from_str(&text).unwrap();
        assert_eq!((again.of("a", NOON).tokens, again.of("a", NOON).reserved), (30, Cost::default()));
        again.retain(&BTreeSet::from(["b"]));
        assert_eq!(again.of("a", NOON).tokens, 0, "a revoked key is forgotten");
    }
}
