//! A node of processes: it runs what pods of a namespace say, each container as a process of this machine.
//!
//! [`Cluster`] starts a namespace with such a node and is all that most tests need. A pod has a network namespace
//! with an address of its own, a root folder with the files that it mounts, and the user that it asks for. Its
//! probes, its status and its end are those of a kubelet. What a node does not know in a pod's spec fails the pod and
//! the test: see `fields.rs`. There is no proxy for Services: their names lead straight to a
//! ready pod, and those of the type LoadBalancer have an address that does.

pub mod balancers;
pub mod cluster;
pub mod container;
pub mod environment;
pub mod fields;
pub mod handle;
pub mod hosts;
pub mod images;
pub mod keeper;
pub mod load;
pub mod making;
pub mod network;
pub mod pod;
pub mod probe;
pub mod root;
pub mod site;
pub mod spec;
pub mod status;
pub mod tables;
pub mod termination;
pub mod volume_files;
pub mod volumes;

pub use cluster::{Cluster, Placed};
pub use load::{Answered, Load};
pub use site::Site;
