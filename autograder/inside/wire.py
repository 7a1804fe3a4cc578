"""The wire between judge and sandbox: messages of plain values, each with its length before it. Both ends use it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import msgpack

from autograder.inside.values import MAX_FRAME, Decoder, Encoder, Reference, Refused

__all__ = ["Closed", "Reference", "Refused", "receive", "send"]


class Closed(Exception):
    """The other end is gone."""


def send(sock: socket.socket, message: Any, outside: Callable[[Any], Any] | None = None) -> None:
    """Send one message; `outside` may turn an object of no plain kind into a plain one or a `Reference`.

    Raises
    ------
    Refused
        The message holds something else, or too much.
    Closed
        The other end is gone.
    """
    encoder = Encoder(outside)
    tree = encoder.encode(message, 0)
    try:
        body: Any = msgpack.packb({"tree": tree, "memory": encoder.memory})
    except (ValueError, OverflowError, UnicodeError, TypeError) as error:
        raise Refused(f"a value cannot be sent: {error}") from None
    if len(body) > MAX_FRAME:
        raise Refused(f"a message of {len(body) / 2**20:.0f} MB; at most {MAX_FRAME // 2**20} MB can be sent")
    try:
        sock.sendall(struct.pack("<Q", len(body)) + body)
    except (BrokenPipeError, ConnectionResetError):
        raise Closed from None


def receive(sock: socket.socket, reference: Callable[[Reference], Any] | None = None) -> Any:
    """Receive one message; `reference` gives what a `Reference` stands for.

    Raises
    ------
    Refused
        The message is no message, or holds more than is allowed.
    Closed
        The other end is gone.
    TimeoutError
        The socket's time limit passed.
    """
    (size,) = struct.unpack("<Q", _exactly(sock, 8))
    if size > MAX_FRAME:
        raise Refused(f"a message of {size} bytes; at most {MAX_FRAME} can be received")
    try:
        body = _exactly(sock, size)
    except MemoryError as error:
        raise _unreadable(error) from None
    try:
        message = msgpack.unpackb(body, strict_map_key=True, max_ext_len=0)
        if type(message) is not dict or message.keys() != {"tree", "memory"} or type(message["memory"]) is not list:
            raise Refused("a message of unknown form")
        return Decoder(message["memory"], reference).decode(message["tree"], 0)
    except Refused:
        raise
    except Exception as error:  # whatever a forged message makes the libraries raise
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> Refused:
    return Refused(f"a message that cannot be read ({type(error).__name__})")


def _exactly(sock: socket.socket, size: int) -> bytearray:
    data = bytearray()
    while len(data) < size:  # grows as bytes come: a claim of 200 MB costs nothing yet
        try:
            piece = sock.recv(min(size - len(data), 2**20))
        except ConnectionResetError:
            raise Closed from None
        if not piece:
            raise Closed
        data += piece
    return data
