"""A slow resolver: slow_dns.py ADDRESS PORT

Says of every name that it is 127.0.2.x, and of every second question (AAAA) that there is none, each after 50 to 200 ms
that depend on the name. Nothing but A and AAAA is answered with an address.
"""

import asyncio
import struct
import sys
import zlib

A, IN = 1, 1


class Resolver(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        end = data.find(b"\0", 12)
        if len(data) < 17 or end < 0 or end + 5 > len(data):
            return
        question = data[12 : end + 5]
        kind = struct.unpack("!H", data[end + 1 : end + 3])[0]
        chance = zlib.crc32(question[:-4])
        delay = 0.05 + chance % 1000 / 1000 * 0.15
        record = b""
        if kind == A:
            record = struct.pack("!HHHLH4B", 0xC00C, A, IN, 60, 4, 127, 0, 2, chance % 250 + 1)
        # An answer (RFC 1035, 4.1.1), recursion asked for and available.
        head = data[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if record else 0, 0, 0)
        asyncio.get_running_loop().call_later(delay, self.transport.sendto, head + question + record, peer)


async def main(address, port):
    await asyncio.get_running_loop().create_datagram_endpoint(Resolver, local_addr=(address, int(port)))
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
