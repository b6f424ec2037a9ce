//! Writes that follow each other leave in one system call.
//!
//! HTTP/2 writes a frame's head and then its payload, and copies small payloads together with the heads of others only up
//! to a size that it chooses by whether a connection writes vectored: 1,024 bytes where it does not, else 256, and each
//! payload beyond is flushed alone. Most answers of a picker are between the two. So this says that it does not, and puts a
//! head and the payload behind it together again. What a flush means stays: after it, everything has been written.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A write of up to this many bytes waits for the next one, or for the flush; to copy more would cost what it saves.
const HELD: usize = 4096;

/// A connection that keeps small writes back until the next.
#[derive(Debug)]
pub struct Gather<T> {
    inner: T,
    held: Vec<u8>,
    /// How many of these were written.
    written: usize,
}

impl<T> Gather<T> {
    /// Writes to `inner`.
    pub fn new(inner: T) -> Self {
        Self { inner, held: Vec::new(), written: 0 }
    }

    /// What is written to in the end.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }
}

impl<T: AsyncWrite + Unpin> Gather<T> {
    /// Writes what is held and as much of `more` as goes with it; returns how much of `more` that was.
    fn poll_release(&mut self, cx: &mut Context<'_>, more: &[u8]) -> Poll<io::Result<usize>> {
        while self.written < self.held.len() {
            let held = &self.held[self.written..];
            let both = [IoSlice::new(held), IoSlice::new(more)];
            let count = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, &both))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_more = count.saturating_sub(held.len());
            self.written += count - of_more;
            if of_more > 0 {
                self.forget();
                return Poll::Ready(Ok(of_more));
            }
        }
        self.forget();
        Poll::Ready(Ok(0))
    }

    fn forget(&mut self) {
        self.held.clear();
        self.written = 0;
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Gather<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gather<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.held.is_empty() {
            if buf.len() > HELD {
                return Pin::new(&mut this.inner).poll_write(cx, buf);
            }
            this.held.extend_from_slice(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        match ready!(this.poll_release(cx, buf))? {
            // All that was held is gone, to the byte.
            0 => Pin::new(this).poll_write(cx, buf),
            count => Poll::Ready(Ok(count)),
        }
    }

    /// Whoever asks is to hand over one piece after the other.
    fn is_write_vectored(&self) -> bool {
        false
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_release(cx, &[]))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_release(cx, &[]))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    /// Takes as many bytes at once as it is told, and is not ready where that is 0.
    #[derive(Debug, Default)]
    struct Reluctant {
        takes: VecDeque<usize>,
        taken: Vec<u8>,
        calls: usize,
    }

    impl AsyncWrite for Reluctant {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            let this = self.get_mut();
            this.calls += 1;
            match this.takes.pop_front() {
                Some(0) => Poll::Pending,
                most => {
                    let count = buf.len().min(most.unwrap_or(usize::MAX));
                    this.taken.extend_from_slice(&buf[..count]);
                    Poll::Ready(Ok(count))
                }
            }
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            self.poll_write(cx, &all)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_head_and_its_payload_leave_together_and_small_frames_with_the_flush() {
        let mut gather = Gather::new(Reluctant::default());
        let cx = &mut Context::from_waker(Waker::noop());
        for (bytes, calls) in [(&[1; 9][..], 0), (&[2; 50_000], 1), (&[3; 50_000], 2), (&[4; 300], 2)] {
            assert!(
                matches!(Pin::new(&mut gather).poll_write(cx, bytes), Poll::Ready(Ok(count)) if count == bytes.len())
            );
            assert_eq!(gather.inner.calls, calls);
        }
        assert!(Pin::new(&mut gather).poll_flush(cx).is_ready());
        assert_eq!((gather.inner.calls, gather.inner.taken.len()), (3, 100_309));
        assert!(Pin::new(&mut gather).poll_flush(cx).is_ready());
        assert_eq!(gather.inner.calls, 3, "there is nothing left");
    }

    proptest! {
        #[test]
        fn bytes_arrive_once_in_their_order_and_all_of_them_by_a_flush(
            steps in prop::collection::vec((0usize..3, 1usize..9_000), 1..40),
            takes in prop::collection::vec(0usize..6_000, 0..60),
        ) {
            let mut gather = Gather::new(Reluctant { takes: takes.into(), ..Reluctant::default() });
            let cx = &mut Context::from_waker(Waker::noop());
            let (mut sent, mut number) = (Vec::new(), 0_u8);
            for (action, len) in steps {
                if action == 0 {
                    if Pin::new(&mut gather).poll_flush(cx).is_ready() {
                        prop_assert_eq!(&gather.inner.taken, &sent);
                    }
                } else {
                    number = number.wrapping_add(1);
                    let bytes = vec![number; len];
                    if let Poll::Ready(count) = Pin::new(&mut gather).poll_write(cx, &bytes) {
                        let count = count.expect("it takes what it can");
                        prop_assert!(count > 0);
                        sent.extend_from_slice(&bytes[..count]);
                    }
                }
                prop_assert!(sent.starts_with(&gather.inner.taken));
            }
            gather.inner.takes.clear();
            prop_assert!(Pin::new(&mut gather).poll_shutdown(cx).is_ready());
            prop_assert_eq!(&gather.inner.taken, &sent);
        }
    }
}
