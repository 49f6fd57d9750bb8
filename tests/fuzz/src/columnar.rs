//! Small Parquet and Arrow files with every sort of column that the readers know.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float32Array, Int64Array, LargeStringArray, ListArray,
    RecordBatch, StringArray, StructArray, TimestampSecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Int8Type};
use arrow::ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

fn batch() -> RecordBatch {
    let role: ArrayRef = Arc::new(StringArray::from(vec!["user", "assistant", "user"]));
    let content: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]));
    let fields: Vec<Field> = [("role", &role), ("content", &content)]
        .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
        .to_vec();
    let turns = StructArray::new(fields.into(), vec![role, content], None);
    let item = Arc::new(Field::new("item", turns.data_type().clone(), true));
    let messages = ListArray::new(item, OffsetBuffer::from_lengths([2, 0, 1]), Arc::new(turns), None);
    let lang: DictionaryArray<Int8Type> = ["en", "de", "en"].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", Arc::new(StringArray::from(vec![Some("one text"), None, Some("three")]))),
        ("long", Arc::new(LargeStringArray::from(vec!["x", "y", "z"]))),
        ("n", Arc::new(Int64Array::from(vec![Some(1), Some(-2), None]))),
        ("score", Arc::new(Float32Array::from(vec![0.5, f32::NAN, 2.5]))),
        ("ok", Arc::new(BooleanArray::from(vec![true, false, true]))),
        ("lang", Arc::new(lang)),
        ("at", Arc::new(TimestampSecondArray::from(vec![0, 1, i64::MAX]))),
        ("messages", Arc::new(messages)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Parquet files, one for each compression.
pub fn parquet() -> Vec<Vec<u8>> {
    let packed = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())];
    let file = |compression| {
        let mut bytes = Vec::new();
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch().schema(), Some(properties)).unwrap();
        writer.write(&batch()).unwrap();
        writer.close().unwrap();
        bytes
    };
    packed.map(file).to_vec()
}

/// Arrow files and streams, packed and not.
pub fn arrow() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for packed in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let options = || IpcWriteOptions::default().try_with_compression(packed).unwrap();
        let mut bytes = Vec::new();
        let mut writer = FileWriter::try_new_with_options(&mut bytes, &batch().schema(), options()).unwrap();
        writer.write(&batch()).unwrap();
        writer.finish().unwrap();
        all.push(bytes);
        let mut bytes = Vec::new();
        let mut writer =
            StreamWriter::try_new_with_options(&mut bytes, &batch().schema(), options()).unwrap();
        writer.write(&batch()).unwrap();
        writer.finish().unwrap();
        all.push(bytes);
    }
    all
}
