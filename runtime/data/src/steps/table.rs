//! Counts of hashes: how often a line or a run of words occurred in a document.

/// Counts of 64-bit hashes: open addressing, at least half of it empty. Hashes are taken to be equal only for equal
/// things; for a million of them that fails with a chance of 1 in 30 million.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Hash and count; a count of 0 marks a free slot.
    pub(super) slots: Vec<(u64, u32)>,
}

impl Table {
    /// Empties it and makes room for `items`.
    pub(super) fn clear(&mut self, items: usize) {
        self.slots.clear();
        self.slots.resize((items * 2).next_power_of_two(), (0, 0));
    }

    /// Counts one more of `hash`; how often it came so far.
    pub(super) fn count(&mut self, hash: u64) -> u32 {
        let at = self.add(hash);
        self.slots[at].1
    }

    /// Counts one more of `hash`; its slot.
    pub(super) fn add(&mut self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.1 == 0 || slot.0 == hash {
                *slot = (hash, slot.1 + 1);
                return at;
            }
            at = (at + 1) & mask;
        }
    }
}
