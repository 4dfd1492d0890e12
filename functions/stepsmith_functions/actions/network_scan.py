"""The action `network_scan`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.addresses import METADATA
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result
from stepsmith_functions.runtime.errors import PermanentError, TransientError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

BASIC: Final[tuple[int, ...]] = (
    *(21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 993, 995, 1433, 1521, 2375, 3306, 3389),
    *(5432, 5900, 5985, 6379, 8000, 8080, 8443, 9200, 11211, 27017),
)
FULL: Final = tuple(sorted({*range(1, 1025), *BASIC}))
MOST_HOSTS = 256
_AT_ONCE = 256
_CONNECT, _BANNER = 1.0, 0.5
_LONGEST_BANNER = 200


class TargetNotAllowed(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The target is not on the deployment's list of what may be scanned."""


class TargetUnknown(TransientError):  # noqa: N818 - the name is part of the contract with workflows
    """The target's name does not resolve."""


class ScanIncomplete(TransientError):  # noqa: N818 - the name is part of the contract with workflows
    """The scan did not end within the function's time."""


class NetworkScanParams(Params):
    target: str = Field(
        min_length=1, max_length=253, description="A host name, an address, or a CIDR block of up to 256 addresses."
    )
    scan_type: Literal["basic", "full"] = Field(
        default="basic", description="`basic`: some thirty usual ports; `full`: those and 1 to 1024."
    )
    ports: list[Annotated[int, Field(ge=1, le=65535)]] | None = Field(
        default=None, min_length=1, max_length=2000, description="These instead of the scan type's."
    )


class OpenPort(Result):
    host: str = Field(description="Address.")
    port: int = Field(description="TCP.")
    banner: str = Field(description="What the service said unasked within half a second, printable part.")


class NetworkScanResult(Result):
    open_ports: list[OpenPort] = Field(description="By address and port.")
    hosts: list[str] = Field(description="Addresses that have an open port.")


@action(
    effect="read",
    repeatable=True,
    timeout=300,
    memory=256,
    errors=(TargetNotAllowed, TargetUnknown, ScanIncomplete),
    environment={"SCAN_TARGETS": "${ScanTargets}"},
    example={"target": "10.0.0.0/28", "scan_type": "basic"},
)
def network_scan(params: NetworkScanParams, context: ActionContext) -> NetworkScanResult:
    """Finds open TCP ports by connecting to them.

    Only targets on the deployment's list (SCAN_TARGETS: host names, addresses, CIDR blocks) are scanned. A name is
    resolved once and, unless the name itself is listed, every address must be inside a listed block. Nothing is sent;
    a service that speaks first is quoted. Addresses of cloud metadata services are never scanned.
    """
    hosts = _hosts(params.target, context.settings.scan_targets)
    ports = sorted(set(params.ports or (FULL if params.scan_type == "full" else BASIC)))
    try:
        found = asyncio.run(asyncio.wait_for(_scan(hosts, ports, context), context.remaining_seconds() - 3))
    except TimeoutError:
        raise ScanIncomplete(f"{len(hosts)} hosts with {len(ports)} ports take longer than the time left") from None
    open_ports = [
        OpenPort(host=str(host), port=port, banner=banner) for host, port, banner in sorted(found, key=_order)
    ]
    return NetworkScanResult(open_ports=open_ports, hosts=list(dict.fromkeys(entry.host for entry in open_ports)))


def _order(entry: tuple[Address, int, str]) -> tuple[int, int, int]:
    host, port, _ = entry
    return host.version, int(host), port


def _hosts(target: str, listed: Sequence[str]) -> list[Address]:
    names = {entry.lower().rstrip(".") for entry in listed}
    networks = [network for entry in listed if (network := _network(entry))]
    asked = _network(target)
    if asked:
        if asked.num_addresses > MOST_HOSTS:
            raise TargetNotAllowed(f"a block of more than {MOST_HOSTS} addresses")
        hosts: list[Address] = [*asked.hosts()] or [asked.network_address]
        by_name = False
    else:
        hosts = _resolved(target)
        by_name = target.lower().rstrip(".") in names
    inside = all(any(host in network for network in networks if network.version == host.version) for host in hosts)
    if not (by_name or inside) or METADATA & set(hosts):
        raise TargetNotAllowed("the target is not on the deployment's list")
    return hosts


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _resolved(name: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TargetUnknown("the target's name does not resolve") from None
    return [ip_address(text) for text in dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)]


async def _scan(
    hosts: Sequence[Address], ports: Sequence[int], context: ActionContext
) -> list[tuple[Address, int, str]]:
    """The open ports. Hosts are visited side by side, so that no single one sees a burst of connections."""
    total = len(ports) * len(hosts)
    pairs = iter(enumerate((host, port) for port in ports for host in hosts))
    found: list[tuple[Address, int, str]] = []

    async def work() -> None:
        for number, (host, port) in pairs:
            context.checkpoint(100 * number / total, f"{number} of {total} ports", str(host))
            banner = await _probe(str(host), port)
            if banner is not None:
                found.append((host, port, banner))

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return found


async def _probe(host: str, port: int) -> str | None:
    """What the port says unasked, `""` if nothing; None if it is closed."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _CONNECT)
    except (OSError, TimeoutError):
        return None
    try:
        said = await asyncio.wait_for(reader.read(_LONGEST_BANNER), _BANNER)
    except (OSError, TimeoutError):
        said = b""
    finally:
        writer.close()
    return "".join(char for char in said.decode("ascii", "replace") if char.isascii() and char.isprintable())


handler = network_scan.handler
