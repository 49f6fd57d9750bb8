//! Event files for TensorBoard: scalars by step in records with masked CRC-32C, as `tf.train.Event` lays them out.

use super::metrics::Line;

/// Name of the file in a stage's folder; TensorBoard takes what holds `tfevents`. It must not end like a program.
pub(crate) const FILE: &str = "events.out.tfevents.0";

/// How an event file begins.
pub(crate) fn head() -> Vec<u8> {
    let mut event = double(1, 0.0);
    event.extend(bytes(3, b"brain.Event:2"));
    record(&event)
}

/// The record of one step. Its time is its number, so that equal runs give equal files.
pub(crate) fn event(line: &Line) -> Vec<u8> {
    let scalars = [("loss", line.loss), ("learning_rate", line.lr), ("gradient_norm", line.norm)];
    let mut summary = Vec::new();
    let own = scalars.into_iter().chain([("tokens", line.tokens as f64)]);
    let more = [("z_loss", line.z_loss), ("needle", line.needle)];
    let more = more.into_iter().filter_map(|(tag, value)| Some((tag, value?)));
    let measured = line.evaluation.iter().map(|(name, value)| (format!("evaluation/{name}"), *value));
    let told = line.objective.iter().map(|(name, value)| (format!("objective/{name}"), *value));
    for (tag, value) in
        own.chain(more).map(|(tag, value)| (tag.to_owned(), value)).chain(told).chain(measured)
    {
        let mut scalar = bytes(1, tag.as_bytes());
        scalar.push((2 << 3) | 5);
        scalar.extend((value as f32).to_le_bytes());
        summary.extend(bytes(1, &scalar));
    }
    if let Some(sample) = &line.sample {
        summary.extend(bytes(1, &text("sample", sample)));
    }
    let mut event = double(1, line.step as f64);
    event.push(2 << 3);
    event.extend(varint(line.step));
    event.extend(bytes(5, &summary));
    record(&event)
}

/// A value that the plugin for texts shows: a tensor of one string.
fn text(tag: &str, content: &str) -> Vec<u8> {
    const STRING: u8 = 7;
    let metadata = bytes(1, &bytes(1, b"text"));
    let shape = bytes(2, &bytes(2, &[1 << 3, 1]));
    let tensor = [&[1 << 3, STRING][..], &shape, &bytes(8, content.as_bytes())].concat();
    [bytes(1, tag.as_bytes()), bytes(9, &metadata), bytes(8, &tensor)].concat()
}

/// Length, its checksum, the content, its checksum.
fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let (of_length, of_content) = (masked(&length), masked(content));
    [&length[..], &of_length.to_le_bytes(), content, &of_content.to_le_bytes()].concat()
}

fn masked(content: &[u8]) -> u32 {
    crc32c(content).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's polynomial, bits reflected.
fn crc32c(content: &[u8]) -> u32 {
    let bit = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !content.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}

fn double(field: u8, value: f64) -> Vec<u8> {
    [&[(field << 3) | 1][..], &value.to_le_bytes()].concat()
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    [&[(field << 3) | 2][..], &varint(content.len() as u64), content].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnolis() {
        // RFC 3720, B.4, and the check value of the polynomial.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_holds_its_length_and_content() {
        let line = serde_json::json!({ "step": 300, "tokens": 5, "loss": 1.5, "lr": 0.1, "norm": 2.0 });
        let record = event(&serde_json::from_value(line).unwrap());
        let length = u64::from_le_bytes(record[..8].try_into().unwrap()) as usize;
        assert_eq!(record.len(), length + 16);
        // Field 2, the step, as a varint.
        assert_eq!(record[12 + 9..12 + 12], [2 << 3, 0xac, 0x02]);
        assert!(record.windows(4).any(|w| w == b"loss"));
        assert_eq!(head()[12 + 9..12 + 24], *b"\x1a\x0dbrain.Event:2");
    }
}
