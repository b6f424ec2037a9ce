//! Two replicas of the picker, of which one goes away.

mod load;
mod windows;
