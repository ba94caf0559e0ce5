//! Memory: written where it lies when nobody else has it, never when somebody has.

use slowburn_optim::FusedSgdConfig;

use crate::{address, bits, numbers, rules, step, tensor};

/// Small, and large enough for all cores.
const SIZES: [usize; 2] = [100, 100_000];

#[test]
fn memory_of_one_owner_is_used_again() {
    for (rule, size) in rules(0.9, 0.1, 0.05).into_iter().flat_map(|rule| SIZES.map(|size| (rule, size))) {
        let sgd = rule.build().unwrap();
        let (weight, gradient) = (tensor(&numbers(0, size), [size]), tensor(&numbers(1, size), [size]));
        let (weight_at, gradient_at) = (address(&weight), address(&gradient));
        let (weight, velocity) = step(&sgd, 0.1, weight, gradient, None);
        assert_eq!(address(&weight), weight_at);
        let Some(velocity) = velocity else { continue };
        assert_eq!(address(&velocity), gradient_at, "the first velocity is the gradient");
        let (weight, velocity) = step(&sgd, 0.1, weight, tensor(&numbers(2, size), [size]), Some(velocity));
        assert_eq!((address(&weight), velocity.as_ref().map(address)), (weight_at, Some(gradient_at)));
    }
}

#[test]
fn a_clone_elsewhere_keeps_its_numbers() {
    for (rule, size) in rules(0.9, 0.1, 0.05).into_iter().flat_map(|rule| SIZES.map(|size| (rule, size))) {
        let sgd = rule.build().unwrap();
        let [start, first, second] = [0, 1, 2].map(|seed| tensor(&numbers(seed, size), [size]));
        let of = |seed| bits(&tensor(&numbers(seed, size), [size]));
        // Every handle is kept.
        let (weight, velocity) = step(&sgd, 0.1, start.clone(), first.clone(), None);
        let between = (bits(&weight), velocity.as_ref().map(bits));
        let (last, last_velocity) = step(&sgd, 0.1, weight.clone(), second.clone(), velocity.clone());
        assert_eq!([bits(&start), bits(&first), bits(&second)], [0, 1, 2].map(of), "{rule:?}");
        assert_eq!((bits(&weight), velocity.as_ref().map(bits)), between, "{rule:?}");
        // No handle is.
        let own = |seed| tensor(&numbers(seed, size), [size]);
        let (weight, velocity) = step(&sgd, 0.1, own(0), own(1), None);
        let (alone, alone_velocity) = step(&sgd, 0.1, weight, own(2), velocity);
        assert_eq!(bits(&alone), bits(&last));
        assert_eq!(alone_velocity.as_ref().map(bits), last_velocity.as_ref().map(bits));
    }
}

#[test]
fn a_gradient_may_be_its_weight() {
    // The gradient of θ²/2 is θ, in the same memory.
    for rule in rules(0.9, 0.1, 0.05) {
        let sgd = rule.build().unwrap();
        let weight = tensor(&numbers(0, 100), [100]);
        let apart = step(&sgd, 0.1, tensor(&numbers(0, 100), [100]), tensor(&numbers(0, 100), [100]), None);
        let (together, velocity) = step(&sgd, 0.1, weight.clone(), weight, None);
        assert_eq!((bits(&together), velocity.as_ref().map(bits)), (bits(&apart.0), apart.1.as_ref().map(bits)));
    }
}

#[test]
fn a_small_part_of_a_large_tensor_does_not_keep_it() {
    let sgd = FusedSgdConfig::new().with_momentum(0.9).build().unwrap();
    let large = || tensor(&numbers(0, 1000), [1000]).narrow(0, 0, 3);
    let (weight, velocity) = step(&sgd, 0.1, large(), large(), None);
    for tensor in [weight, velocity.unwrap()] {
        let primitive = tensor.try_into_primitive::<burn::backend::Flex>().unwrap();
        assert_eq!(primitive.storage::<f32>().len(), 3);
    }
}
