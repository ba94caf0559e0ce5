use super::ChooseError;

/// Rows of equal length, one an image, in one piece of memory.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `dim` values each; none for no value.
    ///
    /// # Errors
    /// [`ChooseError::Shape`], and [`ChooseError::NotFinite`] with the first row that has such a value.
    pub fn new(values: &'a [f32], dim: usize) -> Result<Self, ChooseError> {
        if dim == 0 || !values.len().is_multiple_of(dim) {
            return Err(ChooseError::Shape { values: values.len(), dim });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(place) => Err(ChooseError::NotFinite { row: place / dim, value: values[place] }),
            None => Ok(Self { values, dim }),
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The row `index`.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.dim..(index + 1) * self.dim]
    }
}

/// The scalar product, in sixteen sums so that it is vector instructions; its digits depend on nothing but the values.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const WIDE: usize = 16;
    let mut sums = [0.0_f32; WIDE];
    let (a_chunks, b_chunks) = (a.chunks_exact(WIDE), b.chunks_exact(WIDE));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}
