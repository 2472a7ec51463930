//! Training of the network on low-resolution pixels.

mod batch;
mod fit;
mod schedule;

pub use batch::Batch;
pub(crate) use batch::{Order, gather, is_used};
pub(crate) use fit::{Epoch, HeldOut, History, Plan, fit};
pub use schedule::{Schedule, ScheduleKind};
