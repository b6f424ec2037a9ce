//! One connection, whatever kind of server is behind it.

use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, FromRedisValue};

use super::failure::Failure;

/// A connection on which one command is under way at a time.
pub enum Link {
    /// To one server, perhaps as its sentinels named it.
    One(MultiplexedConnection),
    /// To a cluster.
    Cluster(ClusterConnection),
}

impl Link {
    /// Sends `command` and waits for the answer, as long as the connection's patience lasts.
    pub async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Failure> {
        let answer = match self {
            Self::One(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        };
        answer.map_err(Failure::from)
    }
}
