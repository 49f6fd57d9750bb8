//! Documents as columns of Parquet: one schema for all files of a folder.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use ::parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use arrow::{
    array::{
        Array, ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, ListArray, RecordBatch,
        StringBuilder, StructArray,
    },
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::Field,
};
use rayon::prelude::*;

use crate::{
    context::Context,
    document::{Cell, Document},
    error::{DataError, Result},
    row::Message,
};

/// What the documents of a folder hold.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// Plain documents among them.
    text: bool,
    /// Pages among them.
    pages: bool,
    /// Names of lists of messages, in the order of a row.
    turns: Vec<&'static str>,
    /// Fields of messages beside role and content.
    more: bool,
    /// Columns with the name of their type; those of several types are text.
    columns: BTreeMap<String, &'static str>,
}

/// Columns that are no cells.
const OWN: &[&str] =
    &["id", "text", "html", "content_type", "messages", "prompt", "answer", "chosen", "rejected", "edited"];

impl Schema {
    /// The schema of all documents of some parts.
    pub(super) fn of(parts: &[PathBuf], ctx: &Context<'_>) -> Result<Schema> {
        let one = |path: &PathBuf| {
            ctx.check()?;
            let mut schema = Schema::default();
            documents(path, |doc| schema.add(&doc))?;
            Ok(schema)
        };
        let all: Vec<Schema> = parts.par_iter().map(one).collect::<Result<_>>()?;
        Ok(all.into_iter().fold(Schema::default(), Schema::join))
    }

    fn add(&mut self, doc: &Document) {
        self.pages |= doc.raw.is_some();
        self.text |= doc.row.is_none() && doc.raw.is_none();
        for (name, turns) in doc.row.iter().flat_map(|row| row.parts()) {
            self.part(name);
            self.more |= turns.iter().any(|turn| !turn.more.is_empty());
        }
        for (name, cell) in &doc.columns {
            self.column(name, cell.type_name());
        }
    }

    fn part(&mut self, name: &'static str) {
        if !self.turns.contains(&name) {
            self.turns.push(name);
        }
    }

    fn column(&mut self, name: &str, ty: &'static str) {
        match self.columns.get_mut(name) {
            Some(own) if *own == ty => {}
            Some(own) => *own = "Text",
            None => _ = self.columns.insert(name.to_owned(), ty),
        }
    }

    fn join(mut self, next: Schema) -> Schema {
        self.text |= next.text;
        self.pages |= next.pages;
        self.more |= next.more;
        next.turns.into_iter().for_each(|name| self.part(name));
        next.columns.iter().for_each(|(name, ty)| self.column(name, ty));
        self
    }

    /// A stored part as the bytes of a Parquet file.
    pub(super) fn file(&self, part: &Path) -> Result<Vec<u8>> {
        let mut docs = Vec::new();
        documents(part, |doc| docs.push(doc))?;
        let bad = |e: &dyn std::fmt::Display| DataError::artifact(part, e);
        let batch = self.batch(&docs).map_err(|e| bad(&e))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("llmp".into())
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).map_err(|e| bad(&e))?;
        writer.write(&batch).map_err(|e| bad(&e))?;
        writer.close().map_err(|e| bad(&e))?;
        Ok(bytes)
    }

    fn batch(&self, docs: &[Document]) -> Result<RecordBatch, arrow::error::ArrowError> {
        let mut all: Vec<(String, ArrayRef)> = Vec::new();
        all.push(("id".into(), texts(docs.iter().map(|doc| Some(doc.id.as_str())))));
        if self.text {
            let text = |doc: &Document| doc.row.is_none() && doc.raw.is_none();
            all.push(("text".into(), texts(docs.iter().map(|doc| text(doc).then_some(doc.text.as_str())))));
        }
        if self.pages {
            let mut pages = BinaryBuilder::new();
            docs.iter().for_each(|doc| pages.append_option(doc.raw.as_ref().map(|page| &page.bytes)));
            let kind = |doc: &'_ Document| doc.raw.as_ref().and_then(|page| page.content_type.clone());
            let mut kinds = StringBuilder::new();
            docs.iter().for_each(|doc| kinds.append_option(kind(doc)));
            all.push(("html".into(), Arc::new(pages.finish())));
            all.push(("content_type".into(), Arc::new(kinds.finish())));
        }
        for name in &self.turns {
            let part = |doc: &'_ Document| doc.row.as_ref().and_then(|row| row.part(name).cloned());
            all.push(((*name).into(), self.messages(&docs.iter().map(part).collect::<Vec<_>>())));
        }
        for (name, ty) in &self.columns {
            let taken = OWN.contains(&name.as_str()) && all.iter().any(|(own, _)| own == name);
            let column = if taken { format!("metadata_{name}") } else { name.clone() };
            all.push((column, cells(docs, name, ty)));
        }
        let fields: Vec<Field> =
            all.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        let arrays = all.into_iter().map(|(_, array)| array).collect();
        RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), arrays)
    }

    /// Lists of messages as a list of structures; further fields of a message are JSON in `more`.
    fn messages(&self, rows: &[Option<Vec<Message>>]) -> ArrayRef {
        let all: Vec<&Message> = rows.iter().flatten().flatten().collect();
        let mut parts: Vec<(&str, ArrayRef)> = vec![
            ("role", texts(all.iter().map(|turn| Some(turn.role.as_str())))),
            ("content", texts(all.iter().map(|turn| turn.content.as_deref()))),
        ];
        if self.more {
            let mut more = StringBuilder::new();
            for turn in &all {
                more.append_option(
                    (!turn.more.is_empty()).then(|| serde_json::to_string(&turn.more).unwrap_or_default()),
                );
            }
            parts.push(("more", Arc::new(more.finish())));
        }
        let fields: Vec<Field> =
            parts.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
        let turns =
            StructArray::new(fields.into(), parts.into_iter().map(|(_, array)| array).collect(), None);
        let item = Arc::new(Field::new("item", turns.data_type().clone(), true));
        let lengths = rows.iter().map(|row| row.as_ref().map_or(0, Vec::len));
        let there = NullBuffer::from(rows.iter().map(Option::is_some).collect::<Vec<bool>>());
        Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths), Arc::new(turns), Some(there)))
    }
}

fn texts<'a>(all: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    all.for_each(|text| builder.append_option(text));
    Arc::new(builder.finish())
}

/// A column of cells.
fn cells(docs: &[Document], name: &str, ty: &str) -> ArrayRef {
    let all = docs.iter().map(|doc| doc.columns.get(name));
    match ty {
        "Num" => {
            let mut builder = Float64Builder::new();
            all.for_each(|cell| {
                builder.append_option(cell.and_then(|c| if let Cell::Num(n) = c { Some(*n) } else { None }))
            });
            Arc::new(builder.finish())
        }
        "Bool" => {
            let mut builder = BooleanBuilder::new();
            all.for_each(|cell| {
                builder.append_option(cell.and_then(|c| if let Cell::Bool(b) = c { Some(*b) } else { None }))
            });
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = StringBuilder::new();
            for cell in all {
                builder.append_option(cell.map(|cell| match cell {
                    Cell::Text(text) => text.clone(),
                    Cell::Num(n) => n.to_string(),
                    Cell::Bool(b) => b.to_string(),
                }));
            }
            Arc::new(builder.finish())
        }
    }
}

/// Calls `with` with each document of a stored part.
fn documents(part: &Path, mut with: impl FnMut(Document)) -> Result<()> {
    let file = std::fs::File::open(part).map_err(|e| DataError::io("open", part, e))?;
    let decoder = zstd::Decoder::new(file).map_err(|e| DataError::io("read", part, e))?;
    for line in BufReader::with_capacity(1 << 16, decoder).split(b'\n') {
        let line = line.map_err(|e| DataError::io("read", part, e))?;
        with(serde_json::from_slice(&line).map_err(|e| DataError::artifact(part, e))?);
    }
    Ok(())
}
