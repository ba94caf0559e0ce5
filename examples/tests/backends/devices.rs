//! Opening a device.

use slowburn::device;

/// wgpu takes options once in a process, and other devices are the same however often they are asked for.
#[test]
fn a_second_time_it_is_the_same() {
    for name in device::built_in() {
        let [first, second] = [(); 2].map(|()| device::parse(name).unwrap());
        assert_eq!(first, second, "{name}");
    }
}
