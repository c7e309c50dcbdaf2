# SPDX-License-Identifier: Apache-2.0
"""A broker that says what a test wants it to say, for answers that a real one gives seldom.

    with FakeBroker({"DeleteGroups": (0, 1)}, {"DeleteGroups": [first_answer, next_answer]}) as fake:
        use(fake.bootstrap)
        assert fake.asked == [("DeleteGroups", {...})]

The last answer of an API is given again and again. An answer may be a function of the request.
"""

import pathlib
import socket
import struct
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "test" / "clients"))

from wire import APIS, Reader, Writer  # noqa: E402

NAMES = {api.key: name for name, api in APIS.items()}
UNSUPPORTED_VERSION = 35


class FakeBroker:
    def __init__(self, versions, answers):
        self.versions = {"ApiVersions": (0, 0), **versions}
        self.answers = {name: list(said) for name, said in answers.items()}
        self.asked = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.bootstrap = f"127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rwb") as stream:
            while head := stream.read(4):
                frame = stream.read(struct.unpack(">i", head)[0])
                answer = self._answer(frame)
                stream.write(struct.pack(">i", len(answer)) + answer)
                stream.flush()

    def _answer(self, frame):
        key, version, correlation_id, client_len = struct.unpack_from(">hhih", frame)
        name = NAMES[key]
        if name == "ApiVersions":
            value = {"ErrorCode": 0 if version == 0 else UNSUPPORTED_VERSION,
                     "ApiKeys": [{"ApiKey": APIS[n].key, "MinVersion": low, "MaxVersion": high}
                                 for n, (low, high) in self.versions.items()]}
            return self._encode(name, 0, correlation_id, value)
        low, high = self.versions[name]
        assert low <= version <= high
        message = APIS[name].request
        body = frame[10 + client_len + message.is_flexible(version):]
        request = Reader(message, version, body).struct(message.root)
        said = self.answers[name]
        value = said.pop(0) if len(said) > 1 else said[0]
        self.asked.append((name, request))
        return self._encode(name, version, correlation_id,
                            value(request) if callable(value) else value)

    @staticmethod
    def _encode(name, version, correlation_id, value):
        message = APIS[name].response
        writer = Writer(message, version)
        if writer.is_flexible:
            writer.out.append(0)
        writer.struct(message.root, value)
        return struct.pack(">i", correlation_id) + bytes(writer.out)
