//! Prints an explanation.

use nervure_api::{AuditView, ExpertView};
use nervure_consensus::fixed::I32F32;
use nervure_light::score::{ScoreOpinion, ScoreResult};
use nervure_primitives::Escaped;

use super::{Explanation, output};
use crate::cli::explain;

impl Explanation {
    /// Prints it.
    pub(super) fn show(&self) -> anyhow::Result<()> {
        let Self { score, why, experts, mismatches, proof } = self;
        let slot = score.uid.map_or_else(|| "no slot".to_owned(), |uid| format!("uid {uid}"));
        output::line(&format!("node        {}", score.node))?;
        output::line(&format!(
            "epoch       {} of subnet {} ({}), computed at block {}: {slot}",
            score.epoch, score.netuid, score.subnet, score.block
        ))?;
        if let Some(result) = &score.result {
            opinions(&score.opinions)?;
            self.results(result)?;
        }
        if let Some(other) = score.now_held_by {
            output::line(&format!("since then  the slot has another key: {other}"))?;
        }
        why.iter().try_for_each(|reason| output::line(&format!("why         {reason}")))?;
        live_scores(experts)?;
        audits(mismatches)?;
        output::line(&format!(
            "proof       block {} ({}), certified by {} of {} validators",
            proof.height, proof.block, proof.signers, proof.validators
        ))?;
        output::line(&format!("trusted     {}", proof.trusted))?;
        output::note(&format!(
            "verified: the certificates ({}), the records under them, and the epoch, computed again",
            proof.certificates
        ));
        Ok(())
    }

    fn results(&self, result: &ScoreResult) -> anyhow::Result<()> {
        let lines = [
            ("consensus", result.consensus, "the most that the majority of the votes gives it"),
            ("rank", result.rank, "the sum of what contributes"),
            ("of", result.rank_sum, "the sum of all ranks"),
            ("trust", result.trust, "what the cut left of the weights for it"),
            ("incentive", result.incentive, "its share as a miner"),
            ("dividends", result.dividends, "its share as a validator"),
        ];
        for (name, value, meaning) in lines {
            output::line(&format!("{name:<11} {}   {meaning}", share(value)))?;
        }
        output::line(&format!(
            "emission    {} tokens as a miner, {} as a validator, of {} that were shared; the subnet's owner got {} before",
            result.as_miner, result.as_validator, self.score.shared, self.score.owner_part
        ))?;
        output::line(&format!(
            "slot        since block {}, safe from newcomers until block {}{}",
            result.registered,
            result.immune_until,
            if result.next_permit { ", with a validator permit" } else { "" }
        ))
    }
}

/// The experts of the node with their live scores. A neuron earns what its best expert earns.
fn live_scores(experts: &[ExpertView]) -> anyhow::Result<()> {
    if experts.is_empty() {
        return output::line("experts     none is known to the asked node");
    }
    let rows = experts.iter().map(|expert| {
        let [trust, tested, earned, backing] = explain::trust_cells(&expert.trust.unwrap_or_default());
        let name = Escaped::line(&expert.expert).to_string();
        let (capability, model) = (expert.capability.to_string(), Escaped::line(&expert.model).to_string());
        [name, capability, model, trust, tested, earned, backing]
    });
    output::table(&["expert", "capability", "model", "trust", "tested", "earned", "backing"], rows)?;
    output::note("the experts' figures are those of the asked node now, and not proven");
    Ok(())
}

/// Answers that were found not to be of the model that their receipts name.
fn audits(mismatches: &[AuditView]) -> anyhow::Result<()> {
    for one in mismatches {
        let expert = Escaped::line(&one.expert).to_string();
        output::line(&format!("audit       expert {expert}, query {}: {}", one.query, one.judgement))?;
    }
    if let Some(one) = mismatches.first() {
        output::note(&format!("anyone can check an audit: nervure audit show {} --json", one.query));
    }
    Ok(())
}

fn opinions(opinions: &[ScoreOpinion]) -> anyhow::Result<()> {
    let rows = opinions.iter().map(|one| {
        let remark = match one.ignored {
            Some(ignored) => format!("does not count: {ignored}"),
            None if one.raw == 0 => "gives it nothing".into(),
            None if one.clipped < one.weight => "cut to the consensus".into(),
            None => String::new(),
        };
        let numbers = [one.voting_share, one.weight, one.clipped, one.contributes].map(share);
        let [votes, weight, clipped, contributes] = numbers;
        let who = format!("{} (uid {})", one.validator.short(), one.uid);
        [who, one.stake.to_string(), votes, weight, clipped, contributes, remark]
    });
    output::table(&["validator", "stake", "votes with", "weight", "cut to", "contributes", ""], rows)
}

/// A share from 0 to 1, with five decimal places.
fn share(share: I32F32) -> String {
    let parts = (i128::from(share.to_bits()) * 100_000) >> I32F32::FRACTION_BITS;
    format!("{}.{:05}", parts / 100_000, parts % 100_000)
}
