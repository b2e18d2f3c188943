//! Who is where: statements about an order, in any sequence, and a question about a place in it.

use super::{
    Expected,
    puzzle::{Puzzle, worded},
    words::names,
};
use crate::Dice;

/// A relation: how it is stated, how it is stated the other way round, what has the most of it, and what the least.
struct Relation {
    more: [&'static str; 2],
    less: [&'static str; 2],
    most: &'static str,
    least: &'static str,
}

const RELATIONS: [Relation; 5] = [
    Relation {
        more: ["A is taller than B", "B does not reach A's height"],
        less: ["A is shorter than B", "B towers over A"],
        most: "Who is the tallest?",
        least: "Who is the shortest of them?",
    },
    Relation {
        more: ["A arrived before B", "B came later than A"],
        less: ["A arrived after B", "B was there before A"],
        most: "Who arrived first?",
        least: "Who was the last to arrive?",
    },
    Relation {
        more: ["A scored more points than B", "B has fewer points than A"],
        less: ["A scored fewer points than B", "B beat A on points"],
        most: "Who has the most points?",
        least: "Who came last?",
    },
    Relation {
        more: ["A is older than B", "B was born after A"],
        less: ["A is younger than B", "B was born before A"],
        most: "Who is the oldest?",
        least: "Who is the youngest?",
    },
    Relation {
        more: ["A's flat costs more rent than B's", "B pays less rent than A"],
        less: ["A pays less rent than B", "B's rent is higher than A's"],
        most: "Who pays the most?",
        least: "Whose rent is the lowest?",
    },
];

const LEADS: [&str; 5] =
    ["{}. Q", "We know this: {}. Q", "{}; Q", "Suppose that {}. Q", "Here is what I was told: {}. Now, Q"];

/// A question about an order.
pub(super) fn puzzle(dice: &mut Dice) -> Puzzle {
    let count = dice.within(4, 6) as usize;
    let order = names(dice, count);
    let Some(relation) = dice.pick(&RELATIONS) else { return Puzzle::new(dice, "", Expected::Number(0)) };
    // Neighbours of the order, so that it is the only one that fits.
    let mut statements: Vec<String> = order.windows(2).map(|pair| statement(dice, relation, pair)).collect();
    dice.shuffle(&mut statements);
    let joint = if dice.below(2) == 0 { ", and " } else { ". " };
    let (asked, place) = match dice.below(4) {
        0 => (relation.most.to_owned(), 0),
        1 => (relation.least.to_owned(), order.len() - 1),
        _ => {
            let place = dice.index(order.len() - 2) + 1;
            let nth = ["second", "third", "fourth", "fifth"].get(place - 1).copied().unwrap_or("second");
            (format!("Who comes {nth} if the answer to \"{}\" is counted as first?", relation.most), place)
        }
    };
    let told = worded(dice, &LEADS, &statements.join(joint)).replace('Q', &asked);
    let expected = order.get(place).copied().unwrap_or_default().to_owned();
    Puzzle::new(dice, &told, Expected::Word(expected))
}

fn statement(dice: &mut Dice, relation: &Relation, pair: &[&str]) -> String {
    let (first, second) =
        (pair.first().copied().unwrap_or_default(), pair.get(1).copied().unwrap_or_default());
    let (wordings, a, b) = match dice.below(2) {
        0 => (&relation.more, first, second),
        _ => (&relation.less, second, first),
    };
    let wording = dice.pick(wordings).copied().unwrap_or_default();
    // Marks that no name contains, so that one replacement does not change the other's name.
    wording.replace('A', "\u{1}").replace('B', "\u{2}").replace('\u{1}', a).replace('\u{2}', b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_follows_from_the_statements() {
        for seed in 0..300u64 {
            let puzzle = puzzle(&mut Dice::new(seed.into()));
            let Expected::Word(name) = &puzzle.expected else { panic!("no name") };
            // It stands in the statements, and with the others' names, so that guessing pays at most a quarter.
            assert!(puzzle.prompt.contains(name.as_str()), "{}", puzzle.prompt);
            assert!(!puzzle.prompt.contains(['\u{1}', '\u{2}', '{']), "{}", puzzle.prompt);
        }
    }
}
