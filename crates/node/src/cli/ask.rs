//! `nervure ask`: a question to the mesh, its answer on the terminal as it comes.
//!
//! The answer goes to standard output and nothing else does, so that it pipes; everything about the answer
//! goes to standard error.

use std::{
    io::{self, IsTerminal, Read, Write},
    time::Duration,
};

use anyhow::Context;
use nervure_experts::{ChatMessage, ExpertRequest, Role, Sampling};
use nervure_light::TrustedBlock;
use nervure_primitives::{Amount, BlockHeight, Capability, Netuid, NodeId};
use nervure_subnet::Policy;

use super::{
    Global,
    access::{Access, Session},
    certify::certify,
    explain, output, trust,
    verify::Witness,
};
use crate::{
    gateway::{AskBody, AskLine, QueryTerms},
    local::Lines,
    service::{QueryTarget, Strategy},
};

/// Longest prompt that is read from standard input, in bytes; experts refuse longer ones.
const MAX_PROMPT: u64 = 256 * 1024;

/// What people who do not say otherwise ask for.
const DEFAULT_CAPABILITY: &str = "text.generate";

/// What people who name a subnet ask for.
const ANY_TEXT: &str = "text";

/// Asks the mesh; without PROMPT, reads it from standard input
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nervure ask 'fn main() {' --capability text.generate.rust --max-tokens 64
  git diff | nervure ask --capability text.generate --temperature 0
  nervure ask --chat 'What is 6 * 7?' --subnet 18
  nervure ask 'The sea' --strategy race:3 --explain
  nervure ask 'The sea' --strategy mix:3 --explain")]
pub(crate) struct AskArgs {
    /// What to ask; `-` or nothing reads standard input
    prompt: Option<String>,
    /// Ask any expert that has this capability [default: text.generate]
    #[arg(long, short, value_name = "CAPABILITY", conflicts_with = "model")]
    capability: Option<Capability>,
    /// Ask an expert that serves this model
    #[arg(long, short, value_name = "NAME")]
    model: Option<String>,
    /// Put the prompt as a chat message instead of a text to continue
    #[arg(long)]
    chat: bool,
    /// What the assistant is told first (with --chat)
    #[arg(long, value_name = "TEXT", requires = "chat")]
    system: Option<String>,
    /// Most tokens to write (bytes for byte-level models)
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_tokens: u32,
    /// From 0 (always the likeliest token) to 5
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = parse_rate)]
    temperature: f64,
    /// Choose among the likeliest tokens that hold this share of the mass, up to 1
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = parse_rate)]
    top_p: f64,
    /// The same seed gives the same text from the same expert
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Stop before this text; up to four times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Who answers: best, hedge (a second one when the first is late), race:N (the first of N), vote:N, average:N (embeddings) or mix:N (byte-level experts
    /// write one text together)
    #[arg(long, value_name = "STRATEGY", default_value = "best")]
    strategy: Strategy,
    /// What counts when they are chosen: balanced, fastest, cheapest or trusted
    #[arg(long, value_name = "POLICY", default_value = "balanced")]
    policy: Policy,
    /// Only experts of this subnet; without -c or -m, whatever they can do
    #[arg(long, value_name = "NETUID")]
    subnet: Option<u16>,
    /// Only experts that pass this filter, such as 'context >= 4096 and price <= 5'
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// The most to pay, in tokens of the mesh [default: nothing, which reaches free experts]
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<Amount>,
    /// Seconds for the whole answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    deadline: u64,
    /// Show the candidates, what was filtered and why, and the numbers behind the choice
    #[arg(long)]
    explain: bool,
    /// Check the expert's receipt (that it signed for exactly this question and this answer), and the certificate of the
    /// block whose incentives it was chosen by
    #[arg(long)]
    verify: bool,
    /// Trust this block instead of the genesis (with --verify)
    #[arg(long, value_name = "HEIGHT:BLOCK", requires = "verify")]
    trust: Option<TrustedBlock>,
    #[command(flatten)]
    access: Access,
}

impl AskArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let body = self.body()?;
        let session = self.access.open(global).await?;
        let answered = self.ask(&session, &body, global).await;
        session.close().await;
        answered
    }

    async fn ask(&self, session: &Session, body: &AskBody, global: &Global) -> anyhow::Result<()> {
        let lines = session.node.ask(body).await?;
        let signs = self.verify && !self.made_by_several();
        let witness = signs.then(|| Witness::new(session.node.mesh(), &body.request)).transpose()?;
        let chosen = self.print(lines, witness, global).await?;
        match self.verify {
            true => self.certify(session, chosen, global).await,
            false => Ok(()),
        }
    }

    /// Proves what they were chosen by, as far as validators agreed on it.
    async fn certify(&self, session: &Session, chosen: Chosen, global: &Global) -> anyhow::Result<()> {
        if self.made_by_several() {
            output::note("nobody signed for the answer: several experts made it together");
        }
        if chosen.after == BlockHeight(0) {
            output::note(match session.is_visitor() {
                true => {
                    "not certified: with --mesh no chain is followed, so no incentive counted; ask a node that runs"
                }
                false => "not certified: it was chosen before the first block, so no incentive counted",
            });
            return Ok(());
        }
        let mut light = trust::begin(session.node.clone(), self.trust, global).await?;
        let certified = certify(&mut light, chosen.after, &chosen.experts).await.context("NOT certified")?;
        match global.json {
            true => {
                output::line(&serde_json::json!({ "type": "certified", "certified": certified }).to_string())
            }
            false => {
                certified.lines().iter().for_each(|line| output::note(line));
                Ok(())
            }
        }
    }

    /// Whether no single expert can sign for the answer.
    fn made_by_several(&self) -> bool {
        matches!(self.strategy, Strategy::Average(_) | Strategy::Mix(_))
    }

    async fn print(
        &self,
        mut lines: Lines,
        mut witness: Option<Witness>,
        global: &Global,
    ) -> anyhow::Result<Chosen> {
        let mut out = io::stdout().lock();
        let (mut complete, mut mixed, mut took_over) = (false, None, Vec::new());
        let mut chosen = Chosen::default();
        while let Some(line) = lines.next().await? {
            if let Some(witness) = &mut witness {
                witness.see(&line)?;
            }
            chosen.see(&line);
            if global.json {
                serde_json::to_writer(&mut out, &line)?;
                writeln!(out)?;
            }
            match line {
                AskLine::Route { expert, route } if !global.json && self.explain => {
                    output::note(&explain::render(&expert, &route));
                }
                AskLine::Text { text } if !global.json => {
                    out.write_all(printable(&text).as_bytes())?;
                    out.flush()?;
                }
                AskLine::Mixed { participants } if !global.json && self.explain => mixed = Some(participants),
                AskLine::TookOver { succession } if !global.json && (self.explain || self.verify) => {
                    took_over.push(succession);
                }
                AskLine::Done { .. } => complete = true,
                AskLine::Error { error } => return Err(crate::local::broken_off(error).into()),
                _ => {}
            }
        }
        if !global.json {
            writeln!(out)?;
        }
        if let Some(participants) = mixed {
            output::note(&explain::participants("in the end", &participants));
        }
        for succession in took_over {
            output::note(&explain::succession(&succession));
        }
        anyhow::ensure!(complete, "the answer broke off: what came is not the whole of it\nask again");
        if let Some(witness) = witness {
            let (signed, from) = witness.verify().context("NOT verified")?;
            let receipt = signed.receipt();
            let what = match from {
                0 => "this answer".to_owned(),
                from => format!("what follows byte {from} of this answer; who began it signed for nothing"),
            };
            output::note(&format!(
                "verified: {} signed for this question and {what} ({} ms by its clock)",
                receipt.miner, receipt.took_ms
            ));
        }
        Ok(chosen)
    }

    fn body(&self) -> anyhow::Result<AskBody> {
        Ok(AskBody {
            target: self.target()?,
            request: self.request()?,
            terms: QueryTerms {
                strategy: Some(self.strategy),
                policy: Some(self.policy),
                budget: self.budget.map(|amount| amount.to_string()),
                filter: self.filter(),
                deadline_ms: Some(u64::try_from(Duration::from_secs(self.deadline).as_millis())?),
                explain: None,
            },
            explain: self.explain,
            receipt: self.verify,
        })
    }

    fn target(&self) -> anyhow::Result<QueryTarget> {
        Ok(match (&self.model, &self.capability) {
            (Some(model), _) => QueryTarget::Model(model.clone()),
            (None, Some(capability)) => QueryTarget::Capability(capability.clone()),
            (None, None) if self.subnet.is_some() => QueryTarget::Capability(Capability::new(ANY_TEXT)?),
            (None, None) => QueryTarget::Capability(Capability::new(DEFAULT_CAPABILITY)?),
        })
    }

    /// The filter, with the subnet in it.
    fn filter(&self) -> Option<String> {
        match (self.subnet, &self.filter) {
            (None, filter) => filter.clone(),
            (Some(netuid), None) => Some(format!("netuid = {netuid}")),
            (Some(netuid), Some(filter)) => Some(format!("netuid = {netuid} and ({filter})")),
        }
    }

    fn request(&self) -> anyhow::Result<ExpertRequest> {
        let prompt = self.prompt()?;
        let sampling = Sampling {
            max_tokens: self.max_tokens,
            temperature_milli: milli(self.temperature),
            top_p_milli: milli(self.top_p),
            seed: self.seed,
            stop: self.stop.clone(),
            begun: String::new(),
        };
        if !self.chat {
            return Ok(ExpertRequest::Complete { prompt, sampling });
        }
        let system = self.system.clone().map(|content| ChatMessage { role: Role::System, content });
        let messages =
            system.into_iter().chain([ChatMessage { role: Role::User, content: prompt }]).collect();
        Ok(ExpertRequest::Chat { messages, sampling })
    }

    fn prompt(&self) -> anyhow::Result<String> {
        match self.prompt.as_deref() {
            Some(prompt) if prompt != "-" => Ok(prompt.to_owned()),
            None if io::stdin().is_terminal() => {
                anyhow::bail!("nothing to ask\ngive a prompt, for instance: nervure ask 'fn main() {{'")
            }
            _ => {
                let mut prompt = String::new();
                let read = io::stdin().lock().take(MAX_PROMPT + 1).read_to_string(&mut prompt);
                read.context("cannot read the prompt from standard input")?;
                anyhow::ensure!(
                    prompt.len() as u64 <= MAX_PROMPT,
                    "the prompt is longer than {MAX_PROMPT} bytes\nshorten it"
                );
                Ok(prompt)
            }
        }
    }
}

/// Who was chosen, and after which block.
#[derive(Default)]
struct Chosen {
    after: BlockHeight,
    experts: Vec<(Netuid, NodeId)>,
}

impl Chosen {
    /// A line of the answer came.
    fn see(&mut self, line: &AskLine) {
        match line {
            AskLine::Route { expert, route } => {
                self.after = route.block;
                let together = route.participants.iter().map(|one| (one.netuid, one.node));
                self.experts.extend(together);
                if route.participants.is_empty() {
                    self.experts.push((expert.netuid, expert.node));
                }
            }
            AskLine::TookOver { succession } => {
                self.experts.push((succession.expert.netuid, succession.expert.node));
            }
            _ => {}
        }
    }
}

/// A rate that people write with a point, in the thousandths that travel. `parse_rate` has bounded it.
fn milli(rate: f64) -> u32 {
    (rate * 1000.0).round() as u32
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=5.0).contains(&rate) => Ok(rate),
        _ => Err("a number from 0 to 5".into()),
    }
}

/// An expert's text for a terminal: without the control characters that would steer it.
fn printable(text: &str) -> String {
    if !io::stdout().is_terminal() {
        return text.to_owned();
    }
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_bounded_and_travel_in_thousandths() {
        assert_eq!(milli(parse_rate("0.95").unwrap()), 950);
        for bad in ["-0.1", "5.1", "NaN", "inf", "x", ""] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }
}
