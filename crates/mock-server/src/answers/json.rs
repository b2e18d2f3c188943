//! Questions about a JSON value in the text: filtering and summing records, swapping keys and values, renaming a key.

use serde_json::{Map, Value};

use super::{
    question::{Question, numbers},
    solution::Solution,
};

/// Answers a question about a JSON value.
pub(super) fn solve(question: &Question<'_>) -> Option<Solution> {
    let start = question.text.find(['{', '['])?;
    let mut values = serde_json::Deserializer::from_str(&question.text[start..]).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let end = start + values.byte_offset();
    let around = format!("{} {}", &question.text[..start], &question.text[end..]);
    let around = Question { lower: around.to_ascii_lowercase(), text: &around };
    let solved = match value {
        Value::Array(items) => {
            let records = items.iter().map(Value::as_object).collect::<Option<Vec<_>>>()?;
            summed(&around, &records).or_else(|| filtered(&around, &records))?
        }
        Value::Object(fields) if around.contains_any(&["swap", "invert"]) => inverted(&fields)?,
        Value::Object(fields) => renamed(&around, fields)?,
        _ => return None,
    };
    Some(Solution::Json(solved))
}

type Record = Map<String, Value>;

/// The first field of the records that holds numbers.
fn number_field(records: &[&Record]) -> Option<String> {
    let (name, _) = records.first()?.iter().find(|(_, value)| value.is_i64())?;
    Some(name.clone())
}

/// The sums of the numbers, grouped by the field that the question names.
fn summed(question: &Question<'_>, records: &[&Record]) -> Option<Value> {
    if !question.contains_any(&["add up", "sum", "total"]) {
        return None;
    }
    let named = |name: &&String| question.contains_any(&[&format!("per {name}"), &format!("each {name}")]);
    let group = records.first()?.keys().find(named)?;
    let field = number_field(records)?;
    let mut sums = Map::new();
    for record in records {
        let key = record.get(group)?.as_str()?.to_owned();
        let before = sums.get(&key).and_then(Value::as_i64).unwrap_or(0);
        sums.insert(key, before.checked_add(record.get(&field)?.as_i64()?)?.into());
    }
    Some(Value::Object(sums))
}

/// The values of the field that the question names, of all records whose number is above or below a limit.
fn filtered(question: &Question<'_>, records: &[&Record]) -> Option<Value> {
    const MORE: [&str; 4] = ["older than", "above", "more than", "over "];
    const LESS: [&str; 4] = ["younger than", "below", "less than", "under "];
    let limit = |words: &[&str]| {
        let found = words.iter().find_map(|word| Some(question.lower.find(word)? + word.len()))?;
        numbers(&question.lower[found..]).next()
    };
    let (limit, more) = match limit(&MORE) {
        Some(limit) => (limit, true),
        None => (limit(&LESS)?, false),
    };
    let wanted = records
        .first()?
        .iter()
        .find(|(name, value)| value.is_string() && question.contains_any(&[&format!("{name}s")]))?
        .0;
    let field = number_field(records)?;
    let mut kept = Vec::new();
    for record in records {
        let number = record.get(&field)?.as_i64()?;
        if if more { number > limit } else { number < limit } {
            kept.push(record.get(wanted)?.clone());
        }
    }
    Some(Value::Array(kept))
}

fn inverted(fields: &Record) -> Option<Value> {
    let swapped =
        fields.iter().map(|(key, value)| Some((value.as_str()?.to_owned(), Value::from(key.clone()))));
    swapped.collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn renamed(question: &Question<'_>, fields: Record) -> Option<Value> {
    let [old, new] = question.quoted().try_into().ok()?;
    if !question.contains_any(&["rename", "should be called", "change the key"]) || !fields.contains_key(old)
    {
        return None;
    }
    let name = |key: String| if key == old { new.to_owned() } else { key };
    Some(Value::Object(fields.into_iter().map(|(key, value)| (name(key), value)).collect()))
}
