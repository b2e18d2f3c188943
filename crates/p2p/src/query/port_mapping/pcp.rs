//! PCP (RFC 6887), or NAT-PMP (RFC 6886) at routers that know the older one only: the other ways to ask a router for a port,
//! for those that do not speak UPnP.
//!
//! Requests go to the default gateway and answers count from there only. A machine in the local network that forges the
//! gateway's address can name a false port, which costs askers a dial.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    time::Duration,
};

use crab_nat::{
    GATEWAY_PORT, InternetProtocol, PortMapping, PortMappingOptions, PortMappingType, TimeoutConfig,
    VersionCode, natpmp,
    pcp::{self, BaseMapRequest, Nonce},
};

use super::own_address;

/// Waits of 250, 500, 1,000 and 2,000 ms for an answer before a request is given up (the RFCs have more).
const WAITS: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 3,
    max_retry_timeout: Some(Duration::from_secs(2)),
};

/// The router: the default gateway of this machine.
pub(super) async fn router() -> Option<Ipv4Addr> {
    // Linux only: elsewhere there is no such file, and then no router.
    let routes = tokio::fs::read_to_string("/proc/net/route").await.ok()?;
    default_gateway(&routes)
}

/// The gateway of the first default route in the text of `/proc/net/route`, where addresses are hexadecimal and little-endian.
fn default_gateway(routes: &str) -> Option<Ipv4Addr> {
    routes.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        (destination == "00000000" && gateway != 0).then(|| Ipv4Addr::from(gateway.to_le_bytes()))
    })
}

/// Asks `router` to open UDP `port` for `lease`, or to keep it open. Returns the mapping, and the address outside.
///
/// A router that speaks PCP renews a port only for the `nonce` that opened it.
pub(super) async fn map(
    router: Ipv4Addr,
    port: NonZeroU16,
    lease: Duration,
    nonce: Nonce,
) -> io::Result<(PortMapping, SocketAddr)> {
    let client = own_address(SocketAddr::new(router.into(), GATEWAY_PORT)).await?;
    let options = PortMappingOptions {
        external_port: Some(port),
        lifetime_seconds: Some(u32::try_from(lease.as_secs()).unwrap_or(u32::MAX)),
        timeout_config: Some(WAITS),
    };
    let request = BaseMapRequest::new(router.into(), client, InternetProtocol::Udp, port);
    let mapping = match pcp::port_mapping(request, Some(nonce), None, options).await {
        Err(pcp::Failure::UnsupportedVersion(VersionCode::NatPmp)) => {
            let mapped = natpmp::port_mapping(router.into(), InternetProtocol::Udp, port, options).await;
            mapped.map_err(io::Error::other)?
        }
        mapped => mapped.map_err(io::Error::other)?,
    };
    let ip: IpAddr = match mapping.mapping_type() {
        PortMappingType::Pcp { external_ip, .. } => external_ip.to_canonical(),
        PortMappingType::NatPmp => {
            let address = natpmp::external_address(router.into(), Some(WAITS)).await;
            address.map_err(io::Error::other)?.into()
        }
    };
    let outside = SocketAddr::new(ip, mapping.external_port().get());
    Ok((mapping, outside))
}

#[cfg(test)]
mod tests;
