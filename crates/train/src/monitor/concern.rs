use crate::task::ContrastMetrics;

/// Epochs in which the loss may be at chance: in MoCo's notebook it rises for three.
const FIRST: u64 = 3;
/// How far below chance a loss must be to show learning, as a fraction of chance.
const MARGIN: f64 = 0.01;
/// The deviation of features below which they have collapsed, as a fraction of that of evenly spread ones.
const COLLAPSE: f64 = 0.1;

/// The effective rank below which features have lost most of their information.
const FEW: f64 = 3.0;

/// What a user should know early in a run.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Concern {
    /// All features point in one direction.
    #[error(
        "epoch {epoch}: features collapse: their standard deviation is {std:.5}, a tenth of evenly spread ones' is \
         {floor:.5}; lower the learning rate, or raise the temperature where the method has one"
    )]
    Collapse {
        /// The epoch, counted from 1.
        epoch: u64,
        /// Their standard deviation.
        std: f64,
        /// The least that is not a collapse.
        floor: f64,
    },
    /// Queries are not distinguished from each other.
    #[error(
        "epoch {epoch}: the loss, {loss:.4}, is not 1 % below chance, {chance:.4}: nothing is learned; look at \
         the views, or lower the temperature where the method has one"
    )]
    Chance {
        /// The epoch, counted from 1.
        epoch: u64,
        /// Its mean loss.
        loss: f64,
        /// The loss of a guess.
        chance: f64,
    },
    /// Features vary along few directions.
    #[error(
        "epoch {epoch}: features vary along {rank:.1} directions only: lower the learning rate, make the views differ more, \
         or raise the temperature where the method has one"
    )]
    Rank {
        /// The epoch, counted from 1.
        epoch: u64,
        /// Their effective rank.
        rank: f64,
    },
}

/// What is worth a warning after an epoch.
pub fn concerns(metrics: &ContrastMetrics) -> Vec<Concern> {
    let &ContrastMetrics { epoch, loss, chance_loss: chance, spread, .. } = metrics;
    let collapse = spread.filter(|spread| spread.std < COLLAPSE * spread.even).map(|spread| Concern::Collapse {
        epoch,
        std: spread.std,
        floor: COLLAPSE * spread.even,
    });
    let rank = metrics.effective_rank.filter(|&rank| rank < FEW).map(|rank| Concern::Rank { epoch, rank });
    let at_chance = epoch > FIRST && loss >= (1.0 - MARGIN) * chance;
    collapse.into_iter().chain(rank).chain(at_chance.then_some(Concern::Chance { epoch, loss, chance })).collect()
}

#[cfg(test)]
mod tests {
    use slowburn_contrastive::evaluation::Spread;

    use super::*;

    fn metrics(epoch: u64, loss: f64, std: f64) -> ContrastMetrics {
        ContrastMetrics {
            epoch,
            step: 0,
            loss,
            chance_loss: 8.0,
            contrast_accuracy: 0.0,
            learning_rate: 0.1,
            knn_accuracy: None,
            spread: Some(Spread { std, even: 0.1 }),
            effective_rank: None,
        }
    }

    #[test]
    fn a_collapse_and_a_loss_at_chance_are_told_and_learning_is_not() {
        assert_eq!(concerns(&metrics(9, 7.9, 0.0101)), []);
        assert!(matches!(concerns(&metrics(1, 7.9, 0.0099))[..], [Concern::Collapse { .. }]));
        for loss in [7.93, 8.0, 9.0] {
            assert_eq!(concerns(&metrics(3, loss, 0.1)), [], "the loss may rise at first");
            assert!(matches!(concerns(&metrics(4, loss, 0.1))[..], [Concern::Chance { .. }]), "{loss}");
        }
        assert_eq!(concerns(&metrics(4, 8.0, 0.0)).len(), 2);
        let flat = ContrastMetrics { effective_rank: Some(2.9), ..metrics(1, 7.9, 0.1) };
        assert!(matches!(concerns(&flat)[..], [Concern::Rank { .. }]));
        let unseen = ContrastMetrics { spread: None, ..metrics(1, 8.0, 0.0) };
        assert_eq!(concerns(&unseen), []);
    }
}
