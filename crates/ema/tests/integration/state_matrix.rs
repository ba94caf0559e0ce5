//! A matrix that is state: what it holds, who shares it, and how it travels.

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use slowburn_ema::{EmaError, StateMatrix};

use crate::tensors;

fn matrix(device: &Device) -> StateMatrix {
    StateMatrix::new(Tensor::from_data([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device))
}

fn values(matrix: &StateMatrix) -> Vec<f32> {
    matrix.value().into_data().iter::<f32>().collect()
}

#[test]
fn rows_are_read_and_moved_by_their_index() {
    let device = Device::flex();
    let matrix = matrix(&device);
    assert_eq!(matrix.dims(), [3, 2]);
    let read: Vec<f32> = matrix.select(&[2, 0, 2]).unwrap().into_data().iter::<f32>().collect();
    assert_eq!(read, [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
    matrix.add(&[2, 0], Tensor::from_data([[10.0, 20.0], [100.0, 200.0]], &device)).unwrap();
    assert_eq!(values(&matrix), [101.0, 202.0, 3.0, 4.0, 15.0, 26.0]);
    matrix.update(|value| value * 2.0);
    assert_eq!(values(&matrix), [202.0, 404.0, 6.0, 8.0, 30.0, 52.0]);
}

#[test]
fn rows_that_do_not_exist_and_changes_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let matrix = matrix(&device);
    let unknown = EmaError::UnknownSample { sample: 3, samples: 3 };
    assert_eq!(matrix.select(&[0, 3]).unwrap_err(), unknown);
    assert_eq!(matrix.add(&[0, 3], Tensor::zeros([2, 2], &device)).unwrap_err(), unknown);
    let rows = EmaError::Rows { found: [2, 3], expected: [2, 2] };
    assert_eq!(matrix.add(&[0, 1], Tensor::zeros([2, 3], &device)).unwrap_err(), rows);
    assert_eq!(values(&matrix), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn a_clone_has_a_matrix_of_its_own_and_a_reference_moves_it() {
    let matrix = matrix(&Device::flex());
    let clone = matrix.clone();
    matrix.update(|value| value * 0.0);
    assert_eq!((values(&matrix), values(&clone)), (vec![0.0; 6], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
}

#[test]
fn it_never_is_on_autodiff_and_nothing_makes_it_learnable() {
    let device = Device::flex().autodiff();
    let matrix = matrix(&device).unfreeze();
    assert!(!matrix.value().device().is_autodiff());
    matrix.add(&[0], Tensor::<2>::ones([1, 2], &device).require_grad()).unwrap();
    assert!(!matrix.value().device().is_autodiff());
    assert!(!matrix.to_device(&device).value().device().is_autodiff());
}

#[test]
fn it_travels_in_the_record() {
    let device = Device::flex();
    let bytes = matrix(&device).into_record().into_bytes().unwrap();
    let other = StateMatrix::new(Tensor::zeros([3, 2], &device));
    let loaded = other.load_record(ModuleRecord::from_bytes(bytes).unwrap());
    assert_eq!(tensors(&loaded), tensors(&matrix(&device)));
}

#[test]
fn memory_of_one_owner_is_written_in_place() {
    let matrix = StateMatrix::new(Tensor::zeros([64, 64], &Device::flex()));
    let address = |matrix: &StateMatrix| {
        let held = std::cell::Cell::new(0);
        matrix.update(|value| {
            let data = value.into_data();
            held.set(data.as_slice::<f32>().unwrap().as_ptr() as usize);
            Tensor::from_data(data, &Device::flex())
        });
        held.get()
    };
    let before = address(&matrix);
    matrix.add(&[1, 2], Tensor::ones([2, 64], &Device::flex())).unwrap();
    assert_eq!(address(&matrix), before);
}
