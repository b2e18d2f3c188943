//! Bounded places: for classes of askers, and for networks.
//!
//! Cheap places (a connection, a query in progress) are not worth a queue: an asker of a class beyond its part is refused
//! at once. Half of the places are lent to any class. Of the other half, free keys get none, staked askers the first part,
//! and validators all: however many places free keys hold, and however long, there is room for the others.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use nervure_protocol::AskerClass;
use parking_lot::Mutex;

/// Places that are divided among classes.
pub(super) struct ClassPlaces {
    most: usize,
    used: Mutex<[usize; AskerClass::ALL.len()]>,
}

/// A place; given back on drop.
pub(super) struct ClassPlace(Arc<ClassPlaces>, AskerClass);

impl ClassPlaces {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, used: Mutex::default() })
    }

    /// A place for one of `class`; none when its part is used.
    pub(super) fn take(self: &Arc<Self>, class: AskerClass) -> Option<ClassPlace> {
        let mut used = self.used.lock();
        (used.iter().sum::<usize>() < self.room(class)).then(|| {
            used[class as usize] += 1;
            ClassPlace(self.clone(), class)
        })
    }

    /// Places in use in all below which one of `class` gets another.
    fn room(&self, class: AskerClass) -> usize {
        // Never none: a test's server with one place serves any class.
        match class {
            AskerClass::Stranger | AskerClass::Registered => self.most.div_ceil(2),
            AskerClass::Staked => (self.most - self.most / 4).max(1),
            AskerClass::Validator => self.most,
        }
    }
}

impl Drop for ClassPlace {
    fn drop(&mut self) {
        self.0.used.lock()[self.1 as usize] -= 1;
    }
}

/// Places for each network: a /24, or a /48 of IPv6.
pub(super) struct NetworkPlaces {
    most: usize,
    /// Whether addresses of this host have no bound: processes of one host share one address.
    loopback_is_exempt: bool,
    used: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A place of a network; given back on drop.
pub(super) struct NetworkPlace(Arc<NetworkPlaces>, IpAddr);

impl NetworkPlaces {
    pub(super) fn new(most: usize, loopback_is_exempt: bool) -> Arc<Self> {
        Arc::new(Self { most, loopback_is_exempt, used: Mutex::default() })
    }

    /// A place for the network of `address`; none when all of its places are used.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<NetworkPlace> {
        let exempt = self.loopback_is_exempt && address.to_canonical().is_loopback();
        let network = network(address);
        let mut used = self.used.lock();
        let used = used.entry(network).or_default();
        (exempt || *used < self.most).then(|| {
            *used += 1;
            NetworkPlace(self.clone(), network)
        })
    }
}

impl Drop for NetworkPlace {
    fn drop(&mut self) {
        let mut all = self.0.used.lock();
        if let Some(used) = all.get_mut(&self.1) {
            *used -= 1;
            if *used == 0 {
                all.remove(&self.1);
            }
        }
    }
}

/// The /24 or /48 that `address` is in.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_keys_never_take_the_half_that_is_kept() {
        let places = ClassPlaces::new(16);
        let take = |class, count: usize| (0..count).map_while(|_| places.take(class)).collect::<Vec<_>>();
        let strangers = take(AskerClass::Stranger, 100);
        let registered = take(AskerClass::Registered, 100);
        assert_eq!((strangers.len(), registered.len()), (8, 0), "together, not each");
        assert_eq!(take(AskerClass::Staked, 100).len(), 4);
        let staked = take(AskerClass::Staked, 100);
        assert_eq!(take(AskerClass::Validator, 100).len(), 4);
        drop((strangers, staked));
        assert_eq!(take(AskerClass::Validator, 100).len(), 16, "all were given back");
    }

    #[test]
    fn a_server_with_one_place_serves_every_class() {
        for class in AskerClass::ALL {
            let places = ClassPlaces::new(1);
            let held = places.take(class);
            assert!(held.is_some() && places.take(AskerClass::Validator).is_none());
        }
    }

    #[test]
    fn a_network_is_a_24_or_a_48_and_loopback_counts_unless_it_is_exempt() {
        for (one, same, other) in [
            ("203.0.113.1", "203.0.113.255", "203.0.114.1"),
            ("::ffff:203.0.113.1", "203.0.113.2", "::ffff:203.0.114.1"),
            ("2606:4700:1::1", "2606:4700:1:ffff::2", "2606:4700:2::1"),
            ("127.0.0.1", "127.0.0.2", "127.0.1.1"),
        ] {
            let [one, same, other] = [one, same, other].map(|text| text.parse::<IpAddr>().unwrap());
            let places = NetworkPlaces::new(1, false);
            let held = places.take(one);
            assert!(held.is_some() && places.take(same).is_none() && places.take(other).is_some(), "{one}");
            drop(held);
            assert!(places.take(same).is_some());
        }
        let places = NetworkPlaces::new(1, true);
        let held: Vec<_> = (0..9).map_while(|_| places.take("::1".parse().unwrap())).collect();
        assert_eq!(held.len(), 9);
        drop(held);
        assert!(places.used.lock().is_empty());
    }
}
