/// A setting that works but is probably not what was meant. The text is for people.
///
/// Returned by [`Contrastive::diagnose`](crate::Contrastive::diagnose) and
/// [`Contrastive::diagnose_length`](crate::Contrastive::diagnose_length); show it before training starts.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// Keys are shuffled, but batch normalisation sees the whole batch whatever its order.
    #[error(
        "shuffling keys has no effect: the encoder normalises over the whole batch; give it split batch \
         normalisation (splits of 2 or more), or turn shuffling off"
    )]
    ShuffleWithoutEffect,
    /// Split batch normalisation without shuffling: a query and its key are always normalised in the same group.
    #[error(
        "the encoder splits its batches into {splits} groups, but keys are not shuffled: a query and its key share \
         their group"
    )]
    SplitsWithoutShuffle {
        /// Groups of a batch.
        splits: usize,
    },
    /// The queue is longer than the rest of the data set, see [`KeyQueue::check`](crate::KeyQueue::check).
    #[error(
        "a queue of {queue} keys holds those of more than {} samples, the rest of {samples} beside a batch of {batch}: \
         about half of the queries or more meet the last epoch's key of their own sample among the negatives; with a \
         shorter queue fewer do, and none only if every epoch has the same order", samples.saturating_sub(*batch)
    )]
    QueueHoldsPositives {
        /// The queue's size.
        queue: usize,
        /// Samples of the data set.
        samples: usize,
        /// Rows of a batch.
        batch: usize,
    },
    /// A method whose accuracy is known to depend on the batch, see the methods.
    #[error(
        "batches of {batch} are small for {method}: in its paper the accuracy is the same from {least} on, and falls below"
    )]
    SmallBatch {
        /// The method.
        method: &'static str,
        /// Rows of a batch.
        batch: usize,
        /// The smallest batch from which on the accuracy is the same.
        least: usize,
    },
    /// A batch of one sample in a method whose negatives are the batch's others.
    #[error(
        "the negatives of {method} are the other samples of a batch, and a batch of one has none: take larger ones"
    )]
    NoNegatives {
        /// The method.
        method: &'static str,
    },
    /// A decay that rises over another number of steps than the training has.
    #[error(
        "the average's decay rises over {steps} steps and the training takes {training}: {}",
        if steps < training { "behind them the average no longer moves" } else { "it does not reach its end" }
    )]
    DecayLength {
        /// Steps of the decay.
        steps: u64,
        /// Steps of the training.
        training: u64,
    },
    /// Split batch normalisation in a method whose papers share statistics among all devices.
    #[error(
        "the encoder splits its batches into {splits} groups: {method} is meant for statistics of the whole batch; give it \
         plain batch normalisation (splits of 1)"
    )]
    SplitsWithoutQueue {
        /// The method.
        method: &'static str,
        /// Groups of a batch.
        splits: usize,
    },
    /// Evaluation would use running statistics of masked images.
    #[error(
        "queries are masked, and so are the images that running statistics of the query encoder are of: before it is scored \
         or exported, renew them on whole images with evaluation::renew_statistics, or take the key encoder, which sees \
         whole images only"
    )]
    MaskedStatistics,
}
