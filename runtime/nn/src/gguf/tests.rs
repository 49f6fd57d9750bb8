//! Files come back as they were; block formats are those of the gguf package; spoiled files are errors.

use std::io::Cursor;

use serde_json::Value as Json;

use super::*;

fn golden() -> Json {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gguf_blocks.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a golden file")).expect("JSON")
}

fn floats(json: &Json) -> Vec<f32> {
    json.as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number") as f32).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn blocks_are_those_of_the_gguf_package() {
    let golden = golden();
    let values = floats(&golden["values"]);
    let all = [
        (Storage::F32, "F32"),
        (Storage::F16, "F16"),
        (Storage::Bf16, "BF16"),
        (Storage::Q8, "Q8_0"),
        (Storage::Q4, "Q4_0"),
        (Storage::Q41, "Q4_1"),
    ];
    for (storage, name) in all {
        let bytes = storage.encode(&values);
        assert_eq!(storage.bytes(values.len(), 32), Some(bytes.len()), "{name}");
        let (ours, theirs) = (hex(&bytes), golden[name]["bytes"].as_str().expect("hex"));
        let differ = ours.bytes().zip(theirs.bytes()).position(|(a, b)| a != b);
        assert_eq!((differ, ours.len()), (None, theirs.len()), "{name}");
        let mut back = Vec::new();
        storage.decode(&bytes, &mut back);
        assert_eq!(back, floats(&golden[name]["back"]), "{name}");
    }
    assert_eq!(Storage::Q8.bytes(66, 33), None, "a row that is no multiple of a block");
}

fn sample() -> (Metadata, Vec<u8>) {
    let texts = Value::List(vec!["a".into(), "".into()]);
    let metadata: Metadata = [
        ("general.architecture", Value::from("llama")),
        ("u8", Value::U8(200)),
        ("i8", Value::I8(-3)),
        ("u16", Value::U16(60_000)),
        ("i16", Value::I16(-300)),
        ("u32", Value::U32(7)),
        ("i32", Value::I32(-7)),
        ("u64", Value::U64(1 << 40)),
        ("i64", Value::I64(-(1 << 40))),
        ("f32", Value::F32(1e-5)),
        ("f64", Value::F64(0.1)),
        ("flag", Value::Bool(true)),
        ("texts", texts),
        ("floats", Value::List(vec![Value::F32(1.0), Value::F32(-2.0)])),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let values = |n: usize| -> Vec<f32> { (0..n).map(|i| (i as f32 * 0.7).sin()).collect() };
    let pending = |name: &str, shape: &[usize], storage| {
        let count = shape.iter().product();
        Pending { name: name.into(), shape: shape.to_vec(), storage, values: Box::new(move || values(count)) }
    };
    let tensors = [
        pending("norm", &[5], Storage::F32),
        pending("table", &[3, 64], Storage::Q8),
        pending("matrix", &[2, 3, 32], Storage::Q4),
        pending("half", &[2, 7], Storage::F16),
    ];
    let mut bytes = Vec::new();
    write(&mut bytes, &metadata, &tensors).expect("writes to memory");
    (metadata, bytes)
}

#[test]
fn what_is_written_is_read() {
    let (metadata, bytes) = sample();
    assert_eq!(bytes.len() % 32, 0);
    let mut reader = Reader::open(Cursor::new(&bytes)).expect("a whole file");
    assert_eq!(reader.metadata(), &metadata);
    assert_eq!(reader.get("f32").and_then(Value::as_f64), Some(1e-5));
    assert_eq!(reader.names().collect::<Vec<_>>(), ["half", "matrix", "norm", "table"]);
    assert_eq!(reader.shape("matrix"), Some([2, 3, 32].as_slice()));
    assert_eq!(reader.storage("table"), Some(Storage::Q8));
    let norm = reader.read("norm").expect("there");
    assert_eq!(norm, (0..5).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>());
    let table = reader.read("table").expect("there");
    assert!(table.iter().enumerate().all(|(i, x)| (x - (i as f32 * 0.7).sin()).abs() < 0.01));
}

#[test]
fn a_row_that_does_not_fit_its_blocks_is_refused() {
    let values = || vec![0.0; 40];
    let tensor =
        Pending { name: "t".into(), shape: vec![1, 40], storage: Storage::Q8, values: Box::new(values) };
    let error = write(&mut Vec::new(), &Metadata::new(), &[tensor]).expect_err("40 is no multiple of 32");
    assert!(error.to_string().contains("rows of 40"), "{error}");
}

#[test]
fn a_cut_or_spoiled_file_is_an_error_and_never_a_panic() {
    let (_, bytes) = sample();
    let table_end = bytes.len() - 600;
    for keep in 0..bytes.len() - 1 {
        let Err(words) = Reader::open(Cursor::new(&bytes[..keep])) else {
            // Padding after the last tensor may be missing.
            assert!(bytes.len() - keep <= 32, "{keep} bytes are a file");
            continue;
        };
        assert!(!words.is_empty());
    }
    let mut refused = 0;
    for at in 0..table_end {
        for flip in [0x01, 0x80, 0xff] {
            let mut spoiled = bytes.clone();
            spoiled[at] ^= flip;
            match Reader::open(Cursor::new(&spoiled)) {
                Err(_) => refused += 1,
                Ok(mut reader) => {
                    let names: Vec<String> = reader.names().map(str::to_owned).collect();
                    for name in names {
                        let _ = reader.read(&name);
                    }
                }
            }
        }
    }
    assert!(refused > table_end / 2, "{refused}");
}
