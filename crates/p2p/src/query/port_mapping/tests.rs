use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::*;

/// A router that opens ports by UPnP: the search is over UDP, descriptions and actions are over HTTP.
struct UpnpRouter {
    search: SocketAddr,
    /// The actions that it was asked for, each with its body.
    actions: mpsc::UnboundedReceiver<String>,
}

impl UpnpRouter {
    /// With this public address, and the ports in use by others.
    async fn start(ip: &'static str, in_use: &'static [u16]) -> Self {
        let (udp, tcp) =
            (UdpSocket::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (search, http) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok((_, from)) = udp.recv_from(&mut buffer).await {
                let answer = format!("HTTP/1.1 200 OK\r\nLOCATION: http://{http}/root.xml\r\n\r\n");
                udp.send_to(answer.as_bytes(), from).await.unwrap();
            }
        });
        let (sender, actions) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                tokio::spawn(answer(stream, ip, in_use, sender.clone()));
            }
        });
        Self { search, actions }
    }

    fn options(&self) -> impl Fn() -> SearchOptions + use<> {
        let broadcast_address = self.search;
        move || SearchOptions { broadcast_address, ..SearchOptions::default() }
    }

    /// The next action that changes a port.
    async fn next(&mut self) -> String {
        loop {
            let action = self.actions.recv().await.unwrap();
            if !action.contains("GetExternalIPAddress") {
                return action;
            }
        }
    }
}

const ROOT: &str = "<root><device><serviceList><service>\
    <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
    <SCPDURL>/actions.xml</SCPDURL><controlURL>/control</controlURL></service></serviceList></device></root>";

/// The description of the actions: names with their arguments.
fn actions() -> String {
    let add = [
        "NewExternalPort",
        "NewProtocol",
        "NewInternalPort",
        "NewInternalClient",
        "NewLeaseDuration",
        "NewPortMappingDescription",
    ];
    let action = |name: &str, arguments: &[&str]| {
        let each = |argument: &&str| {
            format!("<argument><name>{argument}</name><direction>in</direction></argument>")
        };
        let list: String = arguments.iter().map(each).collect();
        format!("<action><name>{name}</name><argumentList>{list}</argumentList></action>")
    };
    let (add, remove) = (action("AddPortMapping", &add), action("DeletePortMapping", &add[..2]));
    format!("<scpd><actionList>{add}{remove}</actionList></scpd>")
}

async fn answer(
    mut stream: TcpStream,
    ip: &'static str,
    in_use: &'static [u16],
    seen: mpsc::UnboundedSender<String>,
) {
    let (mut request, mut buffer) = (String::new(), [0; 4096]);
    let is_whole = |request: &str| {
        let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
        let length =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        body.len() >= length.unwrap_or(0)
    };
    while !is_whole(&request) {
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            return;
        }
        request += std::str::from_utf8(&buffer[..read]).unwrap();
    }
    let envelope = |inner: String| format!("<Envelope><Body>{inner}</Body></Envelope>");
    let taken = |port: &u16| request.contains(&format!("<NewExternalPort>{port}</NewExternalPort>"));
    let body = if request.starts_with("GET /root.xml") {
        ROOT.to_owned()
    } else if request.starts_with("GET /actions.xml") {
        actions()
    } else {
        seen.send(request.clone()).unwrap();
        if request.contains("#GetExternalIPAddress") {
            let address = format!("<NewExternalIPAddress>{ip}</NewExternalIPAddress>");
            envelope(format!("<GetExternalIPAddressResponse>{address}</GetExternalIPAddressResponse>"))
        } else if request.contains("#DeletePortMapping") {
            envelope("<DeletePortMappingResponse/>".into())
        } else if in_use.iter().any(taken) {
            let error = "<errorCode>718</errorCode><errorDescription>in use</errorDescription>";
            envelope(format!("<Fault><detail><UPnPError>{error}</UPnPError></detail></Fault>"))
        } else {
            envelope("<AddPortMappingResponse/>".into())
        }
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await.unwrap();
}

/// Waits until the port has an address.
async fn address(mapped: &MappedPort) -> SocketAddr {
    loop {
        if let Some(address) = mapped.address() {
            return address;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_port_is_open_while_it_is_kept() {
    let mut router = UpnpRouter::start("8.8.4.4", &[]).await;
    let (mapped, stop) = (MappedPort::new(4002), CancellationToken::new());
    let keeping = tokio::spawn(mapped.clone().keep_open_at(router.options(), stop.clone()));
    assert_eq!(address(&mapped).await, "8.8.4.4:4002".parse().unwrap());
    let added = router.next().await;
    for part in ["<NewProtocol>UDP<", "<NewInternalClient>127.0.0.1<", "<NewLeaseDuration>1800<"] {
        assert!(added.contains(part), "{part} is missing in {added}");
    }
    stop.cancel();
    keeping.await.unwrap();
    assert_eq!(mapped.address(), None);
    assert!(router.next().await.contains("#DeletePortMapping"));
}

#[tokio::test]
async fn another_port_is_taken_where_it_is_in_use() {
    let router = UpnpRouter::start("8.8.4.4", &[4002]).await;
    let opened = open(&MappedPort::new(4002), router.options()()).await.unwrap();
    assert!(opened.address.port() != 4002, "{}", opened.address);
}

#[tokio::test]
async fn a_router_behind_another_one_does_not_count() {
    let router = UpnpRouter::start("192.168.1.7", &[]).await;
    let opened = open(&MappedPort::new(4002), router.options()()).await;
    assert!(matches!(opened, Err(MappingError::NotPublic(_))));
}
