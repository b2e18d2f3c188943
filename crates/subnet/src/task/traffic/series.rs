//! Queries of one client after another.

use nervure_protocol::QueryKind;

use super::{Client, QueryShape, Traffic};
use crate::Dice;

/// One in so many queries is the first one of another client.
pub(in crate::task) const QUERIES_PER_CLIENT: u64 = 4;

/// How many clients are tried for one whose queries fit.
const MAX_TRIES: usize = 16;

/// The shapes of the questions of a task: a few alike, as one client asks them, then those of another.
#[derive(Debug)]
pub struct Series<'a> {
    traffic: &'a Traffic,
    kind: QueryKind,
    client: Option<Client>,
}

impl<'a> Series<'a> {
    /// Queries of that kind.
    pub fn new(traffic: &'a Traffic, kind: QueryKind) -> Self {
        Self { traffic, kind, client: None }
    }

    /// The next query.
    pub fn draw(&mut self, dice: &mut Dice) -> QueryShape {
        let goes_on = dice.below(QUERIES_PER_CLIENT) > 0;
        let client = self.client.filter(|_| goes_on);
        let client = client.unwrap_or_else(|| self.traffic.client(self.kind, dice));
        self.client = Some(client);
        client.shape(dice)
    }

    /// The next query of a client whose query `fits`; any one where none of a few does.
    pub fn draw_where(&mut self, dice: &mut Dice, fits: impl Fn(&QueryShape) -> bool) -> QueryShape {
        let mut shape = self.draw(dice);
        for _ in 0..MAX_TRIES {
            if fits(&shape) {
                break;
            }
            self.client = None;
            shape = self.draw(dice);
        }
        shape
    }
}
