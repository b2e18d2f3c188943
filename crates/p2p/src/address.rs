//! Which addresses a node of a public mesh may dial when another node names them.
//!
//! Without this filter, a stranger who names `127.0.0.1:6379` or a router's address would make every node of the mesh
//! connect to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::{Multiaddr, multiaddr::Protocol};

/// Whether `address` begins with an IP address that the whole internet can reach. A DNS name is not one:
/// the node that names it chooses what it resolves to.
pub fn is_global(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => global_v4(ip),
        Some(Protocol::Ip6(ip)) => global_v6(ip),
        _ => false,
    }
}

/// Source: the IANA IPv4 special-purpose address registry.
fn global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(a == 0
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        // Reserved, and the broadcast address.
        || a >= 240
        // 100.64.0.0/10, shared by carriers (RFC 6598).
        || (a == 100 && b & 0xc0 == 64)
        // 192.0.0.0/24, protocol assignments (RFC 6890).
        || (a == 192 && b == 0 && c == 0)
        // 198.18.0.0/15, benchmarks (RFC 2544).
        || (a == 198 && b & 0xfe == 18))
}

/// Global unicast is 2000::/3; documentation, Teredo, 6to4 and mapped addresses are left out of it.
fn global_v6(ip: Ipv6Addr) -> bool {
    if let IpAddr::V4(v4) = IpAddr::V6(ip).to_canonical() {
        return global_v4(v4);
    }
    let [a, b, ..] = ip.segments();
    a & 0xe000 == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b == 0 || b == 0xdb8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_globally_reachable_addresses() {
        for good in ["/ip4/8.8.8.8/udp/1/quic-v1", "/ip6/2606:4700::1111/tcp/1"] {
            assert!(is_global(&good.parse().unwrap()), "{good}");
        }
        for bad in [
            "/ip4/127.0.0.1/udp/1/quic-v1",
            "/ip4/10.1.2.3/tcp/1",
            "/ip4/172.16.0.1/tcp/1",
            "/ip4/192.168.1.1/tcp/1",
            "/ip4/169.254.169.254/tcp/80",
            "/ip4/100.64.0.1/tcp/1",
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/255.255.255.255/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/ip6/::ffff:127.0.0.1/tcp/1",
            "/ip6/2001:db8::1/tcp/1",
            "/dns4/localhost/tcp/1",
            "/memory/1",
        ] {
            assert!(!is_global(&bad.parse().unwrap()), "{bad}");
        }
    }
}
