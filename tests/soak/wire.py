"""A client of PostgreSQL's protocol, as bare as can be: it counts rows, keeps the bytes, and can stop anywhere.

Knows nothing of purposes. Standard library only.
"""
import socket
import struct


class Refused(Exception):
    """The login came to nothing: what the server said of it."""


def message(tag, body=b''):
    return tag + struct.pack('!I', len(body) + 4) + body


def text(value):
    return value.encode() + b'\0'


class Answer:
    """What came up to ReadyForQuery."""

    def __init__(self):
        self.rows, self.sqlstate, self.code, self.body = 0, None, None, b''


class Session:
    def __init__(self, port, user, database='care'):
        self.port = port
        self.socket = socket.create_connection(('127.0.0.1', port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = self.key = b''
        body = struct.pack('!I', 0x30000) + text('user') + text(user) + text('database') + text(database) + b'\0'
        self.socket.sendall(struct.pack('!I', len(body) + 4) + body)
        answer = self.answer()
        if answer.sqlstate:
            self.close()
            raise Refused(answer.body.decode('utf8', 'replace'))

    def close(self):
        self.socket.close()

    def vanish(self):
        """Gone without a word: the other side hears of a reset, if anything."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.socket.close()

    def send(self, *messages):
        self.socket.sendall(b''.join(messages))

    def query(self, sql):
        self.send(message(b'Q', text(sql)))
        return self.answer()

    def prepare(self, name, sql):
        self.send(message(b'P', text(name) + text(sql) + b'\0\0'), message(b'S'))
        return self.answer()

    def execute(self, name, values, times=1):
        """Bound and executed so many times in one pipeline."""
        bound = b''.join(struct.pack('!I', len(v)) + v for v in (str(v).encode() for v in values))
        bind = message(b'B', b'\0' + text(name) + b'\0\0' + struct.pack('!H', len(values)) + bound + b'\0\0')
        self.send(*[bind + message(b'E', b'\0' + b'\0' * 4)] * times, message(b'S'))
        return self.answer()

    def copy_in(self, sql, lines):
        self.send(message(b'Q', text(sql)))
        return self.answer(lines)

    def cancel(self):
        with socket.create_connection(('127.0.0.1', self.port), 60) as other:
            other.sendall(struct.pack('!II', 8 + len(self.key), 80877102) + self.key)
            other.recv(1)

    def answer(self, lines=None, most=1 << 20):
        answer = Answer()
        while True:
            tag, body = self.next()
            if tag in b'Dd':
                answer.rows += 1
            if tag == b'K':
                self.key = body
            elif tag == b'G':
                self.send(message(b'd', lines) if lines else b'', message(b'c'))
            elif tag == b'E':
                fields = dict((f[:1], f[1:].decode('utf8', 'replace')) for f in body.split(b'\0') if f)
                answer.sqlstate, answer.code = fields[b'C'], fields.get(b'n')
            if len(answer.body) < most and tag in b'DdE':
                answer.body += body
            if tag == b'Z' or (tag == b'E' and not self.key):
                return answer

    def next(self):
        while len(self.buffer) < 5 or len(self.buffer) < self.wanted():
            read = self.socket.recv(1 << 16)
            if not read:
                raise ConnectionError('hung up')
            self.buffer += read
        end = self.wanted()
        tag, body, self.buffer = self.buffer[:1], self.buffer[5:end], self.buffer[end:]
        return tag, body

    def wanted(self):
        return 1 + struct.unpack('!I', self.buffer[1:5])[0]
