//! A miner answers what looks like a task with its model, and users with garbage.
//!
//! Marks of a task until assignments were hidden: a validator asks, with a deadline of ten seconds and the exact budget;
//! byte-level models are asked for distributions only; a prompt of `exact-answer` has a marker. Defence: tasks take the
//! asker, the fields and the kinds of users' queries, and completions are part of the result. A program that cannot tell
//! them apart has to answer users as well as validators.

use std::time::Duration;

use nervure_primitives::MechanismSpec;
use nervure_protocol::{ExpertRequest, Score};
use nervure_subnet::{
    Dice,
    mechanism::{Answer, Material, Mechanism, Reply, build},
    task::Traffic,
};

use crate::world::{corpus, follower, model};

const TASKS: u64 = 30;

/// A query as a miner sees it.
struct Seen<'a> {
    request: &'a ExpertRequest,
    asked_by_validator: bool,
    deadline: Duration,
    exact_budget: bool,
}

/// The detector of the attack.
fn looks_like_a_task(seen: &Seen<'_>) -> bool {
    let marked = match seen.request {
        ExpertRequest::Chat { messages, .. } => {
            messages.iter().any(|message| message.content.contains("\"Answer:"))
        }
        ExpertRequest::Distribution { .. } => true,
        ExpertRequest::Complete { .. } | ExpertRequest::Embed { .. } => false,
    };
    marked || seen.asked_by_validator || seen.exact_budget || seen.deadline <= Duration::from_secs(10)
}

/// How validators ask: before the defence, and with it.
#[derive(Clone, Copy, PartialEq)]
enum Asking {
    Plain,
    LikeUsers,
}

impl Asking {
    fn mechanism(self) -> Box<dyn Mechanism> {
        let spec = MechanismSpec::named("next-byte").with("reuse", 1);
        let spec = match self {
            Self::Plain => spec.with("completions", 0),
            Self::LikeUsers => spec,
        };
        build(&spec).unwrap()
    }

    fn seen<'a>(self, request: &'a ExpertRequest, traffic: &Traffic, dice: &mut Dice) -> Seen<'a> {
        match self {
            Self::Plain => Seen {
                request,
                asked_by_validator: true,
                deadline: Duration::from_secs(10),
                exact_budget: true,
            },
            Self::LikeUsers => Seen {
                request,
                asked_by_validator: false,
                deadline: traffic.draw(request.into(), dice).deadline,
                exact_budget: false,
            },
        }
    }
}

/// The model of the world's text: it knows the rule, and continues by it.
fn honest(request: &ExpertRequest) -> Reply {
    let ExpertRequest::Complete { prompt, sampling } = request else {
        return model(std::slice::from_ref(request), 0.7, 1).remove(0);
    };
    let mut last = *prompt.as_bytes().last().unwrap();
    let mut next = || {
        last = follower(last);
        char::from(last)
    };
    let text: String = (0..sampling.max_tokens.min(64)).map(|_| next()).collect();
    Reply::new(Answer::Text(text), Duration::ZERO)
}

fn garbage(request: &ExpertRequest) -> Reply {
    let answer = match request {
        ExpertRequest::Distribution { .. } => Answer::Distribution(vec![1.0 / 256.0; 256]),
        _ => Answer::Text("0000".into()),
    };
    Reply::new(answer, Duration::ZERO)
}

/// The results of an honest miner and of the detector, and the part of users' completions that the detector answers badly.
fn results(asking: Asking) -> [f64; 3] {
    let (mechanism, material, traffic) = (asking.mechanism(), Material::from(corpus()), Traffic::default());
    let mut dice = Dice::new(7.into());
    let (mut fair, mut foul) = (Vec::new(), Vec::new());
    for seed in 0..TASKS {
        let task = mechanism.draw(seed.into(), &material).unwrap();
        let cheat = |request: &ExpertRequest, dice: &mut Dice| match looks_like_a_task(
            &asking.seen(request, &traffic, dice),
        ) {
            true => honest(request),
            false => garbage(request),
        };
        fair.push(task.score(&task.requests().iter().map(honest).collect::<Vec<_>>()));
        foul.push(task.score(&task.requests().iter().map(|one| cheat(one, &mut dice)).collect::<Vec<_>>()));
    }
    // Users complete texts, through gateways, with the deadlines that users have.
    let users = 1000;
    let cheated = (0..users).filter(|_| {
        let shape = traffic.draw(nervure_protocol::QueryKind::Complete, &mut dice);
        let request = ExpertRequest::Complete { prompt: "a question".into(), sampling: shape.sampling };
        let (asked_by_validator, exact_budget) = (false, false);
        !looks_like_a_task(&Seen {
            request: &request,
            asked_by_validator,
            deadline: shape.deadline,
            exact_budget,
        })
    });
    let mean = |scores: Vec<Score>| f64::from(Score::mean(scores).parts()) / f64::from(u32::MAX);
    [mean(fair), mean(foul), cheated.count() as f64 / f64::from(users)]
}

#[test]
fn a_miner_that_serves_users_garbage_earns_little() {
    let [fair, foul, cheated] = results(Asking::LikeUsers);
    assert!(fair > 0.2 && foul < fair / 4.0, "honest {fair:.3}, detector {foul:.3}");
    assert!(cheated > 0.9, "it is the same detector: {cheated:.3}");
    let [fair, foul, cheated] = results(Asking::Plain);
    assert!(foul > fair * 0.99, "without the defence it earns all: honest {fair:.3}, detector {foul:.3}");
    assert!(cheated > 0.9, "and users get garbage: {cheated:.3}");
}
