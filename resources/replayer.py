"""Opening everything that a replay needs, for the asset, the audit and the command line alike.

Here: the chat, the clock and the ids put together. Not here: the chat itself (`chat.py`), what a replay does
(`lakehouse/replay/`).
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse.iterate import session_id
from lakehouse.lake import Lake
from lakehouse.replay.opening import Asked, Clocks, open_replayer
from lakehouse.replay.replaying import Replayer
from lakehouse.replay.retrieval import EmbedderOpener, nothing_more
from resources.chat import ChatResource
from resources.lake import utc_now

AS_SET = Asked()
"""What a replay is asked where nobody wants other than the lake's settings."""


@contextmanager
def open_with(lake: Lake, chat: ChatResource, embedder: EmbedderOpener, asked: Asked = AS_SET) -> Iterator[Replayer]:
    """Give a replayer, closed whatever happens; `embedder` is opened only where vectors are searched.

    Raises `UsageError` for an unknown tier, and where nothing is published.
    """
    clocks = Clocks(utc_now, time.monotonic, lambda: session_id(time.time_ns(), secrets.randbits(32)))
    # What replay retrieved is all there is to read: a provider that retrieves by itself would find what was left out.
    with (
        chat.open(lake, retrieve=nothing_more) as asking,
        open_replayer(lake, asking, clocks, asked=asked, environ_models=chat.models, embedder=embedder) as opened,
    ):
        yield opened
