//! The route trace of an answer, as `ask --explain` prints it.

use comfy_table::{Table, presets};
use nervure_api::{ExpertView, ParticipantView, RouteView, TakeoverView};
use nervure_primitives::Escaped;
use nervure_subnet::TrustFigures;
use serde_json::Value;

/// Maximum number of candidates in the table; the JSON has all of them.
const MAX_SHOWN: usize = 12;

/// The route trace as text.
pub(crate) fn render(expert: &ExpertView, route: &RouteView) -> String {
    let mut text = format!(
        "{} on {} answers ({}, {}, after block {}: {} could be asked, {} left out, {} tried)\n",
        Escaped::line(&expert.expert),
        expert.node.short(),
        Escaped::line(&route.strategy),
        serde_json::to_value(route.policy)
            .ok()
            .and_then(|policy| policy.as_str().map(str::to_owned))
            .unwrap_or_default(),
        route.block,
        route.candidates,
        route.filtered,
        route.tried,
    );
    if !route.participants.is_empty() {
        text += &format!("{}\n", participants("together", &route.participants));
    }
    let detail = route.detail.as_ref().unwrap_or(&Value::Null);
    let choices = list(detail, "choices");
    if !choices.is_empty() {
        text += &costs(choices);
        text += "costs in milliseconds; the lowest is asked first. trust: tested (by so many tasks) and earned, times the \
                 backing of its subnet\n";
    }
    for filtered in list(detail, "filtered").iter().take(MAX_SHOWN) {
        let (name, node) = of(filtered);
        let reason = filtered["reason"].as_str().unwrap_or("?").replace('_', " ");
        text += &format!("left out: {name} on {node}: {}\n", Escaped::line(&reason));
    }
    text
}

/// The candidates in the order in which they are asked, with the terms of their costs.
fn costs(choices: &[Value]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "",
        "expert",
        "node",
        "cost",
        "= latency",
        "+ load",
        "+ in flight",
        "+ failures",
        "+ price",
        "+ distrust",
        "trust",
        "tested",
        "earned",
        "backing",
        "",
    ]);
    for (rank, choice) in choices.iter().take(MAX_SHOWN).enumerate() {
        let (name, node) = of(choice);
        let terms = ["cost", "latency", "load", "in_flight", "failures", "price", "distrust"]
            .map(|term| number(choice, term));
        let note = choice["note"].as_str().filter(|note| *note != "none").unwrap_or_default();
        let note = Escaped::line(&note.replace('_', " ")).to_string();
        let trust = serde_json::from_value(choice["trust"].clone()).unwrap_or_default();
        let row = [(rank + 1).to_string(), name, node].into_iter().chain(terms);
        let row = row.chain(trust_cells(&trust)).chain([note]);
        table.add_row(row);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// One failover, in one line.
pub(crate) fn takeover(takeover: &TakeoverView) -> String {
    let TakeoverView { from, why, at, fields: _, expert } = takeover;
    format!(
        "after {at} bytes, {} on {} continued the answer of {}: {}",
        Escaped::line(&expert.expert),
        expert.node,
        from,
        Escaped::line(why)
    )
}

/// The experts that answer together, with their weights.
pub(crate) fn participants(when: &str, participants: &[ParticipantView]) -> String {
    let each = participants.iter().map(|participant| {
        let ParticipantView { node, expert, weight, agrees, bytes, left, .. } = participant;
        let vote = match agrees {
            Some(true) => ", agrees",
            Some(false) => ", disagrees",
            None => "",
        };
        let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
        let left = left.as_ref().map(|why| format!(", left: {}", Escaped::line(why))).unwrap_or_default();
        let share = weight * 100.0;
        format!("  {} on {}: {share:.1} %{vote}{bytes}{left}", Escaped::line(expert), node.short())
    });
    std::iter::once(format!("{when}:")).chain(each).collect::<Vec<_>>().join("\n")
}

/// The trust in an expert, the median of its live scores with the tasks behind it, its neuron's incentive, and the factor
/// of its subnet.
pub(crate) fn trust_cells(trust: &TrustFigures) -> [String; 4] {
    let part = |milli: u16| format!("{}.{:03}", milli / 1_000, milli % 1_000);
    let none = || "-".to_owned();
    let tested = trust.live_score_milli.map(|score| format!("{} ({})", part(score), trust.tasks));
    [
        part(trust.quality_milli),
        tested.unwrap_or_else(none),
        trust.incentive_milli.map_or_else(none, part),
        part(trust.backing_milli),
    ]
}

fn list<'a>(detail: &'a Value, name: &str) -> &'a [Value] {
    detail[name].as_array().map_or(&[], Vec::as_slice)
}

/// The name and node of a candidate.
fn of(candidate: &Value) -> (String, String) {
    let record = &candidate["record"];
    let node = record["node"].as_str().unwrap_or("?");
    let short = node.get(node.len().saturating_sub(6)..).unwrap_or(node);
    let escaped = |text| Escaped::line(text).to_string();
    (escaped(record["expert"].as_str().unwrap_or("?")), escaped(short))
}

fn number(choice: &Value, term: &str) -> String {
    choice[term].as_u64().map_or_else(|| "?".into(), |value| value.to_string())
}
