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

/// Whether `address` leads through a relay.
pub(crate) fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
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
        // 192.88.99.0/24, relays from IPv6 (RFC 7526).
        || (a == 192 && b == 88 && c == 99)
        // 198.18.0.0/15, benchmarks (RFC 2544).
        || (a == 198 && b & 0xfe == 18))
}

/// Global unicast is 2000::/3 without what the IANA IPv6 special-purpose address registry takes out of it. Outside of it
/// are loopback, unique local (fc00::/7), link-local, multicast, discard (100::/64), segment routing (5f00::/16), and the
/// prefixes of translators that embed an IPv4 address (64:ff9b::/96, 64:ff9b:1::/48): such an address reaches a host
/// that the filter above would refuse.
fn global_v6(ip: Ipv6Addr) -> bool {
    if let IpAddr::V4(v4) = IpAddr::V6(ip).to_canonical() {
        return global_v4(v4);
    }
    let [a, b, ..] = ip.segments();
    let is_special =
        // 2001::/23, protocol assignments, with Teredo (RFC 4380), which embeds an IPv4 address, ORCHID and benchmarks.
        // 2001:db8::/32 and 3fff::/20 are for documentation (RFC 3849, RFC 9637).
        (a == 0x2001 && (b & 0xfe00 == 0 || b == 0xdb8))
        || (a == 0x3fff && b & 0xf000 == 0)
        // 2002::/16, 6to4, which embeds an IPv4 address (RFC 3056).
        || a == 0x2002
        // 2620:4f:8000::/48, a sink for reverse lookups (RFC 7534).
        || (a == 0x2620 && b == 0x4f && ip.segments()[2] == 0x8000);
    a & 0xe000 == 0x2000 && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_globally_reachable_addresses() {
        for good in ["8.8.8.8", "192.0.1.1", "192.88.98.1", "100.63.255.255", "100.128.0.0", "198.17.255.255"]
        {
            assert!(is_global(&format!("/ip4/{good}/udp/1/quic-v1").parse().unwrap()), "{good}");
        }
        for good in ["2606:4700::1111", "2001:200::1", "2001:db9::1", "3fff:1000::1", "2620:4f:8001::1"] {
            assert!(is_global(&format!("/ip6/{good}/tcp/1").parse().unwrap()), "{good}");
        }
        for bad in ["/dns4/localhost/tcp/1", "/memory/1"] {
            assert!(!is_global(&bad.parse().unwrap()), "{bad}");
        }
    }

    /// The rows of both IANA registries that are not globally reachable, each with its first and its last address.
    #[test]
    fn refuses_every_special_purpose_range() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
        ] {
            for ip in [first, last] {
                assert!(!is_global(&format!("/ip4/{ip}/tcp/1").parse().unwrap()), "{ip}");
                // Embedded: mapped, compatible, translated, 6to4 and Teredo.
                let [a, b, c, d] = ip.parse::<Ipv4Addr>().unwrap().octets();
                let hex = format!("{a:02x}{b:02x}:{c:02x}{d:02x}");
                let inverted = format!("{:02x}{:02x}:{:02x}{:02x}", !a, !b, !c, !d);
                for v6 in [
                    format!("::ffff:{hex}"),
                    format!("::{hex}"),
                    format!("64:ff9b::{hex}"),
                    format!("64:ff9b:1::{hex}"),
                    format!("2002:{hex}::1"),
                    format!("2001:0:808:808::{inverted}"),
                ] {
                    assert!(!is_global(&format!("/ip6/{v6}/tcp/1").parse().unwrap()), "{v6}");
                }
            }
        }
        for (first, last) in [
            ("::", "::1"),
            ("64:ff9b::", "64:ff9b::ffff:ffff"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
            ("100::", "100::1:ffff:ffff:ffff:ffff"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            for ip in [first, last] {
                assert!(!is_global(&format!("/ip6/{ip}/tcp/1").parse().unwrap()), "{ip}");
            }
        }
    }
}
