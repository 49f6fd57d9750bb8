//! `llmp bench`: what this machine reaches, kept for later runs.

use serde_json::json;

use crate::Exit;
use crate::args::{Bench, Format};
use crate::output;
use crate::table::table;

pub(crate) fn bench(args: &Bench) -> Exit {
    if !(args.seconds.is_finite() && args.seconds >= 0.0) {
        output::note("error: --seconds is a number that is not negative");
        return Exit::Usage;
    }
    let (bench, file) = match llmp_exec::bench::measure(args.seconds) {
        Ok(measured) => measured,
        Err(failure) => {
            output::note(&format!("error[{}]: {failure}", failure.code));
            return Exit::Failed;
        }
    };
    if args.format == Format::Json {
        output::print(&format!("{:#}\n", json!({ "bench": bench, "file": file })));
        return Exit::Clean;
    }
    let rate = |flops: f64| format!("{:.0}", flops / 1e9);
    let row = |name: String, f32: f64, bf16: f64| vec![name, rate(f32), rate(bf16), "GFLOP/s".to_owned()];
    let mut rows: Vec<_> = bench
        .products
        .iter()
        .map(|p| {
            let [m, n, k] = p.shape;
            row(format!("{m} x {n} x {k}"), p.f32, p.bf16)
        })
        .collect();
    rows.push(row("peak".into(), bench.peak.f32, bench.peak.bf16));
    let machine = &bench.machine;
    output::print(&format!(
        "{}, {}, threads: {}, llmp {}\n\n{}\n  memory  {:.1} GB/s read and written\n\nkept in {}\n",
        machine.processor,
        machine.instructions,
        machine.threads,
        machine.llmp,
        table(&["product", "f32", "bf16", ""], &rows),
        bench.memory / 1e9,
        file.display()
    ));
    Exit::Clean
}
