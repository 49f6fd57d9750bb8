//! The ledger on real pages: it agrees with the counts, names every lost document, and can be searched.

use std::{collections::BTreeMap, sync::Arc};

use crate::common::{documents, examples, run_on, source, stage};
use llmp_data::{
    engine::Segment,
    ledger::{self, Lost, Origins, SAMPLES},
};

fn pages(out: &std::path::Path) -> Segment {
    let input = source("warc", &examples(), "data/apache-httpd-docs.warc.gz", &[]);
    let mut segment = Segment::new(input, out);
    segment.maps =
        vec![stage("extract_text", &[]), stage("gopher_quality", &[]), stage("gopher_repetition", &[])];
    segment.chunk_bytes = 1 << 20;
    let files = vec!["data/apache-httpd-docs.warc.gz".to_owned()];
    segment.origins = Arc::new(Origins::new(vec![("web".into(), files), ("other".into(), vec!["x".into()])]));
    segment
}

fn all_lost(out: &std::path::Path, needle: &str) -> Vec<Lost> {
    let mut all = Vec::new();
    ledger::lost(out, needle, |one| {
        all.push(one);
        true
    })
    .unwrap();
    all
}

#[test]
fn the_ledger_agrees_with_the_counts_and_names_every_lost_document() {
    let folder = tempfile::tempdir().unwrap();
    let summary = run_on(2, &pages(folder.path()));
    let ledger = ledger::summary(folder.path()).unwrap().unwrap();
    assert_eq!(ledger.flows.keys().collect::<Vec<_>>(), ["web"]);
    for (flow, count) in ledger.total().iter().zip(&summary.counts) {
        assert_eq!((flow.input, flow.output), (count.input, count.output), "{}", count.step);
        assert_eq!((flow.bytes_in, flow.bytes_out), (count.bytes_in, count.bytes_out), "{}", count.step);
        assert_eq!(flow.reasons, count.reasons, "{}", count.step);
    }
    let lost = all_lost(folder.path(), "");
    let reasons: u64 = summary.counts.iter().flat_map(|count| count.reasons.values()).sum();
    assert!(lost.len() > 20);
    assert_eq!(lost.len() as u64, reasons);
    let mut counted: BTreeMap<(usize, String), u64> = BTreeMap::new();
    lost.iter().for_each(|one| *counted.entry((one.step, one.reason.clone())).or_default() += 1);
    for ((step, reason), n) in counted {
        assert_eq!(summary.counts[step].reasons[&reason], n);
        assert_eq!(ledger.losses[step][&reason].sizes.count, n);
        assert!(ledger.losses[step][&reason].samples.len() <= SAMPLES);
    }
    assert_eq!(ledger.kept.sizes.count, summary.main.documents);
    assert_eq!(ledger.kept.samples.len(), SAMPLES);
    // Extraction makes text out of pages: that is no repair, and nothing after it edits.
    assert!(ledger.total().iter().all(|flow| flow.edited == 0));
}

#[test]
fn a_document_is_found_by_its_id_and_its_address() {
    let folder = tempfile::tempdir().unwrap();
    run_on(2, &pages(folder.path()));
    let dropped = all_lost(folder.path(), "").into_iter().find(|one| one.url.is_some()).unwrap();
    let by_id = all_lost(folder.path(), &format!("\"id\":\"{}\"", ledger::stored(&dropped.id)));
    assert_eq!(by_id, std::slice::from_ref(&dropped));
    let url = dropped.url.clone().unwrap();
    assert!(all_lost(folder.path(), &format!("\"{}\"", ledger::stored(&url))).contains(&dropped));

    let kept = documents(folder.path());
    let wanted = &kept[kept.len() / 2];
    let needle = format!("\"id\":\"{}\"", ledger::stored(&wanted.id));
    let found = ledger::find(folder.path(), &needle, 5, |doc| doc.id == wanted.id).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].document, *wanted);
    assert_eq!(ledger::find(folder.path(), "\"id\":", 3, |_| true).unwrap().len(), 3);

    // Identities in three passes are those of one pass.
    let whole = ledger::identities(folder.path(), 0, 1).unwrap();
    let mut passes: Vec<(u64, u64)> =
        (0..3).flat_map(|pass| ledger::identities(folder.path(), pass, 3).unwrap()).collect();
    passes.sort_unstable();
    assert_eq!((whole.len(), &whole), (kept.len(), &passes));
}
