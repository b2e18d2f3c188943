//! The reports of measurements, as tables or JSON.

use nervure_bench::{
    AskerFigures, DiscoveryReport, FailoverReport, FinalityReport, FloodReport, GatewayReport, KillsReport,
    Outcomes, PathFigures, QueryReport,
};

use super::{Global, output};

fn ms(ms: f64) -> String {
    format!("{ms:.0} ms")
}

pub(super) fn query(report: &QueryReport, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(report);
    }
    output::table(&["", "nervure", "bare quinn", "ratio"], report.rows())?;
    output::note(&format!(
        "{} cores, {} bytes each way; 'nervure' is the whole query plane",
        report.cores, report.payload_bytes
    ));
    Ok(())
}

pub(super) fn discovery(report: &DiscoveryReport, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(report);
    }
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let rows = [
        ["experts found by a cold client, least".to_owned(), percent(report.found_least)],
        ["experts found by a cold client, mean".to_owned(), percent(report.found_mean)],
        ["cold: join and search, p50".to_owned(), ms(report.cold_p50_ms)],
        ["cold: join and search, p95".to_owned(), ms(report.cold_p95_ms)],
        ["search when connected, p50".to_owned(), ms(report.search_p50_ms)],
        ["search when connected, p95".to_owned(), ms(report.search_p95_ms)],
        ["directory requests per cold search".to_owned(), format!("{:.1}", report.requests_per_search)],
        ["forming the mesh".to_owned(), ms(report.forming_ms)],
        ["publishing everything, twice".to_owned(), ms(report.publishing_ms)],
    ];
    let title = format!("{} swarms, {} experts", report.nodes, report.experts);
    output::table(&[&title, ""], rows)
}

pub(super) fn finality(report: &FinalityReport, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(report);
    }
    let rows = [
        ["from block to block, mean".to_owned(), ms(report.interval_ms)],
        ["from the beginning of a height to its commit, p50".to_owned(), ms(report.p50_ms)],
        ["p95".to_owned(), ms(report.p95_ms)],
        ["worst".to_owned(), ms(report.worst_ms)],
    ];
    let title = format!("{} blocks, {} validators", report.blocks, report.validators);
    output::table(&[&title, ""], rows)
}

pub(super) fn gateway(report: &GatewayReport, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(report);
    }
    let us = |us: f64| format!("{us:.0} us");
    let row = |name: &str, path: &PathFigures, baseline: Option<&PathFigures>| {
        let added = baseline.map_or_else(|| "-".to_owned(), |baseline| us(path.p50_us - baseline.p50_us));
        [name.to_owned(), us(path.p50_us), added, us(path.p99_us), format!("{:.0}", path.per_second)]
    };
    let mut rows = vec![
        row("direct to the miner", &report.direct, None),
        row("through the gateway", &report.gateway, Some(&report.direct)),
        row("direct to an HTTP server", &report.upstream, None),
    ];
    rows.extend(report.nginx.as_ref().map(|nginx| row("through nginx", nginx, Some(&report.upstream))));
    output::table(&["", "p50", "added", "p99", "per second"], rows)?;
    output::note(&format!("{} cores, shared by client, servers and proxies", report.cores));
    Ok(())
}

/// What askers got of miners that were flooded; an error when a miner did not hold.
pub(super) fn flood(report: &FloodReport, global: &Global) -> anyhow::Result<()> {
    if global.json {
        output::json(report)?;
    } else {
        flood_tables(report)?;
    }
    let complaints = report.complaints();
    anyhow::ensure!(complaints.is_empty(), "a miner did not hold under the flood\n{}", complaints.join("\n"));
    Ok(())
}

fn flood_tables(report: &FloodReport) -> anyhow::Result<()> {
    let share = |outcomes: &Outcomes| {
        let share = outcomes.answered as f64 * 100.0 / outcomes.asked.max(1) as f64;
        format!("{} of {} ({share:.1} %)", outcomes.answered, outcomes.asked)
    };
    for miner in &report.miners {
        let row = |asker: &AskerFigures| {
            [
                asker.class.to_owned(),
                share(&asker.calm),
                share(&asker.flooded),
                ms(asker.calm.p50_ms),
                ms(asker.flooded.p50_ms),
            ]
        };
        let rows = miner.askers.iter().map(row).collect::<Vec<_>>();
        let head = ["answered in 10 s", "without", "flooded", "p50 without", "flooded"];
        output::note(&format!("{}:", miner.serves));
        output::table(&head, rows)?;
        let (calm, flooded) = (miner.calm, miner.flooded);
        output::note(&format!(
            "{} questions of the flood; memory {} KiB, then {}; file descriptors {}, then {}",
            miner.flood, calm.memory_kib, flooded.memory_kib, calm.descriptors, flooded.descriptors
        ));
    }
    output::note(&format!("the upstream had at most {} requests at once", report.upstream_requests));
    Ok(())
}

/// The streams of a failover run; an error when one was faulty.
pub(super) fn failover(report: &FailoverReport, global: &Global) -> anyhow::Result<()> {
    if global.json {
        output::json(report)?;
    } else {
        let rows = [
            ["miners killed".to_owned(), report.kills.to_string()],
            ["takeovers by another miner".to_owned(), report.takeovers.to_string()],
            ["streams completed".to_owned(), report.completed.to_string()],
            ["streams identical to the model's text".to_owned(), report.identical.to_string()],
            ["longest pause of a stream with a takeover, p50".to_owned(), ms(report.pause_p50_ms)],
            ["worst".to_owned(), ms(report.pause_worst_ms)],
        ];
        output::table(&[&format!("{} streams", report.streams), ""], rows)?;
    }
    let complaints = report.complaints.join("\n");
    anyhow::ensure!(complaints.is_empty(), "{} streams were faulty\n{complaints}", report.complaints.len());
    Ok(())
}

/// The kills of a soak run; an error when a fault was found.
pub(super) fn kills(report: &KillsReport, global: &Global) -> anyhow::Result<()> {
    if global.json {
        output::json(report)?;
    } else {
        let at_points: u32 = report.at_fail_points.values().sum();
        let points = format!("{at_points} at {} fail points", report.at_fail_points.len());
        let rows = [
            ["killed".to_owned(), format!("{} at random moments, {points}", report.random)],
            ["restarted".to_owned(), report.restarts.to_string()],
            ["from a process's start until it signs again, p50".to_owned(), ms(report.back_p50_ms)],
            ["p95".to_owned(), ms(report.back_p95_ms)],
            ["worst".to_owned(), ms(report.back_worst_ms)],
            ["worst while the three others ran".to_owned(), ms(report.back_alone_worst_ms)],
            ["final blocks compared, on every node".to_owned(), report.heights.to_string()],
            ["lost, replaced, contradicted".to_owned(), report.complaints.len().to_string()],
        ];
        output::table(&[&format!("{} validators, seed {}", report.validators, report.seed), ""], rows)?;
    }
    let complaints = report.complaints.join("\n");
    anyhow::ensure!(complaints.is_empty(), "{} faults found\n{complaints}", report.complaints.len());
    Ok(())
}
