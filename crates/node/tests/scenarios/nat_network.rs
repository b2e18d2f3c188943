//! An internet of network namespaces: sites with one public address each, and machines behind NATs of several kinds. The
//! addresses look like those of the internet, because nodes of a public mesh dial no others. Nothing is visible outside.

use std::{
    fmt,
    io::Write,
    process::{Command, Stdio},
};

use crate::space::{Kind, Space, skipped};

/// How a site is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nat {
    /// The machine has the public address itself.
    Open,
    /// One mapping for all peers, and everyone may send to it.
    FullCone,
    /// One mapping, to which hosts may send that the machine has sent to.
    AddressRestricted,
    /// One mapping, to which addresses with a port may send that the machine has sent to: most home routers.
    PortRestricted,
    /// The same, and the mapping has another port than the machine.
    PortChanging,
    /// Port-restricted, twice: a home router behind that of the provider.
    Double,
    /// Another mapping for each peer, with a random port.
    Symmetric,
    /// Port-restricted, and the firewall drops UDP.
    NoUdp,
}

impl Nat {
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::FullCone,
        Self::AddressRestricted,
        Self::PortRestricted,
        Self::PortChanging,
        Self::Double,
        Self::Symmetric,
        Self::NoUdp,
    ];

    /// A name for directories and experts.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::FullCone => "full-cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::PortChanging => "port-changing",
            Self::Double => "double",
            Self::Symmetric => "symmetric",
            Self::NoUdp => "no-udp",
        }
    }

    /// Routers before the machine.
    fn routers(self) -> usize {
        match self {
            Self::Open => 0,
            Self::Double => 2,
            Self::FullCone
            | Self::AddressRestricted
            | Self::PortRestricted
            | Self::PortChanging
            | Self::Symmetric
            | Self::NoUdp => 1,
        }
    }

    /// The rules of nftables for a router of site `number`.
    fn rules(self, number: usize) -> String {
        let forward = format!("meta l4proto {{ tcp, udp }} dnat to {}", address(1, number, 2));
        let (mut inwards, mut passing, mut mapping) = (String::new(), "", "");
        match self {
            Self::FullCone => inwards = format!("iifname \"wan\" {forward}"),
            Self::AddressRestricted => {
                inwards = format!("iifname \"wan\" ip saddr @talked {forward}");
                passing = "oifname \"wan\" update @talked { ip daddr }";
            }
            Self::PortChanging => mapping = "oifname \"wan\" udp sport 4001 masquerade to :30001",
            Self::Symmetric => mapping = "oifname \"wan\" masquerade fully-random",
            Self::NoUdp => passing = "meta l4proto udp drop",
            Self::Open | Self::PortRestricted | Self::Double => {}
        }
        // What comes in unasked is dropped before it takes a mapping, as home routers do it.
        format!(
            "table ip nat {{
                set talked {{ type ipv4_addr; flags dynamic, timeout; timeout 5m; }}
                chain inwards {{ type nat hook prerouting priority -100; {inwards}
                }}
                chain outwards {{ type nat hook postrouting priority 100; {mapping}
                    oifname \"wan\" masquerade
                }}
                chain passing {{ type filter hook forward priority 0; {passing}
                }}
                chain arriving {{ type filter hook input priority 0; iifname \"wan\" ct state new drop
                }}
            }}"
        )
    }
}

impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.slug().replace('-', " "))
    }
}

/// A machine, and the routers before it.
struct Site {
    machine: Space,
    _routers: Vec<Space>,
}

/// The sites and what connects them.
pub struct NatNetwork {
    sites: Vec<Site>,
    _internet: Space,
}

impl NatNetwork {
    /// One machine for each of `kinds`. None, with a message, where this user or this system may not create them.
    pub fn new(kinds: &[Nat]) -> Option<Self> {
        let network = Self::build(kinds);
        if network.is_none() {
            skipped("no NATs here (they take root, unshare, nsenter, ip and nft)");
        }
        network
    }

    fn build(kinds: &[Nat]) -> Option<Self> {
        let internet = Space::new(Kind::Network)?;
        script(&internet, "ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_forward")?;
        let sites = kinds.iter().enumerate().map(|(index, kind)| Site::build(&internet, index + 1, *kind));
        Some(Self { sites: sites.collect::<Option<_>>()?, _internet: internet })
    }

    /// The public address of a site.
    pub fn address(index: usize) -> String {
        address(0, index + 1, 2)
    }

    /// The public address of an open site after [`Self::move_machine`].
    pub fn next_address(index: usize) -> String {
        address(0, index + 1, 3)
    }

    /// Gives the machine of an open site another address, as a network that it joins instead of its own one does.
    pub fn move_machine(&self, index: usize) {
        let (old, new) = (Self::address(index), Self::next_address(index));
        let gateway = address(0, index + 1, 1);
        let change = format!(
            "ip address add {new}/24 dev wan && ip address del {old}/24 dev wan && \
             (ip address show dev wan | grep -q {new} || ip address add {new}/24 dev wan) && \
             (ip route show default | grep -q . || ip route add default via {gateway})"
        );
        script(&self.sites[index].machine, &change).unwrap();
    }

    /// `program`, to be run on the machine of a site.
    pub fn command(&self, index: usize, program: &str) -> Command {
        self.sites[index].machine.command(program)
    }
}

impl Site {
    fn build(internet: &Space, number: usize, kind: Nat) -> Option<Self> {
        let mut routers: Vec<Space> = Vec::new();
        for level in 0..kind.routers() {
            let router = Space::new(Kind::Network)?;
            connect(routers.last().unwrap_or(internet), &router, (level, number))?;
            script(&router, "echo 1 > /proc/sys/net/ipv4/ip_forward")?;
            let mut nft = router.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().ok()?;
            nft.stdin.take()?.write_all(kind.rules(number).as_bytes()).ok()?;
            nft.wait().ok()?.success().then_some(())?;
            routers.push(router);
        }
        let machine = Space::new(Kind::Network)?;
        connect(routers.last().unwrap_or(internet), &machine, (kind.routers(), number))?;
        Some(Self { machine, _routers: routers })
    }
}

/// An address of site `number`: on the internet, behind its first router or behind its second one.
fn address(level: usize, number: usize, host: usize) -> String {
    let network = ["45", "10", "172.16"][level];
    match level {
        2 => format!("{network}.{number}.{host}"),
        _ => format!("{network}.{number}.0.{host}"),
    }
}

/// Connects `down` to `up`, and gives it a route to all others.
fn connect(up: &Space, down: &Space, (level, number): (usize, usize)) -> Option<()> {
    let (gateway, own, pid) = (address(level, number, 1), address(level, number, 2), down.pid());
    script(
        up,
        &format!(
            "ip link add down{number} type veth peer name wan netns {pid} && \
             ip address add {gateway}/24 dev down{number} && ip link set down{number} up"
        ),
    )?;
    script(
        down,
        &format!(
            "ip link set lo up && ip address add {own}/24 dev wan && ip link set wan up && \
             ip route add default via {gateway}"
        ),
    )
}

fn script(space: &Space, text: &str) -> Option<()> {
    let output = space.command("sh").args(["-c", text]).output().ok()?;
    output.status.success().then_some(())
}
