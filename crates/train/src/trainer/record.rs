//! Methods as records hold them.

use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;

use super::TrainError;

/// Why a record does not fit the method.
pub(super) fn misfit(error: RecordError) -> TrainError {
    TrainError::Record { reason: error.to_string() }
}

/// The method's weights and state, in Burn's burnpack format.
pub(super) fn record_of<M: Module>(method: M) -> Result<Vec<u8>, TrainError> {
    Ok(method.into_record().into_bytes().map_err(misfit)?.to_vec())
}

/// A method with the weights and state of a record, as [`Checkpoint::method`](crate::run::Checkpoint::method) holds it.
///
/// # Errors
/// [`TrainError::Record`] for a record of another method.
pub fn with_record<M: Module>(method: M, record: Vec<u8>) -> Result<M, TrainError> {
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(record)).map_err(misfit)?;
    method.try_load_record(record).map_err(misfit)
}
