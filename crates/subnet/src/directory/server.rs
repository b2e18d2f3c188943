//! The server's side: stores records for other nodes.

use nervure_primitives::{
    MeshId, UnixMillis, UntrustedText,
    cbor::{self, Limits},
};
use serde_bytes::ByteBuf;

use super::{MAX_REQUEST, MAX_RESPONSE};
use crate::{Index, IndexSearch, InsertOutcome};
use nervure_protocol::{
    Registry, SignedRecord,
    bounds::{MAX_PAGE, MAX_PUBLISH},
    directory::{
        DirectoryRequest as Request, DirectoryResponse as Response, FindRecords, PageCursor, SHARDS, shard,
    },
};

/// Bytes of a response besides the records.
const RESPONSE_OVERHEAD_BYTES: usize = 512;

/// Bytes of encoding that each record adds to its own size.
const RECORD_OVERHEAD_BYTES: usize = 4;

/// Inputs of a response besides the index.
pub struct Context<'a, R> {
    /// The mesh.
    pub mesh: &'a MeshId,
    /// The admission of records: which nodes may advertise.
    pub registry: &'a R,
    /// The time.
    pub now: UnixMillis,
}

/// Answers one request, whatever its bytes are.
pub fn answer<R: Registry>(index: &mut Index, request: &[u8], context: &Context<'_, R>) -> Vec<u8> {
    let response = match cbor::decode(request, Limits::new(MAX_REQUEST)) {
        Ok(Request::Publish { records }) => publish(index, &records, context),
        Ok(Request::Find(find)) => page(index, &find, context.now),
        Err(error) => refused(&error),
    };
    // Bounded strings, integers and byte strings always encode.
    cbor::encode(&response).unwrap_or_default()
}

fn refused(reason: &dyn std::fmt::Display) -> Response {
    Response::Refused { reason: UntrustedText::new(reason) }
}

fn publish<R: Registry>(index: &mut Index, records: &[ByteBuf], context: &Context<'_, R>) -> Response {
    if records.len() > MAX_PUBLISH {
        return refused(&format!("at most {MAX_PUBLISH} records at once"));
    }
    let (mut kept, mut lost) = (0, 0);
    for bytes in records {
        let record = SignedRecord::verify(bytes, context.mesh, context.now, context.registry);
        match record.map(|record| index.insert(record, context.now)) {
            Ok(InsertOutcome::New | InsertOutcome::Newer | InsertOutcome::Stale) => kept += 1,
            Ok(InsertOutcome::Contradiction | InsertOutcome::Full) | Err(_) => lost += 1,
        }
    }
    Response::Published { kept, refused: lost }
}

fn page(index: &Index, find: &FindRecords, now: UnixMillis) -> Response {
    if find.shard >= SHARDS {
        return refused(&format!("unknown shard {}", find.shard));
    }
    let filter = match find.filter.as_deref().map(str::parse).transpose() {
        Ok(filter) => filter,
        Err(error) => return refused(&error),
    };
    let wanted = IndexSearch {
        capability: find.capability.clone(),
        model: None,
        netuid: Some(find.netuid),
        filter,
        limit: usize::from(find.limit).min(MAX_PAGE),
        after: find.after.clone().map(|after| (after.node, after.expert)),
    };
    let mut room = MAX_RESPONSE - RESPONSE_OVERHEAD_BYTES;
    let mut records: Vec<ByteBuf> = Vec::new();
    let mut last = None;
    let of_shard = index.signed(&wanted, now).filter(|record| shard(&record.record().node) == find.shard);
    for record in of_shard {
        let size = record.bytes().len() + RECORD_OVERHEAD_BYTES;
        if records.len() == wanted.limit || size > room {
            return Response::Page { records, next: last };
        }
        room -= size;
        records.push(ByteBuf::from(record.bytes()));
        last = Some(PageCursor { node: record.record().node, expert: record.record().expert.clone() });
    }
    Response::Page { records, next: None }
}
