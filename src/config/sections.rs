//! The sections that are a few keys each.

use std::time::Duration;

use crate::{
    config::{Log, LogFormat, reader::Reader},
    crdt::Region,
    playback::{ENGAGED, Policy},
    transport::NodeName,
};

pub(super) fn read_name(reader: &mut Reader<'_>) -> Option<NodeName> {
    let name = reader.text("name").unwrap_or_else(|| "node".into());
    let region = reader.text("region").unwrap_or_else(|| "local".into());
    let cluster = reader.text("cluster").unwrap_or_else(|| "local".into());
    let region: Option<Region> = reader.parsed("region", &region);
    let named = NodeName::new(&name, region.clone()?, &cluster);
    let at_fault = if NodeName::new(&name, region?, "any").is_ok() { "cluster" } else { "name" };
    named.map_err(|why| reader.problem(at_fault, &why.to_string())).ok()
}

pub(super) fn read_policy(reader: &mut Reader<'_>) -> Policy {
    let mut policy = Policy::default();
    let engaged_min = u64::try_from(ENGAGED.as_millis()).unwrap_or(u64::MAX);
    if let Some(ms) = reader.whole("playback.engaged_ms", engaged_min..=600_000) {
        policy = policy.with_engaged(Duration::from_millis(ms)).expect("the range begins at the least");
    }
    if let Some(percent) = reader.whole("playback.completed_percent", 1..=100) {
        let percent = u8::try_from(percent).expect("at most a hundred");
        policy = policy.with_completed_percent(percent).expect("the range is that of percentages");
    }
    if let Some(ms) = reader.whole("playback.heartbeat_interval_ms", 100..=600_000) {
        policy.heartbeat_interval = Duration::from_millis(ms);
    }
    if let Some(seconds) = reader.whole("tokens.lifetime_s", 60..=7 * 86_400) {
        policy.token_lifetime = Duration::from_secs(seconds);
    }
    policy
}

pub(super) fn read_log(reader: &mut Reader<'_>) -> Log {
    let format = reader.text("log.format").unwrap_or_else(|| "text".into());
    let filter = reader.text("log.filter").unwrap_or_else(|| "info".into());
    if let Err(why) = filter.parse::<tracing_subscriber::filter::Targets>() {
        reader.problem(
            "log.filter",
            &format!("\"{filter}\": {why}; give for example \"info\" or \"info,playmark::transport=debug\""),
        );
    }
    let format = match format.as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => {
            reader.problem("log.format", &format!("\"{other}\" must be \"text\" or \"json\""));
            LogFormat::Text
        }
    };
    Log { format, filter }
}
