//! Resizing of bytes, against Pillow 13 (`tests/fixtures/generate_resize.py`).

use serde::Deserialize;
use slowburn_augment::{Drawn, Filter, Image, ImageSize, Operation, Pipeline, ResizeTo, View};

use crate::{bytes, key};

#[derive(Deserialize)]
struct Resized {
    /// Height, width, channels.
    from: [usize; 3],
    /// Height, width.
    to: [u32; 2],
    filter: Filter,
}

impl Resized {
    /// Our bytes, H×W×C.
    fn ours(&self) -> Vec<u8> {
        let [height, width, channels] = self.from;
        let size = ImageSize::new(height, width, channels);
        let pixels = bytes(size, (height + width) as u32);
        let to = ResizeTo::Exact { height: self.to[0], width: self.to[1] };
        let pipeline = Pipeline::new("resize", vec![Operation::Resize { to, filter: self.filter }]).unwrap();
        let output = pipeline.output_size(size);
        let mut values = vec![f32::NAN; output.values()];
        let view = View { key: key(0), drawn: vec![Drawn::Deterministic] };
        pipeline.apply(&view, Image::new(size, &pixels).unwrap(), &mut values).unwrap();
        let plane = output.height * output.width;
        let at = |place: usize| (values[place % channels * plane + place / channels] * 255.0).round() as u8;
        (0..output.values()).map(at).collect()
    }
}

/// The axis that is first decides what is rounded between the two, and what a cubic overshoots: on pixels without any
/// pattern, as here, bytes differ by up to 31 levels between the orders.
#[test]
fn the_axis_that_loses_more_is_first_as_in_pillow_13() {
    let fixture: Vec<Resized> = serde_json::from_str(include_str!("../fixtures/resize.json")).unwrap();
    let mut results = include_bytes!("../fixtures/resize.bin").as_slice();
    let mut equal = 0;
    for case in &fixture {
        let ours = case.ours();
        let expected = results.split_off(..ours.len()).unwrap();
        let differences = || ours.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
        let (largest, off) = (differences().max(), differences().filter(|difference| *difference > 0).count());
        // Weights are rounded to other bits than Pillow's.
        let what = format!("{:?} to {:?}, {:?}", case.from, case.to, case.filter);
        assert!(
            largest <= Some(1) && off * 100 <= 3 * ours.len(),
            "{what}: {largest:?}, {off} bytes of {}",
            ours.len()
        );
        equal += usize::from(off == 0);
    }
    assert_eq!((fixture.len(), results.len()), (32, 0));
    assert!(equal >= 12, "{equal} have all of Pillow's bytes");
}
