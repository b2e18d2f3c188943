//! NAT-PMP (RFC 6886): the other way to ask a router for a port, for those that do not speak UPnP.
//!
//! Requests go to the default gateway and answers count from there only. A machine in the local network that forges the
//! gateway's address can name a false port, which costs askers a dial.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::UdpSocket, time::timeout};

/// The port of routers (RFC 6886, section 3).
const PORT: u16 = 5351;

/// Waits for an answer, one after the other, before a request is given up (RFC 6886, section 3.1, which has nine).
const WAITS: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(2_000),
];

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 16;

/// Operations; an answer has the same number plus 128.
const EXTERNAL_ADDRESS: u8 = 0;
const MAP_UDP: u8 = 1;

/// The router: the default gateway of this machine.
pub(super) async fn router() -> Option<SocketAddr> {
    // Linux only: elsewhere there is no such file, and then no router.
    let routes = tokio::fs::read_to_string("/proc/net/route").await.ok()?;
    Some(SocketAddr::new(default_gateway(&routes)?.into(), PORT))
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

/// Asks `router` to open UDP `port` for `lease`; zero closes it. Returns the address outside.
pub(super) async fn map(router: SocketAddr, port: u16, lease: Duration) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(router).await?;
    let address = request(&socket, &[0, EXTERNAL_ADDRESS]).await?;
    let ip = Ipv4Addr::from(u32::from_be_bytes(field(&address, 8)?));
    // Section 3.4: a mapping is removed with a suggested port of zero.
    let suggested = if lease.is_zero() { 0 } else { port };
    let mut ask = vec![0, MAP_UDP, 0, 0];
    ask.extend(port.to_be_bytes());
    ask.extend(suggested.to_be_bytes());
    ask.extend(u32::try_from(lease.as_secs()).unwrap_or(u32::MAX).to_be_bytes());
    let mapped = request(&socket, &ask).await?;
    match u16::from_be_bytes(field(&mapped, 8)?) == port {
        true => Ok(SocketAddr::new(IpAddr::V4(ip), u16::from_be_bytes(field(&mapped, 10)?))),
        false => Err(io::Error::other("the router answers for another port")),
    }
}

/// Sends a request until it is answered, and checks the head of the answer.
async fn request(socket: &UdpSocket, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut buffer = [0; MAX_ANSWER];
    for wait in WAITS {
        socket.send(request).await?;
        let Ok(received) = timeout(wait, socket.recv(&mut buffer)).await else { continue };
        let answer = buffer[..received?].to_vec();
        let [version, operation, ..] = field::<2>(&answer, 0)?;
        // A late answer to another request: the next one is waited for.
        if (version, operation) != (0, request[1] | 0x80) {
            continue;
        }
        return match u16::from_be_bytes(field(&answer, 2)?) {
            0 => Ok(answer),
            code => Err(io::Error::other(format!("the router refuses with code {code}"))),
        };
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// `N` bytes of an answer.
fn field<const N: usize>(answer: &[u8], at: usize) -> io::Result<[u8; N]> {
    let bytes = answer.get(at..at + N).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| io::Error::other("the router's answer is too short"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A router that answers requests with the public address 8.8.4.4, and loses the first packet.
    async fn router() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut buffer, mut received) = ([0; 64], 0);
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                received += 1;
                let request = &buffer[..length];
                let mut answer = vec![0, request[1] | 0x80, 0, 0, 0, 0, 0, 9];
                match request[1] {
                    EXTERNAL_ADDRESS => answer.extend([8, 8, 4, 4]),
                    // The port that was asked for, another one outside, and the lease.
                    _ => answer.extend([&request[4..6], &[0x40, 0], &request[8..12]].concat()),
                }
                if received > 1 {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn a_port_is_mapped_although_a_packet_is_lost() {
        let mapped = map(router().await, 4002, Duration::from_secs(60)).await.unwrap();
        assert_eq!(mapped, "8.8.4.4:16384".parse().unwrap());
    }

    #[tokio::test]
    async fn a_refusal_and_a_short_answer_are_errors() {
        for answer in [vec![0, 128, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0], vec![0, 128, 0]] {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let router = socket.local_addr().unwrap();
            tokio::spawn(async move {
                let (_, from) = socket.recv_from(&mut [0; 64]).await.unwrap();
                socket.send_to(&answer, from).await.unwrap();
            });
            assert!(map(router, 4002, Duration::from_secs(60)).await.is_err());
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
}
