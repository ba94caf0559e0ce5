use burn::tensor::Tensor;
use faer::Mat;
use rayon::ThreadPoolBuilder;

/// Rows that the rank is taken of at most: the singular values of a matrix cost its rows squared.
const ROWS: usize = 1024;
/// Keeps the logarithm of a share finite, as in RankMe.
const SMALL: f64 = 1e-7;

/// The effective rank of features `[samples, D]`: how many directions they vary along, between 1 and min(samples, D).
///
/// `exp(−Σ pₖ·ln pₖ)` with `pₖ = σₖ/Σσ + 10⁻⁷`, σ the singular values (RankMe: Garrido et al., arXiv 2210.02885, eq. 1 and 2).
/// Taken of 1,024 samples at most, spread evenly. Among encoders of one kind a larger one tends to classify better; one that
/// falls to a few while training is a collapse that kNN shows late.
pub fn effective_rank(features: Tensor<2>) -> f64 {
    let [samples, dim] = features.dims();
    let rows = samples.min(ROWS);
    let values: Vec<f64> = features.without_autodiff().into_data().iter::<f64>().collect();
    let matrix = Mat::from_fn(rows, dim, |row, column| values[row * samples / rows.max(1) * dim + column]);
    let Some(singular) = singular_values(&matrix) else { return f64::NAN };
    let total: f64 = singular.iter().sum();
    if total <= 0.0 {
        return 1.0;
    }
    let shares = singular.iter().map(|value| value / total + SMALL);
    shares.map(|share| -share * share.ln()).sum::<f64>().exp()
}

/// By one thread: by several the last digits depend on their number.
fn singular_values(matrix: &Mat<f64>) -> Option<Vec<f64>> {
    let one = ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    one.install(|| matrix.singular_values()).ok()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_rank_is_the_number_of_even_directions() {
        let device = Device::flex();
        let even = Tensor::<2>::eye(8, &device);
        assert!((effective_rank(even.clone()) - 8.0).abs() < 1e-3);
        // Two directions of singular values 3 and 1: exp of the entropy of (0.75, 0.25).
        let uneven = Tensor::<2>::from_data([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]], &device);
        let expected = (-(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln())).exp();
        assert!((effective_rank(uneven) - expected).abs() < 1e-3);
        let one_way = Tensor::<2>::ones([16, 4], &device);
        assert!((effective_rank(one_way) - 1.0).abs() < 1e-3);
        assert_eq!(effective_rank(Tensor::<2>::zeros([4, 4], &device)), 1.0);
        // More rows than are looked at.
        let many = Tensor::<2>::eye(8, &device).repeat(&[400, 1]);
        assert!((effective_rank(many) - 8.0).abs() < 1e-2);
    }

    #[test]
    fn the_rank_has_the_same_bits_with_any_number_of_threads() {
        let features = Tensor::<2>::random([1024, 128], burn::tensor::Distribution::Default, &Device::flex());
        let with = |threads| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| effective_rank(features.clone())).to_bits()
        };
        assert_eq!(with(1), with(2));
    }
}
