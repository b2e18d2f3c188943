//! A mechanism of your own: it draws tasks, scores the answers, and turns them into weights.
//!
//! ```text
//! $ cargo run -p nervure-subnet --example custom-mechanism
//! mechanism roman-numerals largest=100
//! asks, for example: Write 77 in Roman numerals. Answer with the numeral alone.
//! after 20 tasks:
//!   exact    average 1.0000, weight 65535
//!   additive average 0.5570, weight 25600
//!   silent   average 0.0000, weight 0
//! nine questions are refused: parameter questions is out of bounds
//! hostile miners beside the first two, share of all reward:
//!   silent                          0.00, to users 0.00
//!   constant                        0.00, to users 0.00
//!   echo                            0.00, to users 0.00
//!   names everything                0.00, to users 0.00
//!   answers the first request only  0.04, to users 0.25
//!   copier                          0.40, to users 1.00
//!   relayer                         0.40, to users 1.00
//!   copier with noise               0.00, to users 0.00
//!   midpoint merger                 0.40, to users 1.00
//!   copies in turn                  0.25, to users 1.00
//!   second expert                   0.40, to users 0.00
//!   selective on detected tasks     0.40, to users 0.00
//! ```
//!
//! Three miners are simulated here, and then the hostile ones of the kit that the built-in mechanisms are tested with
//! (`tests/attacks/kit.rs`): none without the answers may earn. Those with the best miner's answers earn as much as that
//! one, because all right answers are equal: such a mechanism measures a capability, and should not pay for models. To use the mechanism in a mesh, name it in the subnet's part of the mesh spec
//! (`mechanism = { name = "roman-numerals" }`), and start each validator of the subnet from a program that knows it:
//! `Node::builder(preset).mechanisms(mechanisms)` of the crate `nervure`.

use std::{error::Error, io::Write, time::Duration};

use nervure_primitives::{BlockHeight, MechanismSpec, NodeKey, Uid};
use nervure_protocol::{ExpertId, ExpertRequest, Sampling, Score};
use nervure_subnet::{
    Dice, Registration, ScoredExpert, Seed,
    mechanism::{Answer, DrawError, Material, Mechanism, Mechanisms, Parameters, Reply, Task},
    score::{MovingAverageTable, ScoringRules, evaluate},
};
use serde::Deserialize;

#[path = "../tests/attacks/kit.rs"]
mod kit;

/// Tasks that the validator sets.
const TASKS: u64 = 20;

/// Roman numerals with their values, the largest first.
const NUMERALS: [(u64, &str); 13] = [
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
];

/// The mechanism's parameters, as a subnet's owner sets them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RomanNumerals {
    /// Questions of one task, 1 to 8.
    questions: u8,
    /// The largest number asked for, 1 to 3,999.
    largest: u16,
}

impl Default for RomanNumerals {
    fn default() -> Self {
        Self { questions: 4, largest: 3999 }
    }
}

impl Parameters for RomanNumerals {
    fn out_of_bounds(&self) -> Option<&'static str> {
        let bounds = [
            ("questions", (1..=8).contains(&self.questions)),
            ("largest", (1..=3999).contains(&self.largest)),
        ];
        bounds.into_iter().find_map(|(name, within)| (!within).then_some(name))
    }
}

impl Mechanism for RomanNumerals {
    // Only the seed decides: the same one draws the same task.
    fn draw(&self, seed: Seed, _: &Material) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        let numbers: Vec<u64> = (0..self.questions).map(|_| dice.within(1, self.largest.into())).collect();
        Ok(Box::new(RomanTask {
            requests: numbers.iter().map(|number| question(*number)).collect(),
            solutions: numbers.iter().map(|number| numeral(*number, &NUMERALS)).collect(),
        }))
    }
}

/// Questions, and the solutions that never leave the validator.
struct RomanTask {
    requests: Vec<ExpertRequest>,
    solutions: Vec<String>,
}

impl Task for RomanTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    // The reply has to be the numeral alone: a text with many numerals would contain the right one.
    fn score(&self, replies: &[Reply]) -> Score {
        let right = |reply: &Reply, solution: &String| match reply.answer() {
            Answer::Text(text) => text.trim().eq_ignore_ascii_case(solution),
            _ => false,
        };
        let right = replies.iter().zip(&self.solutions).filter(|(reply, solution)| right(reply, solution));
        Score::ratio(right.count() as u64, self.solutions.len() as u64)
    }
}

/// The request for one number, in the form of a user's question.
fn question(number: u64) -> ExpertRequest {
    let prompt = format!("Write {number} in Roman numerals. Answer with the numeral alone.");
    ExpertRequest::chat(prompt, Sampling { max_tokens: 32, temperature_milli: 0, ..Sampling::default() })
}

/// A number in numerals of these values.
fn numeral(mut number: u64, values: &[(u64, &str)]) -> String {
    let mut text = String::new();
    for (value, letters) in values {
        text.push_str(&letters.repeat((number / value) as usize));
        number %= value;
    }
    text
}

/// A simulated miner's replies.
fn replies(miner: &str, requests: &[ExpertRequest]) -> Vec<Reply> {
    let additive: Vec<_> = NUMERALS.into_iter().filter(|(_, letters)| letters.len() == 1).collect();
    let reply = |request: &ExpertRequest| {
        let ExpertRequest::Chat { messages, .. } = request else { return Reply::missing() };
        let digits: String = messages[0].content.chars().filter(char::is_ascii_digit).collect();
        let number = digits.parse().unwrap_or_default();
        let text = match miner {
            "exact" => numeral(number, &NUMERALS),
            // Writes IIII for IV.
            "additive" => numeral(number, &additive),
            _ => return Reply::missing(),
        };
        Reply::new(Answer::Text(text), Duration::from_millis(50))
    };
    requests.iter().map(reply).collect()
}

/// Registers the mechanism, sets the tasks, and prints what becomes of them.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut mechanisms = Mechanisms::built_in();
    mechanisms.add::<RomanNumerals>("roman-numerals")?;
    let spec = MechanismSpec::named("roman-numerals").with("largest", 100);
    writeln!(out, "mechanism {spec}")?;
    let mechanism = mechanisms.build(&spec)?;

    let miners = ["exact", "additive", "silent"];
    let experts = [1, 2, 3].map(|seed| {
        let node = NodeKey::from_seed(&[seed; 32]).node_id();
        let neuron = Registration { node, block: BlockHeight(1) };
        // In a node, the identity comes from the expert's record: `ScoredExpert::of`.
        ScoredExpert { neuron, expert: ExpertId::from_bytes([seed; 32]) }
    });
    let neurons = experts.map(|expert| expert.neuron);
    let mut averages = MovingAverageTable::new(ScoringRules::default())?;
    averages.set_registered(neurons);
    for number in 0..TASKS {
        let task = mechanism.draw(Seed::from(1).derive("task", number), &Material::default())?;
        let answers: Vec<_> = miners.iter().map(|miner| replies(miner, task.requests())).collect();
        if let (0, Some(ExpertRequest::Chat { messages, .. })) = (number, task.requests().first()) {
            writeln!(out, "asks, for example: {}", messages[0].content)?;
        }
        let answers: Vec<_> = experts.into_iter().zip(answers).collect();
        for result in evaluate(task.as_ref(), &answers) {
            averages.record(&result.expert, result.result);
        }
    }

    let slots = [0, 1, 2].map(Uid);
    let weights = averages.weights(slots.into_iter().zip(neurons));
    writeln!(out, "after {TASKS} tasks:")?;
    for ((miner, neuron), slot) in miners.iter().zip(&neurons).zip(slots) {
        let average = averages.averages_of(neuron).unwrap_or_default().quality;
        let weight = weights.iter().find(|(uid, _)| *uid == slot).map_or(0, |(_, weight)| *weight);
        writeln!(out, "  {miner:<8} average {average}, weight {weight}")?;
    }

    if let Err(refused) = mechanisms.build(&spec.with("questions", 9)) {
        writeln!(out, "nine questions are refused: {refused}")?;
    }

    writeln!(out, "hostile miners beside the first two, share of all reward:")?;
    let [exact, additive] =
        ["exact", "additive"].map(|miner| move |requests: &[ExpertRequest]| replies(miner, requests));
    let honest: [kit::Model<'_>; 2] = [&exact, &additive];
    let material = Material::default();
    let siege = kit::Siege::new(mechanism.as_ref(), &material, &honest);
    for kit::Outcome { name, share, users, .. } in kit::run(&siege, kit::strategies::all()) {
        writeln!(out, "  {name:<31} {share:.2}, to users {users:.2}")?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}
