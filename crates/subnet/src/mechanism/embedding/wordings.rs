//! Triples from a table: a statement, the same in other words, and another statement.
//!
//! The nearer and the farther text have one frame, name and number, and both their statements come from the same
//! column of the table, the one that the anchor's does not come from. So everything but the meaning is the same in
//! both, and a model that looks at the form alone scores as random choice does.

use super::Triple;
use crate::Dice;

/// Statements that mean the same, of which no two rows do. `NAME` and `NUMBER` are drawn.
const STATEMENTS: [[&str; 2]; 16] = [
    ["the train was late by NUMBER minutes", "the railway service arrived NUMBER minutes behind schedule"],
    ["the soup needs more salt", "this broth is too bland and wants seasoning"],
    ["the child fell asleep quickly", "it took the little one no time to doze off"],
    ["the company lost money this year", "the firm made no profit over the past twelve months"],
    ["the roof leaks when it rains", "water comes through the ceiling in wet weather"],
    ["the program crashes at startup", "the software fails as soon as it is launched"],
    ["the patient has a high fever", "the sick person's temperature is far above normal"],
    ["the road is closed for repairs", "because of construction work no cars may pass along the street"],
    ["the museum is free on Sundays", "visitors pay nothing to see the exhibition at the end of the week"],
    ["the battery is almost empty", "hardly any charge is left in the power cell"],
    ["the dog is afraid of thunder", "storms frighten the hound"],
    ["the lecture was hard to follow", "listeners struggled to understand the professor's talk"],
    ["the tomatoes are not ripe yet", "those red fruits still need time before they can be picked"],
    ["the judge rejected the appeal", "the court turned down the request for a new ruling"],
    ["the team won by NUMBER points", "our side beat its opponents with a lead of NUMBER"],
    ["the apartment is very noisy", "one cannot get any quiet in that flat"],
];

/// What statements stand in.
const FRAMES: [&str; 7] = [
    "NAME wrote on day NUMBER that {}.",
    "According to NAME, {}, which was noted NUMBER times.",
    "In message NUMBER, NAME complained that {}.",
    "NAME told all NUMBER of us that {}.",
    "People say {}.",
    "It seems that {}.",
    "Apparently {}.",
];

const FIRST_NAMES: [&str; 10] =
    ["Alma", "Bruno", "Carmen", "Dmitri", "Esther", "Felix", "Gita", "Henrik", "Imani", "Jun"];

/// Draws a triple.
pub(super) fn triple(dice: &mut Dice) -> Triple {
    let rows = dice.distinct(2, STATEMENTS.len() as u64);
    let row =
        |at: usize| rows.get(at).and_then(|row| STATEMENTS.get(*row as usize)).copied().unwrap_or_default();
    let column = dice.index(2);
    let [said, same, other] = [row(0)[column], row(0)[1 - column], row(1)[1 - column]];
    let (around_anchor, around_others) = (Frame::draw(dice), Frame::draw(dice));
    Triple {
        anchor: around_anchor.around(said),
        near: around_others.around(same),
        far: around_others.around(other),
    }
}

/// What a statement stands in, with the name and number for it.
struct Frame {
    text: &'static str,
    name: &'static str,
    number: String,
}

impl Frame {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            text: dice.pick(&FRAMES).copied().unwrap_or("{}"),
            name: dice.pick(&FIRST_NAMES).copied().unwrap_or_default(),
            number: dice.within(3, 997).to_string(),
        }
    }

    fn around(&self, statement: &str) -> String {
        let text = self.text.replace("{}", statement);
        text.replace("NAME", self.name).replace("NUMBER", &self.number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn words(text: &str) -> BTreeSet<&str> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
    }

    /// The form is the same in both, so that only meaning tells them apart.
    #[test]
    fn nearer_and_farther_differ_in_their_statement_only() {
        for seed in 0..200u64 {
            let Triple { anchor, near, far } = triple(&mut Dice::new(seed.into()));
            let column = |text: &str| {
                STATEMENTS.iter().find_map(|row| {
                    row.iter().position(|statement| text.contains(statement.split(" NUMBER").next().unwrap()))
                })
            };
            assert!(
                column(&near) == column(&far) && column(&near) != column(&anchor),
                "{anchor} | {near} | {far}"
            );
            assert!(
                !anchor.contains("NUMBER") && !anchor.contains("NAME") && !anchor.contains("{}"),
                "{anchor}"
            );
        }
    }

    #[test]
    fn counting_common_words_is_not_enough() {
        let right = |seed: &u64| {
            let Triple { anchor, near, far } = triple(&mut Dice::new((*seed).into()));
            let common = |other: &str| words(&anchor).intersection(&words(other)).count();
            common(&near) > common(&far)
        };
        let right = (0..1000).filter(right).count();
        assert!(right < 650, "{right} of 1000");
    }
}
