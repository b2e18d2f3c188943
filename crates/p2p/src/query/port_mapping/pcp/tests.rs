use std::sync::atomic::{AtomicU8, Ordering};

use tokio::{net::UdpSocket, sync::mpsc};

use super::*;

const LEASE: Duration = Duration::from_secs(60);

const PORT: NonZeroU16 = NonZeroU16::new(4002).unwrap();

const NONCE: Nonce = [1, 2, 3];

/// What a router speaks.
#[derive(Clone, Copy)]
enum Speaks {
    Pcp,
    /// It answers requests of PCP with "unsupported version".
    NatPmp,
    /// It refuses every request.
    Nothing,
    /// Its answers are cut off.
    Nonsense,
}

/// A router with the public address 8.8.4.4 that opens port 16384 and loses the first packet; and the requests for a port
/// that it got. The port of routers is fixed, so each has an address of its own.
async fn start(speaks: Speaks) -> (Ipv4Addr, mpsc::UnboundedReceiver<Vec<u8>>) {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, high | 0x80, low, NEXT.fetch_add(1, Ordering::Relaxed));
    let socket = UdpSocket::bind((address, GATEWAY_PORT)).await.unwrap();
    let (sender, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut buffer, mut is_first) = ([0; 1100], true);
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if std::mem::take(&mut is_first) {
                continue;
            }
            let request = buffer[..length].to_vec();
            let answer = match (speaks, request[0]) {
                (Speaks::Pcp, 2) => pcp_answer(&request),
                (Speaks::NatPmp, 0) => nat_pmp_answer(&request),
                (Speaks::Nonsense, _) => vec![request[0], request[1] | 0x80, 0],
                (Speaks::Nothing, 2) => [&[2, request[1] | 0x80, 0, 2], &request[4..]].concat(),
                _ => vec![0, 128, 0, 1, 0, 0, 0, 9],
            };
            if request[1] != 0 {
                // Fails when the test has ended.
                let _ = sender.send(request);
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    (address, requests)
}

/// RFC 6887, sections 7.2 and 11.1: the head with the lifetime, and the request's map with the port and address outside.
fn pcp_answer(request: &[u8]) -> Vec<u8> {
    let mut answer = vec![2, request[1] | 0x80, 0, 0];
    answer.extend(&request[4..8]);
    answer.extend([0, 0, 0, 9]);
    answer.extend([0; 12]);
    answer.extend(&request[24..42]);
    answer.extend([0x40, 0]);
    answer.extend(Ipv4Addr::new(8, 8, 4, 4).to_ipv6_mapped().octets());
    answer
}

/// RFC 6886, sections 3.2 to 3.4: the port outside is zero where the mapping is removed.
fn nat_pmp_answer(request: &[u8]) -> Vec<u8> {
    let mut answer = vec![0, request[1] | 0x80, 0, 0, 0, 0, 0, 9];
    match request[1] {
        0 => answer.extend([8, 8, 4, 4]),
        _ => {
            let outside = if request[8..12] == [0; 4] { [0, 0] } else { [0x40, 0] };
            answer.extend([&request[4..6], &outside, &request[8..12]].concat());
        }
    }
    answer
}

#[tokio::test]
async fn a_router_is_asked_by_pcp_and_keeps_the_port_for_one_nonce() {
    let (router, mut requests) = start(Speaks::Pcp).await;
    for _ in 0..2 {
        let (mapping, outside) = map(router, PORT, LEASE, NONCE).await.unwrap();
        assert_eq!(outside, "8.8.4.4:16384".parse().unwrap());
        assert!(matches!(mapping.mapping_type(), PortMappingType::Pcp { nonce: NONCE, .. }));
    }
    let (first, second) = (requests.recv().await.unwrap(), requests.recv().await.unwrap());
    assert_eq!(first, second, "a renewal is the same request");
}

#[tokio::test]
async fn a_router_of_before_is_asked_by_nat_pmp_and_closes_the_port() {
    let (router, mut requests) = start(Speaks::NatPmp).await;
    let (mapping, outside) = map(router, PORT, LEASE, NONCE).await.unwrap();
    assert_eq!(outside, "8.8.4.4:16384".parse().unwrap());
    mapping.try_drop().await.map_err(|(error, _)| error).unwrap();
    let (mut last, mut count) = (Vec::new(), 0);
    while let Ok(request) = requests.try_recv() {
        (last, count) = (request, count + 1);
    }
    assert!(count >= 2 && last.ends_with(&[0; 6]), "a port and a lifetime of zero: {last:?}");
}

#[tokio::test]
async fn a_refusal_and_a_short_answer_are_errors() {
    for speaks in [Speaks::Nothing, Speaks::Nonsense] {
        let (router, _requests) = start(speaks).await;
        assert!(map(router, PORT, LEASE, NONCE).await.is_err());
    }
}

#[test]
fn finds_the_default_gateway() {
    let routes = "Iface\tDestination\tGateway \tFlags\nlan\t0000000A\t00000000\t0001\n\
                  wan\t00000000\t0101A8C0\t0003\nwan\t00000000\t0201A8C0\t0003\n";
    assert_eq!(default_gateway(routes), Some(Ipv4Addr::new(192, 168, 1, 1)));
    assert_eq!(default_gateway("Iface\tDestination\tGateway\n"), None);
    assert_eq!(default_gateway("wan\t00000000\tnonsense\n"), None);
}
