//! Questions about dates: a date some days before or after another, the days between two dates, the day of the week.
//!
//! Dates are read as `2024-03-05`, `5 March 2024` and `March 5, 2024`.

use time::{Date, Duration, Month};

use super::{question::Question, solution::Solution};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Answers a question about dates.
pub(super) fn solve(question: &Question<'_>) -> Option<Solution> {
    match *dates(&question.lower).as_slice() {
        [day] if question.contains_any(&["weekday", "day of the week"]) => {
            Some(Solution::Weekday(day.weekday()))
        }
        [from, to] if question.contains_any(&["how many days", "count the days"]) => {
            Some(Solution::Number((to - from).whole_days().abs()))
        }
        [day] => {
            let days = number_before(&question.lower, " days")?;
            let days = match question.contains_any(&["before", "earlier", "ago"]) {
                true => days.checked_neg()?,
                false if question.contains_any(&["after", "later", "from now"]) => days,
                false => return None,
            };
            // More days than the calendar has would overflow the duration.
            (days.abs() < 4_000_000).then(|| day.checked_add(Duration::days(days)))?.map(Solution::Day)
        }
        _ => None,
    }
}

/// The number directly before `word`.
fn number_before(text: &str, word: &str) -> Option<i64> {
    let at = text.find(word)?;
    text[..at].rsplit(' ').next()?.parse().ok()
}

/// All dates in a text of lower-case words.
fn dates(text: &str) -> Vec<Date> {
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.trim_matches([',', '.', '?', '!', '"'])).collect();
    let iso_dates = words.iter().enumerate().filter_map(|(at, word)| Some((at, iso(word)?)));
    let spelled = words.windows(3).enumerate().filter_map(|(at, words)| {
        let [first, second, year] = *words else { return None };
        let (day, month) = if month_number(first).is_some() { (second, first) } else { (first, second) };
        Some((at, date(year, month_number(month)?, day)?))
    });
    let mut found: Vec<(usize, Date)> = iso_dates.chain(spelled).collect();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, date)| date).collect()
}

fn iso(word: &str) -> Option<Date> {
    let mut parts = word.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    date(year, month.parse().ok()?, day)
}

fn date(year: &str, month: u8, day: &str) -> Option<Date> {
    let day = day.trim_end_matches(|c: char| c.is_ascii_lowercase());
    Date::from_calendar_date(year.parse().ok()?, Month::try_from(month).ok()?, day.parse().ok()?).ok()
}

fn month_number(word: &str) -> Option<u8> {
    let at = MONTHS.iter().position(|name| *name == word || (word.len() == 3 && name.starts_with(word)))?;
    u8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_three_date_formats() {
        let day = Date::from_calendar_date(2024, Month::March, 5).unwrap();
        for text in ["on 2024-03-05?", "5 march 2024.", "what is march 5, 2024", "the 5th mar 2024"] {
            assert_eq!(dates(text), [day], "{text}");
        }
        assert_eq!(dates("from 2024-03-05 to march 5, 2024"), [day, day]);
        assert!(dates("2024-02-30, 3 smarch 2024, may be 12").is_empty());
    }
}
