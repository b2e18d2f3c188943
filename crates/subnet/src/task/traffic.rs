//! What users' queries look like, as gateways count it, and the fields that a task takes from it.
//!
//! [`TrafficCounter`] counts at a gateway; content is not looked at. What it publishes is noisy, and leaves small counts
//! out, so that one query does not show; a user who sends a large part of a gateway's queries shows with their form, not
//! with their content. [`Traffic`] is what validators draw from: the tables of gateways, or a default distribution for the
//! kinds of queries about which these say too little.
//!
//! Users are clients with habits: settings, deadline and length belong together, and the next query of a client is like
//! its last one. So a task's fields are those of clients ([`Client`]), several queries of one after another ([`Series`]).
//!
//! # What a hostile gateway can do
//! Publish counts that no user has, so that tasks drawn from them can be recognised. A validator asks each task through one
//! gateway and draws its fields from what that gateway publishes: such a gateway spoils the tasks that it can tell
//! anyway. It cannot ask for longer texts than [`MAX_TASK_BYTES`], nor for shorter deadlines than [`MIN_DEADLINE`].

mod counter;
mod default;
mod round;
mod series;

use std::time::Duration;

use nervure_protocol::{
    COMMON_STOPS, ExpertRequest, FormCount, PairCount, QueryKind, Sampling, SizeCount, TrafficStatistics,
    bounds::MAX_TEXT,
};

use crate::{Dice, Seed};

pub use counter::TrafficCounter;
pub(super) use series::QUERIES_PER_CLIENT;
pub use series::Series;

/// Gateways whose statistics are used at a time; the first ones that the caller gives.
const MAX_GATEWAYS: usize = 16;

/// Queries of a kind that a gateway's table has to count for that kind to be drawn from it.
const MIN_QUERIES: u64 = 128;

/// Most bytes of a task's question: private text is used up by what it shows.
pub const MAX_TASK_BYTES: usize = 16 << 10;

/// Shortest deadline of a task's question: honest experts need the time.
pub const MIN_DEADLINE: Duration = Duration::from_secs(10);

/// The fields of a query that its content does not fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryShape {
    /// How the answer is sampled; for kinds that are sampled.
    pub sampling: Sampling,
    /// Bytes of text, all parts together.
    pub bytes: usize,
    /// Messages of a chat, or inputs of an embedding.
    pub parts: usize,
    /// Whether a chat begins with instructions.
    pub system: bool,
    /// How long the answer may take.
    pub deadline: Duration,
}

/// What users' queries look like.
#[derive(Clone, Debug)]
pub struct Traffic {
    tables: Vec<Table>,
    default: Table,
}

/// The statistics of one gateway.
#[derive(Clone, Debug)]
struct Table {
    forms: Vec<FormCount>,
    sizes: Vec<SizeCount>,
    pairs: Vec<PairCount>,
}

/// One client, as far as its queries show: settings, and a length that varies a little.
#[derive(Clone, Copy, Debug)]
struct Client {
    form: Option<FormCount>,
    size: Option<SizeCount>,
}

impl Default for Traffic {
    /// The distribution of a mesh whose gateways publish nothing: that of the defaults of common clients.
    fn default() -> Self {
        Self::new([])
    }
}

impl Traffic {
    /// The statistics of gateways, each of which has the same weight. The default distribution stands in for kinds of
    /// which no gateway counted enough.
    pub fn new<'a>(gateways: impl IntoIterator<Item = &'a TrafficStatistics>) -> Self {
        let tables = gateways.into_iter().take(MAX_GATEWAYS).map(Table::from).collect();
        Self { tables, default: Table::from(&default::statistics()) }
    }

    /// The fields of one query of that kind.
    pub fn draw(&self, kind: QueryKind, dice: &mut Dice) -> QueryShape {
        self.client(kind, dice).shape(dice)
    }

    /// A client that asks queries of that kind.
    fn client(&self, kind: QueryKind, dice: &mut Dice) -> Client {
        self.table(&[kind], dice).client(kind, dice)
    }

    /// One of these kinds, as often as users ask for it.
    pub fn kind(&self, kinds: &[QueryKind], dice: &mut Dice) -> Option<QueryKind> {
        let sizes = &self.table(kinds, dice).sizes;
        let counted = pick(sizes, dice, |row| count_if(kinds.contains(&row.kind), row.count));
        counted.map(|row| row.kind).or_else(|| kinds.first().copied())
    }

    /// How long the answer to `request` may take, as users with its settings have it.
    pub fn deadline(&self, request: &ExpertRequest, dice: &mut Dice) -> Duration {
        let kind = request.into();
        let forms = &self.table(&[kind], dice).forms;
        let alike = |row: &FormCount| count_if(row.kind == kind && has_form(request, row), row.count);
        let like_it = pick(forms, dice, alike);
        let form = like_it.or_else(|| pick(forms, dice, |row| count_if(row.kind == kind, row.count)));
        deadline(form.as_ref())
    }

    /// One of the gateways' tables that count enough of these kinds, or the default one.
    fn table(&self, kinds: &[QueryKind], dice: &mut Dice) -> &Table {
        let full: Vec<&Table> =
            self.tables.iter().filter(|table| table.queries(kinds) >= MIN_QUERIES).collect();
        dice.pick(&full).copied().unwrap_or(&self.default)
    }
}

impl From<&TrafficStatistics> for Table {
    fn from(statistics: &TrafficStatistics) -> Self {
        let TrafficStatistics { forms, sizes, pairs, .. } = statistics.clone();
        Self { forms, sizes, pairs }
    }
}

impl Table {
    /// The queries of these kinds, as both tables count them.
    fn queries(&self, kinds: &[QueryKind]) -> u64 {
        let forms = self.forms.iter().map(|row| count_if(kinds.contains(&row.kind), row.count)).sum();
        let sizes = self.sizes.iter().map(|row| count_if(kinds.contains(&row.kind), row.count)).sum();
        u64::min(forms, sizes)
    }

    /// Settings, and a length that comes with them: where the two were not counted together, one of all.
    fn client(&self, kind: QueryKind, dice: &mut Dice) -> Client {
        let places: Vec<usize> = (0..self.forms.len()).collect();
        let count = |at: &usize| self.forms.get(*at).map_or(0, |row| count_if(row.kind == kind, row.count));
        let place = pick(&places, dice, count);
        let form = place.and_then(|at| self.forms.get(at)).copied();
        let together = |row: &PairCount| count_if(Some(usize::from(row.form)) == place, row.count);
        let paired: u64 = self.pairs.iter().map(together).sum();
        let all = form.map_or(0, |form| u64::from(form.count)).max(paired);
        let pair = match dice.below(all) < paired {
            true => pick(&self.pairs, dice, together),
            false => None,
        };
        let size = pair.and_then(|pair| self.sizes.get(usize::from(pair.size))).copied();
        let size = size.or_else(|| pick(&self.sizes, dice, |row| count_if(row.kind == kind, row.count)));
        Client { form, size }
    }
}

impl Client {
    /// The fields of its next query.
    fn shape(&self, dice: &mut Dice) -> QueryShape {
        let size = self.size;
        let within = |low: u32, high: u32, dice: &mut Dice| dice.within(low.into(), high.into()) as usize;
        let bytes = size.map_or(64, |row| within(row.min_bytes, row.max_bytes, dice));
        let parts = size.map_or(1, |row| within(row.min_parts.into(), row.max_parts.into(), dice));
        QueryShape {
            sampling: self.form.as_ref().map_or_else(Sampling::default, sampling),
            bytes: bytes.clamp(1, MAX_TASK_BYTES.min(MAX_TEXT)),
            parts: parts.max(1),
            system: size.is_some_and(|row| row.system),
            deadline: deadline(self.form.as_ref()),
        }
    }
}

impl QueryShape {
    /// The fields of one query of that kind, from a seed of its own.
    pub fn of(traffic: &Traffic, kind: QueryKind, seed: Seed) -> Self {
        traffic.draw(kind, &mut Dice::new(seed))
    }
}

/// The sampling of these settings; the default one for kinds that do not sample.
fn sampling(form: &FormCount) -> Sampling {
    if matches!(form.kind, QueryKind::Embed | QueryKind::Distribution) {
        return Sampling::default();
    }
    let stop = usize::from(form.stop).checked_sub(1).and_then(|at| COMMON_STOPS.get(at));
    Sampling {
        max_tokens: form.max_tokens,
        temperature_milli: form.temperature_milli,
        top_p_milli: form.top_p_milli,
        seed: form.seed.map(u64::from),
        stop: stop.map(|stop| (*stop).to_owned()).into_iter().collect(),
        unset: form.unset,
        ..Sampling::default()
    }
}

/// Whether a request has these settings.
fn has_form(request: &ExpertRequest, form: &FormCount) -> bool {
    request.sampling().is_none_or(|sampling| {
        (sampling.max_tokens, sampling.temperature_milli, sampling.top_p_milli)
            == (form.max_tokens, form.temperature_milli, form.top_p_milli)
            && round::seed(sampling.seed) == form.seed
            && round::stop(&sampling.stop) == form.stop
            && sampling.unset == form.unset
    })
}

fn deadline(form: Option<&FormCount>) -> Duration {
    let seconds = form.map_or(default::DEADLINE_SECONDS, |form| form.seconds);
    Duration::from_secs(seconds.into()).max(MIN_DEADLINE)
}

fn count_if(fits: bool, count: u32) -> u64 {
    if fits { count.into() } else { 0 }
}

/// One of the rows, each as often as its weight says.
fn pick<R: Copy>(rows: &[R], dice: &mut Dice, weight: impl Fn(&R) -> u64) -> Option<R> {
    let mut chance = dice.below(rows.iter().map(&weight).sum());
    for row in rows {
        match chance.checked_sub(weight(row)) {
            Some(rest) => chance = rest,
            None => return Some(*row),
        }
    }
    None
}

#[cfg(test)]
mod tests;
