//! The baseline that an expert must beat: an order-2 byte model of the same training text.
//!
//! Witten-Bell smoothing: each order gives `n / (n + distinct)` of the mass to its own counts and the rest to the next
//! lower order, down to a uniform byte.

use std::collections::HashSet;

/// Byte counts after every context of zero, one and two bytes.
pub(crate) struct Order2 {
    orders: [Counts; 3],
}

struct Counts {
    follow: Vec<u32>,
    total: Vec<u32>,
    distinct: Vec<u32>,
}

impl Counts {
    fn new(contexts: usize) -> Self {
        Self { follow: vec![0; contexts * 256], total: vec![0; contexts], distinct: vec![0; contexts] }
    }

    fn count(&mut self, context: usize, byte: u8) {
        let count = &mut self.follow[context * 256 + usize::from(byte)];
        self.distinct[context] += u32::from(*count == 0);
        *count += 1;
        self.total[context] += 1;
    }

    fn mix(&self, context: usize, byte: u8, lower: f64) -> f64 {
        let (n, t) = (f64::from(self.total[context]), f64::from(self.distinct[context]));
        if n == 0.0 {
            return lower;
        }
        (f64::from(self.follow[context * 256 + usize::from(byte)]) + t * lower) / (n + t)
    }
}

fn contexts(two: u8, one: u8) -> [usize; 3] {
    [0, usize::from(one), usize::from(two) * 256 + usize::from(one)]
}

impl Order2 {
    pub(crate) fn train(text: &[u8]) -> Self {
        let mut orders = [Counts::new(1), Counts::new(256), Counts::new(65_536)];
        for window in text.windows(3) {
            for (counts, context) in orders.iter_mut().zip(contexts(window[0], window[1])) {
                counts.count(context, window[2]);
            }
        }
        Self { orders }
    }

    /// Mean bits per byte over `text`, without its first two bytes.
    pub(crate) fn bits_per_byte(&self, text: &[u8]) -> f64 {
        let bits: f64 = text
            .windows(3)
            .map(|w| {
                let probability = self
                    .orders
                    .iter()
                    .zip(contexts(w[0], w[1]))
                    .fold(1.0 / 256.0, |lower, (counts, context)| counts.mix(context, w[2], lower));
                -probability.log2()
            })
            .sum();
        bits / (text.len() - 2) as f64
    }
}

/// Contexts of two bytes in `text`: a plausibility check that the corpus is not empty or trivial.
pub(crate) fn distinct_contexts(text: &[u8]) -> usize {
    text.windows(2).collect::<HashSet<_>>().len()
}
