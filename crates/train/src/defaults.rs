//! Default settings for a number of images. A setting that is given is never changed.

/// What pre-training takes by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PretrainDefaults {
    /// Images in a batch: 128, or as many as leave 8 batches an epoch, at least 2; a multiple of `splits`.
    pub batch: usize,
    /// Groups of a batch with batch statistics of their own, for networks with split batch normalisation: 8, or 2 in batches
    /// below 32, or 1 below 4.
    pub splits: usize,
    /// Keys in MoCo's queue: 4,096, or the most whole batches that leave a batch of images out of it, so that few images meet
    /// an earlier key of their own.
    pub queue: usize,
    /// Neighbours that vote in the kNN monitor: 200, or a tenth of its bank, at least 1.
    pub k: usize,
    /// Passes over the images: 20, or as many as make 4,680 steps, at most 200.
    pub epochs: u32,
}

const BATCH: usize = 128;
const BATCHES: usize = 8;
const SPLITS: usize = 8;
const QUEUE: usize = 4096;
const NEIGHBOURS: usize = 200;
/// Those of 60 epochs of 10,000 images.
const STEPS: usize = 4680;
const EPOCHS: [usize; 2] = [20, 200];
/// The share of labelled images in the monitor's bank.
const BANK: [usize; 2] = [4, 5];

/// Pre-training on this many images, of which so many have a label, for the monitor.
pub fn pretrain(images: usize, labeled: usize) -> PretrainDefaults {
    let most = (images / BATCHES).clamp(2, BATCH);
    let splits = match most {
        32.. => SPLITS,
        4.. => 2,
        _ => 1,
    };
    let batch = most / splits * splits;
    let fits = QUEUE.min(images.saturating_sub(batch)) / batch * batch;
    let bank = labeled * BANK[0] / BANK[1];
    let per_epoch = (images / batch).max(1);
    PretrainDefaults {
        batch,
        splits,
        queue: fits.max(batch),
        k: NEIGHBOURS.min(bank / 10).max(1),
        epochs: STEPS.div_ceil(per_epoch).clamp(EPOCHS[0], EPOCHS[1]) as u32,
    }
}

/// What learning from few labels takes by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FewLabelsDefaults {
    /// Images in a batch: 64, or as many as leave 8 batches an epoch, at least 4.
    pub batch: usize,
    /// Those of them that have a label: a quarter, rounded up.
    pub labeled: usize,
    /// Passes over the images without one: 10, or as many as make 2,080 steps, at most 200.
    pub epochs: u32,
}

const FEW_BATCH: usize = 64;
/// Those of 10 epochs of 10,000 images.
const FEW_STEPS: usize = 2080;
const FEW_EPOCHS: [usize; 2] = [10, 200];

/// Learning from this many images, of which few have a label.
pub fn few_labels(images: usize) -> FewLabelsDefaults {
    let batch = (images / BATCHES).clamp(4, FEW_BATCH);
    let share = batch.div_ceil(4);
    let per_epoch = (images / (batch - share)).max(1);
    let epochs = FEW_STEPS.div_ceil(per_epoch).clamp(FEW_EPOCHS[0], FEW_EPOCHS[1]) as u32;
    FewLabelsDefaults { batch, labeled: share, epochs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_images_have_the_recipe_that_was_measured_with_them() {
        let expected = PretrainDefaults { batch: 128, splits: 8, queue: 4096, k: 200, epochs: 60 };
        assert_eq!(pretrain(10_000, 10_000), expected);
        assert_eq!(pretrain(1_281_167, 1_281_167), PretrainDefaults { epochs: 20, ..expected });
        assert_eq!(few_labels(10_000), FewLabelsDefaults { batch: 64, labeled: 16, epochs: 10 });
    }

    #[test]
    fn few_images_have_settings_that_fit() {
        assert_eq!(pretrain(60, 60), PretrainDefaults { batch: 6, splits: 2, queue: 54, k: 4, epochs: 200 });
        assert_eq!(pretrain(1000, 0), PretrainDefaults { batch: 120, splits: 8, queue: 840, k: 1, epochs: 200 });
        assert_eq!(few_labels(60), FewLabelsDefaults { batch: 7, labeled: 2, epochs: 174 });
        for images in 4..5000 {
            let PretrainDefaults { batch, splits, queue, k, epochs } = pretrain(images, images);
            assert!((2..=128).contains(&batch) && batch <= images && batch.is_multiple_of(splits), "{images}");
            assert!(queue >= batch && queue <= images - batch && queue.is_multiple_of(batch), "{images}: {queue}");
            assert!((1..=images).contains(&k) && (20..=200).contains(&epochs), "{images}");
            let FewLabelsDefaults { batch, labeled, epochs } = few_labels(images);
            assert!(labeled >= 1 && labeled < batch && batch <= images.max(4) && (10..=200).contains(&epochs));
        }
    }
}
