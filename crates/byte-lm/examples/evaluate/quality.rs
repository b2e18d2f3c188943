//! Bits per byte of every model on every domain, beside the order-2 model and the uniform mixture.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result};
use nervure_byte_lm::builtin::BUILTIN;
use nervure_byte_lm::{bits_per_byte, byte_probabilities};
use serde::Serialize;

/// Most held-out bytes that are scored of each domain; the shipped texts are shorter.
const MAX_BYTES: usize = 64 << 10;
/// Bits per byte by the domain that was trained, then by the domain that was scored.
const ORDER2: &str = include_str!("../../data/order2.json");

/// The whole table.
#[derive(Serialize)]
pub(crate) struct Quality {
    domains: Vec<Domain>,
    mean: Figures,
}

/// One domain's text.
#[derive(Serialize)]
struct Domain {
    domain: &'static str,
    heldout_bytes: usize,
    #[serde(flatten)]
    figures: Figures,
}

/// Bits per byte.
#[derive(Serialize, Default)]
struct Figures {
    /// By model, in the order of [`BUILTIN`].
    models: Vec<f64>,
    /// The model of the text's own domain.
    own: f64,
    /// An order-2 model of the text's own domain.
    order2: f64,
    /// All models' distributions, averaged.
    mixture: f64,
}

pub(crate) fn measure() -> Result<Quality> {
    let order2: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_str(ORDER2)?;
    let models = BUILTIN.iter().map(|builtin| builtin.load()).collect::<Result<Vec<_>, _>>()?;
    let mut domains = Vec::new();
    for (index, builtin) in BUILTIN.iter().enumerate() {
        let name = builtin.domain();
        let all = crate::heldout(builtin.domain())?;
        let text = &all[..all.len().min(MAX_BYTES)];
        let scored =
            models.iter().map(|model| byte_probabilities(model, text)).collect::<Result<Vec<_>, _>>()?;
        let bits: Vec<f64> = scored.iter().map(|p| bits_per_byte(p)).collect();
        let figures = Figures {
            own: bits[index],
            models: bits,
            order2: *order2
                .get(name)
                .and_then(|row| row.get(name))
                .context("a domain without an order-2 figure")?,
            mixture: bits_per_byte(&averaged(&scored)),
        };
        domains.push(Domain { domain: name, heldout_bytes: text.len(), figures });
    }
    let mean = mean(&domains);
    Ok(Quality { domains, mean })
}

/// The uniform mixture's probability of each byte.
fn averaged(scored: &[Vec<f64>]) -> Vec<f64> {
    let mut sums = vec![0.0; scored[0].len()];
    for probabilities in scored {
        sums.iter_mut().zip(probabilities).for_each(|(sum, p)| *sum += p);
    }
    sums.iter().map(|sum| sum / scored.len() as f64).collect()
}

/// Each figure's mean over the domains, every domain counting the same.
fn mean(domains: &[Domain]) -> Figures {
    let over = |figure: &dyn Fn(&Figures) -> f64| {
        domains.iter().map(|d| figure(&d.figures)).sum::<f64>() / domains.len() as f64
    };
    Figures {
        models: (0..BUILTIN.len()).map(|model| over(&|figures| figures.models[model])).collect(),
        own: over(&|figures| figures.own),
        order2: over(&|figures| figures.order2),
        mixture: over(&|figures| figures.mixture),
    }
}

impl Quality {
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::from("| held-out text | bytes |");
        for builtin in &BUILTIN {
            let _ = write!(out, " {} |", builtin.domain());
        }
        out += " own expert | order 2 | mixture |\n| --- | --- |";
        out += &" --- |".repeat(BUILTIN.len() + 3);
        out += "\n";
        for row in &self.domains {
            let _ = writeln!(out, "| {} | {} |{}", row.domain, row.heldout_bytes, row.figures.cells());
        }
        let _ = writeln!(out, "| mean | |{}", self.mean.cells());
        out
    }
}

impl Figures {
    fn cells(&self) -> String {
        let figures = self.models.iter().chain([&self.own, &self.order2, &self.mixture]);
        figures.map(|bits| format!(" {bits:.3} |")).collect()
    }
}
