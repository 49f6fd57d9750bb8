//! Groups of duplicates: who belongs together, and the side report that names them.

use serde::Serialize;

use crate::{
    document::Document,
    engine::{Desk, Packed, Sorter},
    error::Result,
    tokens::id_hash,
};

/// Ids of dropped documents that a line of the report names; all are counted.
const NAMED: usize = 20;

/// One line of `clusters.jsonl`, the side report of the steps that drop duplicates. Lines are in document order of the
/// copies that stay.
#[derive(Debug, Serialize)]
struct Cluster<'a> {
    /// The step.
    step: &'a str,
    /// Documents in the cluster.
    documents: u64,
    /// Id of the copy that stays.
    kept: &'a str,
    /// Ids of the others, the first twenty.
    others: &'a [String],
}

/// The beginning of a sketch: the document's id.
pub(super) fn id(doc: &Document, out: &mut Vec<u8>) {
    doc.id.pack(out);
}

/// The value of the column `cluster` for the group whose kept copy has this id.
pub(super) fn of(id: &str) -> String {
    format!("{:016x}", id_hash(id))
}

/// Calls `mark` with every document of a group but the copy that stays, and the name of the group; `rows` are (the copy
/// that stays, member).
pub(super) fn name(
    desk: &mut Desk<'_>,
    rows: Sorter<'_, (u64, u64)>,
    mut mark: impl FnMut(&mut Desk<'_>, u64, String) -> Result<()>,
) -> Result<()> {
    let mut rows = rows.sorted()?.peekable();
    let mut members: Sorter<'_, (u64, String)> = desk.sorter();
    desk.each(|number, mut sketch| {
        let mut name = None;
        while let Some(row) = rows.next_if(|row| row.as_ref().map_or(true, |row| row.0 == number)) {
            let name = match &name {
                Some(name) => name,
                None => name.insert(of(&desk.unpack::<String>(&mut sketch)?)),
            };
            members.push((row?.1, name.clone()))?;
        }
        Ok(())
    })?;
    for row in members.sorted()? {
        let (member, name) = row?;
        mark(desk, member, name)?;
    }
    Ok(())
}

/// Writes the report out of (member, the copy that stays), one row for each document of a cluster but the copy that
/// stays. Sketches begin with the [`id`].
pub(super) fn report(desk: &mut Desk<'_>, step: &str, members: Sorter<'_, (u64, u64)>) -> Result<()> {
    let mut heads: Sorter<'_, u64> = desk.sorter();
    let mut named: Sorter<'_, (u64, u64, String)> = desk.sorter();
    let mut members = members.sorted()?.peekable();
    desk.each(|number, mut sketch| {
        while let Some(row) = members.next_if(|row| row.as_ref().map_or(true, |row| row.0 == number)) {
            let (member, kept) = row?;
            heads.push(kept)?;
            named.push((kept, member, desk.unpack(&mut sketch)?))?;
        }
        Ok(())
    })?;
    let mut heads = heads.sorted()?.peekable();
    let mut of_heads: Sorter<'_, (u64, String)> = desk.sorter();
    desk.each(|number, mut sketch| {
        let mut found = false;
        while heads.next_if(|row| row.as_ref().map_or(true, |row| *row == number)).transpose()?.is_some() {
            found = true;
        }
        if found {
            of_heads.push((number, desk.unpack(&mut sketch)?))?;
        }
        Ok(())
    })?;
    let mut named = named.sorted()?.peekable();
    for head in of_heads.sorted()? {
        let (number, kept) = head?;
        let (mut documents, mut others) = (1, Vec::new());
        while let Some(row) = named.next_if(|row| row.as_ref().map_or(true, |row| row.0 == number)) {
            let (_, _, id) = row?;
            documents += 1;
            if others.len() < NAMED {
                others.push(id);
            }
        }
        desk.report("clusters", &Cluster { step, documents, kept: &kept, others: &others })?;
    }
    Ok(())
}
