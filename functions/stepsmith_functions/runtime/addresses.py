"""Which IP addresses actions may talk to: the public Internet, and private networks where the deployment says so."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

METADATA: Final = frozenset(
    ip_address(text) for text in ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23")
)
"""Where instances and containers find their credentials (EC2 IMDS, ECS and EKS Pod Identity endpoints). Never
allowed."""

_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = IPv6Network("::/96")
_UNROUTED: Final = tuple(
    ip_network(text)
    for text in ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4")
)


def allowed(text: str, *, private: bool) -> bool:
    """Whether an action may connect to the address `text`; `private` admits loopback, private and link-local ones.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64) is judged by both.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_allowed(each, private=private) for each in (address, *_carried(address)))


def _allowed(address: Address, *, private: bool) -> bool:
    if address in METADATA or address.is_multicast or address.is_unspecified:
        return False
    if private:
        return str(address) != "255.255.255.255"
    return not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_reserved
        or not address.is_global
        or any(address.version == network.version and address in network for network in _UNROUTED)
        or (isinstance(address, IPv6Address) and address.is_site_local)
    )


def _carried(address: Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    teredo = address.teredo
    found = [address.ipv4_mapped, address.sixtofour, *(teredo or ())]
    if address in _COMPATIBLE or any(address in network for network in _NAT64):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
