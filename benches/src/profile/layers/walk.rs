//! Which kernels a network calls in a pass forward and back.

use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2d;
use slowburn_benches::work::kernels::{Direction, Fused, Kernel};
use slowburn_layers::Conv2d;
use slowburn_layers::kernel::norm::NormShape;
use slowburn_layers::kernel::pool::PoolShape;
use slowburn_layers::kernel::{ConvShape, Rectifier};
use slowburn_models::{ResNet, ResidualBlock, SmallConvNet};

/// The rectifier of [`SmallConvNet`].
const SMALL: Rectifier = Rectifier::LeakyRelu(0.1);

/// The calls of a training step without its head.
#[derive(Debug)]
pub(super) struct Walk {
    images: usize,
    /// Each with how often it is made.
    pub(super) calls: Vec<(Kernel, usize)>,
}

/// Maps between two layers.
#[derive(Debug, Clone, Copy)]
struct Maps {
    channels: usize,
    size: [usize; 2],
    /// Whether they have a gradient: images have none.
    tracked: bool,
}

impl Walk {
    /// Through a residual network with batch normalisation over whole batches.
    pub(super) fn resnet(network: &ResNet, images: usize, image: [usize; 3]) -> Self {
        let (mut walk, maps) = Self::start(images, image);
        let mut maps = walk.convolution(maps, &network.conv1);
        maps = walk.normalisation(maps, false, Rectifier::Relu);
        if let Some(pool) = &network.maxpool {
            maps = walk.max_pool(maps, pool);
        }
        for block in [&network.layer1, &network.layer2, &network.layer3, &network.layer4].into_iter().flatten() {
            maps = walk.block(maps, block);
        }
        walk.mean(maps);
        walk
    }

    /// Through the small network.
    pub(super) fn small(network: &SmallConvNet, images: usize, image: [usize; 3]) -> Self {
        let (mut walk, mut maps) = Self::start(images, image);
        for conv in [&network.conv1, &network.conv2, &network.conv3] {
            maps = walk.convolution(maps, conv);
            maps = walk.normalisation(maps, false, SMALL);
        }
        walk.mean(maps);
        walk
    }

    fn start(images: usize, [channels, height, width]: [usize; 3]) -> (Self, Maps) {
        let mut walk = Self { images, calls: Vec::new() };
        let maps = Maps { channels, size: [height, width], tracked: false };
        // With one channel nothing moves.
        if channels > 1 {
            let shape = walk.shape(maps);
            walk.call(Kernel::ToChannelsLast(shape));
        }
        (walk, maps)
    }

    fn call(&mut self, kernel: Kernel) {
        match self.calls.iter_mut().find(|call| call.0 == kernel) {
            Some((_, times)) => *times += 1,
            None => self.calls.push((kernel, 1)),
        }
    }

    fn shape(&self, maps: Maps) -> NormShape {
        let pixels = maps.size[0] * maps.size[1];
        NormShape { images: self.images, pixels, channels: maps.channels, groups: 1, splits: 1 }
    }

    fn convolution(&mut self, maps: Maps, layer: &Conv2d) -> Maps {
        let [channels_out, channels_in, kh, kw] = layer.weight.dims();
        let shape = ConvShape {
            images: self.images,
            input: maps.size,
            channels: [channels_in, channels_out],
            kernel: [kh, kw],
            stride: layer.stride,
            padding: padding(&layer.padding),
        };
        self.call(Kernel::Convolution(shape, Direction::Forward));
        self.call(Kernel::Convolution(shape, Direction::ToWeight));
        if maps.tracked {
            self.call(Kernel::Convolution(shape, Direction::ToInput));
        }
        Maps { channels: channels_out, size: shape.output(), tracked: true }
    }

    fn normalisation(&mut self, maps: Maps, adds: bool, activation: Rectifier) -> Maps {
        let fused = Fused { shape: self.shape(maps), adds, activation };
        self.call(Kernel::Normalisation(fused));
        self.call(Kernel::NormalisationBack(fused));
        maps
    }

    fn block(&mut self, input: Maps, block: &ResidualBlock) -> Maps {
        if let Some((projection, _)) = &block.downsample {
            let shortcut = self.convolution(input, projection);
            self.normalisation(shortcut, false, Rectifier::None);
        }
        // The shortcut and the first convolution each have a gradient to the input.
        self.call(Kernel::Addition(self.shape(input).len()));
        let mut maps = self.convolution(input, &block.conv1);
        maps = self.normalisation(maps, false, Rectifier::Relu);
        maps = self.convolution(maps, &block.conv2);
        if let Some(conv3) = &block.conv3 {
            maps = self.normalisation(maps, false, Rectifier::Relu);
            maps = self.convolution(maps, conv3);
        }
        self.normalisation(maps, true, Rectifier::Relu)
    }

    fn max_pool(&mut self, maps: Maps, layer: &MaxPool2d) -> Maps {
        let padding = padding(&layer.padding).map(|[before, _]| before);
        let shape = PoolShape {
            images: self.images,
            input: maps.size,
            channels: maps.channels,
            kernel: layer.kernel_size,
            stride: layer.stride,
            padding,
        };
        self.call(Kernel::MaxPool(shape));
        self.call(Kernel::MaxPoolBack(shape));
        Maps { size: shape.output(), ..maps }
    }

    fn mean(&mut self, maps: Maps) {
        let shape = self.shape(maps);
        self.call(Kernel::MeanPool(shape));
        self.call(Kernel::MeanPoolBack(shape));
    }
}

/// Before and behind, along both axes; the networks of this program say theirs in pixels.
fn padding(padding: &PaddingConfig2d) -> [[usize; 2]; 2] {
    match *padding {
        PaddingConfig2d::Explicit(top, left, bottom, right) => [[top, bottom], [left, right]],
        _ => [[0; 2]; 2],
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use slowburn_benches::work::networks::{resnet18_cifar, small};

    use super::*;

    /// Calls of one kind, each as often as it is made.
    fn count(walk: &Walk, operation: &str) -> usize {
        walk.calls.iter().filter(|call| call.0.operation() == operation).map(|call| call.1).sum()
    }

    #[test]
    fn a_resnet18_has_twenty_convolutions() {
        let network = resnet18_cifar(1, &Device::flex()).expect("valid");
        let walk = Walk::resnet(&network, 2, [3, 32, 32]);
        assert_eq!(count(&walk, "convolution, forward"), 20);
        assert_eq!(count(&walk, "convolution, to weight"), 20);
        assert_eq!(count(&walk, "convolution, to input"), 19, "images have no gradient");
        assert_eq!(count(&walk, "normalisation, forward"), 20);
        assert_eq!(count(&walk, "normalisation, backward"), 20);
        assert_eq!(count(&walk, "addition of gradients"), 8);
        // 0.56 G multiplications an image, as the papers count it.
        let products = walk.calls.iter().filter_map(|(kernel, times)| match kernel {
            Kernel::Convolution(shape, Direction::Forward) => Some(shape.products() * times),
            _ => None,
        });
        assert_eq!(products.sum::<usize>(), 2 * 555_417_600);
    }

    #[test]
    fn the_small_network_is_as_its_description() {
        let network = small(&Device::flex()).expect("valid");
        let walk = Walk::small(&network, 1, [1, 28, 28]);
        let products = walk.calls.iter().filter_map(|(kernel, times)| match kernel {
            Kernel::Convolution(shape, Direction::Forward) => Some(shape.products() * times),
            _ => None,
        });
        // 0.06, 0.90 and 1.84 million.
        assert_eq!(products.sum::<usize>(), 32 * 9 * 196 + 64 * 32 * 9 * 49 + 128 * 64 * 9 * 25);
    }
}
