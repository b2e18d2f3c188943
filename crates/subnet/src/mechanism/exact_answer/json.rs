//! Changing and reading JSON.

use serde_json::{Map, Value, json};

use super::{
    Expected,
    puzzle::{Puzzle, worded},
    words::{names, words},
};
use crate::Dice;

/// A question about JSON.
pub(super) fn puzzle(dice: &mut Dice) -> Puzzle {
    let (question, expected) = match dice.below(4) {
        0 => filtered(dice),
        1 => summed(dice),
        2 => inverted(dice),
        _ => renamed(dice),
    };
    Puzzle::new(dice, &question, expected)
}

struct Person {
    name: &'static str,
    age: u64,
    team: &'static str,
}

/// People with an age and a team.
fn people(dice: &mut Dice) -> Vec<Person> {
    let count = dice.within(4, 7) as usize;
    let names = names(dice, count);
    let mut with = |name| {
        let team = dice.pick(&["red", "blue", "green"]).copied().unwrap_or("red");
        Person { name, age: dice.within(18, 80), team }
    };
    names.into_iter().map(&mut with).collect()
}

fn shown(people: &[Person]) -> Value {
    let shown = |Person { name, age, team }: &Person| json!({"name": name, "age": age, "team": team});
    people.iter().map(shown).collect()
}

fn filtered(dice: &mut Dice) -> (String, Expected) {
    let (people, limit) = (people(dice), dice.within(30, 60));
    let wordings = [
        "From this JSON, give the names of all people older than LIMIT, as a JSON array in the order of the input: {}",
        "Here is some data: {} Return a JSON array of the names whose age is above LIMIT, keeping their order.",
    ];
    let question = worded(dice, &wordings, &shown(&people).to_string()).replace("LIMIT", &limit.to_string());
    let older: Value =
        people.iter().filter(|person| person.age > limit).map(|person| json!(person.name)).collect();
    (question, Expected::Json(older))
}

fn summed(dice: &mut Dice) -> (String, Expected) {
    let people = people(dice);
    let wordings = [
        "Add up the ages per team and return a JSON object from team to sum, without teams that do not occur: {}",
        "Given {} produce a JSON object that maps each team in it to the total age of its members.",
    ];
    let mut sums = Map::new();
    for Person { age, team, .. } in &people {
        let before = sums.get(*team).and_then(Value::as_u64).unwrap_or(0);
        sums.insert((*team).to_owned(), json!(before + age));
    }
    (worded(dice, &wordings, &shown(&people).to_string()), Expected::Json(Value::Object(sums)))
}

fn inverted(dice: &mut Dice) -> (String, Expected) {
    let (keys, values) = (words(dice, 4), words(dice, 6));
    // Values that are keys as well would make it a riddle.
    let pairs: Vec<_> = keys.iter().zip(values.iter().filter(|value| !keys.contains(value))).collect();
    let object: Map<String, Value> =
        pairs.iter().map(|(key, value)| ((*key).clone(), json!(value))).collect();
    let inverse: Map<String, Value> =
        pairs.iter().map(|(key, value)| ((*value).clone(), json!(key))).collect();
    let wordings = [
        "Swap keys and values of this JSON object: {}",
        "Invert the mapping {} so that values become keys, as JSON.",
    ];
    (worded(dice, &wordings, &Value::Object(object).to_string()), Expected::Json(Value::Object(inverse)))
}

fn renamed(dice: &mut Dice) -> (String, Expected) {
    let keys = words(dice, 5);
    let values: Vec<u64> = keys.iter().map(|_| dice.within(0, 999)).collect();
    let object = |keys: &[String]| -> Map<String, Value> {
        keys.iter().cloned().zip(values.iter().map(|value| json!(value))).collect()
    };
    let before = Value::Object(object(&keys));
    let mut after_keys = keys;
    let new = format!("{}_id", after_keys.first().cloned().unwrap_or_default());
    let old = after_keys.first_mut().map(|key| std::mem::replace(key, new.clone())).unwrap_or_default();
    let wordings = [
        "Rename the key \"OLD\" to \"NEW\" in this JSON and change nothing else: {}",
        "In {} the key \"OLD\" should be called \"NEW\". Return the whole JSON object with that change.",
    ];
    let question = worded(dice, &wordings, &before.to_string()).replace("OLD", &old).replace("NEW", &new);
    (question, Expected::Json(Value::Object(object(&after_keys))))
}
