//! What can be said on the command line: the commands, and the flags that several of them share.

mod command;
mod machine;
mod reading;
mod run;
mod shared;
mod start;

pub use command::{Cli, Command};
pub use machine::Machine;
pub use reading::{Images, Reading, ReadingFlags};
pub use run::{Files, HelpAll, Run, duration};
pub use shared::{Shared, SharedSettings, set};
pub use start::Start;
