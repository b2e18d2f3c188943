use nervure_primitives::{BlockHeight, cbor};
use nervure_protocol::{SignedLiveScores, testing::key};

use super::*;
use crate::{
    Registration, ScoredExpert,
    score::moving_averages::tests::{board, expert},
};

const NOW: UnixMillis = UnixMillis(1);

fn neuron(seed: u8) -> Registration {
    Registration { node: key(seed).node_id(), block: BlockHeight(5) }
}

fn record(board: &mut MovingAverageTable, expert: &ScoredExpert, percent: u64, times: usize) {
    (0..times).for_each(|_| assert!(board.record(expert, Score::ratio(percent, 100))));
}

/// What is published of each of the experts.
fn shown(
    publication: &ScorePublication,
    board: &MovingAverageTable,
    of: &[ScoredExpert],
) -> Vec<Option<Score>> {
    let scores = publication.live_scores(board, (key(1).node_id(), Netuid(1)), NOW).scores;
    let one = |of: &ScoredExpert| scores.iter().find(|score| score.expert == of.expert);
    of.iter().map(|of| one(of).map(LiveScore::score)).collect()
}

fn percent(percent: u64) -> Option<Score> {
    let rounded = Score::ratio(percent, 100).rounded(STEPS);
    Some(LiveScore::new(ExpertId::from_bytes([0; 32]), rounded, 1).score())
}

#[test]
fn a_rise_is_published_when_the_weights_with_it_are_public() {
    let one = expert(neuron(2), 1);
    let mut board = board(&[one]);
    let mut publication = ScorePublication::default();
    record(&mut board, &one, 25, 20);
    assert!(publication.weights_made(7, &board));
    assert!(publication.epoch_began(8) && !publication.epoch_began(8));
    record(&mut board, &one, 100, 200);
    assert_eq!(shown(&publication, &board, &[one]), [percent(25)], "measured in this epoch");
    assert!(publication.weights_made(8, &board));
    assert_eq!(shown(&publication, &board, &[one]), [percent(25)], "others can still commit");
    assert!(publication.epoch_began(9));
    assert_eq!(shown(&publication, &board, &[one]), [Some(Score::ONE)]);
}

#[test]
fn a_fall_is_published_at_once_and_a_small_one_is_not() {
    let (broken, worse) = (expert(neuron(2), 1), expert(neuron(3), 2));
    let mut board = board(&[broken, worse]);
    let mut publication = ScorePublication::default();
    for expert in [&broken, &worse] {
        record(&mut board, expert, 75, 20);
    }
    publication.weights_made(7, &board);
    publication.epoch_began(8);
    record(&mut board, &broken, 0, 20);
    record(&mut board, &worse, 65, 20);
    assert_eq!(shown(&publication, &board, &[broken, worse]), [percent(0), percent(75)]);
}

#[test]
fn a_newcomer_is_published_after_the_first_weights_with_it() {
    let (old, new) = (expert(neuron(2), 1), expert(neuron(3), 2));
    let mut board = board(&[old, new]);
    let mut publication = ScorePublication::default();
    record(&mut board, &old, 75, 20);
    // In its first epoch a validator has no weights of its own yet.
    assert_eq!(shown(&publication, &board, &[old, new]), [percent(75), None]);
    publication.weights_made(7, &board);
    publication.epoch_began(8);
    record(&mut board, &new, 100, 5);
    assert_eq!(shown(&publication, &board, &[old, new]), [percent(75), None]);
    publication.weights_made(8, &board);
    publication.epoch_began(9);
    assert_eq!(shown(&publication, &board, &[old, new]), [percent(75), Some(Score::ONE)]);
}

#[test]
fn what_weights_are_made_of_is_fixed_once_in_an_epoch() {
    let one = expert(neuron(2), 1);
    let mut board = board(&[one]);
    let mut publication = ScorePublication::default();
    record(&mut board, &one, 25, 20);
    assert!(publication.weights_made(7, &board));
    record(&mut board, &one, 100, 200);
    assert!(!publication.weights_made(7, &board), "a commit that is sent again");
    publication.epoch_began(8);
    assert_eq!(shown(&publication, &board, &[one]), [percent(25)]);
    // An epoch without weights: the scores of the last ones stay.
    assert!(!publication.epoch_began(9));
    assert_eq!(shown(&publication, &board, &[one]), [percent(25)]);
}

#[test]
fn it_survives_a_restart_and_bytes_that_are_not_in_order_are_invalid() {
    let (one, two) = (expert(neuron(2), 1), expert(neuron(3), 2));
    let mut board = board(&[one, two]);
    record(&mut board, &one, 25, 1);
    record(&mut board, &two, 25, 1);
    let mut publication = ScorePublication::default();
    assert!(publication.is_valid());
    publication.weights_made(7, &board);
    publication.weights_made(8, &board);
    let bytes = cbor::encode(&publication).unwrap();
    let read: ScorePublication = cbor::decode(&bytes, cbor::Limits::new(1 << 20)).unwrap();
    assert!(read == publication && read.is_valid());
    let mut broken = publication;
    broken.pending.as_mut().unwrap().scores.reverse();
    assert!(!broken.is_valid());
}

#[test]
fn live_scores_are_of_tested_experts_only() {
    let (tested, untested) = (expert(neuron(2), 1), expert(neuron(3), 2));
    let mut board = board(&[tested, untested]);
    record(&mut board, &tested, 100, 1);
    let published = ScorePublication::default().live_scores(&board, (key(1).node_id(), Netuid(1)), NOW);
    assert_eq!(published.scores, [LiveScore::new(tested.expert, Score::ONE, 1)]);
    let mesh = nervure_primitives::MeshId::from_bytes([7; 32]);
    assert!(SignedLiveScores::sign(&key(1), &mesh, published).is_ok());
}

#[test]
fn each_neuron_is_published_before_anyone_is_twice() {
    let crowd = (0..40u8).flat_map(|seed| (0..32).map(move |number| (seed, number)));
    let experts: Vec<_> = crowd
        .map(|(seed, number)| {
            let id = nervure_primitives::Hash::of("test", &[&[seed, number]]);
            ScoredExpert { neuron: neuron(seed), expert: ExpertId::from_bytes(*id.as_bytes()) }
        })
        .collect();
    let alone = expert(neuron(200), 255);
    let mut board = board(&[&experts[..], &[alone]].concat());
    experts.iter().for_each(|expert| record(&mut board, expert, 100, 1));
    record(&mut board, &alone, 0, 1);
    let published =
        ScorePublication::default().live_scores(&board, (key(1).node_id(), Netuid(1)), NOW).scores;
    assert_eq!(published.len(), MAX_SCORES);
    assert!(published.iter().any(|score| score.expert == alone.expert), "though it is the worst");
}
