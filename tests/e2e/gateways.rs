//! Homing behind a plain Envoy that is set up as other gateways set theirs up, and as the shipped examples say.
//!
//! [`table`] names every configuration, where it is from, and in what it differs; the claims are the same for all.

mod asking;
mod down;
mod engines;
mod passing;
mod table;

/// The claims of every gateway, each a test of its own.
macro_rules! gateways {
    ($($name:ident)*) => {$(
        mod $name {
            use super::table::$name as gateway;
            use super::{asking, down, engines, passing};

            #[tokio::test]
            async fn sessions_and_long_prefixes_find_their_engine() {
                asking::find_their_engine(&gateway()).await;
            }

            #[tokio::test]
            async fn a_spoofed_destination_is_not_believed_and_an_empty_pool_says_so() {
                asking::no_client_decides(&gateway()).await;
            }

            #[tokio::test]
            async fn events_and_a_megabyte_each_way_pass_as_the_gateway_lets_them() {
                passing::pass(&gateway()).await;
            }

            #[tokio::test]
            async fn an_engine_that_refuses_costs_what_the_gateway_makes_of_it() {
                engines::refuse(&gateway()).await;
            }

            #[tokio::test]
            async fn without_homing_clients_see_what_the_gateway_makes_of_it_until_it_is_back() {
                down::and_back(&gateway()).await;
            }
        }
    )*};
}

gateways! {
    istio
    istio_fail_open
    envoy_gateway
    envoy_ai_gateway
    envoy_ai_gateway_buffered
    envoy_ai_gateway_fail_open
    kgateway_2_0
    kgateway_2_1
    kgateway_2_1_fail_open
    llm_d_standalone
    llm_d_standalone_fail_open
    example_original_dst
    example_override_host
}
