"""The network of a function under test, imported by its interpreter at the start: nothing beyond this machine exists.

The file that TEST_NETWORK names says which names there are, and which port of this machine stands for an address and
port elsewhere: `{"names": {NAME: ADDRESS}, "ports": {"ADDRESS:PORT": PORT}}`. It is read for each connection, so that a
test changes it between calls. All other names are unknown and all other addresses refuse. The loopback interface is as
it is. Pauses are short here: what is waited for, another machine, answers at once.
"""

import errno
import ipaddress
import json
import os
import socket
import time

_LONGEST_PAUSE = 0.005
_getaddrinfo, _connect, _sleep = socket.getaddrinfo, socket.socket.connect, time.sleep


def _network():
    with open(os.environ["TEST_NETWORK"], encoding="utf-8") as file:
        return json.load(file)


def _address(text):
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def getaddrinfo(host, *args, **named):
    if host and not _address(host):
        if host not in (names := _network()["names"]):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        host = names[host]
    return _getaddrinfo(host, *args, **named)


def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and not _address(address[0]).is_loopback:
        port = _network()["ports"].get(f"{address[0]}:{address[1]}")
        if port is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        address = ("127.0.0.1", port)
    return _connect(self, address)


def sleep(seconds):
    _sleep(min(seconds, _LONGEST_PAUSE))


socket.getaddrinfo, socket.socket.connect, time.sleep = getaddrinfo, connect, sleep
