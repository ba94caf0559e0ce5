use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ContrastiveError;
use crate::evaluation::{FeatureSet, KnnConfig};

/// How the kNN metric scores, and against what. Clones share the labelled batches and their features.
#[derive(Debug, Clone)]
pub(super) struct Monitor {
    bank: Bank,
    pub(super) knn: KnnConfig,
    /// The bank's features, and the state of the method that they are of.
    known: Arc<Mutex<Option<(u64, FeatureSet)>>>,
}

impl Monitor {
    /// Scores against these labelled batches.
    pub(super) fn new<T: Send + 'static>(bank: T, knn: KnnConfig) -> Self {
        Self { bank: Bank(Arc::new(Mutex::new(Box::new(bank)))), knn, known: Arc::default() }
    }

    /// The bank's features under the method's state `state`, which `extract` makes of the labelled batches where they are
    /// not known.
    ///
    /// # Errors
    /// Those of `extract`.
    pub(super) fn features<T: Clone + 'static>(
        &self,
        state: u64,
        extract: impl FnOnce(T) -> Result<FeatureSet, ContrastiveError>,
    ) -> Result<FeatureSet, ContrastiveError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, features)) = &*known
            && *of == state
        {
            return Ok(features.clone());
        }
        let features = extract(self.bank.batches())?;
        *known = Some((state, features.clone()));
        Ok(features)
    }
}

/// The labelled batches. Their type is erased: a field that a derived `Module` skips may not be generic over the
/// module.
#[derive(Clone)]
struct Bank(Arc<Mutex<Box<dyn Any + Send>>>);

impl Bank {
    /// # Panics
    /// If they are of another type: an empty bank would score every encoder, and wrongly.
    fn batches<T: Clone + 'static>(&self) -> T {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = held.downcast_ref::<T>().cloned();
        batches.unwrap_or_else(|| panic!("the bank of labelled batches is not {}", std::any::type_name::<T>()))
    }
}

impl fmt::Debug for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bank")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the bank of labelled batches is not")]
    fn a_bank_of_another_type_is_no_empty_bank() {
        let bank = Bank(Arc::new(Mutex::new(Box::new(vec![1_u8]))));
        bank.batches::<Vec<u16>>();
    }
}
