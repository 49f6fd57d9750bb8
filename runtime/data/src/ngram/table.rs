//! A table under 64-bit hashes: open addressing, at least half of it empty.

/// Values under hashes that are good already; two keys of one hash are one key.
#[derive(Debug)]
pub(super) struct Table<V> {
    keys: Vec<u64>,
    values: Vec<V>,
    length: usize,
}

/// Marks a free slot; a key of this value is stored as 1.
const FREE: u64 = 0;

impl<V: Clone + Default> Table<V> {
    /// A table with room for `count` values.
    pub(super) fn with_capacity(count: usize) -> Table<V> {
        let slots = (count.max(8) * 2).next_power_of_two();
        Table { keys: vec![FREE; slots], values: vec![V::default(); slots], length: 0 }
    }

    /// The slot of a key, or the free one that it would get.
    fn slot(&self, key: u64) -> usize {
        let mask = self.keys.len() - 1;
        let mut at = (key ^ (key >> 32)) as usize & mask;
        while self.keys[at] != FREE && self.keys[at] != key {
            at = (at + 1) & mask;
        }
        at
    }

    /// The value of a key, made by `new` where there is none yet.
    pub(super) fn entry(&mut self, key: u64, new: impl FnOnce() -> V) -> &mut V {
        if self.length * 2 >= self.keys.len() {
            self.grow();
        }
        let key = key.max(1);
        let at = self.slot(key);
        if self.keys[at] == FREE {
            self.keys[at] = key;
            self.values[at] = new();
            self.length += 1;
        }
        &mut self.values[at]
    }

    fn grow(&mut self) {
        let mut larger = Table::with_capacity(self.keys.len());
        for (key, value) in self.keys.iter().zip(self.values.drain(..)) {
            if *key != FREE {
                larger.entry(*key, || value);
            }
        }
        *self = larger;
    }
}

impl<V> Table<V> {
    /// The value of a key.
    pub(super) fn get(&self, key: u64) -> Option<&V> {
        let (key, mask) = (key.max(1), self.keys.len() - 1);
        let mut at = (key ^ (key >> 32)) as usize & mask;
        loop {
            match self.keys[at] {
                FREE => return None,
                own if own == key => return Some(&self.values[at]),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// How many values it holds.
    pub(super) fn len(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_keeps_what_it_has() {
        let mut table = Table::with_capacity(0);
        for key in 0..5_000u64 {
            *table.entry(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), || 0) += key;
        }
        *table.entry(7u64.wrapping_mul(0x9e37_79b9_7f4a_7c15), || 0) += 1;
        let get = |key: u64| table.get(key.wrapping_mul(0x9e37_79b9_7f4a_7c15)).copied();
        assert_eq!((get(7), get(4_999), get(5_000), table.len()), (Some(8), Some(4_999), None, 5_000));
    }
}
