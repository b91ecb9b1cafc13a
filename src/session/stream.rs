//! Large messages of the client that need not be whole to be acted on: parameters and COPY data. Their start is acted
//! on when it is there, the rest handed on as it comes, so that a value of any size takes no memory here.

use bytes::Buf;

use crate::sql::Command;
use crate::wire::frontend::FrontendKind;
use crate::wire::{Frame, Header, frame};

use super::{End, Session};

/// A message that is larger is not kept until it is whole.
const LARGE: usize = 1 << 20;

/// Within so many bytes the names in a Bind must end, for it to be acted on before it is whole.
const HEAD: usize = 64 << 10;

/// What is still to come of a message that was begun.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tail {
    left: usize,
    /// The server gets it; else it is passed over.
    wanted: bool,
}

impl Tail {
    /// All has come.
    pub(super) fn is_over(self) -> bool {
        self.left == 0
    }
}

impl Session {
    /// Hands on what has come of a message that was begun; whether it is all.
    pub(super) fn pass_tail(&mut self) -> bool {
        let buffer = &mut self.client.receiver.buffer;
        let here = self.tail.left.min(buffer.len());
        if self.tail.wanted {
            self.upstream.sender.more(buffer.get(..here).unwrap_or_default());
        }
        buffer.advance(here);
        self.tail.left -= here;
        self.tail.is_over()
    }

    /// The frame at the start of the buffer may be acted on although it is not whole.
    pub(super) fn is_streamed(&self, kind: FrontendKind, header: Header) -> bool {
        if header.total <= LARGE {
            return false;
        }
        match kind {
            FrontendKind::CopyData => true,
            FrontendKind::Bind => self.skipping || self.copying_in || self.large_bind().is_some(),
            FrontendKind::Query
            | FrontendKind::Parse
            | FrontendKind::Describe
            | FrontendKind::Close
            | FrontendKind::Execute
            | FrontendKind::Flush
            | FrontendKind::Sync
            | FrontendKind::Terminate
            | FrontendKind::CopyDone
            | FrontendKind::CopyFail
            | FrontendKind::FunctionCall => false,
        }
    }

    /// The two names of the Bind at the start of the buffer, and where they end in it; none: they are not all there, or
    /// its parameters are read here.
    fn large_bind(&self) -> Option<(String, String, usize)> {
        let head = self.client.receiver.buffer.get(frame::HEADER..)?;
        let head = head.get(..HEAD.min(head.len()))?;
        let mut parts = head.splitn(3, |&b| b == 0);
        let (portal, statement) = (parts.next()?, parts.next()?);
        parts.next()?;
        let end = frame::HEADER + portal.len() + statement.len() + 2;
        let text = |raw: &[u8]| self.encoding().decode(raw).ok().map(String::from);
        let (portal, statement) = (text(portal)?, text(statement)?);
        let reads = self
            .statements
            .get(&statement)
            .is_some_and(|s| matches!(s.base.command(), Some(Command::SetConfig(_))));
        (!reads).then_some((portal, statement, end))
    }

    /// Acts on the start of a message; its rest is the tail.
    pub(super) async fn begin(&mut self, kind: FrontendKind, header: Header) -> Result<(), End> {
        let bind = match (kind, self.copying_in, self.skipping) {
            (FrontendKind::CopyData, copying_in, _) => {
                self.tail = Tail {
                    left: header.total,
                    wanted: copying_in,
                };
                return Ok(());
            }
            (_, true, _) => {
                let bytes = bytes::Bytes::new();
                return self.take_copy(kind, &Frame { tag: header.tag, bytes });
            }
            (_, false, true) => None,
            (_, false, false) => self.large_bind(),
        };
        self.follow_encoding();
        let mut wanted = false;
        let mut left = header.total;
        if let Some((portal, statement, end)) = bind {
            self.client.receiver.buffer.advance(end);
            left -= end;
            wanted = self.bind_large(portal, &statement, left).await?;
        }
        self.tail = Tail { left, wanted };
        Ok(())
    }
}
