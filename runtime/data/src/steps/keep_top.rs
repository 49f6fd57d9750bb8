//! `keep_top`: the best share of the records by a column.

use std::sync::Arc;

use llmp_stdlib::Problem;

use super::{
    Barrier, Built, Mark, Step,
    arguments::share,
    ranked::{self, Rank},
};
use crate::{
    document::Document,
    engine::{Desk, Packed, Sorter},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Keeps the best share of the records by a column (F43).
    ///
    /// The cut is at a quantile of the whole set, so it moves with the data; `keep_if` cuts at a fixed score. DataComp-LM keeps the
    /// top 10%, Llama 3.1 the top quartile of reward scores (section 4.2.3). The number that stays is rounded to the nearest; of equal values the
    /// first records in document order stay, and the order is kept. Records without the column are the worst. Reason: `below the cut`.
    ///
    /// ```llmp
    /// dataset best = chats |> keep_top(share = 25%, by = "quality")
    /// ```
    KeepTop = "keep_top", rev 1, whole_of [Docs, Chat, Prompt, Answers, Preference], reads ranked::reads, check top {
        /// Share of the records that stay.
        share: f64,
        /// The column that ranks them, the highest first.
        by: String,
    }
}

fn top(it: &KeepTop) -> Vec<Problem> {
    share("share", it.share).into_iter().collect()
}

impl Step for KeepTop {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

impl Barrier for KeepTop {
    fn name(&self) -> &'static str {
        "keep_top"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        Rank::of(doc, &self.by).pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let mut scores: Sorter<'_, (u64, u64)> = desk.sorter();
        desk.each(|number, mut sketch| {
            let falling = match desk.unpack(&mut sketch)? {
                Rank::Number(score) => !score,
                Rank::Missing => u64::MAX,
                Rank::Text(text) => {
                    let text: String = text.chars().take(40).collect();
                    let what =
                        format!("ranks by a number, but `.{}` of a record is the text {text:?}", self.by);
                    return Err(desk.error(what));
                }
            };
            scores.push((falling, number))
        })?;
        let stay = (self.share * desk.documents() as f64).round() as u64;
        for (rank, row) in (0..).zip(scores.sorted()?) {
            let (_, number) = row?;
            if rank >= stay {
                desk.mark(number, &Mark::drop("below the cut"))?;
            }
        }
        Ok(())
    }
}
