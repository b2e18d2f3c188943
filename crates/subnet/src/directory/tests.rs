//! Server and client against each other, and against rubbish.

use std::collections::BTreeSet;

use nervure_primitives::{Netuid, cbor};
use nervure_protocol::{
    SignedRecord,
    bounds::MAX_PUBLISH,
    directory::{
        DirectoryRequest as Request, DirectoryResponse as Response, FindRecords, PageCursor, SHARDS, shard,
    },
    testing::{AllowAll, MESH, NOW, key as node_key, record},
};
use proptest::prelude::*;
use serde_bytes::ByteBuf;

use super::*;
use crate::Index;

fn context() -> Context<'static, AllowAll> {
    Context { mesh: &MESH, registry: &AllowAll, now: NOW }
}

fn signed(seed: u8, expert: &str, capability: &str) -> SignedRecord {
    SignedRecord::sign(&node_key(seed), &MESH, record(seed, expert, capability)).unwrap()
}

fn ask(index: &mut Index, request: &Request) -> Vec<u8> {
    answer(index, &cbor::encode(request).unwrap(), &context())
}

fn publish(index: &mut Index, records: &[SignedRecord]) -> Result<u16, DirectoryError> {
    let records = records.iter().map(|record| ByteBuf::from(record.bytes())).collect();
    read_published(&ask(index, &Request::Publish { records }))
}

fn find(shard: u8, limit: u16, after: Option<PageCursor>) -> Request {
    let capability = Some("text".parse().unwrap());
    Request::Find(FindRecords { netuid: Netuid(1), capability, shard, filter: None, limit, after })
}

/// Every record of every shard, by pages of `limit`.
fn everything(index: &mut Index, limit: u16) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        let mut after = None;
        loop {
            let bytes = ask(index, &find(shard, limit, after.clone()));
            let page = read_page(&bytes, after.as_ref()).unwrap();
            assert!(page.records.len() <= usize::from(limit) && bytes.len() <= MAX_RESPONSE);
            found.extend(page.records);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    found
}

#[test]
fn a_published_record_is_found_once_with_any_page_size() {
    let mut index = Index::default();
    let all: Vec<_> =
        (1..=40).flat_map(|seed| ["a", "b", "c"].map(|name| signed(seed, name, "text.generate"))).collect();
    for batch in all.chunks(MAX_PUBLISH) {
        assert_eq!(publish(&mut index, batch), Ok(batch.len() as u16));
    }
    assert_eq!(publish(&mut index, &[signed(50, "x", "image")]), Ok(1));
    let expected: BTreeSet<_> = all.iter().map(|record| record.bytes().to_vec()).collect();
    for limit in [1, 7, u16::MAX] {
        let found = everything(&mut index, limit);
        assert_eq!(found.len(), expected.len());
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn pages_are_bounded_by_their_bytes() {
    let mut index = Index::default();
    for seed in 1..=250 {
        let mut large = record(seed, "large", "text");
        large.model = "m".repeat(128).into();
        index.insert(SignedRecord::sign(&node_key(seed), &MESH, large).unwrap(), NOW);
    }
    assert_eq!(everything(&mut index, u16::MAX).len(), 250);
}

#[test]
fn only_what_proves_itself_is_kept() {
    let mut index = Index::default();
    let forged = SignedRecord::sign(&node_key(2), &MESH, record(1, "a", "text")).unwrap();
    assert_eq!(publish(&mut index, &[forged, signed(1, "a", "text")]), Ok(1));
    let too_many = vec![signed(1, "a", "text"); MAX_PUBLISH + 1];
    assert!(matches!(publish(&mut index, &too_many), Err(DirectoryError::Refused(_))));
}

#[test]
fn a_filter_is_applied_where_the_index_is_and_its_mistake_is_said() {
    let mut index = Index::default();
    index.insert(signed(1, "a", "text"), NOW);
    let with = |filter: &str| FindRecords {
        netuid: Netuid(1),
        capability: None,
        shard: shard(&node_key(1).node_id()),
        filter: Some(filter.into()),
        limit: 9,
        after: None,
    };
    let mut ask = |filter| read_page(&ask(&mut index, &Request::Find(with(filter))), None);
    assert_eq!(ask("context >= 256").unwrap().records.len(), 1);
    assert_eq!(ask("context > 256").unwrap().records.len(), 0);
    assert!(
        matches!(ask("context >"), Err(DirectoryError::Refused(reason)) if reason.raw().contains("column"))
    );
}

#[test]
fn a_page_that_leads_backwards_ends_the_search() {
    let cursor = |seed: u8| PageCursor { node: node_key(seed).node_id(), expert: "a".into() };
    let (low, high) =
        if cursor(1).node < cursor(2).node { (cursor(1), cursor(2)) } else { (cursor(2), cursor(1)) };
    let page = |next: &PageCursor, records| {
        cbor::encode(&Response::Page { records, next: Some(next.clone()) }).unwrap()
    };
    let some = || vec![ByteBuf::from(vec![1])];
    assert_eq!(read_page(&page(&high, some()), Some(&low)).unwrap().next, Some(high.clone()));
    assert_eq!(read_page(&page(&low, some()), Some(&high)).unwrap().next, None);
    assert_eq!(read_page(&page(&high, some()), Some(&high)).unwrap().next, None);
    assert_eq!(read_page(&page(&high, vec![]), None).unwrap().next, None, "an empty page leads nowhere");
}

proptest! {
    #[test]
    fn no_bytes_make_either_side_panic(bytes: Vec<u8>) {
        let answered = answer(&mut Index::default(), &bytes, &context());
        prop_assert!(matches!(read_page(&answered, None), Err(DirectoryError::Refused(_))));
        prop_assert!(read_page(&bytes, None).is_err());
    }
}
