use burn::tensor::Shape;

/// What can be wrong with the settings of an average or a schedule, with the model it is asked to follow, or with rows of a state.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EmaError {
    /// A decay lies outside [0, 1].
    #[error("{field} is {value}: a decay must lie in [0, 1]")]
    Decay {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: f64,
    },
    /// A count that must be at least one is zero.
    #[error("{field} is 0: it must be at least 1")]
    Zero {
        /// The setting's name.
        field: &'static str,
    },
    /// A number of a schedule lies outside its range.
    #[error("{field} is {value}: it must be {range}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: f64,
        /// The allowed range, in words.
        range: &'static str,
    },
    /// The student holds a parameter that the average does not.
    #[error("the student has a parameter `{path}` that the average lacks")]
    Unknown {
        /// The parameter's path in the module.
        path: String,
    },
    /// The average holds a parameter that the student does not.
    #[error("the student lacks the parameter `{path}` of the average")]
    Missing {
        /// The parameter's path in the module.
        path: String,
    },
    /// A parameter has another shape in the student than in the average.
    #[error("`{path}` has shape {student:?} in the student and {average:?} in the average")]
    Shape {
        /// The parameter's path in the module.
        path: String,
        /// Its shape in the student.
        student: Shape,
        /// Its shape in the average.
        average: Shape,
    },
    /// A sample has no row in a [`StateMatrix`](crate::StateMatrix).
    #[error("sample {sample} is not one of the {samples} samples of the bank")]
    UnknownSample {
        /// The sample's index.
        sample: usize,
        /// The number of rows.
        samples: usize,
    },
    /// A change of rows of a [`StateMatrix`](crate::StateMatrix) has another shape than the rows.
    #[error("a change has the shape {found:?}, the rows have {expected:?}")]
    Rows {
        /// The shape of the change.
        found: [usize; 2],
        /// The shape of the rows.
        expected: [usize; 2],
    },
}
