"""AMQP 0-9-1 as a proxy sees it: frames, and a wire that drops confirms and acks, doubles deliveries, and cuts between two frames.

TCP loses nothing in the middle, but brokers do: a confirm, or an acknowledgement, that a node had not passed on when it died.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from support.proxy import CutHere

METHOD = 1
OPEN = (20, 10)
PUBLISH, DELIVER, ACK, REJECT, NACK = (60, 40), (60, 60), (60, 80), (60, 90), (60, 120)

_GREETING = b"AMQP\x00\x00\x09\x01"
_HEAD = struct.Struct("!BHI")  # kind, channel, size; after the payload comes one octet more, 0xCE
_END = b"\xce"
_ID = struct.Struct("!HH")
_TAG = struct.Struct("!Q")


@dataclass(frozen=True)
class Frame:
    """One frame; `octets` is all of it."""

    kind: int
    channel: int
    octets: bytes

    @property
    def payload(self) -> bytes:
        """What is in it."""
        return self.octets[_HEAD.size : -1]

    @property
    def method(self) -> tuple[int, int] | None:
        """Class and method, if it is a method's."""
        if self.kind != METHOD:
            return None
        class_id, method_id = _ID.unpack_from(self.payload)
        return class_id, method_id

    def tag_at(self) -> int:
        """Where in the payload of a delivery or a settlement its tag stands; a delivery names its consumer first."""
        return _ID.size + (1 + self.payload[_ID.size] if self.method == DELIVER else 0)

    def with_tag(self, tag: int) -> Frame:
        """Return it with another tag, of the same length."""
        at = _HEAD.size + self.tag_at()
        return Frame(self.kind, self.channel, self.octets[:at] + _TAG.pack(tag) + self.octets[at + _TAG.size :])

    @property
    def tag(self) -> int:
        """The tag of a delivery or a settlement."""
        tag: int = _TAG.unpack_from(self.payload, self.tag_at())[0]
        return tag

    @property
    def is_multiple(self) -> bool:
        """Whether an ack or a nack speaks of all tags up to its own; a reject never does."""
        return self.method != REJECT and bool(self.payload[self.tag_at() + _TAG.size] & 1)


class Framing:
    """Cuts one direction of a connection into whole frames."""

    def __init__(self) -> None:
        self._rest = b""
        self._greeted = False

    def feed(self, octets: bytes) -> Iterator[Frame | bytes]:
        """Yield the frames that are whole by now; the greeting of a client comes as octets."""
        data, at = self._rest + octets, 0
        self._rest = b""
        if not self._greeted and len(data) >= len(_GREETING):
            self._greeted = True
            if data.startswith(_GREETING[:4]):
                at = len(_GREETING)
                yield data[:at]
        while self._greeted and len(data) - at >= _HEAD.size:
            kind, channel, size = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + size + 1
            if len(data) < end:
                break
            assert data[end - 1 : end] == _END, "these are not frames of AMQP 0-9-1"
            yield Frame(kind, channel, data[at:end])
            at = end
        self._rest = data[at:]


class Mischief(Enum):
    """What is done to a connection, to which method, and whether that goes to the server."""

    DROP_CONFIRM = ("drop", ACK, False)
    DROP_ACK = ("drop", ACK, True)
    DOUBLE_DELIVERY = ("double", DELIVER, False)
    CUT_AFTER_CONFIRM = ("cut", ACK, False)
    CUT_AFTER_ACK = ("cut", ACK, True)
    CUT_IN_DELIVERY = ("cut", DELIVER, False)
    CUT_IN_PUBLICATION = ("cut", PUBLISH, True)

    @property
    def deed(self) -> str:
        """`drop` it, `double` it, or `cut` the connection after it, which is before the content that follows it."""
        return self.value[0]


@dataclass
class Orders:
    """What the wires of one proxy are to do: a mischief to every n-th frame that it can be done to; and how often it was done."""

    every: Mapping[Mischief, int] = field(default_factory=dict)
    done: Counter[Mischief] = field(default_factory=Counter)
    _seen: Counter[Mischief] = field(default_factory=Counter)

    def meant_for(self, frame: Frame, *, to_server: bool) -> set[str]:
        """Return the deeds that are to be done to `frame` now, and count them as done."""
        found = set[str]()
        for mischief, every in self.every.items():
            if mischief.value[1:] == (frame.method, to_server):
                self._seen[mischief] += 1
                if self._seen[mischief] % every == 0:
                    self.done[mischief] += 1
                    found.add(mischief.deed)
        return found


class AmqpWire:
    """One connection of a client to RabbitMQ."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._framing = {True: Framing(), False: Framing()}
        self._tags: dict[int, Tags] = {}
        self._doubling: dict[int, list[Frame]] = {}

    def through(self, octets: bytes, *, to_server: bool) -> Iterator[bytes]:
        """Yield what is to go on instead of `octets`. Raises: CutHere."""
        whole = bytearray()
        for frame in self._framing[to_server].feed(octets):
            if isinstance(frame, bytes):
                whole += frame
                continue
            deeds = self._orders.meant_for(frame, to_server=to_server)
            for one in self._settled(frame, deeds) if to_server else self._delivered(frame, deeds):
                whole += one.octets
            if "cut" in deeds:
                yield bytes(whole)
                raise CutHere
        if whole:
            yield bytes(whole)

    def _delivered(self, frame: Frame, deeds: set[str]) -> Iterator[Frame]:
        """Yield what the client is to see of a frame of the server."""
        if "drop" in deeds:
            return
        if frame.method == DELIVER:
            tags = self._tags.setdefault(frame.channel, Tags())
            frame = frame.with_tag(tags.handed_over(frame.tag))
            if "double" in deeds:
                self._doubling[frame.channel] = []
        copied = self._doubling.get(frame.channel)
        yield frame
        if copied is not None:
            copied.append(frame)
            # Frames of one delivery follow each other on their channel: method, header, body.
            if _is_complete(copied):
                del self._doubling[frame.channel]
                again = copied[0].with_tag(self._tags[frame.channel].handed_over_again())
                yield from (again, *copied[1:])

    def _settled(self, frame: Frame, deeds: set[str]) -> Iterator[Frame]:
        """Yield what the server is to see of a frame of the client."""
        if "drop" in deeds:
            return
        if frame.method == OPEN:
            self._tags.pop(frame.channel, None)  # a number that was another channel's before
            self._doubling.pop(frame.channel, None)
        tags = self._tags.get(frame.channel)
        if tags is None or frame.method not in (ACK, REJECT, NACK):
            yield frame
            return
        tag = tags.settled(frame.tag, multiple=frame.is_multiple)
        if tag is not None:
            yield frame.with_tag(tag)


def _is_complete(frames: list[Frame]) -> bool:
    if len(frames) == 1:
        return False
    size: int = struct.unpack_from("!Q", frames[1].payload, 4)[0]  # class, weight, size of the body
    return sum(len(frame.payload) for frame in frames[2:]) >= size


class Tags:
    """The delivery tags of one channel, which the client counts with the copies, and the server without them.

    A delivery counts as settled with the first copy that is; the server would end the channel if it were told of the second.
    """

    def __init__(self) -> None:
        self._of_server = [0]  # by the client's tag
        self._open: dict[int, None] = {}  # the server's tags that are not settled, in order

    def handed_over(self, of_server: int) -> int:
        """Note a delivery under the server's tag; return the client's."""
        self._open[of_server] = None
        self._of_server.append(of_server)
        return len(self._of_server) - 1

    def handed_over_again(self) -> int:
        """Note that the last delivery came a second time; return the client's tag of that."""
        self._of_server.append(self._of_server[-1])
        return len(self._of_server) - 1

    def settled(self, of_client: int, *, multiple: bool) -> int | None:
        """Note what the client settles; return the tag to name to the server, None when that knows it already."""
        if of_client >= len(self._of_server):
            return of_client  # it has never seen that: let the server say what it thinks of it
        named = self._of_server[of_client] or self._of_server[-1]  # 0 speaks of all there are
        meant = [tag for tag in self._open if tag <= named] if multiple else [tag for tag in (named,) if tag in self._open]
        for tag in meant:
            del self._open[tag]
        return max(meant, default=None)
