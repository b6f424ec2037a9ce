//! tonic's shell around the machine: it polls, tells the time, and nothing else.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Request, Response, Status, Streaming};

use crate::model::Now;
use crate::pick::{Detached, Picker};
use crate::proto::envoy::external_processor_server::{ExternalProcessor, ExternalProcessorServer};
use crate::proto::envoy::{ProcessingRequest, ProcessingResponse};

use super::budget::Budget;
use super::encode;
use super::machine::{Close, Machine, Options};

/// The largest message taken. A gateway in buffered mode sends a whole body in one; in duplex mode chunks
/// are far smaller, and `limits.requestBody` decides.
const LARGEST_MESSAGE: usize = 128 << 20;

/// The ext_proc service.
#[derive(Clone, Debug)]
pub struct ExtProc {
    picker: Arc<Picker>,
    budget: Arc<Budget>,
    options: Options,
}

/// One stream: replies as the machine gives them.
#[derive(Debug)]
pub struct Exchange {
    /// Apart, because the exchange is moved some times before it is first polled.
    machine: Box<Machine>,
    inbound: Streaming<ProcessingRequest>,
    /// Fires at the machine's deadline; made when there is the first one.
    timer: Option<Pin<Box<Sleep>>>,
    closed: Option<Close>,
}

// === impl ExtProc ===

impl ExtProc {
    /// A service that picks with `picker`.
    pub fn new(picker: Arc<Picker>, options: Options) -> Self {
        let budget = Arc::new(Budget::new(picker.metrics().buffered_bytes.clone()));
        Self { picker, budget, options }
    }

    /// As a gRPC server.
    pub fn into_server(self) -> ExternalProcessorServer<Self> {
        ExternalProcessorServer::new(self).max_decoding_message_size(LARGEST_MESSAGE)
    }
}

#[tonic::async_trait]
impl ExternalProcessor for ExtProc {
    type ProcessStream = Exchange;

    /// Answers at once: gRPC response headers go out before the first message is read.
    async fn process(&self, request: Request<Streaming<ProcessingRequest>>) -> Result<Response<Exchange>, Status> {
        let machine = Box::new(Machine::new(Arc::clone(&self.picker), Arc::clone(&self.budget), self.options));
        let inbound = request.into_inner();
        Ok(Response::new(Exchange { machine, inbound, timer: None, closed: None }))
    }
}

// === impl Exchange ===

impl Exchange {
    /// Ready when the machine's deadline has passed.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.machine.deadline().map(Instant::from_std) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(context)
    }
}

impl Stream for Exchange {
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(reply) = this.machine.next_reply() {
                return Poll::Ready(Some(Ok(encode::message(reply))));
            }
            if let Some(detached) = this.machine.take_detached() {
                tokio::spawn(hold(detached));
            }
            match this.closed {
                Some(Close::Complete) => return Poll::Ready(None),
                Some(Close::Incomplete) => {
                    this.closed = Some(Close::Complete);
                    return Poll::Ready(Some(Err(Status::cancelled(
                        "the gateway closed before its request was whole",
                    ))));
                }
                None if this.machine.is_over() => return Poll::Ready(None),
                None => {}
            }
            match Pin::new(&mut this.inbound).poll_next(context) {
                Poll::Ready(Some(Ok(message))) => this.machine.message(message, Now::read()),
                // Envoy ends streams by reset, cancel or half-close alike; what had been answered tells them apart.
                Poll::Ready(Some(Err(_)) | None) => this.closed = Some(this.machine.on_close(Now::read())),
                Poll::Pending => {
                    ready!(this.poll_deadline(context));
                    this.machine.on_deadline(Now::read());
                }
            }
        }
    }
}

impl Drop for Exchange {
    /// A stream that is reset is dropped without another look at what it brought.
    fn drop(&mut self) {
        self.machine.on_reset(Now::read);
        if let (Some(detached), Ok(runtime)) = (self.machine.take_detached(), Handle::try_current()) {
            runtime.spawn(hold(detached));
        }
    }
}

/// Holds a booking whose stream is gone until it should be over.
async fn hold(detached: Detached) {
    let Detached { mut booking, first_byte, until } = detached;
    sleep_until(first_byte.into()).await;
    booking.end_waiting();
    sleep_until(until.into()).await;
}
