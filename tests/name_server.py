"""A name server for tests: it answers with what a zone of Route 53 holds at that moment."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Server(socketserver.ThreadingTCPServer):
    # Pebble asks by TCP: nothing is lost.
    daemon_threads = True
    allow_reuse_address = True
    route53: Any
    zone_id: str
    asked: list[str]


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        while length := self.rfile.read(2):
            query = dns.message.from_wire(self.rfile.read(int.from_bytes(length, "big")))
            self.wfile.write(self.answer(query).to_wire(prepend_length=True))

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        (question,) = query.question
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.server.asked.append(f"{name} {kind}")
        sets = self.server.route53.list_resource_record_sets(HostedZoneId=self.server.zone_id)
        held = [one for one in sets["ResourceRecordSets"] if one["Name"] == name]
        if not held:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        for one in held:
            if one["Type"] == kind:
                values = [value["Value"] for value in one["ResourceRecords"]]
                reply.answer.append(dns.rrset.from_text(name, one["TTL"], "IN", kind, *values))
        return reply


@contextmanager
def serving(route53: Any, zone_id: str) -> Iterator[tuple[int, list[str]]]:
    """Its port on 127.0.0.1, and what it was asked: "notebook.example.org. TXT"."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.route53, server.zone_id, server.asked = route53, zone_id, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1], server.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
