//! The digest of a file's metadata and tensors, as [`Metadata`](super::Metadata) defines it.

use sha2::{Digest as _, Sha256};

pub(super) struct Digest(Sha256);

impl Digest {
    /// Begins with the metadata, in order of keys.
    pub(super) fn of_metadata<'a>(entries: impl Iterator<Item = (&'a String, &'a String)>) -> Self {
        let mut digest = Self(Sha256::new());
        entries.for_each(|(key, value)| {
            digest.part(key.as_bytes());
            digest.part(value.as_bytes());
        });
        digest
    }

    /// Goes on with a tensor, whose values come next; tensors come in order of names.
    pub(super) fn begin(&mut self, name: &str, dtype: &str, shape: &[usize]) {
        let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
        self.part(name.as_bytes());
        self.part(dtype.as_bytes());
        self.part(format!("[{}]", axes.join(",")).as_bytes());
    }

    /// Goes on with some of the tensor's values.
    pub(super) fn values(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
        self.0.update([0]);
    }

    /// In hexadecimal.
    pub(super) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
