//! Training of the network on low-resolution pixels.

mod schedule;

pub use schedule::{Schedule, ScheduleKind};
