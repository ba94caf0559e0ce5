use burn::tensor::Tensor;

/// Images in a pass of a network.
const PASS: usize = 64;

/// What `forward` makes of images `[N, C, H, W]`, in passes of one fixed size, the last of which is filled up with zeros: kernels
/// may sum in another order for another size, and results would depend on how many images came together.
pub fn in_fixed_batches(images: Tensor<4>, forward: impl Fn(Tensor<4>) -> Tensor<2>) -> Tensor<2> {
    let [count, channels, height, width] = images.dims();
    let device = images.device();
    let pass = |first: usize| {
        let here = (count - first).min(PASS);
        let part = images.clone().narrow(0, first, here);
        let filled = match PASS - here {
            0 => part,
            missing => Tensor::cat(vec![part, Tensor::zeros([missing, channels, height, width], &device)], 0),
        };
        forward(filled).narrow(0, 0, here)
    };
    Tensor::cat((0..count).step_by(PASS).map(pass).collect(), 0)
}
