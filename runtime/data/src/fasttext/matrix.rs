//! Matrices of a model: dense rows, or rows whose pieces are entries of small code books (product quantisation).

use super::bytes::{Bytes, Read};

/// Entries of one code book.
const CODES: usize = 256;

/// Numbers up to which a quantised matrix is written out: 16 MiB.
const WRITTEN_OUT: usize = 4 << 20;

/// A matrix of `rows` × `width` numbers.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) width: usize,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Dense(Vec<f32>),
    /// As dense, out of a quantised one.
    WrittenOut(Vec<f32>),
    Quantised {
        /// One code for each piece of each row.
        codes: Vec<u8>,
        books: Books,
        /// Code of each row's length, and the lengths; without them every length is 1.
        norms: Option<(Vec<u8>, Books)>,
    },
}

/// Code books: one for each piece of a row. All pieces are `size` numbers long, the last one may be shorter.
#[derive(Debug)]
struct Books {
    pieces: usize,
    size: usize,
    last: usize,
    centroids: Vec<f32>,
}

impl Books {
    fn read(bytes: &mut Bytes<'_>, width: usize) -> Read<Books> {
        let dim = bytes.count("the quantiser's dimension")?;
        let pieces = bytes.count("the quantiser's number of pieces")?;
        let size = bytes.count("the quantiser's piece size")?;
        let last = bytes.count("the quantiser's last piece size")?;
        let covered =
            pieces.checked_sub(1).and_then(|n| n.checked_mul(size)).and_then(|n| n.checked_add(last));
        if dim != width || covered != Some(dim) || size == 0 || last == 0 || last > size {
            return Err(format!("{pieces} pieces of {size} and {last} numbers do not make a row of {width}"));
        }
        let centroids = bytes.floats(dim.saturating_mul(CODES), "the quantiser's centroids")?;
        Ok(Books { pieces, size, last, centroids })
    }

    /// The entries that a row's codes name, piece after piece.
    fn pieces<'a>(&'a self, codes: &'a [u8]) -> impl Iterator<Item = &'a [f32]> {
        codes.iter().enumerate().map(move |(piece, &code)| {
            let size = if piece + 1 == self.pieces { self.last } else { self.size };
            let start = piece * CODES * self.size + usize::from(code) * size;
            &self.centroids[start..start + size]
        })
    }
}

impl Matrix {
    /// A matrix out of its numbers, row after row.
    pub(super) fn dense(width: usize, numbers: Vec<f32>) -> Matrix {
        Matrix { rows: numbers.len() / width.max(1), width, store: Store::Dense(numbers) }
    }

    /// The numbers of a dense matrix, row after row; none of a quantised one.
    pub(super) fn numbers(&self) -> &[f32] {
        match &self.store {
            Store::Dense(numbers) => numbers,
            Store::Quantised { .. } | Store::WrittenOut(_) => &[],
        }
    }

    /// A matrix as fastText writes it: quantised or dense.
    pub(super) fn read(bytes: &mut Bytes<'_>, quantised: bool, what: &str) -> Read<Matrix> {
        let with_norms = quantised && bytes.bool("the norm flag")?;
        let rows = bytes.long_count("a number of rows")?;
        let width = bytes.long_count("a number of columns")?;
        if !quantised {
            let store = Store::Dense(bytes.floats(rows.saturating_mul(width), what)?);
            return Ok(Matrix { rows, width, store });
        }
        let size = bytes.count("the number of codes")?;
        let codes = bytes.items(size, 1, what)?.to_vec();
        let books = Books::read(bytes, width)?;
        if rows.checked_mul(books.pieces) != Some(size) {
            return Err(format!("{size} codes are not {rows} rows of {}", books.pieces));
        }
        let norms = match with_norms {
            true => Some((bytes.items(rows, 1, "the norms")?.to_vec(), Books::read(bytes, 1)?)),
            false => None,
        };
        Ok(Matrix { rows, width, store: Store::Quantised { codes, books, norms } }.written_out())
    }

    /// A small matrix with its numbers in place of their codes: the same products, several times as fast.
    fn written_out(self) -> Matrix {
        if self.rows.saturating_mul(self.width) > WRITTEN_OUT {
            return self;
        }
        let mut numbers = vec![0.0; self.rows * self.width];
        for (row, numbers) in numbers.chunks_exact_mut(self.width.max(1)).enumerate() {
            self.add_row(row, numbers);
        }
        Matrix { store: Store::WrittenOut(numbers), ..self }
    }

    /// Adds row `row` to `sum`.
    pub(super) fn add_row(&self, row: usize, sum: &mut [f32]) {
        match &self.store {
            Store::Dense(numbers) | Store::WrittenOut(numbers) => {
                let numbers = &numbers[row * self.width..][..self.width];
                let (blocks, rest) = numbers.as_chunks::<8>();
                let (sums, sum) = sum.as_chunks_mut::<8>();
                for (sum, block) in sums.iter_mut().zip(blocks) {
                    sum.iter_mut().zip(block).for_each(|(sum, x)| *sum += x);
                }
                sum.iter_mut().zip(rest).for_each(|(sum, x)| *sum += x);
            }
            Store::Quantised { codes, books, .. } => {
                let norm = self.norm(row);
                let codes = &codes[row * books.pieces..][..books.pieces];
                let numbers = books.pieces(codes).flatten();
                sum.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += norm * x);
            }
        }
    }

    /// Product of row `row` and `vector`.
    pub(super) fn dot_row(&self, row: usize, vector: &[f32]) -> f32 {
        match &self.store {
            Store::Dense(numbers) | Store::WrittenOut(numbers) => {
                let numbers = &numbers[row * self.width..][..self.width];
                vector.iter().zip(numbers).map(|(a, b)| a * b).sum()
            }
            Store::Quantised { codes, books, .. } => {
                let codes = &codes[row * books.pieces..][..books.pieces];
                let numbers = books.pieces(codes).flatten();
                self.norm(row) * vector.iter().zip(numbers).map(|(a, b)| a * b).sum::<f32>()
            }
        }
    }

    fn norm(&self, row: usize) -> f32 {
        match &self.store {
            Store::Quantised { norms: Some((codes, books)), .. } => books.centroids[usize::from(codes[row])],
            _ => 1.0,
        }
    }
}
