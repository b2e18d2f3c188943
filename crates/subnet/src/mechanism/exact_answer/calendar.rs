//! Days of the Gregorian calendar, from year 1 to 9999.
//!
//! Day numbers after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": a year begins in March, so that
//! the leap day is its last.

use std::fmt;

/// Names of the months.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Names of the days of the week, from that of 1970-01-01 on.
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// A day by its number from 1970-01-01.
    pub(super) const fn from_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + (month <= 2) as i64;
        Self { year, month, day }
    }

    /// Its number from 1970-01-01.
    pub(super) const fn days(self) -> i64 {
        let year = self.year - (self.month <= 2) as i64;
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let from_march = (self.month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + self.day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// Its day of the week.
    pub(super) const fn weekday(self) -> &'static str {
        WEEKDAYS[self.days().rem_euclid(7) as usize]
    }

    /// Such as `5 March 2024`.
    pub(super) fn in_words(self) -> String {
        format!("{} {} {}", self.day, self.month_name(), self.year)
    }

    /// Such as `March 5, 2024`.
    pub(super) fn in_american_words(self) -> String {
        format!("{} {}, {}", self.month_name(), self.day, self.year)
    }

    fn month_name(self) -> &'static str {
        usize::try_from(self.month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or_default()
    }

    /// A date as `2024-03-05`, `5 March 2024` or `March 5, 2024`; none of those that could be read in two ways.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('.').replace(',', " ");
        let parts: Vec<&str> = match text.contains('-') {
            true => text.split('-').collect(),
            false => text.split_whitespace().collect(),
        };
        let &[first, second, third] = parts.as_slice() else { return None };
        let (year, month, day) = match (month(first), month(second)) {
            (Some(month), _) => (third, month, second),
            (_, Some(month)) => (third, month, first),
            _ if text.contains('-') && first.len() == 4 => (first, second.parse().ok()?, third),
            _ => return None,
        };
        let day = day.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let (year, day): (i64, i64) = (year.parse().ok()?, day.parse().ok()?);
        let in_range = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        let date = Self { year, month, day };
        // The 30th of February is another day by its number.
        (in_range && Self::from_days(date.days()) == date).then_some(date)
    }
}

/// The number of a month by its name or the first three letters of it.
fn month(text: &str) -> Option<i64> {
    let is = |name: &&str| {
        name.eq_ignore_ascii_case(text) || name.get(..3).is_some_and(|short| short.eq_ignore_ascii_case(text))
    };
    MONTHS.iter().position(is).map(|at| at as i64 + 1)
}

impl fmt::Display for Date {
    /// As ISO 8601 has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days() {
        assert_eq!(Date::from_days(0).to_string(), "1970-01-01");
        assert_eq!(Date::from_days(19_787).to_string(), "2024-03-05");
        assert_eq!(Date::from_days(19_787).weekday(), "Tuesday");
        assert_eq!(Date::from_days(-25_509).to_string(), "1900-02-28");
        assert_eq!(Date::from_days(-25_508).to_string(), "1900-03-01", "1900 was no leap year");
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        for text in ["2024-03-05", "5 March 2024", "March 5, 2024", "mar 5th 2024", "5th March, 2024."] {
            assert_eq!(Date::parse(text), Some(Date::from_days(19_787)), "{text}");
        }
        for text in ["", "05/03/2024", "2024-02-30", "2024-13-01", "5-3-2024", "March 2024", "2023-02-29"] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_and_dates_agree(days in -700_000i64..2_900_000) {
            let date = Date::from_days(days);
            prop_assert_eq!(date.days(), days);
            prop_assert!(Date::from_days(days + 1) > date);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}") {
            let _ = Date::parse(&text);
        }
    }
}
