use crate::BlurKernel;

/// A blur as passes of one symmetric kernel along each axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BlurPlan {
    /// Weights from the centre outwards: `weights[i]` belongs to the two pixels at distance i. Their sum, with all but
    /// the first counted twice, is 1.
    pub(crate) weights: Vec<f32>,
    /// How often the kernel is applied along each axis.
    pub(crate) passes: usize,
    /// What lies outside.
    pub(crate) border: BlurBorder,
    /// Of boxes, the weights in 2⁻²⁴ that Pillow has for bytes: of the pixels inside, and of the two at the ends.
    pub(crate) fixed: Option<[u32; 2]>,
}

/// What a blur sees outside the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlurBorder {
    /// The edge pixel, again for each pass.
    Edge,
    /// The image, mirrored at the edge pixel.
    Reflect,
}

impl BlurBorder {
    /// The pixel in `0..length` that stands for `place`.
    pub(crate) fn inside(self, place: i64, length: usize) -> usize {
        let last = length as i64 - 1;
        match self {
            Self::Edge => place.clamp(0, last) as usize,
            // The radius is shorter than the side, so one reflection suffices.
            Self::Reflect => (last - (last - place.abs()).abs()) as usize,
        }
    }
}

impl BlurPlan {
    /// A blur of standard deviation `std` (pixels); nothing if it leaves the image as it is.
    pub(crate) fn new(std: f32, kernel: BlurKernel) -> Option<Self> {
        let std = f64::from(std);
        if std <= 0.0 {
            return None;
        }
        match kernel {
            BlurKernel::Boxes => Some(boxes(std)),
            BlurKernel::Truncated { radius } => Some(truncated(std, radius)),
        }
    }

    /// Pixels to each side of the centre that one pass sees.
    pub(crate) fn radius(&self) -> usize {
        self.weights.len() - 1
    }
}

/// Three extended boxes whose variances add up to that of the Gaussian (Gwosdek et al., SSVM 2011, eq. 5): a box
/// of 2l + 1 pixels of weight 1 and one pixel of weight α on each side.
fn boxes(std: f64) -> BlurPlan {
    const PASSES: usize = 3;
    let variance = std * std / PASSES as f64;
    let l = (((12.0 * variance + 1.0).sqrt() - 1.0) / 2.0).floor();
    let alpha = (2.0 * l + 1.0) * (l * (l + 1.0) - 3.0 * variance) / (6.0 * (variance - (l + 1.0) * (l + 1.0)));
    let full = 1.0 / (2.0 * (l + alpha) + 1.0);
    let mut weights = vec![full as f32; l as usize + 1];
    weights.push((alpha * full) as f32);
    BlurPlan { weights, passes: PASSES, border: BlurBorder::Edge, fixed: Some(fixed_boxes(std as f32, PASSES)) }
}

/// Pillow's weights of such a box in 2⁻²⁴, of the pixels inside and of the two at the ends: its radius l + α is rounded to f32
/// at each step, the weight inside is cut off, and the rest goes to the ends.
fn fixed_boxes(std: f32, passes: usize) -> [u32; 2] {
    const ONE: u32 = 1 << 24;
    let variance = std * std / passes as f32;
    let root = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
    let l = ((f64::from(root) - 1.0) / 2.0).floor() as f32;
    let alpha = (2.0 * l + 1.0) * (l * (l + 1.0) - 3.0 * variance) / (6.0 * (variance - (l + 1.0) * (l + 1.0)));
    let inside = (ONE as f32 / ((l + alpha) * 2.0 + 1.0)) as u32;
    [inside, ONE.saturating_sub((2 * l as u32 + 1) * inside) / 2]
}

/// exp(−x²/2σ²) at whole pixels, normalised.
fn truncated(std: f64, radius: u32) -> BlurPlan {
    let density = |x: u32| (-0.5 * (f64::from(x) / std).powi(2)).exp();
    let sum: f64 = (0..=radius).map(|x| density(x) * if x == 0 { 1.0 } else { 2.0 }).sum();
    let weights = (0..=radius).map(|x| (density(x) / sum) as f32).collect();
    BlurPlan { weights, passes: 1, border: BlurBorder::Reflect, fixed: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(plan: &BlurPlan) -> (f64, f64) {
        let twice = |(x, weight): (usize, &f32)| (x as f64, f64::from(*weight) * if x == 0 { 1.0 } else { 2.0 });
        let terms: Vec<_> = plan.weights.iter().enumerate().map(twice).collect();
        let sum = terms.iter().map(|(_, weight)| weight).sum();
        let variance: f64 = terms.iter().map(|(x, weight)| x * x * weight).sum();
        (sum, variance * plan.passes as f64)
    }

    #[test]
    fn three_boxes_have_the_variance_of_the_gaussian() {
        for std in [0.1, 0.5, 1.0, 1.7, 2.0, 10.0] {
            let plan = BlurPlan::new(std, BlurKernel::Boxes).unwrap();
            let (sum, variance) = moments(&plan);
            assert!((sum - 1.0).abs() < 1e-6, "{std}: {sum}");
            let expected = f64::from(std).powi(2);
            assert!((variance / expected - 1.0).abs() < 1e-5, "{std}: {variance} and {expected}");
        }
    }

    #[test]
    fn a_wide_truncated_kernel_is_a_gaussian_and_zero_is_none() {
        let plan = BlurPlan::new(1.5, BlurKernel::Truncated { radius: 9 }).unwrap();
        let (sum, variance) = moments(&plan);
        assert!((sum - 1.0).abs() < 1e-6 && (variance - 2.25).abs() < 1e-4, "{sum} {variance}");
        assert_eq!(BlurPlan::new(0.0, BlurKernel::Boxes), None);
    }

    /// Where f64 would give [1188669, 662259]: with those, four bytes of a picture differ from Pillow 13's.
    #[test]
    fn boxes_of_bytes_are_rounded_as_pillow_rounds_them() {
        assert_eq!(fixed_boxes(7.091_502_7, 3), [1_188_670, 662_253]);
    }

    #[test]
    fn borders_are_repeated_or_reflected() {
        let around: Vec<_> = (-2..6).map(|place| BlurBorder::Reflect.inside(place, 4)).collect();
        assert_eq!(around, [2, 1, 0, 1, 2, 3, 2, 1]);
        let around: Vec<_> = (-2..6).map(|place| BlurBorder::Edge.inside(place, 4)).collect();
        assert_eq!(around, [0, 0, 0, 1, 2, 3, 3, 3]);
        assert_eq!(BlurBorder::Edge.inside(-3, 1), 0);
    }
}
