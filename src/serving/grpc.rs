//! HTTP/2 as a gateway needs it: many long streams, large bodies, resets as the ordinary end.

use std::time::Duration;

use tonic::transport::Server;

/// Streams at once on one connection. The usual 200 make Envoy open a connection for every 200 answers in flight.
const MAX_STREAMS: u32 = 10_000;

/// Bytes that one stream may have unread: a 20 MB prompt in few round trips.
const STREAM_WINDOW: u32 = 1 << 20;

/// Bytes that one connection may have unread, over all its streams. This is what bounds memory, not the stream's.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// The largest DATA frame that a client may send. Larger than the 62,000 bytes of a chunk, so that a
/// message needs one frame; a client may as well stay at the standard 16 KiB.
const MAX_FRAME: u32 = 256 << 10;

/// A gateway that went away without a word is noticed after these two together.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// A server with all that set, and no idle timeout and no largest age: a stream lasts as long as its answer.
pub fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        // The defaults guard a public server against floods of resets and close the connection, with all
        // its streams, after 20 resets that came before their stream was looked at, or after 1,024 frames for
        // a finished stream in the connection's whole life. Envoy ends every stream by a reset and goes on
        // uploading into one that was refused, so here both are ordinary.
        .http2_max_pending_accept_reset_streams(Some(MAX_STREAMS as usize))
        .http2_max_local_error_reset_streams(None)
}
