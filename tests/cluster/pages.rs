//! Pages of the documentation whose commands run as written.
//!
//! From one heading of a page on all is run; what stands before it cannot run here. [`page::Page`] takes its blocks of
//! commands in order, [`shell::Shell`] runs them as one session of a terminal in a clone, and [`place::Place`] is the
//! cluster of the page. A block that is left out fails the test.

mod envoy;
mod envoy_gateway;
mod page;
mod place;
mod shell;
