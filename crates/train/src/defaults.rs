//! Settings as functions of the data: what a recipe is for so many images.

/// What pre-training takes where nobody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PretrainDefaults {
    /// Images in a batch: 128, or as many as leave 8 batches an epoch, at least 2.
    pub batch: usize,
    /// Keys in MoCo's queue: 4,096, or the most whole batches that leave a batch of images out of it, so that few images meet
    /// an earlier key of their own.
    pub queue: usize,
    /// Neighbours that vote in the kNN monitor: 200, or a tenth of its bank, at least 1.
    pub k: usize,
    /// Passes over the images: 20, or as many as make 1,560 steps, at most 200.
    pub epochs: u64,
}

const BATCH: usize = 128;
const BATCHES: usize = 8;
const QUEUE: usize = 4096;
const NEIGHBOURS: usize = 200;
/// Those of 20 epochs of 10,000 images.
const STEPS: usize = 1560;
const EPOCHS: [usize; 2] = [20, 200];
/// The share of labelled images in the monitor's bank.
const BANK: [usize; 2] = [4, 5];

/// For this many images, of which so many have a label.
pub fn pretrain(images: usize, labeled: usize) -> PretrainDefaults {
    let batch = (images / BATCHES).clamp(2, BATCH);
    let fits = QUEUE.min(images.saturating_sub(batch)) / batch * batch;
    let bank = labeled * BANK[0] / BANK[1];
    let per_epoch = (images / batch).max(1);
    PretrainDefaults {
        batch,
        queue: fits.max(batch),
        k: NEIGHBOURS.min(bank / 10).max(1),
        epochs: STEPS.div_ceil(per_epoch).clamp(EPOCHS[0], EPOCHS[1]) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_images_have_the_recipe_that_was_measured_with_them() {
        let expected = PretrainDefaults { batch: 128, queue: 4096, k: 200, epochs: 20 };
        assert_eq!(pretrain(10_000, 10_000), expected);
        assert_eq!(pretrain(1_281_167, 1_281_167), expected);
    }

    #[test]
    fn few_images_have_settings_that_fit() {
        assert_eq!(pretrain(60, 60), PretrainDefaults { batch: 7, queue: 49, k: 4, epochs: 195 });
        assert_eq!(pretrain(1000, 0), PretrainDefaults { batch: 125, queue: 875, k: 1, epochs: 195 });
        for images in 4..5000 {
            let PretrainDefaults { batch, queue, k, epochs } = pretrain(images, images);
            assert!((2..=128).contains(&batch) && batch <= images, "{images}");
            assert!(queue >= batch && queue <= images - batch && queue.is_multiple_of(batch), "{images}: {queue}");
            assert!((1..=images).contains(&k) && (20..=200).contains(&epochs), "{images}");
        }
    }
}
