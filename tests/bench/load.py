"""A load of POSTs from one process: so many connections, one request in flight on each.

Run as a program: `load.py HOST PORT CONNECTIONS SECONDS` prints how many were answered a second.
Plain sockets and select: it must cost less than what it measures.
"""

import select
import socket
import sys
import time

_SESSION = b'"sessionId":"2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr","projectId":"123456"'
_CONNECTION = b'"id":"c053fcc8-c681-41d5-8ec2-7a9e1434a21e","createdAt":1470257688143'
_STREAM = (
    b'"stream":{"id":"63245362-e00e-4834-8371-9397deb3e452","connection":{%b,"data":""},'
    b'"createdAt":1470258845416,"name":"desk","videoType":"camera"}'
) % _CONNECTION
BODIES = (
    b'{%b,"event":"connectionCreated","timestamp":1470257688309,"connection":{%b,"data":"Ann"}}'
    % (_SESSION, _CONNECTION),
    b'{%b,"event":"streamCreated","timestamp":1470258860571,%b}' % (_SESSION, _STREAM),
    b'{%b,"event":"streamDestroyed","reason":"networkDisconnected","timestamp":1470258896953,%b}'
    % (_SESSION, _STREAM),
)


def request(body: bytes) -> bytes:
    """A callback as Vonage's client sends it."""
    return (
        b"POST /hook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"User-Agent: Apache-HttpClient/4.5\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def run(host: str, port: int, connections: int, seconds: float) -> float:
    """Requests answered with 200 per second."""
    requests = [request(body) for body in BODIES]
    sockets = {}
    poll = select.epoll() if hasattr(select, "epoll") else select.poll()
    for number in range(connections):
        one = socket.create_connection((host, port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[one.fileno()] = one
        poll.register(one.fileno(), select.EPOLLIN)
        one.sendall(requests[number % len(requests)])
    answered, start = 0, time.perf_counter()
    while (lasted := time.perf_counter() - start) < seconds:
        for fd, _ in poll.poll(1):
            one = sockets[fd]
            if not one.recv(4096).startswith(b"HTTP/1.1 200"):
                raise SystemExit("not answered with 200")
            answered += 1
            one.send(requests[answered % len(requests)])
    return answered / lasted


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
